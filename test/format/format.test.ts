/** Formats that are made of others. */
import { describe, expect, it } from 'vitest';
import { type Format, formatRule, isFormat } from '../../runtime/format/format.js';
import { accepts, automatonOf } from './support.js';

const call = (name: string, schema: object): Format => ({
  parts: [`<tool_call>\n{"name": "${name}", "arguments": `, { schema }, '}\n</tool_call>'],
});
const CALLS: Format = {
  choice: [call('a', { type: 'object', properties: { x: { type: 'integer' } } }), call('b', { type: 'object' })],
};

describe('a format', () => {
  it.each([
    [
      CALLS,
      [
        '<tool_call>\n{"name": "a", "arguments": {"x":1}}\n</tool_call>',
        '<tool_call>\n{"name": "b", "arguments": {"y":1}}\n</tool_call>',
      ],
      ['', '<tool_call>\n{"name": "a", "arguments": {"y":1}}\n</tool_call>'],
    ],
    [{ through: 'aab' }, ['aab', 'aaab', 'xaaaab', 'abaab', '\u{1f600}aab'], ['', 'aa', 'aabx', 'aabaab', 'ab']],
    [{ through: '</think>' }, ['</think>', 'a < b </thin</think>', '<</think>'], ['</think', '</think> </think>']],
    [{ parts: [{ through: '\n' }, { schema: { type: 'integer' } }] }, ['so\n7', '\n-1'], ['7', 'so\nx', 'a\nb\n7']],
    [{ choice: ['a', { regex: 'b+' }] }, ['a', 'bbb'], ['ab', '']],
  ] as const)('%j', (format, taken, refused) => {
    const automaton = automatonOf(formatRule(format));
    for (const text of taken) expect(accepts(automaton, text), text).toBe(true);
    for (const text of refused) expect(accepts(automaton, text), text).toBe(false);
  });

  it('looks like one, or not', () => {
    for (const format of [CALLS, { schema: true }, { regex: '' }, { grammar: 'root ::= "a"' }, { through: 'x' }])
      expect(isFormat(format)).toBe(true);
    for (const other of [
      {},
      [],
      'a',
      null,
      { schema: [] },
      { regex: 1 },
      { parts: [] },
      { choice: [1] },
      { parts: [{ x: 1 }] },
      { through: '' },
      { regex: 'a', grammar: 'b' },
    ])
      expect(isFormat(other), JSON.stringify(other)).toBe(false);
  });
});
