import { describe, expect, it } from 'vitest';
import type { Session } from '../../runtime/addon/index.js';
import { mockModels, Script } from './support.js';

const open = mockModels();
const openSession = async (script = new Script()) => (await open(script)).createSession();

/** The mock's rule for the token after `token` at `position`. */
const next = (token: number, position: number) => (5 * token + position + 1) % 16;

describe('a session', () => {
  it('builds its graph, steps, and answers logits and the greedy token', async () => {
    const session = await openSession();
    expect(session.position).toBe(0);
    expect(await session.buildGraph()).toBe(7);
    await session.step(3);
    expect(session.position).toBe(1);
    expect(await session.greedy()).toBe(next(3, 0));
    const logits = await session.logits();
    expect(logits).toBeInstanceOf(Float32Array);
    expect(logits.length).toBe(16);
    expect(logits.indexOf(1)).toBe(next(3, 0));
    expect(logits[5]).toBe(Math.fround(0.05));
    expect(await session.dumpNodes()).toBe('node 0\nnode 1\n');
  });

  it('gives each caller its own logits', async () => {
    const session = await openSession();
    await session.step(1, { mode: 'eager' });
    const first = await session.logits();
    await session.step(2, { mode: 'eager' });
    const second = await session.logits();
    expect(first.indexOf(1)).toBe(next(1, 0));
    expect(second.indexOf(1)).toBe(next(2, 1));
  });

  it('passes the token and the mode as they are', async () => {
    const script = new Script();
    const session = await openSession(script);
    await session.buildGraph();
    await session.step(0);
    await session.step(-0, {});
    await session.step(15, { mode: 'graph' });
    await session.step(1, { mode: 'eager' });
    const tokens = script.calls().filter((line) => line.startsWith('token'));
    expect(tokens).toEqual(['token 0 mode 0', 'token 0 mode 0', 'token 15 mode 0', 'token 1 mode 1']);
  });

  it('runs greedily as stepping would, and rewinds', async () => {
    const session = await openSession();
    await session.buildGraph();
    await session.step(3);
    const run = await session.runGreedy(5);
    expect(run).toBeInstanceOf(Int32Array);
    expect(session.position).toBe(6);

    await session.rewind(1);
    expect(session.position).toBe(1);
    await session.rewind(0);
    let token = 3;
    const stepped: number[] = [];
    for (let i = 0; i < 5; i++) {
      await session.step(token);
      token = await session.greedy();
      stepped.push(token);
    }
    expect([...run]).toEqual(stepped);
    expect([...(await session.runGreedy(0))]).toEqual([]);
  });

  it('serialises calls that nobody awaits, in order', async () => {
    const script = new Script('slow step 20');
    const session = await openSession(script);
    const results = await Promise.all([
      session.buildGraph(),
      session.step(1),
      session.greedy(),
      session.step(2),
      session.greedy(),
      session.rewind(1),
      session.step(4),
      session.greedy(),
    ]);
    expect(results).toEqual([7, undefined, next(1, 0), undefined, next(2, 1), undefined, undefined, next(4, 1)]);
    const begun = script.calls().filter((line) => line.endsWith('begins'));
    const order = ['graph_build', 'step', 'greedy', 'step', 'greedy', 'rewind', 'step', 'greedy'];
    expect(begun).toEqual(order.map((call) => `${call} begins`));
    expect(script.calls().join()).not.toContain('OVERLAP');
  });

  it('does not block the event loop', async () => {
    const script = new Script('hold step');
    const session = await openSession(script);
    setImmediate(() => script.release(1));
    await session.step(1, { mode: 'eager' });
    expect(session.position).toBe(1);
  });

  it('shares its model with others that run at the same time', async () => {
    const script = new Script('hold step');
    const model = await open(script);
    const sessions = await Promise.all([model.createSession(), model.createSession()]);
    const steps = sessions.map((session, i) => session.step(i, { mode: 'eager' }));
    await script.until('step begins', 2);
    script.release(2);
    await Promise.all(steps);
    expect(await sessions[0].greedy()).toBe(next(0, 0));
    expect(await sessions[1].greedy()).toBe(next(1, 0));
    expect(script.calls().join()).not.toContain('OVERLAP');
  });
});

describe('a call that fails', () => {
  const failing: [string, string, (session: Session) => Promise<unknown>][] = [
    ['graph_build', 'buildGraph', (session) => session.buildGraph()],
    ['step', 'step', (session) => session.step(0)],
    ['run_greedy', 'runGreedy', (session) => session.runGreedy(1)],
    ['set_sampling', 'setSampling', (session) => session.setSampling({})],
    ['generate', 'generate', (session) => session.generate().next()],
    ['logits', 'logits', (session) => session.logits()],
    ['chosen', 'chosen', (session) => session.chosen()],
    ['greedy', 'greedy', (session) => session.greedy()],
    ['rewind', 'rewind', (session) => session.rewind(0)],
    ['dump_nodes', 'dumpNodes', (session) => session.dumpNodes()],
  ];
  it.each(failing)('%s: %s rejects with its status and text', async (call, _, run) => {
    const session = await openSession(new Script(`fail ${call} 8`));
    const error = { name: 'RealizarError', status: 8, statusName: 'DRIVER', message: `the script fails ${call}` };
    await expect(run(session)).rejects.toMatchObject(error);
  });

  it('leaves the calls after it alone', async () => {
    const session = await openSession();
    const graph = session.step(1);
    const eager = session.step(1, { mode: 'eager' });
    await expect(graph).rejects.toMatchObject({ status: 10, message: 'no graph: build it first' });
    await eager;
    expect(session.position).toBe(1);
  });

  it('cannot open a session', async () => {
    const model = await open(new Script('fail session_open 7'));
    await expect(model.createSession()).rejects.toMatchObject({ status: 7, message: 'the script fails session_open' });
  });
});

describe('arguments of a session', () => {
  const odd = [Number.NaN, -1, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, '1', null, undefined, {}, [1], 1n, Symbol('x')];
  const expectInvalid = (call: Promise<unknown>, name: string) =>
    expect(call).rejects.toMatchObject({
      name: 'RealizarError',
      status: 1,
      message: expect.stringMatching(new RegExp(`^${name} must be`)),
    });

  it('are never passed on when they are no such number', async () => {
    const script = new Script();
    const session = await openSession(script);
    for (const value of odd) {
      await expectInvalid(session.step(value as number), 'token');
      await expectInvalid(session.runGreedy(value as number), 'count');
      await expectInvalid(session.rewind(value as number), 'position');
    }
    await expectInvalid(session.step(16), 'token');
    await expectInvalid(session.runGreedy(33), 'count');
    await expectInvalid(session.rewind(33), 'position');
    expect(script.calls().filter((line) => line.includes('begins'))).toEqual([]);
  });

  it('name a mode that exists', async () => {
    const session = await openSession();
    await expectInvalid(session.step(0, 'eager' as never), 'options');
    await expectInvalid(session.step(0, null as never), 'options');
    await expectInvalid(session.step(0, { mode: 'fast' as never }), 'options.mode');
    await expectInvalid(session.runGreedy(1, { mode: 1 as never }), 'options.mode');
  });
});
