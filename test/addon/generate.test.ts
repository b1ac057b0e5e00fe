import { describe, expect, it } from 'vitest';
import type { Session } from '../../runtime/addon/index.js';
import { mockModels, Script } from './support.js';

const openMock = mockModels();

/** A session that has been fed token 3. */
async function begun(script = new Script()): Promise<Session> {
  const model = await openMock(script);
  const session = await model.createSession();
  await session.step(3, { mode: 'eager' });
  return session;
}
/** What follows it by the mock's rule. */
function following(count: number): number[] {
  const tokens = [3];
  for (let i = 0; i < count; i++) tokens.push((5 * tokens[i]! + i + 1) % 16);
  return tokens.slice(1);
}
async function collect(tokens: AsyncIterable<number>, most = Number.POSITIVE_INFINITY): Promise<number[]> {
  const seen: number[] = [];
  for await (const token of tokens) if (seen.push(token) === most) break;
  return seen;
}
const eager = { mode: 'eager' } as const;

describe('generate', () => {
  it('yields what stepping would choose, and leaves the last token to be fed', async () => {
    const session = await begun();
    expect(await collect(session.generate({ ...eager, maxTokens: 7 }))).toEqual(following(7));
    expect(session.position).toBe(7);
    await session.step(following(7).at(-1)!, eager);
    expect(await session.chosen()).toBe(following(8).at(-1));
    expect(await collect(session.generate({ ...eager, maxTokens: 0 }))).toEqual([]);
    expect(session.position).toBe(8);
  });

  it('ends with a stop token, or where the context is full', async () => {
    const session = await begun();
    const stop = following(3).at(-1)!;
    const expected = following(following(32).indexOf(stop) + 1);
    expect(await collect(session.generate({ ...eager, stopTokens: new Set([stop]) }))).toEqual(expected);
    await session.rewind(0);
    await session.step(3, eager);
    expect(await collect(session.generate(eager))).toEqual(following(32));
    expect(session.position).toBe(32);
  });

  it('yields each token before the next one is there, off the event loop', async () => {
    const script = new Script('hold token');
    const session = await begun(script);
    setImmediate(() => script.release(1));
    const seen: number[] = [];
    for await (const token of session.generate({ ...eager, maxTokens: 4 })) {
      seen.push(token);
      if (seen.length < 4) script.release(1);
    }
    expect(seen).toEqual(following(4));
  });

  it('does not occupy the thread pool', async () => {
    const script = new Script('hold token');
    const sessions = await Promise.all(Array.from({ length: 6 }, () => begun(script)));
    const all = sessions.map((session) => collect(session.generate({ ...eager, maxTokens: 10 })));
    await script.until('generate begins', 6);
    const other = await begun();
    expect(await other.greedy()).toBe(following(1)[0]);
    script.release(60);
    for (const tokens of await Promise.all(all)) expect(tokens).toEqual(following(10));
  });

  it('forgets what the loop that is left has not seen', async () => {
    const session = await begun();
    expect(await collect(session.generate(eager), 4)).toEqual(following(4));
    expect(session.position).toBe(4);
    await session.step(following(4).at(-1)!, eager);
    expect(await session.chosen()).toBe(following(5).at(-1));
  });

  it('is aborted within a token', async () => {
    const script = new Script('slow token 40');
    const session = await begun(script);
    const controller = new AbortController();
    const seen: number[] = [];
    const run = async () => {
      for await (const token of session.generate({ ...eager, maxTokens: 30, signal: controller.signal }))
        if (seen.push(token) === 3) controller.abort(new Error('enough'));
    };
    await expect(run()).rejects.toThrow('enough');
    expect(seen).toEqual(following(3));
    expect(session.position).toBe(3);
    expect(script.calls().filter((line) => line === 'generate ends')).toHaveLength(1);
    // Before it began.
    await expect(collect(session.generate({ signal: controller.signal }))).rejects.toThrow('enough');
    expect(script.calls().filter((line) => line === 'generate begins')).toHaveLength(1);
  });

  it('throws what fails, after the tokens before it', async () => {
    const session = await begun(new Script('fail token 8', 'slow token 20'));
    const seen: number[] = [];
    const run = async () => {
      for await (const token of session.generate(eager)) seen.push(token);
    };
    await expect(run()).rejects.toMatchObject({ name: 'RealizarError', status: 8, message: 'the script fails token' });
    expect(seen).toEqual(following(1));
  });

  it('ends when the session is closed', async () => {
    const session = await begun(new Script('slow token 40'));
    const seen: number[] = [];
    const run = async () => {
      for await (const token of session.generate({ ...eager, maxTokens: 30 }))
        if (seen.push(token) === 2) void session.close();
    };
    await expect(run()).rejects.toMatchObject({ statusName: 'CLOSED' });
    expect(seen.length).toBe(2);
    await session.close();
  });

  it('checks its arguments', async () => {
    const session = await begun();
    const invalid: [object, string][] = [
      [{ maxTokens: -1 }, 'options.maxTokens'],
      [{ maxTokens: 1.5 }, 'options.maxTokens'],
      [{ stopTokens: 3 }, 'options.stopTokens'],
      [{ stopTokens: [1, 16] }, 'options.stopTokens\\[1\\]'],
      [{ stopTokens: ['1'] }, 'options.stopTokens\\[0\\]'],
      [{ signal: {} }, 'options.signal'],
      [{ mode: 'fast' }, 'options.mode'],
    ];
    for (const [options, name] of invalid)
      await expect(session.generate(options).next()).rejects.toThrow(new RegExp(`^${name} must be`));
  });
});

describe('a prompt', () => {
  it('is fed in one call, off the event loop, and can come with a generation', async () => {
    const script = new Script();
    const session = await begun(script);
    const prompt = following(4);
    await session.prefill(prompt, eager);
    expect(session.position).toBe(5);
    expect(await session.chosen()).toBe(following(5).at(-1));
    expect(script.calls()).toContain('prefilled 4');
    await session.rewind(1);
    expect(await collect(session.generate({ ...eager, prompt: new Set(prompt.slice(0, 2)), maxTokens: 3 }))).toEqual(
      following(5).slice(2),
    );
    expect(session.position).toBe(5);
    await session.prefill([], eager);
    expect(session.position).toBe(5);
  });

  it('is given up within a token, and what was fed stays', async () => {
    const script = new Script('hold token');
    const session = await begun(script);
    const controller = new AbortController();
    const fed = session.prefill(following(30), { ...eager, signal: controller.signal });
    await script.until('prefill begins');
    script.release(3);
    controller.abort(new Error('enough'));
    script.release(1); // if it had begun with a fourth one
    await expect(fed).rejects.toThrow('enough');
    const { position } = session;
    expect(position).toBeGreaterThan(1);
    expect(position).toBeLessThanOrEqual(5);
    script.release(30);
    await session.prefill(following(position).slice(position - 1), eager);
    expect(await session.chosen()).toBe(following(position + 1).at(-1));
  });

  it('is checked', async () => {
    const session = await begun();
    await expect(session.prefill([1, 16], eager)).rejects.toThrow(/^tokens\[1\] must be an integer from 0 to 15/);
    await expect(session.prefill(7 as never, eager)).rejects.toThrow('tokens must be a list of token ids');
    await expect(session.prefill([1], { signal: 3 as never })).rejects.toThrow('options.signal must be');
    await expect(session.prefill([1])).rejects.toThrow('no graph');
    expect(session.position).toBe(1);
  });
});

describe('setSampling', () => {
  it('passes on what is given, and what is off', async () => {
    const script = new Script();
    const session = await begun(script);
    const before = script.calls().length;
    await session.setSampling({});
    await session.setSampling({
      temperature: 0.75,
      topK: 40,
      topP: 0.5,
      minP: 0.25,
      seed: 2n ** 64n - 1n,
      repeatPenalty: 1.5,
      presencePenalty: -0.5,
      frequencyPenalty: 0.125,
      repeatLastN: -1,
      logitBias: new Map([
        [3, Number.NEGATIVE_INFINITY],
        [15, 2.5],
      ]),
    });
    expect(script.calls().slice(before)).toEqual([
      'set_sampling begins',
      'temperature 0 top_k 0 top_p 1 min_p 0 seed 0 last_n 64',
      'repeat 1 presence 0 frequency 0',
      'set_sampling ends',
      'set_sampling begins',
      'temperature 0.75 top_k 40 top_p 0.5 min_p 0.25 seed 18446744073709551615 last_n -1',
      'repeat 1.5 presence -0.5 frequency 0.125',
      'bias 3 -inf',
      'bias 15 2.5',
      'set_sampling ends',
    ]);
  });

  it('checks its arguments', async () => {
    const session = await begun();
    const odd = [Number.NaN, '1', {}, [1], Symbol('x'), 1n, true];
    const numbers = ['temperature', 'topK', 'topP', 'minP', 'repeatPenalty', 'presencePenalty', 'frequencyPenalty'];
    const invalid: [string, unknown][] = [
      ...[...numbers, 'repeatLastN'].flatMap((name) => odd.map((value): [string, unknown] => [name, value])),
      ['temperature', -1],
      ['topK', 0.5],
      ['topP', 1.5],
      ['minP', -0.1],
      ['repeatPenalty', 0],
      ['presencePenalty', Number.POSITIVE_INFINITY],
      ['repeatLastN', -2],
      ['seed', -1],
      ['seed', 1.5],
      ['seed', 2 ** 53],
      ['seed', 2n ** 64n],
      ['seed', '1'],
      ['logitBias', 3],
      ['logitBias', [3]],
      ['logitBias', [[16, 1]]],
      ['logitBias', [[1, Number.NaN]]],
      ['logitBias', [[1, Number.POSITIVE_INFINITY]]],
    ];
    for (const [name, value] of invalid)
      await expect(session.setSampling({ [name]: value })).rejects.toMatchObject({
        status: 1,
        message: expect.stringMatching(new RegExp(`^sampling\\.${name}.* must be`)),
      });
    await expect(session.setSampling(null as never)).rejects.toThrow('sampling must be an object');
  });
});
