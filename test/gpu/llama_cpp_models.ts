/**
 * Writes the models of test/fixtures/llama_cpp, each a folder as check.py reads it: llama_cpp_models.js BUNDLE, from the root of
 * the repository.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LLAMA_CPP_MODELS, LLAMA_CPP_TOKENS, llamaCppModel } from '../support/llama_cpp_models.js';

const bundle = process.argv[2]!;
for (const model of LLAMA_CPP_MODELS) {
  const folder = join(bundle, 'llama_cpp', model.name);
  const logits = `test/fixtures/llama_cpp/${model.name}.logits.f32`;
  mkdirSync(folder, { recursive: true });
  copyFileSync(llamaCppModel(model), join(folder, `${model.name}.gguf`));
  copyFileSync(logits, join(folder, `${model.name}.logits.f32`));
  const files = { model: `${model.name}.gguf`, logits: `${model.name}.logits.f32` };
  writeFileSync(join(folder, `${model.name}.json`), JSON.stringify({ ...files, tokens: LLAMA_CPP_TOKENS }));
}
