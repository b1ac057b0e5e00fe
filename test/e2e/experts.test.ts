/** Models with experts through the whole compiler, against what transformers computes (test/fixtures/experts/make.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import type { LayerWeights } from '../../compiler/model/spec.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { referenceLogits } from '../oracle/reference.js';
import { ARCHITECTURE_MODELS, architectureModel } from '../support/architecture_models.js';
import { firstDifference, ROOT, replayLogits } from '../support/artifacts.js';
import { hostReplay } from '../support/host_replay.js';
import { nmse, readF32 } from '../support/nmse.js';
import { temporaryFile } from '../support/tiny_models.js';

const folder = join(ROOT, 'test/fixtures/experts');
const tokens: number[] = JSON.parse(readFileSync(join(folder, 'tokens.json'), 'utf8'));

test.each(['olmoe', 'granitemoe'])('%s', async (name) => {
  const model = join(folder, `${name}.gguf`);
  const logits = await replayLogits(await hostReplay(`experts/${name}`, model), model, tokens);
  expect(nmse(logits, readF32(join(folder, `${name}.logits.f32`)))).toBeLessThanOrEqual(1e-5);
});

// A shared expert with a gate; biases, the activation of two that are clamped, codes.
describe.each(['qwen2moe', 'gpt-oss'])('%s', (name) => {
  const model = join(folder, `${name}.gguf`);
  const artifact = hostReplay(`experts/${name}`, model, { programs: ['all'] });
  const run = async (options: string) => replayLogits(await artifact, model, tokens, ...options.split(' '));

  test.each(['token', 'prompt'])('by the %s program', async (program) => {
    const expected = readF32(join(folder, `${name}.logits.f32`));
    expect(nmse(await run(`--program ${program}`), expected)).toBeLessThanOrEqual(1e-5);
  });

  test.each(['prompt --chunk 1', 'batch_8 --chunk 7', 'batch --chunk 5 --mode eager --order-seed 3 --poison'])(
    'the same bits by %s',
    async (program) => {
      const whole = await run('--program prompt');
      expect(firstDifference(whole, await run(`--program ${program}`))).toBeUndefined();
    },
  );
});

describe('256 experts', () => {
  const original = architectureModel(ARCHITECTURE_MODELS.find(({ name }) => name === 'qwen3moe-256-experts-f32')!);

  /** The logits, and the reference's, with all elements of a tensor of the layer replaced. */
  async function logitsWith(name: keyof LayerWeights, change: (element: number) => number) {
    const bytes = readFileSync(original);
    const { offset, rows, cols } = modelSpec(readGguf(original)).layers[0]![name] as NonNullable<
      LayerWeights['ffnNorm']
    >;
    for (let at = offset; at < offset + 4 * rows * cols; at += 4) bytes.writeFloatLE(change(bytes.readFloatLE(at)), at);
    const model = temporaryFile(bytes, `${name}.gguf`);
    const expected = referenceLogits(modelSpec(readGguf(model)), tokens);
    return { logits: await replayLogits(await hostReplay(`experts/${name}`, model), model, tokens), expected };
  }

  test('of the same logits: the first', async () => {
    const { logits, expected } = await logitsWith('ffnRouter', () => 0);
    expect(nmse(logits, expected)).toBeLessThanOrEqual(1e-5);
  });

  // Blocks add up logits in whole numbers (accumulated_logits.cuh).
  test('chosen by logits of tiny parts', async () => {
    const { logits, expected } = await logitsWith('ffnNorm', (element) => element * 1e-3);
    expect(nmse(logits, expected)).toBeLessThanOrEqual(1e-5);
  });

  test('by logits beyond what sums hold: no number, rather than others', async () => {
    const { logits } = await logitsWith('ffnNorm', (element) => element * 1e12);
    expect(logits.every(Number.isNaN)).toBe(true);
  });
});
