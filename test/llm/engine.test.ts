/** Texts from an engine, on a library that has no model: what it says is known (test/addon/mock_engine.h). */
import { describe, expect, it } from 'vitest';
import { following, Script } from '../addon/support.js';
import { mockLanguageModels } from './mock_model.js';
import { collect } from './support.js';

const open = mockLanguageModels();
const endless = { ignoreEos: true };

describe('a text', () => {
  it('is what follows its prompt, and is counted', async () => {
    const model = await open();
    const first = await model.generate([1, 2, 3, 4, 5], { ...endless, maxTokens: 3 }).result;
    expect(first).toMatchObject({
      tokens: following([1, 2, 3, 4, 5], 3),
      promptTokens: 5,
      cachedTokens: 0,
      completionTokens: 3,
      stopReason: 'length',
    });
    expect(first).not.toHaveProperty('promptLogprobs');
    const again = await model.generate([1, 2, 3, 4, 5], { ...endless, maxTokens: 1 }).result;
    expect(again.cachedTokens).toBe(4);
    expect(model.statistics()).toMatchObject({ promptTokens: 10, prefixHitTokens: 4, chosenTokens: 4 });
  });

  it('ends where the model ends it, or the context is full', async () => {
    const script = new Script();
    const model = await open(script);
    const tokens = following([6], 31);
    const at = tokens.findIndex((token) => token === 0 || token === 2);
    expect(at).toBeGreaterThan(1);
    expect(await model.generate([6]).result).toMatchObject({ tokens: tokens.slice(0, at), stopReason: 'eos' });
    expect(await model.generate([6], endless).result).toMatchObject({ tokens, stopReason: 'context' });
    expect(script.calls()).toContain('bias 2 -inf');
  });

  it('is not computed where it has no tokens', async () => {
    const script = new Script();
    const model = await open(script);
    expect(await model.generate([1], { maxTokens: 0 }).result).toMatchObject({ tokens: [], stopReason: 'length' });
    expect(script.calls().filter((line) => line.startsWith('submitted'))).toEqual([]);
  });

  it('ends before a stop string, and its place is free then', async () => {
    const script = new Script();
    const model = await open(script, { sequences: 1 });
    const tokens = following([6], 3);
    const stop = model.detokenize([tokens[2]!], { continues: true });
    const { stopString, stopReason } = await model.generate([6], { ...endless, stop }).result;
    expect({ stopString, stopReason }).toEqual({ stopString: stop, stopReason: 'stop' });
    expect(model.activity).toEqual({ running: 0, waiting: 0 });
    expect(script.calls()).toContain('engine_cancel 1 0');
  });
});

describe('log probabilities', () => {
  it('come with the tokens', async () => {
    const model = await open();
    const pieces = await collect(model.generate([1, 2], { ...endless, maxTokens: 2, logprobs: 1 }));
    for (const [i, token] of following([1, 2], 2).entries()) {
      expect(pieces[i]).toMatchObject({ token, logprob: -token / 4, topLogprobs: [{ token: 0, logprob: 0 }] });
      expect(pieces[i]!.bytes).toBeInstanceOf(Uint8Array);
    }
  });

  it('of a prompt come with the result', async () => {
    const model = await open();
    const generation = model.generate([1, 2], { ...endless, maxTokens: 1, promptLogprobs: true });
    expect((await collect(generation)).every((piece) => !('logprob' in piece))).toBe(true);
    const { promptLogprobs } = await generation.result;
    expect(promptLogprobs).toHaveLength(2);
    expect(promptLogprobs![0]).not.toHaveProperty('logprob');
    expect(promptLogprobs![1]).toMatchObject({ token: 2, logprob: -0.5, topLogprobs: [] });
    const options = { maxTokens: 0, promptLogprobs: true, logprobs: 2 };
    const scored = await model.generate([1, 2, 3], options).result;
    expect(scored).toMatchObject({ tokens: [], stopReason: 'length', promptTokens: 3 });
    expect(scored.promptLogprobs!.map(({ topLogprobs }) => topLogprobs.length)).toEqual([0, 2, 2]);
  });
});

describe('many at once', () => {
  it('write each its own', async () => {
    const model = await open(new Script(), { sequences: 6 });
    const prompts = Array.from({ length: 30 }, (_, i) => [i % 16, (7 * i) % 16]);
    const results = await Promise.all(
      prompts.map((prompt, i) => model.generate(prompt, { ...endless, maxTokens: 1 + (i % 7) }).result),
    );
    expect(results.map(({ tokens }) => tokens)).toEqual(prompts.map((prompt, i) => following(prompt, 1 + (i % 7))));
    expect(model.activity).toEqual({ running: 0, waiting: 0 });
  });

  it('run or wait, and leave the queue at once', async () => {
    const script = new Script('hold engine token');
    const model = await open(script, { sequences: 1 });
    const controller = new AbortController();
    const running = model.generate([1], { ...endless, maxTokens: 3 });
    const waiting = model.generate([2], { ...endless, signal: controller.signal });
    script.release(1);
    await script.until('engine_step', 2);
    await expect.poll(() => model.activity).toEqual({ running: 1, waiting: 1 });
    const reason = { why: 'anything' };
    controller.abort(reason);
    await script.until('engine_cancel 2 0');
    script.release(1);
    await expect(waiting.result).rejects.toBe(reason);
    expect(model.activity).toEqual({ running: 1, waiting: 0 });
    script.release(1);
    expect(await running.result).toMatchObject({ completionTokens: 3 });
  });

  it('are ended by closing the model', async () => {
    const model = await open(new Script('slow engine token 20'), { sequences: 1 });
    const generations = [1, 2].map((token) => model.generate([token], endless));
    await expect.poll(() => model.activity).toEqual({ running: 1, waiting: 1 });
    await model.close();
    for (const { result } of generations) await expect(result).rejects.toMatchObject({ statusName: 'CLOSED' });
    expect(() => model.statistics()).toThrow(expect.objectContaining({ statusName: 'CLOSED' }));
  });
});

describe('several texts that follow one prompt', () => {
  const settings = { ...endless, maxTokens: 4, temperature: 1 };

  it('are one request, and each says its seed', async () => {
    const script = new Script();
    const model = await open(script);
    const texts = model.generateMany([1, 2], { ...settings, seed: 3 }, 3);
    const results = await Promise.all(texts.map(({ result }) => result));
    expect(results.map(({ tokens }) => tokens)).toEqual([3, 4, 5].map((seed) => following([1, 2], 4, seed)));
    expect(results.map(({ seed }) => seed)).toEqual([3, 4, 5]);
    expect(script.calls().filter((line) => line.startsWith('submitted'))).toHaveLength(1);
    const [, last] = model.generateMany([1], { ...settings, seed: 2n ** 64n - 1n }, 2);
    expect((await last!.result).seed).toBe(0n);
    const [alone] = model.generateMany([1, 2], { ...settings, seed: 5 }, 1);
    expect((await alone!.result).tokens).toEqual(results[2]!.tokens);
  });

  it('end one by one when nobody hears them any more', async () => {
    const script = new Script('hold engine token');
    const model = await open(script);
    const texts = model.generateMany([1, 2], settings, 2);
    texts[0]!.abort(new Error('gone'));
    await script.until('engine_cancel 1 0');
    script.release(2);
    await expect(texts[0]!.result).rejects.toThrow('gone');
    expect(model.activity).toEqual({ running: 1, waiting: 0 });
    texts[1]!.abort(new Error('gone too'));
    await script.until('engine_cancel 1 1');
    script.release(1);
    await expect(texts[1]!.result).rejects.toThrow('gone too');
    expect(model.activity).toEqual({ running: 0, waiting: 0 });
  });

  it('that nobody wants any more when the prompt is ready are not asked for', async () => {
    const script = new Script();
    const model = await open(script);
    const texts = model.generateMany('Once upon a time', settings, 2);
    for (const text of texts) text.abort(new Error('gone'));
    for (const { result } of texts) await expect(result).rejects.toThrow('gone');
    expect(script.calls().filter((line) => line.startsWith('submitted'))).toEqual([]);
  });
});
