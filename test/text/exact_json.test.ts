/** What JSON.parse loses reaches a chat template: what Python's json.loads and str() make of the same texts stands beside them. */
import { describe, expect, it } from 'vitest';
import { JsonNumber, parseJson } from '../../runtime/index.js';
import { ChatTemplate } from '../../runtime/text/chat_template.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { str } from '../support/gguf_writer.js';
import { sentencePiece } from './vocabularies.js';

const SHOWN: [json: string, shown: string][] = [
  ['{"10":1,"2":1.0}', `{"10": 1, "2": 1.0}|{'10': 1, '2': 1.0}`],
  ['1.0', '1.0|1.0'],
  ['1e2', '100.0|100.0'],
  ['-0', '0|0'],
  ['-0.0', '-0.0|-0.0'],
  ['12345678901234567890', '12345678901234567890|12345678901234567890'],
  ['-9007199254740993', '-9007199254740993|-9007199254740993'],
  ['1e400', 'Infinity|inf'],
  ['1E5', '100000.0|100000.0'],
  ['0.10', '0.1|0.1'],
  ['1e21', '1e+21|1e+21'],
  ['1e20', '1e+20|1e+20'],
  ['5e-324', '5e-324|5e-324'],
  ['1e-7', '1e-07|1e-07'],
  ['123456.7e-9', '0.0001234567|0.0001234567'],
  ['{"a":{"2":[1.0]},"1":null}', `{"a": {"2": [1.0]}, "1": null}|{'a': {'2': [1.0]}, '1': None}`],
  ['{"b":1,"a":2,"b":3.0}', `{"b": 3.0, "a": 2}|{'b': 3.0, 'a': 2}`],
  ['{"__proto__":{"1":2,"0":3}}', `{"__proto__": {"1": 2, "0": 3}}|{'__proto__': {'1': 2, '0': 3}}`],
  [
    '{"constructor":[1.50,{"toString":2e0}]}',
    `{"constructor": [1.5, {"toString": 2.0}]}|{'constructor': [1.5, {'toString': 2.0}]}`,
  ],
  ['[true,null,"1.0","\\u00e9\\n"]', `[true, null, "1.0", "é\\n"]|[True, None, '1.0', 'é\\n']`],
];

const file = sentencePiece([['<|im_end|>', 0, 'control']], {
  'tokenizer.chat_template': str('{% for x in given %}{{ x | tojson }}|{{ x }}\n{% endfor %}'),
});
const show = (variables: Readonly<Record<string, unknown>>) => {
  const chat = new ChatTemplate(file, new Tokenizer(file));
  return chat.render([], { variables }).finally(() => chat.close());
};

describe('parseJson', () => {
  it('gives a template what Python reads', async () => {
    const given = SHOWN.map(([json]) => parseJson(json));
    expect((await show({ given })).split('\n').slice(0, -1)).toEqual(SHOWN.map(([, shown]) => shown));
  });

  it('gives what JSON.parse gives where nothing is lost', () => {
    for (const json of ['{"a":[1,-2.5,"x",{"b":null}],"c":true}', '[]', '{}', '"a"', '{"2":0,"10":1,"a":2}'])
      expect(parseJson(json)).toStrictEqual(JSON.parse(json));
  });

  it('keeps the order of keys in a Map and how a number is written in a JsonNumber', () => {
    const value = parseJson('{"b":1.0,"1":2}') as Map<string, unknown>;
    expect([...value]).toEqual([
      ['b', new JsonNumber('1.0')],
      ['1', 2],
    ]);
    expect(JSON.stringify([...value])).toBe('[["b",1],["1",2]]');
  });

  it('refuses what is no JSON, and what is nested too deeply', () => {
    for (const text of ['', '01', '{"a":1,}', '[1 2]', "{'a':1}", 'NaN', '"\n"'])
      expect(() => parseJson(text)).toThrow(SyntaxError);
    expect(() => parseJson(`${'['.repeat(501)}${']'.repeat(501)}`)).toThrow(/nested at most 500 deep/);
    for (const text of ['', '01', '1.', 'x', ' 1']) expect(() => new JsonNumber(text)).toThrow(/number as JSON has it/);
  });

  it('an int of more digits than Python reads is refused by name', async () => {
    const shown = async (digits: number) => show({ given: [parseJson('9'.repeat(digits))] });
    expect(await shown(4300)).toHaveLength(2 * 4300 + 2);
    await expect(shown(4301)).rejects.toThrow(/4300 digits/);
  });
});
