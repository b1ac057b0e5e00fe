/** Every golden model through the whole compiler: file -> graph -> logits, on the host target. */
import { expect, test } from 'vitest';
import { firstDifference, greedyTokens, hostArtifact, replay, replayLogits } from '../support/artifacts.js';
import { GOLDEN_NAMES, readGolden } from '../support/goldens.js';
import { nmse } from '../support/nmse.js';

test('there are goldens of every architecture', () => {
  expect(GOLDEN_NAMES.length).toBeGreaterThanOrEqual(16);
  for (const architecture of ['llama', 'qwen2', 'qwen3'])
    expect(GOLDEN_NAMES.filter((name) => name.startsWith(architecture)).length).toBeGreaterThanOrEqual(2);
});

test.each(GOLDEN_NAMES)('%s', async (name) => {
  const golden = readGolden(name);
  const folder = await hostArtifact(`goldens/${name}`, golden.model);
  const logits = await replayLogits(folder, golden.model, golden.tokens);
  expect(nmse(logits, golden.logits)).toBeLessThanOrEqual(1e-5);
  expect(greedyTokens(logits, golden.vocabSize)).toEqual(golden.greedy);

  const eager = await replayLogits(folder, golden.model, golden.tokens, '--mode', 'eager');
  expect(firstDifference(logits, eager)).toBeUndefined();

  const printed = await replay(folder, '--model', golden.model, '--tokens', golden.tokens.join());
  expect(printed).toEqual({ code: 0, stdout: `${golden.greedy.join()}\n`, stderr: '' });
});
