/** What the description of each architecture says is what llama.cpp computes (test/fixtures/llama_cpp). */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ARCHITECTURES } from '../../compiler/model/architectures/index.js';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { referenceLogits } from '../oracle/reference.js';
import { LLAMA_CPP_MODELS, LLAMA_CPP_TOKENS, llamaCppModel } from '../support/llama_cpp_models.js';
import { nmse, readF32 } from '../support/nmse.js';

const folder = fileURLToPath(new URL('../fixtures/llama_cpp', import.meta.url));

test.each(LLAMA_CPP_MODELS)('$name', (model) => {
  const logits = referenceLogits(modelSpec(readGguf(llamaCppModel(model))), LLAMA_CPP_TOKENS);
  // It takes GELU from a table of halves, and does not read qwen2vl's epsilon.
  const isNear = ARCHITECTURES.get(model.architecture)!.activation === 'gelu' || model.architecture === 'qwen2vl';
  const most = isNear ? 1e-6 : 1e-11;
  expect(nmse(logits, readF32(`${folder}/${model.name}.logits.f32`))).toBeLessThan(most);
});
