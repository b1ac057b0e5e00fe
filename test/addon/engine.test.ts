/** Many sequences at once, on a library that has no model: what it says is known (test/addon/mock_engine.h). */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Engine, EngineEvent, EngineOptions, EngineRequest, EngineRun } from '../../runtime/addon/index.js';
import { following, mockModels, Script } from './support.js';

const open = mockModels();
const openEngine = async (script = new Script(), options: EngineOptions = {}) =>
  (await open(script)).createEngine(options);

async function events(run: EngineRun): Promise<EngineEvent[]> {
  const all: EngineEvent[] = [];
  for await (const event of run) all.push(event);
  return all;
}

const tokensOf = (all: readonly EngineEvent[], index = 0) =>
  all.flatMap((event) => (event.kind === 'token' && event.index === index ? [event.token] : []));
const endsOf = (all: readonly EngineEvent[]) =>
  all.flatMap((event) => (event.kind === 'end' ? [[event.index, event.reason]] : []));

const write = async (engine: Engine, request: EngineRequest) => events(engine.submit(request));

describe('an engine', () => {
  it('says what it was opened with, and what it does', async () => {
    const script = new Script();
    const engine = await openEngine(script, { sequences: 3, context: 20, kvMemory: 5e9, deterministic: true });
    expect(script.calls()).toContain('engine_open sequences=3 context=20 kv_bytes=5000000000 deterministic=1');
    expect(engine.statistics()).toMatchObject({ sequences: 3, context: 20, kvBytes: 5e9, running: 0, chosenTokens: 0 });
    await write(engine, { prompt: [1, 2, 3], maxTokens: 4 });
    expect(engine.statistics()).toMatchObject({ steps: 4, rows: 4, promptTokens: 3, chosenTokens: 4 });
  });

  it('leaves to the library what nobody asks for', async () => {
    const script = new Script();
    await openEngine(script);
    expect(script.calls()).toContain('engine_open sequences=0 context=0 kv_bytes=0 deterministic=0');
  });

  it('hands over the events of a sequence, in order', async () => {
    const engine = await openEngine();
    const all = await write(engine, { prompt: [1, 2, 3], maxTokens: 3 });
    const token = (token: number) => ({ kind: 'token', index: 0, token, logprob: Number.NaN, top: [] });
    expect(all).toEqual([
      { kind: 'begun', index: 0, cachedTokens: 0 },
      ...following([1, 2, 3], 3).map(token),
      { kind: 'end', index: 0, reason: 'length' },
    ]);
  });

  it('ends a sequence where it must', async () => {
    const engine = await openEngine();
    const stop = following([1, 2, 3], 3)[2]!;
    const stopped = await write(engine, { prompt: [1, 2, 3], stopTokens: [stop] });
    expect([tokensOf(stopped), endsOf(stopped)]).toEqual([following([1, 2, 3], 3), [[0, 'stop']]]);
    const full = await write(engine, { prompt: [1, 2, 3] });
    expect([tokensOf(full).length, endsOf(full)]).toEqual([30, [[0, 'context']]]);
  });

  it('finds again what earlier prompts had', async () => {
    const engine = await openEngine();
    const prompt = [1, 2, 3, 4, 5, 6];
    await write(engine, { prompt, maxTokens: 1 });
    const [begun] = await write(engine, { prompt: [...prompt, 9], maxTokens: 1 });
    expect(begun).toEqual({ kind: 'begun', index: 0, cachedTokens: 4 });
    expect(engine.statistics()).toMatchObject({ promptTokens: 13, prefixHitTokens: 4 });
  });

  it('gives log probabilities where they are asked for', async () => {
    const engine = await openEngine();
    const request = { prompt: [1, 2, 3], maxTokens: 1, logprobs: 2 };
    const [, chosen] = await write(engine, request);
    const [token] = following([1, 2, 3], 1);
    const top = [
      { token: 0, logprob: 0 },
      { token: 1, logprob: -0.25 },
    ];
    expect(chosen).toEqual({ kind: 'token', index: 0, token, logprob: -token! / 4, top });
    const all = await write(engine, { ...request, maxTokens: 0, promptLogprobs: true });
    expect(all).toEqual([
      { kind: 'begun', index: 0, cachedTokens: 0 },
      { kind: 'prompt', index: 0, token: 1, logprob: Number.NaN, top: [] },
      { kind: 'prompt', index: 0, token: 2, logprob: -0.5, top },
      { kind: 'prompt', index: 0, token: 3, logprob: -0.75, top },
      { kind: 'end', index: 0, reason: 'length' },
    ]);
  });

  it('lets several sequences follow one prompt, each with a seed of its own', async () => {
    const script = new Script();
    const engine = await openEngine(script);
    const sampling = { temperature: 1, seed: 2n ** 60n + 3n, logitBias: [[4, -1.5]] as const };
    const all = await write(engine, { prompt: [1, 2], maxTokens: 5, sequences: 3, sampling });
    for (const index of [0, 1, 2]) expect(tokensOf(all, index)).toEqual(following([1, 2], 5, 3 + index));
    expect(endsOf(all)).toEqual([0, 1, 2].map((index) => [index, 'length']));
    const seed = 'at most 5, 3 times, logprobs -1 0, temperature 1, seed 1152921504606846979';
    expect(script.calls()).toContain(`submitted 2 tokens, ${seed}`);
    expect(script.calls()).toContain('bias 4 -1.5');
  });

  it('computes many requests at once, none mixed up with another', async () => {
    const engine = await openEngine(new Script(), { sequences: 5 });
    const prompts = Array.from({ length: 40 }, (_, i) => [i % 16, (3 * i) % 16, Math.floor(i / 16)]);
    const all = await Promise.all(prompts.map((prompt, i) => write(engine, { prompt, maxTokens: 1 + (i % 9) })));
    expect(all.map((one) => tokensOf(one))).toEqual(prompts.map((prompt, i) => following(prompt, 1 + (i % 9))));
    expect(engine.statistics()).toMatchObject({ running: 0, waiting: 0 });
  });

  it('shares its model with another, and with sessions', async () => {
    const model = await open(new Script());
    const [a, b] = await Promise.all([model.createEngine(), model.createEngine()]);
    const session = await model.createSession();
    await session.step(3, { mode: 'eager' });
    const request = { prompt: [7], maxTokens: 4 };
    const both = await Promise.all([write(a, request), write(b, request)]);
    for (const one of both) expect(tokensOf(one)).toEqual(following([7], 4));
    expect(await session.greedy()).toBe(following([3], 1)[0]);
  });

  it('does not block the event loop', async () => {
    const script = new Script('hold engine token');
    const engine = await openEngine(script);
    const written = write(engine, { prompt: [1], maxTokens: 1 });
    await script.until('engine_step');
    script.release(1);
    expect(endsOf(await written)).toEqual([[0, 'length']]);
  });
});

describe('a request that is given up', () => {
  it('is cancelled within a step', async () => {
    const script = new Script('hold engine token');
    const engine = await openEngine(script, { sequences: 1 });
    const [running, waiting] = [1, 2].map((token) => engine.submit({ prompt: [token] }));
    const both = Promise.all([events(running!), events(waiting!)]);
    await script.until('engine_step');
    script.release(1);
    await script.until('engine_step', 2);
    waiting!.cancel();
    running!.cancel();
    script.release(1);
    const [first, second] = await both;
    expect([tokensOf(first!), endsOf(first!)]).toEqual([following([1], 1), [[0, 'cancelled']]]);
    expect(second).toEqual([{ kind: 'end', index: 0, reason: 'cancelled' }]);
    running!.cancel();
    expect(script.calls().filter((line) => line.startsWith('engine_cancel'))).toHaveLength(2);
  });

  it('goes on without one of its sequences', async () => {
    const script = new Script('hold engine token');
    const engine = await openEngine(script);
    const run = engine.submit({ prompt: [1], sequences: 2, maxTokens: 2 });
    const all = events(run);
    await script.until('engine_step');
    run.cancel(1);
    expect(() => run.cancel(-1)).toThrow('index must be an integer from 0 to 1023; got -1');
    script.release(3);
    expect(endsOf(await all)).toEqual([
      [1, 'cancelled'],
      [0, 'length'],
    ]);
    expect(tokensOf(await all)).toEqual(following([1], 2));
  });

  it('is cancelled by leaving its loop, and by its signal', async () => {
    const script = new Script();
    const engine = await openEngine(script);
    for await (const event of engine.submit({ prompt: [1], maxTokens: 30 })) if (event.kind === 'token') break;
    const controller = new AbortController();
    const reason = new Error('enough');
    const loop = async () => {
      for await (const _ of engine.submit({ prompt: [1], maxTokens: 30, signal: controller.signal }))
        controller.abort(reason);
    };
    await expect(loop()).rejects.toBe(reason);
    expect(() => engine.submit({ prompt: [1], signal: controller.signal })).toThrow(reason);
    expect(endsOf(await write(engine, { prompt: [1], maxTokens: 1 }))).toEqual([[0, 'length']]);
  });
});

describe('a failure', () => {
  const error = { name: 'RealizarError', status: 8, statusName: 'DRIVER' };

  it('of opening is told', async () => {
    const model = await open(new Script('fail engine_open 8'));
    await expect(model.createEngine()).rejects.toMatchObject({ ...error, message: 'the script fails engine_open' });
  });

  it('of submitting is thrown', async () => {
    const engine = await openEngine(new Script('fail engine_submit 8'));
    expect(() => engine.submit({ prompt: [1] })).toThrow(expect.objectContaining(error));
    const odd = await openEngine();
    expect(() => odd.submit({ prompt: [] })).toThrow(
      expect.objectContaining({ statusName: 'INVALID_ARGUMENT', status: 1 }),
    );
    expect(() => odd.submit({ prompt: Array(33).fill(1) })).toThrow(expect.objectContaining({ status: 9 }));
  });

  it('of a sequence ends that one', async () => {
    const engine = await openEngine(new Script('fail engine token 8'));
    const failing = write(engine, { prompt: [1], maxTokens: 3 });
    const good = write(engine, { prompt: [2], maxTokens: 1 });
    const end = { kind: 'end', index: 0, reason: 'error', error: expect.objectContaining(error) };
    expect((await failing).at(-1)).toEqual(end);
    expect(endsOf(await good)).toEqual([[0, 'length']]);
  });

  it('of the device ends all, and another engine can be opened', async () => {
    const script = new Script('fail engine device 8');
    const model = await open(script);
    const engine = await model.createEngine({ sequences: 2 });
    const all = await Promise.all([1, 2, 3].map((token) => write(engine, { prompt: [token] })));
    for (const one of all)
      expect(one.at(-1)).toMatchObject({
        reason: 'error',
        error: { ...error, message: 'the script fails engine device' },
      });
    expect(() => engine.submit({ prompt: [1] })).toThrow(expect.objectContaining(error));
    const other = await model.createEngine();
    expect(endsOf(await write(other, { prompt: [1], maxTokens: 1 }))).toEqual([[0, 'length']]);
  });
});

describe('closing an engine', () => {
  const closed = { name: 'RealizarError', statusName: 'CLOSED', message: 'the engine is closed' };

  it('ends what runs and what waits, and refuses the rest', async () => {
    const script = new Script('slow engine token 20');
    const engine = await openEngine(script, { sequences: 1 });
    const runs = [1, 2].map((token) => write(engine, { prompt: [token] }));
    for (const run of runs) run.catch(() => {});
    await script.until('engine_step', 2);
    await Promise.all([engine.close(), engine.close()]);
    for (const run of runs) await expect(run).rejects.toMatchObject(closed);
    expect(() => engine.submit({ prompt: [1] })).toThrow(expect.objectContaining(closed));
    expect(() => engine.statistics()).toThrow(expect.objectContaining(closed));
    expect(script.calls().at(-1)).toBe('engine_close');
  });

  it('is done by closing its model, before that', async () => {
    const script = new Script();
    const model = await open(script);
    const engine = await model.createEngine();
    const opening = model.createEngine();
    await model.close();
    expect(script.calls().slice(-3)).toEqual(['engine_close', 'engine_close', 'model_close']);
    for (const one of [engine, await opening])
      expect(() => one.submit({ prompt: [1] })).toThrow(expect.objectContaining({ statusName: 'CLOSED' }));
    await expect(model.createEngine()).rejects.toMatchObject({ statusName: 'CLOSED', message: 'the model is closed' });
  });

  it('may come while a step is held, which is waited for', async () => {
    const script = new Script('hold engine token');
    const engine = await openEngine(script);
    const run = write(engine, { prompt: [1] });
    run.catch(() => {});
    await script.until('engine_step');
    const closing = engine.close();
    await expect(run).rejects.toMatchObject(closed);
    await delay(20);
    expect(script.calls()).not.toContain('engine_close');
    script.release(1);
    await closing;
    expect(script.calls()).toContain('engine_close');
  });
});

describe('arguments of an engine', () => {
  const invalid = (message: RegExp) => expect.objectContaining({ status: 1, message: expect.stringMatching(message) });

  it('are never passed on when they are wrong', async () => {
    const script = new Script();
    const model = await open(script);
    const options: [unknown, RegExp][] = [
      [{ sequences: -1 }, /^options\.sequences must be an integer from 0 to 1024; got -1/],
      [{ context: 0 }, /^options\.context must be an integer from 1 to 32/],
      [{ context: 33 }, /^options\.context/],
      [{ kvMemory: 1.5 }, /^options\.kvMemory/],
      [{ deterministic: 1 }, /^options\.deterministic must be true or false/],
      [null, /^options must be an object/],
    ];
    for (const [given, message] of options)
      await expect(model.createEngine(given as never)).rejects.toEqual(invalid(message));
    const engine = await model.createEngine();
    const requests: [unknown, RegExp][] = [
      [{ prompt: [16] }, /^request\.prompt\[0\] must be an integer from 0 to 15; got 16/],
      [{ prompt: 3 }, /^request\.prompt must be a list/],
      [{ prompt: [1], maxTokens: -1 }, /^request\.maxTokens/],
      [{ prompt: [1], sequences: 0 }, /^request\.sequences must be an integer from 1 to 1024/],
      [{ prompt: [1], stopTokens: [-1] }, /^request\.stopTokens\[0\]/],
      [{ prompt: [1], logprobs: 129 }, /^request\.logprobs must be an integer from 0 to 128/],
      [
        { prompt: [1], promptLogprobs: true },
        /^request\.logprobs must be an integer from 0 to 128 with promptLogprobs/,
      ],
      [{ prompt: [1], priority: 0.5 }, /^request\.priority/],
      [{ prompt: [1], sampling: { topP: 2 } }, /^request\.sampling\.topP/],
      [{ prompt: [1], signal: {} }, /^request\.signal must be an AbortSignal/],
    ];
    for (const [given, message] of requests) expect(() => engine.submit(given as never)).toThrow(invalid(message));
    expect(script.calls().filter((line) => line.startsWith('submitted'))).toEqual([]);
  });
});

describe('a constrained sequence', () => {
  const only = (token: number) => Uint32Array.of(2 ** token);

  it('waits for the mask of each token', async () => {
    const engine = await openEngine();
    const run = engine.submit({ prompt: [1, 2, 3], maxTokens: 4, sequences: 2, constrained: 0 });
    const scripts = [
      [7, 7, 1, 0],
      [15, 3, 2, 9],
    ];
    const said: number[][] = [[], []];
    for (const index of [0, 1]) run.setMask(0, only(scripts[index]![0]!), index);
    for await (const event of run) {
      if (event.kind !== 'token') continue;
      const tokens = said[event.index]!;
      tokens.push(event.token);
      if (tokens.length < 4) run.setMask(tokens.length, only(scripts[event.index]![tokens.length]!), event.index);
    }
    expect(said).toEqual(scripts);
    run.setMask(4, only(1)); // it has ended: nothing
  });

  it('goes when it is cancelled, and when the engine is closed', async () => {
    const engine = await openEngine();
    const run = engine.submit({ prompt: [1, 2, 3], constrained: 0 });
    run.cancel();
    expect(endsOf(await events(run))).toEqual([[0, 'cancelled']]);
    const rest = expect(events(engine.submit({ prompt: [1, 2, 3], constrained: 1000 }))).rejects;
    const closing = engine.close();
    await rest.toMatchObject({ statusName: 'CLOSED' });
    await closing;
  });

  it('takes masks of the right kind and size', async () => {
    const engine = await openEngine();
    const run = engine.submit({ prompt: [1, 2, 3], constrained: 0 });
    expect(() => run.setMask(0, [1] as never)).toThrow('words must be a Uint32Array');
    expect(() => run.setMask(-1, only(1))).toThrow('chosen must be an integer from 0');
    expect(() => run.setMask(0, new Uint32Array(2))).toThrow('n_word is 2');
    run.cancel();
  });
});
