import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../runtime/addon/index.js';
import { buildAddon, buildArtifact, Script, temporaryDirectory } from './support.js';

let artifact: string;
beforeAll(() => {
  buildAddon();
  artifact = buildArtifact(temporaryDirectory());
}, 300_000);

const CLOSED = { name: 'RealizarError', statusName: 'CLOSED', message: 'the session is closed' };

describe('closing a session', () => {
  it('makes every later call reject', async () => {
    const model = await openModel(artifact, { model: new Script().path });
    const session = await model.createSession();
    await session.close();
    const calls = [
      session.buildGraph(),
      session.step(0),
      session.runGreedy(1),
      session.logits(),
      session.greedy(),
      session.rewind(0),
      session.dumpNodes(),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject(CLOSED);
    expect(() => session.position).toThrow(expect.objectContaining(CLOSED));
    await session.close();
    await model.close();
  });

  it('waits for the calls made before it, and refuses those made after it', async () => {
    const script = new Script('slow step 50');
    const model = await openModel(artifact, { model: script.path });
    const session = await model.createSession();
    const steps = [session.step(1, { mode: 'eager' }), session.step(2, { mode: 'eager' })];
    const closing = session.close();
    await expect(session.step(3, { mode: 'eager' })).rejects.toMatchObject(CLOSED);
    await closing;
    await Promise.all(steps);
    const calls = script.calls().filter((line) => line.includes('token') || line.includes('close'));
    expect(calls).toEqual(['token 1 mode 1', 'token 2 mode 1', 'session_close begins', 'session_close ends']);
    await model.close();
  });
});

describe('closing a model', () => {
  it('closes its sessions first, after the calls made on them', async () => {
    const script = new Script('slow step 50');
    const model = await openModel(artifact, { model: script.path });
    const [a, b] = await Promise.all([model.createSession(), model.createSession()]);
    const step = a.step(1, { mode: 'eager' });
    await Promise.all([model.close(), model.close()]);
    await step;
    await expect(b.greedy()).rejects.toMatchObject(CLOSED);
    await expect(model.createSession()).rejects.toMatchObject({ statusName: 'CLOSED', message: 'the model is closed' });
    const closes = script.calls().filter((line) => line.includes('close'));
    expect(closes.filter((line) => line === 'session_close begins')).toHaveLength(2);
    expect(closes.at(-1)).toBe('model_close');
    expect(script.calls().indexOf('step ends')).toBeLessThan(script.calls().indexOf('model_close'));
  });

  it('waits for a session that is being opened', async () => {
    const script = new Script('slow session_open 50');
    const model = await openModel(artifact, { model: script.path });
    const opening = model.createSession();
    await model.close();
    await expect((await opening).greedy()).rejects.toMatchObject(CLOSED);
    expect(script.calls()).toEqual([
      'open device=0 order_seed=0 poison=0',
      'session_open',
      'session_close begins',
      'session_close ends',
      'model_close',
    ]);
  });

  it('does not block the event loop', async () => {
    const script = new Script('hold model_close');
    const model = await openModel(artifact, { model: script.path });
    setImmediate(() => script.release(1));
    await model.close();
    expect(script.calls().at(-1)).toBe('model_close');
  });

  it.runIf(Symbol.asyncDispose)('is what disposing does', async () => {
    const script = new Script();
    const model = await openModel(artifact, { model: script.path });
    await (await model.createSession())[Symbol.asyncDispose]();
    await model[Symbol.asyncDispose]();
    expect(script.calls().slice(-3)).toEqual(['session_close begins', 'session_close ends', 'model_close']);
  });
});

describe('garbage collection', () => {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');

  async function collected(script: Script, line: string): Promise<boolean> {
    for (let i = 0; i < 50 && !script.calls().includes(line); i++) {
      gc();
      await turn();
    }
    return script.calls().includes(line);
  }

  it('frees a session that nobody holds while its model stays open', async () => {
    const script = new Script();
    const model = await openModel(artifact, { model: script.path });
    await (async () => (await model.createSession()).step(1, { mode: 'eager' }))();
    expect(await collected(script, 'session_close ends')).toBe(true);
    expect(script.calls()).not.toContain('model_close');
    await model.close();
  });

  it('frees a model and its sessions, sessions first', async () => {
    const script = new Script();
    await (async () => {
      const model = await openModel(artifact, { model: script.path });
      await (await model.createSession()).step(1, { mode: 'eager' });
    })();
    expect(await collected(script, 'model_close')).toBe(true);
    expect(script.calls().slice(-2)).toEqual(['session_close ends', 'model_close']);
  });

  it('frees an engine that nobody holds and that is idle while its model stays open', async () => {
    const script = new Script();
    const model = await openModel(artifact, { model: script.path });
    await (async () => {
      const engine = await model.createEngine();
      for await (const _ of engine.submit({ prompt: [1], maxTokens: 2 }));
    })();
    expect(await collected(script, 'engine_close')).toBe(true);
    expect(script.calls()).not.toContain('model_close');
    await model.close();
  });

  it('keeps an engine that is generating for somebody', async () => {
    const script = new Script('hold engine token');
    const model = await openModel(artifact, { model: script.path });
    const kinds: string[] = [];
    const loop = (async () => {
      const run = (await model.createEngine()).submit({ prompt: [1], maxTokens: 1 });
      for await (const { kind } of run) kinds.push(kind);
    })();
    await script.until('engine_step');
    for (let i = 0; i < 10; i++) {
      gc();
      await turn();
    }
    expect(script.calls()).not.toContain('engine_close');
    script.release(1);
    await loop;
    expect(kinds).toEqual(['begun', 'token', 'end']);
    await model.close();
    expect(script.calls().slice(-1)).toEqual(['model_close']);
  });

  it('keeps a session whose step is running', async () => {
    const script = new Script('hold step');
    const model = await openModel(artifact, { model: script.path });
    const step = (async () => (await model.createSession()).step(1, { mode: 'eager' }))();
    await script.until('step begins');
    gc();
    expect(script.calls()).not.toContain('session_close begins');
    script.release(1);
    await step;
    await model.close();
    expect(script.calls().slice(-1)).toEqual(['model_close']);
  });
});
