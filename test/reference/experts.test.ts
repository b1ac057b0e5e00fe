/** Models with experts, against what transformers computes from the same weights (test/fixtures/experts/make.py). */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { referenceLogits } from '../oracle/reference.js';
import { nmse, readF32 } from '../support/nmse.js';

const folder = fileURLToPath(new URL('../fixtures/experts', import.meta.url));
const tokens: number[] = JSON.parse(readFileSync(`${folder}/tokens.json`, 'utf8'));

// It computes norms, routing and attention's softmax in float32.
test.each(['qwen2moe', 'olmoe', 'granitemoe', 'gpt-oss'])('%s', (name) => {
  const logits = referenceLogits(modelSpec(readGguf(`${folder}/${name}.gguf`)), tokens);
  expect(nmse(logits, readF32(`${folder}/${name}.logits.f32`))).toBeLessThan(1e-11);
});
