/** The same model as GGUF: the same logits as the folder's, so transformers' too; quantized alike, the same bits. */
import { expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { readModel } from '../../runtime/files/read.js';
import { referenceLogits } from '../oracle/reference.js';
import { firstDifference, replayLogits } from '../support/artifacts.js';
import { hostReplay } from '../support/host_replay.js';
import { nmse } from '../support/nmse.js';
import { ggufOf } from '../support/to_gguf.js';
import { CONTEXTS, readTransformersModel, TRANSFORMERS_NAMES } from '../support/transformers_models.js';

/**
 * No GGUF key says what these say: where windows are, that a small EXAONE 4 has any, what is under the root of Gemma's attention scale, YaRN unrounded, the exact GELU,
 * weights of experts that do not add up to 1;
 * or it is one that llama.cpp does not read, of the ends of YaRN's ramp.
 */
const NOT_IN_GGUF = [
  ...['starcoder2-window', 'qwen3-window', 'gemma2', 'gemma3', 'llama-yarn-mscale'],
  ...['gpt-oss', 'gpt-oss-mxfp4', 'qwen3moe-window', 'exaone4', 'gptneox'],
];

test.each(TRANSFORMERS_NAMES.filter((name) => !NOT_IN_GGUF.includes(name)))('%s', (name) => {
  const { folder, tokens, logits } = readTransformersModel(name);
  const spec = modelSpec(readGguf(ggufOf(folder, name)));
  expect(nmse(referenceLogits(spec, tokens, CONTEXTS[name]), logits)).toBeLessThan(1e-10);
});

test.each([
  ['q8_0', 'qwen2', 2e-3],
  ['q4_0', 'qwen3', 2e-1],
  ['q8_0', 'gemma', 2e-3],
  ['q4_0', 'stablelm', 2e-1],
  ['q8_0', 'qwen3-window', 2e-3],
  ['q8_0', 'qwen3moe', 1e-1], // where two experts are close, the other one is chosen
] as const)('--quantize %s of %s: what the quantized GGUF file computes', async (quantize, name, most) => {
  const { folder: model, tokens, logits } = readTransformersModel(name);
  const folder = await hostReplay(`quantized/${name}`, model, { quantize });
  const found = await replayLogits(folder, model, tokens);
  expect(nmse(found, referenceLogits(modelSpec(readModel(model, quantize)), tokens))).toBeLessThanOrEqual(1e-5);
  expect(nmse(found, logits)).toBeLessThan(most); // the model is still itself

  if (NOT_IN_GGUF.includes(name)) return;
  const file = ggufOf(model, name, quantize === 'q8_0' ? 'Q8_0' : 'Q4_0');
  const same = await replayLogits(await hostReplay(`quantized/${name}-gguf`, file), file, tokens);
  expect(firstDifference(found, same)).toBeUndefined();
});
