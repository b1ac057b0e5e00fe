/** Models with experts through the whole compiler, against what transformers computes (test/fixtures/experts/make.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostArtifact, ROOT, replayLogits } from '../support/artifacts.js';
import { nmse, readF32 } from '../support/nmse.js';

const folder = join(ROOT, 'test/fixtures/experts');
const tokens: number[] = JSON.parse(readFileSync(join(folder, 'tokens.json'), 'utf8'));

test.each(['qwen2moe', 'olmoe', 'granitemoe', 'gpt-oss'])('%s', async (name) => {
  const model = join(folder, `${name}.gguf`);
  const artifact = await hostArtifact(`experts/${name}`, model);
  const logits = await replayLogits(artifact, model, tokens);
  expect(nmse(logits, readF32(join(folder, `${name}.logits.f32`)))).toBeLessThanOrEqual(1e-5);
});
