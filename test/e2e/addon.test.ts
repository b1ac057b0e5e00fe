/** A compiled model through the Node addon, against its replay program. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Model, openModel, type Session } from '../../runtime/addon/index.js';
import { buildAddon } from '../addon/support.js';
import { firstDifference, hostArtifact, replay, replayLogits, runProgram } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';

const { model: path, tokens, greedy, vocabSize } = readGolden('qwen3-q8_0');

let folder: string;
let expected: Float32Array;
let model: Model;
beforeAll(async () => {
  buildAddon();
  folder = await hostArtifact('addon/qwen3-q8_0', path);
  expected = await replayLogits(folder, path, tokens);
  model = await openModel(folder, { model: path });
  return () => model.close();
});

async function logitsOf(session: Session, mode: 'graph' | 'eager'): Promise<Float32Array> {
  const all = new Float32Array(tokens.length * vocabSize);
  for (const [t, token] of tokens.entries()) {
    await session.step(token, { mode });
    all.set(await session.logits(), t * vocabSize);
  }
  return all;
}

describe('a session', () => {
  test('says what was compiled', () => {
    expect(model.info).toMatchObject({
      name: 'qwen3-q8_0',
      architecture: 'qwen3',
      target: 'host',
      vocabSize,
      gpuArchs: [],
    });
  });

  test('has the logits of replay, bit for bit, and a node count', async () => {
    const session = await model.createSession();
    expect(await session.buildGraph()).toBe(13);
    expect(firstDifference(await logitsOf(session, 'graph'), expected)).toBeUndefined();
    expect(await session.greedy()).toBe(greedy.at(-1));
    await session.rewind(0);
    expect(firstDifference(await logitsOf(session, 'eager'), expected)).toBeUndefined();
    expect(session.position).toBe(tokens.length);
    await session.close();
  });

  test('runs ahead greedily as it does step by step', async () => {
    const count = 20;
    const session = await model.createSession();
    await session.buildGraph();
    for (const token of tokens) await session.step(token);
    const stepped: number[] = [];
    while (stepped.length < count) {
      stepped.push(await session.greedy());
      await session.step(stepped.at(-1)!);
    }
    const last = await session.logits();
    await session.rewind(tokens.length - 1);
    await session.step(tokens.at(-1)!);
    expect(await session.runGreedy(count)).toEqual(Int32Array.from(stepped));
    expect(firstDifference(await session.logits(), last)).toBeUndefined();
    await session.close();
  });

  test('generates what it runs ahead, and samples what replay does', async () => {
    const session = await model.createSession();
    await session.buildGraph();
    const generated = async () => {
      await session.rewind(0);
      for (const token of tokens) await session.step(token);
      const all: number[] = [];
      for await (const token of session.generate({ maxTokens: 20 })) all.push(token);
      return all;
    };
    const chosen = await generated();
    await session.rewind(0);
    for (const token of tokens) await session.step(token);
    expect([...(await session.runGreedy(20))]).toEqual(chosen);
    await session.setSampling({ temperature: 0.8, topK: 50, seed: 7 });
    const sampled = await generated();
    await expect(session.greedy()).rejects.toMatchObject({ statusName: 'INVALID_ARGUMENT' });
    const sampling = ['--temperature', '0.8', '--top-k', '50', '--seed', '7'];
    const exit = await replay(folder, '--model', path, '--tokens', tokens.join(), '--generate', '20', ...sampling);
    expect(exit).toEqual({ code: 0, stdout: `${sampled.join()}\n`, stderr: '' });
    expect(sampled).not.toEqual(chosen);
    await session.setSampling({});
    expect(await generated()).toEqual(chosen);
    await session.close();
  });

  test('does not disturb another', async () => {
    const [one, two] = [await model.createSession(), await model.createSession()];
    await Promise.all([one.buildGraph(), two.buildGraph()]);
    // The other is a few tokens ahead, in another mode.
    for (const token of [5, 6, 7]) await two.step(token, { mode: 'eager' });
    await two.rewind(0);
    const [a, b] = await Promise.all([logitsOf(one, 'graph'), logitsOf(two, 'eager')]);
    expect(firstDifference(a, expected)).toBeUndefined();
    expect(firstDifference(b, expected)).toBeUndefined();
    await one.close();
    await expect(one.step(1)).rejects.toMatchObject({ statusName: 'CLOSED' });
    expect(await two.greedy()).toBe(greedy.at(-1));
    await two.close();
  });

  test('ends at the context', async () => {
    const session = await model.createSession();
    await session.buildGraph();
    await session.step(1);
    await expect(session.runGreedy(model.info.contextLength)).rejects.toThrow(/context|positions/);
    await session.close();
  });
});

test('another model is refused before anything is loaded', async () => {
  await expect(openModel(folder, { model: readGolden('qwen3-q4_k_m').model })).rejects.toMatchObject({
    statusName: 'MODEL_MISMATCH',
  });
});

test('the emitted binding opens its own folder', async () => {
  const source = `
    import { open, qwen3Q8_0 } from ${JSON.stringify(new URL(`file://${join(folder, 'index.mjs')}`))};
    const model = await open({ model: ${JSON.stringify(path)} });
    const session = await model.createSession();
    const nodes = await session.buildGraph();
    for (const token of ${JSON.stringify(tokens)}) await session.step(token);
    console.log(JSON.stringify([nodes === qwen3Q8_0.nodeCount, model.info.name === qwen3Q8_0.name, await session.greedy()]));
    await model.close();`;
  const exit = await runProgram(process.execPath, ['--input-type=module', '-e', source]);
  expect(exit).toEqual({ code: 0, stdout: `[true,true,${greedy.at(-1)}]\n`, stderr: '' });
});
