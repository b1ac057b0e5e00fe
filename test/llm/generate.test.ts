/** Texts of the bundled model on the host target, against the float64 reference. */
import { beforeAll, describe, expect, it } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { ContextOverflowError, type LanguageModel, RealizarError } from '../../runtime/index.js';
import { referenceLogits } from '../oracle/reference.js';
import { greedyTokens } from '../support/artifacts.js';
import { turnsDuring } from '../support/time.js';
import { collect, joined, STORYTELLER, storyteller } from './support.js';

const PROMPT = 'Once upon a time';
const bundled = storyteller('generate');
let model: LanguageModel;
beforeAll(async () => {
  model = await bundled.load();
});

const greedy = (maxTokens: number) => model.generate(PROMPT, { maxTokens }).result;

describe('a greedy text', () => {
  it('is the one that the reference writes', async () => {
    const { tokens, text, stopReason, ...counts } = await greedy(40);
    const prompt = model.tokenize(PROMPT);
    const spec = modelSpec(readGguf(STORYTELLER));
    const logits = referenceLogits(spec, [...prompt, ...tokens.slice(0, -1)]);
    expect(tokens).toEqual(greedyTokens(logits, spec.vocabSize).slice(prompt.length - 1));
    expect(text).toBe(model.detokenize(tokens, { continues: true }));
    expect(stopReason).toBe('length');
    expect(counts).toMatchObject({ promptTokens: prompt.length, completionTokens: 40, seed: 0 });
  });

  it('goes on with token ids as with their text', async () => {
    const tokens = model.tokenize(PROMPT);
    expect((await model.generate(tokens, { maxTokens: 10 }).result).text).toBe((await greedy(10)).text);
  });

  it('comes token by token, while it is written', async () => {
    const generation = model.generate(PROMPT, { maxTokens: 12 });
    let ended = false;
    const result = generation.result.finally(() => {
      ended = true;
    });
    const pieces = [];
    for await (const piece of generation) {
      if (pieces.length < 8) expect(ended).toBe(false);
      pieces.push(piece);
    }
    const { text, tokens } = await result;
    expect(pieces.map(({ token }) => token)).toEqual(tokens);
    expect(joined(pieces)).toBe(text);
  });

  it('does not block the event loop', async () => {
    expect(await turnsDuring(greedy(20))).toBeGreaterThan(100);
  });

  it('is no different for a prompt whose beginning is in the KV cache', async () => {
    const prompt = `${PROMPT}, there was a quiet robot`;
    const fresh = await (await bundled.load()).generate(prompt, { maxTokens: 10, logprobs: 3 }).result;
    expect(fresh.cachedTokens).toBe(0);
    await greedy(3);
    const reused = await model.generate(prompt, { maxTokens: 10 }).result;
    expect(reused.cachedTokens).toBeGreaterThan(3);
    expect({ ...reused, cachedTokens: 0, timings: 0 }).toEqual({ ...fresh, timings: 0 });
    const again = await model.generate(prompt, { maxTokens: 10 }).result;
    expect(again.cachedTokens).toBe(again.promptTokens - 1);
    expect(again.tokens).toEqual(fresh.tokens);
  });
});

describe('a text ends', () => {
  it('where maxTokens says', async () => {
    for (const maxTokens of [0, 1, 5]) {
      const { tokens, completionTokens, stopReason, promptTokens } = await greedy(maxTokens);
      expect(tokens).toHaveLength(maxTokens);
      expect({ completionTokens, stopReason, promptTokens }).toEqual({
        completionTokens: maxTokens,
        stopReason: 'length',
        promptTokens: 4,
      });
    }
  });

  it('where the model ends it, unless it may not', async () => {
    const ended = await model.generateChat([{ role: 'user', content: 'What is 3 plus 4?' }]).result;
    expect(ended).toMatchObject({ text: '3 plus 4 is 7.', stopReason: 'eos' });
    expect(ended.tokens.some((token) => model.info.endTokens.includes(token))).toBe(false);
    const prompt = await model.encodeChat([{ role: 'user', content: 'What is 3 plus 4?' }]);
    const more = await model.generate(prompt, { ignoreEos: true, maxTokens: ended.completionTokens + 4 }).result;
    expect(more).toMatchObject({ stopReason: 'length' });
    expect(more.tokens.slice(0, ended.completionTokens)).toEqual(ended.tokens);
  });

  it('before a stop string, also one that runs over tokens', async () => {
    const { text, tokens } = await greedy(20);
    const second = model.detokenize([tokens[6]!], { continues: true });
    const third = model.detokenize([tokens[7]!], { continues: true });
    const stop = second.slice(-2) + third.slice(0, 2);
    for (const logprobs of [undefined, 0]) {
      const options = { maxTokens: 20, stop: ['never', stop], ...(logprobs !== undefined && { logprobs }) };
      const generation = model.generate(PROMPT, options);
      const pieces = await collect(generation);
      expect(joined(pieces)).toBe(text.slice(0, text.indexOf(stop)));
      const result = await generation.result;
      expect(result).toMatchObject({ text: joined(pieces), stopReason: 'stop', stopString: stop });
      expect(result.tokens).toEqual(tokens.slice(0, 8));
    }
    expect((await greedy(20)).text).toBe(text);
  });

  it('where the context is full', async () => {
    const short = await bundled.load({ context: 12 });
    expect(await short.generate(PROMPT).result).toMatchObject({
      stopReason: 'context',
      promptTokens: 4,
      completionTokens: 8,
    });
    const full = short.generate(`${PROMPT}, there was a quiet robot named Finn`);
    await expect(full.result).rejects.toBeInstanceOf(ContextOverflowError);
    await expect(full.result).rejects.toMatchObject({
      statusName: 'CONTEXT_OVERFLOW',
      promptTokens: 12,
      context: 12,
      message: expect.stringMatching(/12 tokens.*12 positions.*load it with a larger context/),
    });
    expect((await short.generate(PROMPT, { maxTokens: 2 }).result).completionTokens).toBe(2);
  });
});

describe('sampling', () => {
  const sampled = (seed?: number | bigint) =>
    model.generate(PROMPT, { maxTokens: 12, temperature: 1.5, topK: 50, ...(seed !== undefined && { seed }) }).result;

  it('gives the same text from the same seed, and says which it was', async () => {
    const first = await sampled(7);
    expect((await sampled(7n)).tokens).toEqual(first.tokens);
    expect(first.seed).toBe(7);
    const others = [await sampled(), await sampled()];
    expect(new Set([first, ...others].map(({ text }) => text)).size).toBe(3);
    expect((await sampled(others[0]!.seed)).text).toBe(others[0]!.text);
  });

  it('heeds biases, by token', async () => {
    const [first] = (await greedy(1)).tokens;
    for (const logitBias of [new Map([[first!, -100]]), [[first!, -100]] as const, { [first!]: -100 }]) {
      const { tokens } = await model.generate(PROMPT, { maxTokens: 1, logitBias }).result;
      expect(tokens).not.toEqual([first]);
    }
    expect((await greedy(1)).tokens).toEqual([first]);
  });
});

describe('log probabilities', () => {
  it('are the reference’s', async () => {
    const pieces = await collect(model.generate(PROMPT, { maxTokens: 6, logprobs: 3 }));
    const prompt = model.tokenize(PROMPT);
    const spec = modelSpec(readGguf(STORYTELLER));
    const logits = referenceLogits(spec, [...prompt, ...pieces.map(({ token }) => token)]);
    for (const [i, { token, logprob, bytes, text, topLogprobs }] of pieces.entries()) {
      const at = (prompt.length - 1 + i) * spec.vocabSize;
      const row = [...logits.slice(at, at + spec.vocabSize)];
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      expect(topLogprobs).toHaveLength(3);
      expect(topLogprobs![0]).toMatchObject({ token, logprob });
      expect(Buffer.from(bytes!).toString()).toBe(text);
      const best = row.map((logit, id) => ({ id, logit })).sort((a, b) => b.logit - a.logit);
      expect(Math.abs(logprob! - (row[token]! - total))).toBeLessThan(0.05);
      for (const [rank, top] of topLogprobs!.entries())
        expect(Math.abs(top.logprob - (best[rank]!.logit - total))).toBeLessThan(0.5);
    }
  });

  it('of a prompt are those that its tokens would have had as an answer', async () => {
    const answer = await collect(model.generate(PROMPT, { maxTokens: 5, logprobs: 2 }));
    const prompt = model.tokenize(PROMPT);
    const whole = [...prompt, ...answer.map(({ token }) => token)];
    const scored = await model.generate(whole, { maxTokens: 0, logprobs: 2, promptLogprobs: true }).result;
    expect(scored.tokens).toEqual([]);
    expect(scored.promptLogprobs!.map(({ token }) => token)).toEqual(whole);
    expect(scored.promptLogprobs![0]!.logprob).toBeUndefined();
    for (const [i, { logprob, token, topLogprobs }] of answer.entries()) {
      const of = scored.promptLogprobs![prompt.length + i]!;
      expect(Math.abs(of.logprob! - logprob!)).toBeLessThan(1e-3);
      expect(of.topLogprobs[0]!.token).toBe(token);
      expect(of.topLogprobs).toHaveLength(topLogprobs!.length);
    }
  });

  it('change nothing about the text, and are absent unless asked for', async () => {
    const settings = { maxTokens: 8, temperature: 1.2, seed: 3 };
    const plain = await collect(model.generate(PROMPT, settings));
    const with0 = await collect(model.generate(PROMPT, { ...settings, logprobs: 0 }));
    expect(with0.map(({ token }) => token)).toEqual(plain.map(({ token }) => token));
    expect(plain.every((piece) => !('logprob' in piece))).toBe(true);
    expect(with0.every(({ logprob, topLogprobs }) => logprob! <= 0 && topLogprobs!.length === 0)).toBe(true);
  });
});

describe('what is wrong is refused at once, by name', () => {
  const bad: [string, object, RegExp][] = [
    ['maxTokens', { maxTokens: -1 }, /options\.maxTokens must be an integer from 0 .*got -1/],
    ['maxTokens', { maxTokens: 1.5 }, /options\.maxTokens/],
    ['temperature', { temperature: Number.NaN }, /options\.temperature must be a number.*NaN/],
    ['temperature', { temperature: -1 }, /options\.temperature/],
    ['topP', { topP: 1.1 }, /options\.topP must be a number from 0 to 1/],
    ['topK', { topK: '4' }, /options\.topK/],
    ['seed', { seed: -1 }, /options\.seed/],
    ['stop', { stop: '' }, /options\.stop must be a text or a list of at most 16/],
    ['stop', { stop: ['a', 3] }, /options\.stop/],
    ['stop', { stop: Array.from({ length: 17 }, (_, i) => `${i}`) }, /options\.stop/],
    ['logitBias', { logitBias: { 909: 1 } }, /options\.logitBias: a token must be an integer from 0 to 908; got 909/],
    ['logitBias', { logitBias: { x: 1 } }, /options\.logitBias: a token/],
    ['logitBias', { logitBias: 3 }, /options\.logitBias/],
    ['logprobs', { logprobs: 101 }, /options\.logprobs must be an integer from 0 to 100/],
    ['ignoreEos', { ignoreEos: 1 }, /options\.ignoreEos must be true or false/],
    ['signal', { signal: {} }, /options\.signal must be an AbortSignal/],
    ['a misspelt name', { max_tokens: 3 }, /each name must be one of .*maxTokens.*got 'max_tokens'/],
    ['null', null as never, /options must be an object/],
  ];
  it.each(bad)('%s', (_name, options, message) => {
    for (const call of [
      () => model.generate(PROMPT, options),
      () => model.generateChat([{ role: 'user', content: 'Hi' }], options),
      () => model.chat().send('Hi', options),
    ])
      expect(call).toThrow(
        expect.objectContaining({ statusName: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }),
      );
  });

  it('prompts, messages, tokens', async () => {
    const invalid = (message: RegExp) =>
      expect.objectContaining({ statusName: 'INVALID_ARGUMENT', message: expect.stringMatching(message) });
    expect(() => model.generate([1, 909])).toThrow(invalid(/prompt\[1\] must be an integer from 0 to 908; got 909/));
    expect(() => model.generate(3 as never)).toThrow(invalid(/prompt must be/));
    expect(() => model.generateChat([])).toThrow(invalid(/messages must be a list of at least one message/));
    expect(() => model.generateChat([{ content: 'x' } as never])).toThrow(
      invalid(/messages\[0\] must be an object with a role/),
    );
    expect(() => model.tokenize(7 as never)).toThrow(invalid(/text must be a string/));
    expect(() => model.detokenize([-1])).toThrow(invalid(/tokens\[0\]/));
    await expect(model.generate([]).result).rejects.toEqual(invalid(/prompt has no tokens/));
    await expect(model.generate('').result).rejects.toBeInstanceOf(RealizarError);
  });
});

describe('a long text', () => {
  const long = 'The robot found a kite. '.repeat(2000);

  it('is tokenized the same, while the event loop goes on', async () => {
    const work = model.tokenizeAsync(long, { addSpecial: false });
    expect(await turnsDuring(work)).toBeGreaterThan(0);
    const tokens = await work;
    expect(tokens).toEqual(model.tokenize(long, { addSpecial: false }));
    expect(await model.tokenizeAsync('Once')).toEqual(model.tokenize('Once'));
    const special = `<|im_end|>${long}`;
    expect((await model.tokenizeAsync(special, { parseSpecial: false })).length).toBeGreaterThan(
      (await model.tokenizeAsync(special)).length,
    );
    const prompt = await model.encodeChat([{ role: 'user', content: special }]);
    expect(prompt.filter((token) => token === 2)).toHaveLength(1);
    expect(prompt).toHaveLength(
      (await model.encodeChat([{ role: 'user', content: '<|im_end|>' }])).length + tokens.length,
    );
  });

  it('is refused with both numbers', async () => {
    const promptTokens = model.tokenize(long).length;
    const counted = model.generateChat([{ role: 'user', content: long }]).result;
    await expect(counted).rejects.toBeInstanceOf(ContextOverflowError);
    const guessed = await model.generate(long).result.catch((error: unknown) => error);
    expect(guessed).toBeInstanceOf(ContextOverflowError);
    const { message, context, promptTokens: least } = guessed as ContextOverflowError;
    expect(message).toMatch(/the prompt has at least \d+ tokens, and the context 512 positions/);
    expect(context).toBe(512);
    expect(least).toBeGreaterThan(512);
    expect(least).toBeLessThanOrEqual(promptTokens);
  });

  it('is given up while it is tokenized', async () => {
    const controller = new AbortController();
    const messages = [{ role: 'user', content: long.repeat(20) }];
    const { result } = model.generateChat(messages, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(result).rejects.toThrow('enough');
  });
});

it('tokenizes and back, with and without what is special', () => {
  const text = 'Once <|im_end|> 🙂';
  const tokens = model.tokenize(text);
  expect(model.detokenize(tokens)).toBe(text);
  expect(model.detokenize(tokens, { skipSpecial: true })).toBe('Once  🙂');
  const plain = model.tokenize(text, { parseSpecial: false });
  expect(plain.length).toBeGreaterThan(tokens.length);
  expect(model.detokenize(plain, { skipSpecial: true })).toBe(text);
});
