/** Texts of a format: the bundled model on the host target, whose own stories are never JSON. */
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Format } from '../../runtime/index.js';
import type { LoadedModel } from '../../runtime/llm/model.js';
import { begins, schemaAutomaton } from '../format/support.js';
import { TOOLS } from '../format/tools.js';
import { collect, joined, storyteller } from './support.js';

const PROMPT = 'Once upon a time';
const bundled = storyteller('format');
let model: LoadedModel;
beforeAll(async () => {
  model = await bundled.load({ sequences: 4, deterministic: true });
});

const ajv = new Ajv2020.default();
const toolAjv = new Ajv2020.default({ strict: false });
addFormats.default(toolAjv);
const PERSON = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 12 },
    age: { type: 'integer', minimum: 0, maximum: 120 },
    friends: { type: 'array', items: { enum: ['Lily', 'Tom', 'Ben'] }, minItems: 1, maxItems: 3 },
    happy: { type: 'boolean' },
  },
  required: ['name', 'age', 'friends', 'happy'],
  additionalProperties: false,
};
const write = (format: Format, options: object = {}) =>
  model.generate(PROMPT, { maxTokens: 200, format, ...options }).result;

describe('a text with a format', () => {
  it.each([
    ['greedily', {}],
    ['drawn', { temperature: 1.5, seed: 4 }],
    ['drawn by filters, with penalties', { temperature: 1, seed: 5, topK: 5, topP: 0.9, repeatPenalty: 1.2 }],
  ])('is of its schema, %s', async (_, options) => {
    const { text, stopReason } = await write({ schema: PERSON }, options);
    expect(stopReason).toBe('eos');
    expect(ajv.validate(PERSON, JSON.parse(text)), `${text}: ${ajv.errorsText()}`).toBe(true);
  });

  it('is of its expression, grammar or choice', async () => {
    expect((await write({ regex: '[A-Z][a-z]{2,5}, \\d{3}' })).text).toMatch(/^[A-Z][a-z]{2,5}, \d{3}$/);
    expect((await write({ grammar: 'root ::= ("yes" | "no") "!"{2}' })).text).toMatch(/^(yes|no)!!$/);
    expect(['big', 'small']).toContain((await write({ choice: ['big', 'small'] })).text);
  });

  it('is handed over token by token, with log probabilities among all tokens', async () => {
    const generation = model.generate(PROMPT, { maxTokens: 60, format: { choice: ['xylophone'] }, logprobs: 2 });
    const pieces = await collect(generation);
    expect(joined(pieces)).toBe('xylophone');
    const { logprob } = pieces[0]!;
    const top = pieces[0]!.topLogprobs!;
    // Not what the model would have written: its first choice is another token.
    expect(top[0]!.logprob).toBeGreaterThan(logprob!);
  });

  it('stands beside others, which write what they write alone', async () => {
    const plain = () => model.generate(PROMPT, { maxTokens: 30, temperature: 1, seed: 3 }).result;
    const alone = await plain();
    const constrained = () => write({ schema: PERSON }, { temperature: 1, seed: 8 });
    const expected = await constrained();
    const [a, b, c, d] = await Promise.all([plain(), constrained(), plain(), constrained()]);
    expect([a.tokens, c.tokens]).toEqual([alone.tokens, alone.tokens]);
    expect([b.tokens, d.tokens]).toEqual([expected.tokens, expected.tokens]);
  });

  it('is of its format in each of several choices', async () => {
    const format = { regex: '[a-z]{3,9}\\.' };
    const texts = model.generateMany(PROMPT, { maxTokens: 20, temperature: 2, seed: 1, format }, 4);
    const written = await Promise.all(texts.map(async ({ result }) => (await result).text));
    for (const text of written) expect(text).toMatch(/^[a-z]{3,9}\.$/);
    expect(new Set(written).size).toBeGreaterThan(1);
  });

  it('is an answer of a chat', async () => {
    const chat = model.chat();
    const { text } = await chat.send('What is 3 plus 4?', { format: { schema: { type: 'integer' } }, maxTokens: 30 })
      .result;
    expect(text).toMatch(/^-?\d+$/);
  });

  it('ends early where it is aborted, or too long', async () => {
    const abort = new AbortController();
    const generation = model.generate(PROMPT, { format: { regex: 'a{300}' }, signal: abort.signal });
    const read = async () => {
      for await (const _ of generation) abort.abort(new Error('enough'));
    };
    await expect(read()).rejects.toThrow('enough');
    await expect(generation.result).rejects.toThrow('enough');
    const { stopReason, tokens } = await write({ regex: '[a-z]{100}' }, { maxTokens: 5 });
    expect([stopReason, tokens.length]).toEqual(['length', 5]);
  });
});

describe('parameters of tools', () => {
  const tools = Object.entries(TOOLS).filter((_, i) => i % 20 === 0);

  it('are valid, or the beginning of it where the text is cut', async () => {
    const written = tools.map(async ([name, schema], seed) => {
      const { text, stopReason } = await write({ schema }, { temperature: 1, seed, maxTokens: 150 });
      if (stopReason === 'eos') expect(toolAjv.validate(schema, JSON.parse(text)), `${name}: ${text}`).toBe(true);
      else expect(begins(schemaAutomaton(schema), text), `${name}: ${text}`).toBe(true);
      return stopReason;
    });
    const whole = (await Promise.all(written)).filter((reason) => reason === 'eos');
    expect(whole.length).toBeGreaterThan(1);
  }, 300_000);
});

describe('what cannot be enforced', () => {
  it('is named', async () => {
    const schema = { type: 'object', properties: { a: { multipleOf: 3 } } };
    const message = 'the schema at "/properties/a/multipleOf": multipleOf is not enforced';
    await expect(write({ schema })).rejects.toMatchObject({ statusName: 'INVALID_ARGUMENT' });
    await expect(write({ schema })).rejects.toThrow(message);
    await expect(model.checkFormat({ schema })).rejects.toThrow(message);
    await expect(model.checkFormat({ schema: PERSON })).resolves.toBeUndefined();
    await expect(write({ regex: '(?=a)' })).rejects.toThrow('the regex: "(?=a)": a lookahead is not supported');
    await expect(write({ grammar: 'root ::= x' })).rejects.toThrow('the grammar has no rule "x"');
  });

  it('is what nests too deeply, or is no data; the next one works', async () => {
    let deep: object = {};
    for (let i = 0; i < 50_000; i++) deep = { items: deep };
    await expect(model.checkFormat({ schema: deep })).rejects.toMatchObject({ statusName: 'INVALID_ARGUMENT' });
    const schema = { type: 'object', not: () => {} };
    await expect(model.checkFormat({ schema })).rejects.toThrow('the format cannot be copied');
    expect((await write({ choice: ['small'] })).text).toBe('small');
  });

  it('is no format', () => {
    for (const format of [{}, { schema: 3 }, { regex: 'a', choice: ['a'] }, { choice: [] }, 'json', null])
      expect(() => model.generate(PROMPT, { format: format as never })).toThrow('options.format must be');
    expect(() => model.generate(PROMPT, { format: { regex: 'a' }, ignoreEos: true })).toThrow(
      'options.ignoreEos must be',
    );
  });
});
