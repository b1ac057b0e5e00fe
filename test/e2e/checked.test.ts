/**
 * The host target with all its checks, as the stand-in for a GPU: sanitizers, scratch memory poisoned before every token,
 * work before the programmatic wait run before the predecessors, blocks and independent nodes in other orders.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { firstDifference, hostArtifact, replayLogits } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';
import { nmse } from '../support/nmse.js';

// Every kind of kernel, and K-quants.
describe.each(['llama-q8_0', 'llama-q4_k_m', 'qwen2-q8_0', 'qwen3-q4_k_m', 'gemma2-q8_0'])('%s', (name) => {
  const { model, tokens, logits: expected } = readGolden(name);
  let folder: string;
  beforeAll(async () => {
    folder = await hostArtifact(`checked/${name}`, model, { sanitize: true });
  });
  const logits = (...args: string[]) => replayLogits(folder, model, tokens, ...args);

  test('is right', async () => {
    expect(nmse(await logits('--poison'), expected)).toBeLessThanOrEqual(1e-5);
  });

  test.each([
    ...[1, 2, 3].flatMap((seed) => ['graph', 'eager'].map((mode) => ({ seed, mode }))),
    { seed: 0, mode: 'eager' },
  ])('has the same bits in order $seed, $mode', async ({ seed, mode }) => {
    const permuted = await logits('--order-seed', `${seed}`, '--poison', '--mode', mode);
    expect(firstDifference(permuted, await logits())).toBeUndefined();
  });
});
