/** Architectures that shapes.test.ts has no model of, compiled for the host target, against llama.cpp's logits. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ARCHITECTURE_MODELS } from '../support/architecture_models.js';
import { replayLogits } from '../support/artifacts.js';
import { hostReplay } from '../support/host_replay.js';
import { LLAMA_CPP_MODELS, LLAMA_CPP_TOKENS, llamaCppModel } from '../support/llama_cpp_models.js';
import { nmse, readF32 } from '../support/nmse.js';

const fixtures = fileURLToPath(new URL('../fixtures/llama_cpp', import.meta.url));
const elsewhere = new Set(ARCHITECTURE_MODELS.map(({ architecture }) => architecture));

test.each(LLAMA_CPP_MODELS.filter(({ architecture }) => !elsewhere.has(architecture)))('$name', async (model) => {
  const path = llamaCppModel(model);
  const folder = await hostReplay(`llama_cpp/${model.name}`, path);
  const logits = await replayLogits(folder, path, LLAMA_CPP_TOKENS);
  expect(nmse(logits, readF32(`${fixtures}/${model.name}.logits.f32`))).toBeLessThanOrEqual(1e-5);
});
