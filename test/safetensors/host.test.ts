/** Models as transformers saves them through the whole compiler, on the host target, against transformers' logits. */
import { expect, test } from 'vitest';
import { firstDifference, greedyTokens, replayLogits } from '../support/artifacts.js';
import { hostReplay } from '../support/host_replay.js';
import { nmse } from '../support/nmse.js';
import { CONTEXTS, readTransformersModel, TRANSFORMERS_NAMES, withVision } from '../support/transformers_models.js';

test.each(TRANSFORMERS_NAMES)('%s', async (name) => {
  const { folder: model, tokens, logits, vocabSize } = readTransformersModel(name);
  const folder = await hostReplay(`transformers/${name}`, model, { context: CONTEXTS[name] });
  const found = await replayLogits(folder, model, tokens);
  expect(nmse(found, logits)).toBeLessThanOrEqual(1e-5);
  expect(greedyTokens(found, vocabSize)).toEqual(greedyTokens(logits, vocabSize));
  // Goldens have all their tokens kernel by kernel, too.
  const eager = await replayLogits(folder, model, tokens.slice(0, 4), '--mode', 'eager');
  expect(firstDifference(found.slice(0, eager.length), eager)).toBeUndefined();
});

test('the text part of a model with a vision part', async () => {
  const { tokens, logits } = readTransformersModel('gemma3');
  const model = withVision('language_model.model.');
  const found = await replayLogits(await hostReplay('transformers/gemma3-vision', model), model, tokens);
  expect(nmse(found, logits)).toBeLessThanOrEqual(1e-5);
});
