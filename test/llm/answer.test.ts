/** Answers of models taken apart: each format as its models write it, whole and cut anywhere, and what is none of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TOOL_FORMATS } from '../../runtime/llm/answer/formats/registry.js';
import type { ToolCallDelta } from '../../runtime/llm/answer/parts.js';
import { AnswerReader, delimitersOf, type Reading } from '../../runtime/llm/answer/reader.js';
import { Tools } from '../../runtime/llm/answer/tools.js';

const TOOLS = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      parameters: {
        type: 'object',
        properties: {
          city: { type: 'string' },
          days: { type: 'integer' },
          exact: { type: 'boolean' },
          when: { anyOf: [{ type: 'string' }, { type: 'null' }] },
          places: { type: 'array', items: { type: 'string' } },
          unit: { enum: ['C', 'F'] },
        },
      },
    },
  },
  { type: 'function', function: { name: 'python', parameters: { properties: { code: { type: 'string' } } } } },
  { type: 'function', function: { name: 'now' } },
];
const THINK = { open: '<think>', close: '</think>', isOpen: false, alsoEnds: [] as readonly string[] };

function readingOf(name: string | undefined, more: Partial<Reading> = {}): Reading {
  const format = name === undefined ? undefined : TOOL_FORMATS.find((one) => one.name === name)!;
  return { format, tools: new Tools(TOOLS), reasoning: undefined, reasoningIsText: false, single: false, ...more };
}

/** What the pieces of an answer come to. */
function read(reading: Reading, pieces: readonly string[]) {
  const reader = new AnswerReader(reading);
  const calls: { id: string; name: string; arguments: string }[] = [];
  const read = { text: '', reasoning: '' };
  const add = (delta: { text: string; reasoning: string; calls: readonly ToolCallDelta[] }) => {
    read.text += delta.text;
    read.reasoning += delta.reasoning;
    for (const { index, id, name, arguments: more } of delta.calls) {
      if (id !== undefined) {
        expect(index).toBe(calls.length);
        calls.push({ id, name: name!, arguments: '' });
      }
      expect(index).toBe(calls.length - 1);
      calls[index]!.arguments += more;
    }
  };
  for (const piece of pieces) add(reader.push(piece));
  const { pending } = reader;
  const last = reader.end();
  add(last);
  // What comes with the end was announced: a piece waits for it.
  if (!pending) expect(last).toEqual({ text: '', reasoning: '', calls: [] });
  expect(reader.calls.map(({ id, function: call }) => ({ id, ...call }))).toEqual(calls);
  for (const { id } of calls) expect(id).toMatch(/^[A-Za-z0-9]{9}$/);
  return { ...read, calls: calls.map(({ name, arguments: given }) => [name, given]) };
}

interface Case {
  readonly format: string;
  readonly says: string;
  readonly answer: string;
  readonly text?: string;
  readonly reasoning?: string;
  readonly calls?: readonly [name: string, given: string][];
}

const PARIS = '{"city": "Paris"}';
const paris: [string, string] = ['get_weather', PARIS];
const now: [string, string] = ['now', '{}'];
const text = (format: string, says: string, answer: string): Case => ({ format, says, answer, text: answer });

const CASES: readonly Case[] = [
  ...TOOL_FORMATS.flatMap(({ name }) => [
    text(name, 'plain text', 'It is 5 degrees.\n\nIn {"name": "Paris"} at least. '),
    text(name, 'nothing', ''),
    text(name, 'white space', ' \n\n'),
  ]),

  {
    format: 'hermes',
    says: 'a call',
    answer: `<tool_call>\n{"name": "get_weather", "arguments": ${PARIS}}\n</tool_call>`,
    calls: [paris],
  },
  {
    format: 'hermes',
    says: 'a text before it',
    answer: `Let me see.\n\n<tool_call>{"name": "now", "arguments": {}}</tool_call>`,
    text: 'Let me see.',
    calls: [now],
  },
  {
    format: 'hermes',
    says: 'a text after it',
    answer: `<tool_call>{"name": "now", "arguments": {}}</tool_call>\nThere.`,
    text: '\nThere.',
    calls: [now],
  },
  {
    format: 'hermes',
    says: 'two calls',
    answer: `<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>\n<tool_call>\n{"name": "get_weather", "arguments": ${PARIS}}\n</tool_call>\n`,
    calls: [now, paris],
  },
  {
    format: 'hermes',
    says: 'the arguments first',
    answer: `<tool_call>{"arguments": ${PARIS}, "name": "get_weather"}</tool_call>`,
    calls: [paris],
  },
  {
    format: 'hermes',
    says: 'arguments as a text',
    answer: `<tool_call>{"name": "get_weather", "arguments": ${JSON.stringify(PARIS)}}</tool_call>`,
    calls: [paris],
  },
  { format: 'hermes', says: 'no arguments', answer: '<tool_call>{"name": "now"}</tool_call>', calls: [now] },
  {
    format: 'hermes',
    says: 'null for arguments',
    answer: '<tool_call>{"name": "now", "arguments": null}</tool_call>',
    calls: [now],
  },
  {
    format: 'hermes',
    says: 'no end of the frame',
    answer: '<tool_call>{"name": "now", "arguments": {}}',
    calls: [now],
  },
  {
    format: 'hermes',
    says: 'the whole object of the API',
    answer: `<tool_call>{"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": ${PARIS}}}</tool_call>`,
    calls: [paris],
  },
  {
    format: 'hermes',
    says: 'several objects in a frame',
    answer: `<tool_call>[{"name": "now"}, {"name": "get_weather", "arguments": ${PARIS}}]</tool_call>`,
    calls: [now, paris],
  },
  {
    format: 'hermes',
    says: 'braces and quotes in strings',
    answer: '<tool_call>{"name": "python", "arguments": {"code": "d = {\\"a\\": \'}\'} # </tool_call>"}}</tool_call>',
    calls: [['python', '{"code": "d = {\\"a\\": \'}\'} # </tool_call>"}']],
  },
  {
    format: 'hermes',
    says: 'arguments that were cut off',
    answer: '<tool_call>{"name": "get_weather", "arguments": {"city": "Par',
    calls: [['get_weather', '{"city": "Par']],
  },
  {
    format: 'hermes',
    says: 'more than a call has',
    answer: '<tool_call>{"thought": "hm", "name": "now", "arguments": {}}</tool_call>',
    text: '"thought": "hm"',
    calls: [now],
  },
  {
    format: 'hermes',
    says: 'a function that nobody gave',
    answer: '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
    calls: [['other', '{}']],
  },
  text('hermes', 'no JSON', 'Write <tool_call> and then the call.'),
  text('hermes', 'JSON without a name', '<tool_call>{"arguments": {"a": 1}}</tool_call>'),
  text('hermes', 'a name that is none', '<tool_call>{"name": 7, "arguments": {}}</tool_call>'),
  text('hermes', 'arguments that are none', '<tool_call>{"name": "now", "arguments": [1]}</tool_call>'),
  text('hermes', 'a call that was cut off before its name', '<tool_call>{"name": "get_w'),

  {
    format: 'function-parameters',
    says: 'a call',
    answer: '<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>',
    calls: [paris],
  },
  {
    format: 'function-parameters',
    says: 'values of each type',
    answer:
      '<tool_call>\n<function=get_weather>\n<parameter=city>\n5\n</parameter>\n<parameter=days>\n5\n</parameter>\n<parameter=exact>\nTrue\n</parameter>\n<parameter=when>\nnull\n</parameter>\n<parameter=places>\n["a", "b"]\n</parameter>\n<parameter=unit>\nC\n</parameter>\n<parameter=other>\n[1]\n</parameter>\n</function>\n</tool_call>',
    calls: [
      [
        'get_weather',
        '{"city": "5", "days": 5, "exact": true, "when": null, "places": ["a", "b"], "unit": "C", "other": [1]}',
      ],
    ],
  },
  {
    format: 'function-parameters',
    says: 'values that are not of their type',
    answer:
      '<tool_call><function=get_weather><parameter=days>soon</parameter><parameter=when>5</parameter></function></tool_call>',
    calls: [['get_weather', '{"days": "soon", "when": "5"}']],
  },
  {
    format: 'function-parameters',
    says: 'a text of several lines',
    answer:
      '<tool_call>\n<function=python>\n<parameter=code>\nif "a" < b:\n\n  print("\\t")\n\n</parameter>\n</function>\n</tool_call>',
    calls: [['python', JSON.stringify({ code: 'if "a" < b:\n\n  print("\\t")\n' }).replace(':', ': ')]],
  },
  {
    format: 'function-parameters',
    says: 'no frame',
    answer: 'So:\n<function=now>\n</function>',
    text: 'So:',
    calls: [now],
  },
  {
    format: 'function-parameters',
    says: 'two calls in frames of their own',
    answer:
      '<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>',
    calls: [now, paris],
  },
  {
    format: 'function-parameters',
    says: 'two calls in one frame',
    answer:
      '<tool_call>\n<function=now>\n</function>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>',
    calls: [now, paris],
  },
  {
    format: 'function-parameters',
    says: "another model's frame",
    answer: '<seed:tool_call>\n<function=now>\n</function>\n</seed:tool_call>',
    calls: [now],
  },
  {
    format: 'function-parameters',
    says: 'a value that was cut off',
    answer: '<tool_call>\n<function=get_weather>\n<parameter=city>\nPar',
    calls: [['get_weather', '{"city": "Par']],
  },
  {
    format: 'function-parameters',
    says: 'what is no parameter',
    answer: '<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\nand so on',
    text: '\nand so on',
    calls: [paris],
  },
  text('function-parameters', 'a function that nobody gave, without a frame', 'In XML <function=other> begins one.'),
  text('function-parameters', 'no function', '<tool_call>now</tool_call>'),

  {
    format: 'glm',
    says: 'a call',
    answer: '\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>',
    calls: [paris],
  },
  {
    format: 'glm',
    says: 'values of each type',
    answer:
      '<tool_call>get_weather\n<arg_key>days</arg_key>\n<arg_value>5</arg_value>\n<arg_key>places</arg_key>\n<arg_value>["a"]</arg_value>\n</tool_call>',
    calls: [['get_weather', '{"days": 5, "places": ["a"]}']],
  },
  {
    format: 'glm',
    says: 'no arguments, and a second call',
    answer:
      'Yes.<tool_call>now</tool_call><tool_call>get_weather<arg_key>city</arg_key><arg_value>Paris</arg_value></tool_call>',
    text: 'Yes.',
    calls: [now, paris],
  },
  {
    format: 'glm',
    says: 'what is no argument',
    answer: '<tool_call>now\n<arg_key>a</arg_key>b',
    text: '<arg_key>a</arg_key>b',
    calls: [now],
  },
  text('glm', 'a text that goes on', '<tool_call> is how a call begins, and </tool_call> how it ends.'),

  {
    format: 'mistral',
    says: 'a list',
    answer: `[TOOL_CALLS] [{"name": "get_weather", "arguments": ${PARIS}}, {"name": "now", "arguments": {}, "id": "abcdefghi"}]`,
    calls: [paris, now],
  },
  { format: 'mistral', says: 'a name and arguments', answer: `[TOOL_CALLS]get_weather[ARGS]${PARIS}`, calls: [paris] },
  {
    format: 'mistral',
    says: 'two of them after a text',
    answer: `Well. [TOOL_CALLS]get_weather[ARGS]${PARIS}[TOOL_CALLS]now[CALL_ID]abcdefghi[ARGS]{}`,
    text: 'Well.',
    calls: [paris, now],
  },
  {
    format: 'mistral',
    says: 'no delimiter between name and arguments',
    answer: `[TOOL_CALLS]get_weather${PARIS}`,
    calls: [paris],
  },
  text('mistral', 'no call', '[TOOL_CALLS] is a token.'),
  text('mistral', 'an empty list', '[TOOL_CALLS] []'),

  { format: 'llama', says: 'bare JSON', answer: `{"name": "get_weather", "parameters": ${PARIS}}`, calls: [paris] },
  {
    format: 'llama',
    says: 'several',
    answer: `\n{"name": "get_weather", "parameters": ${PARIS}}; {"name": "now", "parameters": {}}\n`,
    calls: [paris, now],
  },
  {
    format: 'llama',
    says: 'JSON after the tag',
    answer: `<|python_tag|>{"name": "get_weather", "parameters": ${PARIS}}`,
    calls: [paris],
  },
  {
    format: 'llama',
    says: 'a text before the tag',
    answer: `Wait. <|python_tag|>{"type": "function", "name": "now", "parameters": {}}`,
    text: 'Wait.',
    calls: [now],
  },
  {
    format: 'llama',
    says: 'a function of its own',
    answer: '<|python_tag|>brave_search.call(query="a \\"b\\", c", count="3")',
    calls: [['brave_search', '{"query":"a \\"b\\", c","count":"3"}']],
  },
  { format: 'llama', says: 'code', answer: '<|python_tag|>print(1)\n', calls: [['python', '{"code":"print(1)\\n"}']] },
  text('llama', 'JSON that is no call', '{"name": "Ada", "born": 1815}'),
  text('llama', 'JSON of a function that nobody gave', '{"name": "other", "parameters": {}}'),
  text('llama', 'JSON that is not what an answer begins with', `So: {"name": "get_weather", "parameters": ${PARIS}}`),

  { format: 'harmony', says: 'an answer', answer: '<|channel|>final<|message|>Hello.', text: 'Hello.' },
  {
    format: 'harmony',
    says: 'reasoning and an answer',
    answer: '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello. ',
    reasoning: 'Hm.',
    text: 'Hello. ',
  },
  {
    format: 'harmony',
    says: 'reasoning and a call',
    answer: `<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>${PARIS}`,
    reasoning: 'Hm.',
    calls: [paris],
  },
  {
    format: 'harmony',
    says: 'the recipient first',
    answer: `<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>${PARIS}<|call|>`,
    reasoning: 'Hm.',
    calls: [paris],
  },
  {
    format: 'harmony',
    says: 'what it says before a call',
    answer: `<|channel|>commentary<|message|>Let me see.<|end|><|start|>assistant<|channel|>commentary to=functions.now<|message|>`,
    text: 'Let me see.',
    calls: [now],
  },
  {
    format: 'harmony',
    says: 'messages of a kind',
    answer:
      '<|channel|>analysis<|message|>1<|end|><|start|>assistant<|channel|>analysis<|message|>2<|end|><|start|>assistant<|channel|>commentary<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b',
    reasoning: '1\n\n2',
    text: 'a\n\nb',
  },
  text('harmony', "the model's own tools", '<|channel|>analysis to=browser.search code<|message|>{"query": "a"}'),
  text('harmony', 'a header that does not end', '<|channel|>analysis'),
];

describe.each(TOOL_FORMATS.map(({ name }) => name))('%s', (name) => {
  const cases = CASES.filter(({ format }) => format === name);

  test.each(cases.map((one) => [one.says, one] as const))(
    '%s',
    (_, { answer, text = '', reasoning = '', calls = [] }) => {
      const reading = readingOf(name);
      expect(read(reading, [answer])).toEqual({ text, reasoning, calls });
      expect(read(reading, [...answer])).toEqual({ text, reasoning, calls });
      for (let cut = 1; cut < answer.length; cut++)
        expect(read(reading, [answer.slice(0, cut), answer.slice(cut)])).toEqual({ text, reasoning, calls });
    },
  );

  test('arguments come as they are written', () => {
    const { answer } = cases.find(({ calls }) => calls?.length === 1 && calls[0]![1] === PARIS)!;
    const reader = new AnswerReader(readingOf(name));
    const deltas = [...answer].flatMap((character) => reader.push(character).calls);
    expect(deltas.filter(({ arguments: more }) => more !== '').length).toBeGreaterThan(5);
    expect(deltas.filter(({ id }) => id !== undefined)).toHaveLength(1);
  });

  test('a single call, where no others are wanted', () => {
    const two = cases.find(({ calls = [] }) => calls.length === 2);
    if (!two) return;
    const reader = new AnswerReader(readingOf(name, { single: true }));
    const deltas = [...two.answer].flatMap((character) => (reader.ended ? [] : reader.push(character).calls));
    expect(new Set(deltas.map(({ index }) => index))).toEqual(new Set([0]));
    expect(reader.ended).toBe(true);
    expect(reader.calls).toHaveLength(1);
  });
});

describe('reasoning', () => {
  const open = { ...THINK, isOpen: true };
  const ends = { ...THINK, alsoEnds: ['<tool_call>'] };
  const call = '<tool_call>{"name": "now"}</tool_call>';
  test.each([
    ['before the answer', THINK, '<think>\nHm.\n</think>\n\nYes. ', { reasoning: 'Hm.', text: 'Yes. ', calls: [] }],
    [
      'none',
      THINK,
      '\nYes. <think> is a delimiter.',
      { reasoning: '', text: '\nYes. <think> is a delimiter.', calls: [] },
    ],
    ['an empty one', THINK, '<think>\n\n</think>\n\nYes.', { reasoning: '', text: 'Yes.', calls: [] }],
    ['that the prompt began', open, 'Hm.\n</think>\n\nYes.', { reasoning: 'Hm.', text: 'Yes.', calls: [] }],
    [
      'that the prompt began and the model again',
      open,
      '<think>\nHm.</think>Yes.',
      { reasoning: 'Hm.', text: 'Yes.', calls: [] },
    ],
    ['that does not end', open, 'Hm. <', { reasoning: 'Hm. <', text: '', calls: [] }],
    ['before a call', THINK, `<think>Hm.</think>\n${call}`, { reasoning: 'Hm.', text: '', calls: [now] }],
    ['that a call ends', ends, `<think>Hm.\n${call}`, { reasoning: 'Hm.', text: '', calls: [now] }],
    [
      'that talks of calls',
      THINK,
      `<think>Hm. ${call}</think>Yes.`,
      { reasoning: `Hm. ${call}`, text: 'Yes.', calls: [] },
    ],
  ])('%s', (_, reasoning, answer, expected) => {
    const reading = readingOf('hermes', { reasoning });
    expect(read(reading, [answer])).toEqual(expected);
    for (let cut = 1; cut < answer.length; cut++)
      expect(read(reading, [answer.slice(0, cut), answer.slice(cut)])).toEqual(expected);
  });

  test('with calls that are text', () => {
    const reading = readingOf(undefined, { reasoning: THINK });
    expect(read(reading, [`<think>Hm.</think>\n${call}`])).toEqual({ reasoning: 'Hm.', text: call, calls: [] });
  });
});

describe('anything that a model may write', () => {
  const readings = [...TOOL_FORMATS.map(({ name }) => name), undefined].flatMap((name) =>
    [undefined, THINK, { ...THINK, isOpen: true, alsoEnds: ['<tool_call>'] }].map((reasoning) =>
      readingOf(name, { reasoning }),
    ),
  );
  const pieces = [
    ...new Set(TOOL_FORMATS.flatMap(({ delimiters }) => delimiters)),
    ...CASES.map(({ answer }) => answer),
    ...[
      '<think>',
      '</think>',
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      ';',
      '\\',
      '\n',
      ' ',
      'null',
      '7',
      'é🙂',
      '<',
      '</',
      ' to=functions.now',
    ],
    ...[
      '{"name": "now", ',
      '"arguments": ',
      '"parameters": {',
      '"function": {',
      '>',
      'commentary',
      'get_weather',
      'city',
      'analysis',
    ],
  ];
  /** Words that come once each, so that none can be lost unseen. */
  const answer = fc
    .array(
      fc.oneof(
        fc.constantFrom(...pieces),
        fc.nat({ max: 3 }).map((n) => `\u0000${n}`),
      ),
      { maxLength: 24 },
    )
    .map((parts) => parts.map((part, i) => (part.startsWith('\u0000') ? `w${i}w` : part)).join(''));
  const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 30 });
  const cutAt = (text: string, places: readonly number[]) => {
    const characters = [...text];
    const ends = [...new Set(places.map((place) => Math.min(place, characters.length)))].sort((a, b) => a - b);
    return [...ends, characters.length].map((end, i) => characters.slice(i === 0 ? 0 : ends[i - 1], end).join(''));
  };

  test.each(readings.map((reading, i) => [reading.format?.name ?? 'none', i] as const))('%s (%i)', (_, i) => {
    const reading = readings[i]!;
    fc.assert(
      fc.property(answer, cuts, (written, places) => {
        const whole = read(reading, [written]);
        expect(read(reading, cutAt(written, places))).toEqual(whole);
        const seen = JSON.stringify(whole).replaceAll('\\\\', '\\');
        for (const word of written.match(/w\d+w/g) ?? []) expect(seen).toContain(word);
      }),
      { numRuns: 400 },
    );
  });

  test('what is no call, but for white space, stays as it is', () => {
    fc.assert(
      fc.property(fc.constantFrom(...readings), answer, (reading, written) => {
        const whole = read(reading, [written]);
        if (whole.calls.length > 0 || whole.reasoning !== '' || reading.reasoning || reading.format?.name === 'harmony')
          return;
        expect(whole.text).toBe(written);
      }),
      { numRuns: 2000 },
    );
  });

  test('an answer without end takes time in proportion to its length', () => {
    for (const reading of readings)
      for (const piece of pieces.filter((one) => one !== '')) {
        const reader = new AnswerReader(reading);
        for (let i = 0; i < 300; i++) reader.push(piece);
        reader.end();
        expect(reader.pending).toBe(false);
      }
  });
});

test('the delimiters that are handed over though they are control tokens', () => {
  expect(delimitersOf(readingOf('mistral', { reasoning: THINK }))).toEqual([
    '[TOOL_CALLS]',
    '[CALL_ID]',
    '[ARGS]',
    '<think>',
    '</think>',
  ]);
  expect(delimitersOf(readingOf(undefined))).toEqual([]);
});
