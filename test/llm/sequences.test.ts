/** Generations side by side: who waits, who is ended, and that none is mixed up with another. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Generation, LanguageModel } from '../../runtime/index.js';
import type { LoadedModel } from '../../runtime/llm/model.js';
import { collect, joined, storyteller } from './support.js';

const PROMPT = 'Once upon a time';
/** The simulator may take its time. */
const POLL = { timeout: 60_000 };
const bundled = storyteller('sequences');
let model: LoadedModel;
let alone: LanguageModel;
beforeAll(async () => {
  model = await bundled.load({ sequences: 2, deterministic: true });
  alone = await bundled.load({ sessions: 1, deterministic: true });
});

const sums = [
  ['What is 3 plus 4?', '3 plus 4 is 7.'],
  ['What is 2 plus 5?', '2 plus 5 is 7.'],
  ['What is 1 plus 2?', '1 plus 2 is 3.'],
  ['What is 4 plus 4?', '4 plus 4 is 8.'],
] as const;

describe('sequences', () => {
  it('write at the same time what they write one after the other', async () => {
    const options = [{ temperature: 1.3, seed: 5 }, {}, { temperature: 0.9, seed: 6, topK: 20 }];
    const start = (i: number, on: LanguageModel) => on.generate(PROMPT, { maxTokens: 15, ...options[i] });
    const expected = [];
    for (const i of options.keys()) expected.push((await start(i, alone).result).tokens);
    const together = options.map((_, i) => start(i, model).result);
    expect((await Promise.all(together)).map(({ tokens }) => tokens)).toEqual(expected);
  });

  it('are waited for in order', async () => {
    const ended: number[] = [];
    const prompts = await Promise.all(sums.map(([content]) => alone.encodeChat([{ role: 'user', content }])));
    await Promise.all(prompts.map((prompt, i) => alone.generate(prompt).result.then(() => ended.push(i))));
    expect(ended).toEqual([0, 1, 2, 3]);
  });

  it('write whose turn it is, each its own answer', async () => {
    const ended: string[] = [];
    const prompts = await Promise.all(sums.map(([content]) => model.encodeChat([{ role: 'user', content }])));
    const answers = prompts.map(async (prompt) => {
      const { text, timings } = await model.generate(prompt).result;
      ended.push(text);
      return { text, waiting: timings.waiting };
    });
    await expect.poll(() => model.activity, POLL).toEqual({ running: 2, waiting: 2 });
    const results = await Promise.all(answers);
    expect(results.map(({ text }) => text)).toEqual(sums.map(([, answer]) => answer));
    // Who waits does so for a whole generation: the third for one of the first two, the last for one more.
    const waits = results.map(({ waiting }) => waiting);
    expect(Math.min(...waits.slice(2))).toBeGreaterThan(Math.max(...waits.slice(0, 2)));
    const [first, second, third, last] = sums.map(([, answer]) => ended.indexOf(answer));
    expect(Math.min(first!, second!)).toBe(0);
    expect(third).toBeGreaterThan(0);
    expect(last).toBeGreaterThan(1);
    expect(model.activity).toEqual({ running: 0, waiting: 0 });
  });

  it('find what their prompts begin with, whichever came before', async () => {
    const other = await bundled.load({ sequences: 2 });
    const run = (prompt: string) => other.generate(prompt, { maxTokens: 1 }).result;
    const prompts = ['Once upon a time', 'The quiet robot', 'One windy evening'];
    for (const prompt of prompts) await run(prompt);
    for (const prompt of prompts) expect((await run(`${prompt} was`)).cachedTokens).toBeGreaterThan(2);
    const { prefixHitTokens, promptTokens, running, freePages, pages } = other.statistics();
    expect(prefixHitTokens).toBeGreaterThan(6);
    expect(promptTokens).toBeGreaterThan(prefixHitTokens);
    expect({ running, freePages }).toEqual({ running: 0, freePages: pages });
  });

  it('write each its own, 32 at a time', async () => {
    const many = await bundled.load({ sequences: 32, kvMemory: 1 << 24, deterministic: true });
    expect(many.info.sequences).toBe(32);
    const starts = ['Once upon a time', 'The quiet robot', 'One windy evening', 'A small'];
    const start = (i: number, on: LanguageModel) => {
      const settings = { temperature: 0.8, seed: i, maxTokens: 3 + (i % 5) };
      return on.generate(starts[i % starts.length]!, settings).result;
    };
    const together = await Promise.all(Array.from({ length: 32 }, (_, i) => start(i, many)));
    for (const i of [0, 5, 10, 15, 31]) expect(together[i]!.tokens).toEqual((await start(i, alone)).tokens);
    expect(many.activity).toEqual({ running: 0, waiting: 0 });
  });

  it('follow one prompt as they would one by one', async () => {
    const settings = { temperature: 1.1, maxTokens: 6 };
    const texts = model.generateMany(PROMPT, { ...settings, seed: 40 }, 3);
    for (const [i, { result }] of texts.entries()) {
      const { tokens, seed } = await result;
      expect(seed).toBe(40 + i);
      expect(tokens).toEqual((await alone.generate(PROMPT, { ...settings, seed }).result).tokens);
    }
  });
});

describe('a generation that is given up', () => {
  /** Waits until it is over; nothing but the reason comes out of it. */
  const rejects = async (generation: Generation, reason: unknown) => {
    await expect(generation.result).rejects.toBe(reason);
    await expect(collect(generation)).rejects.toBe(reason);
  };

  it('ends within a token, and frees its place', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const generation = alone.generate(PROMPT, { signal: controller.signal });
    const seen: number[] = [];
    const loop = async () => {
      for await (const { token } of generation) if (seen.push(token) === 3) controller.abort(reason);
    };
    await expect(loop()).rejects.toBe(reason);
    expect(seen).toHaveLength(3);
    expect(alone.activity.running).toBe(0);
    await expect(generation.result).rejects.toBe(reason);
    const next = await alone.generate(PROMPT, { maxTokens: 3 }).result;
    expect(next.tokens).toEqual(seen);
  });

  it('leaves the queue at once', async () => {
    const controller = new AbortController();
    const running = [alone.generate(PROMPT, { maxTokens: 20 }), alone.generate('The', { maxTokens: 2 })];
    const waiting = alone.generate(PROMPT, { signal: controller.signal });
    await expect.poll(() => alone.activity, POLL).toEqual({ running: 1, waiting: 2 });
    const reason = { why: 'anything' };
    controller.abort(reason);
    await rejects(waiting, reason);
    expect(alone.activity).toEqual({ running: 1, waiting: 1 });
    for (const { result } of running) expect((await result).stopReason).toBe('length');
  });

  it('does not begin where its signal had been aborted', async () => {
    const signal = AbortSignal.abort(new Error('before'));
    await rejects(alone.generate(PROMPT, { signal }), signal.reason);
    expect(alone.activity).toEqual({ running: 0, waiting: 0 });
  });

  it('is given up by leaving its loop', async () => {
    const generation = alone.generate(PROMPT);
    let count = 0;
    for await (const _ of generation) if (++count === 2) break;
    expect(alone.activity.running).toBe(0);
    await expect(generation.result).rejects.toMatchObject({ name: 'AbortError' });
    await expect(collect(generation)).rejects.toMatchObject({ statusName: 'INVALID_ARGUMENT' });
  });

  it('may have its log probabilities asked for', async () => {
    const controller = new AbortController();
    const generation = alone.generate(PROMPT, { logprobs: 1, signal: controller.signal });
    const loop = async () => {
      for await (const _ of generation) controller.abort(new Error('one is enough'));
    };
    await expect(loop()).rejects.toThrow('one is enough');
    expect(alone.activity.running).toBe(0);
  });
});

describe('a model that is closed', () => {
  it('ends what runs and what waits, and refuses the rest', async () => {
    const closing = await bundled.load();
    const generations = [closing.generate(PROMPT), closing.generate(PROMPT), closing.chat().send('Hi')];
    const first = generations[0]![Symbol.asyncIterator]();
    await first.next();
    await Promise.all([closing.close(), closing.close()]);
    for (const { result } of generations) await expect(result).rejects.toMatchObject({ statusName: 'CLOSED' });
    await expect(first.next()).rejects.toMatchObject({ statusName: 'CLOSED' });
    const refused = expect.objectContaining({ statusName: 'CLOSED' });
    expect(() => closing.generate(PROMPT)).toThrow(refused);
    expect(() => closing.generateChat([{ role: 'user', content: 'Hi' }])).toThrow(refused);
    expect(() => closing.chat()).toThrow(refused);
    expect(joined(await collect(alone.generate(PROMPT, { maxTokens: 2 })))).not.toBe('');
  });
});
