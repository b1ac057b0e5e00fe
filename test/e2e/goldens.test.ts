/** Every golden model through the whole compiler: file -> graph -> logits, on the host target. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { GGML_TYPES } from '../../runtime/files/ggml.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { firstDifference, greedyTokens, replay, replayLogits } from '../support/artifacts.js';
import { GOLDEN_NAMES, readGolden } from '../support/goldens.js';
import { hostReplay } from '../support/host_replay.js';
import { nmse } from '../support/nmse.js';
import { temporaryFile } from '../support/tiny_models.js';

test('there are goldens of every architecture', () => {
  expect(GOLDEN_NAMES.length).toBeGreaterThanOrEqual(16);
  for (const architecture of ['llama', 'qwen2', 'qwen3'])
    expect(GOLDEN_NAMES.filter((name) => name.startsWith(architecture)).length).toBeGreaterThanOrEqual(2);
});

test.each(GOLDEN_NAMES)('%s', async (name) => {
  const golden = readGolden(name);
  const folder = await hostReplay(`goldens/${name}`, golden.model);
  const logits = await replayLogits(folder, golden.model, golden.tokens);
  expect(nmse(logits, golden.logits)).toBeLessThanOrEqual(1e-5);
  expect(greedyTokens(logits, golden.vocabSize)).toEqual(golden.greedy);

  const eager = await replayLogits(folder, golden.model, golden.tokens, '--mode', 'eager');
  expect(firstDifference(logits, eager)).toBeUndefined();

  const printed = await replay(folder, '--model', golden.model, '--tokens', golden.tokens.join());
  expect(printed).toEqual({ code: 0, stdout: `${golden.greedy.join()}\n`, stderr: '' });
});

/** The model with a block of a matrix of layer 0, or of each of its experts, that is NaN in every type. */
function damaged(path: string, role: 'value' | 'up'): string {
  const { layers, experts } = modelSpec(readGguf(path));
  const { attnV, ffnUp, ffnUpExperts } = layers[0]!;
  const { offset, bytes, type } = role === 'value' ? attnV : (ffnUp ?? ffnUpExperts)!;
  const file = readFileSync(path);
  const count = role === 'up' && ffnUpExperts ? experts!.count : 1;
  for (let i = 0; i < count; i++) {
    const at = offset + (i * bytes) / count;
    file.fill(0xff, at, at + GGML_TYPES[type].blockBytes);
  }
  return temporaryFile(file);
}

// What follows attention and gate is not normed, so only the scales of its quants can tell.
describe.each(['value', 'up'] as const)('a damaged %s projection', (role) => {
  test.each(GOLDEN_NAMES)('of %s: no number, and no token', async (name) => {
    const { model, tokens } = readGolden(name);
    const folder = await hostReplay(`goldens/${name}`, model);
    const file = damaged(model, role);
    const some = tokens.slice(0, 2);
    expect((await replayLogits(folder, file, some)).every(Number.isNaN)).toBe(true);
    const { code, stdout, stderr } = await replay(folder, '--model', file, '--tokens', some.join());
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^replay: not one of the \d+ logits after position 0 is a number/);
  });
});
