/** Rope frequencies against those of YaRN's formula, computed apart in float64 (numpy). */
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { ropeAt, ropeFrequencies } from '../../compiler/model/rope.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { f32, str, u32 } from '../support/gguf_writer.js';
import { tinyModel, withKeys, writeModel } from '../support/tiny_models.js';

const MAGNITUDE_OF_4 = 1.138629436111989;

function ropeOf(keys: Parameters<typeof withKeys>[1]) {
  return modelSpec(readGguf(writeModel(withKeys(tinyModel(), keys)))).layers[0]!.rope!;
}

describe('YaRN', () => {
  test.each([
    {
      what: 'Qwen 2.5 at 131072 positions',
      shape: { dimensions: 128, base: 1e6, originalContext: 32768 },
      expected: {
        0: 1,
        1: 0.8058421877614819,
        20: 0.01333521432163324,
        23: 0.006978305848598663,
        24: 0.005375321490790102,
        30: 0.0010643609812470017,
        39: 6.490394320837029e-5,
        40: 4.445698525097307e-5,
        63: 3.102344401879299e-7,
      },
    },
    {
      what: 'a tiny model',
      shape: { dimensions: 32, base: 1e4, originalContext: 64 },
      expected: { 0: 1, 1: 0.4779901264117967, 2: 0.22135943621178655, 4: 0.04, 8: 0.0025, 15: 4.445698525097307e-5 },
    },
  ])('$what', ({ shape: { dimensions, base, originalContext }, expected }) => {
    const yarn = { originalContext, betaFast: 32, betaSlow: 1 };
    const scaling = { scale: 1 / 4, magnitude: 1, yarn };
    const frequencies = ropeFrequencies({ dimensions, base, pairing: 'half', scaling });
    for (const [pair, value] of Object.entries(expected)) expect(frequencies[Number(pair)]! / value).toBeCloseTo(1, 12);
  });

  test('from metadata: magnitude of the factor times attn_factor, original context, betas', () => {
    const rope = ropeOf({
      'llama.rope.scaling.type': str('yarn'),
      'llama.rope.scaling.factor': f32(4),
      'llama.rope.scaling.attn_factor': f32(0.5),
      'llama.rope.scaling.original_context_length': u32(64),
    });
    expect(rope.scaling!.magnitude).toBeCloseTo(0.5 * MAGNITUDE_OF_4, 12);
    expect(rope.scaling).toMatchObject({
      scale: 1 / 4,
      yarn: { originalContext: 64, betaFast: 32, betaSlow: 1 },
    });
  });
});

test.each([
  ['rope.scaling.factor', { 'llama.rope.scaling.factor': f32(8) }],
  ['rope.scaling.type linear', { 'llama.rope.scaling.type': str('linear'), 'llama.rope.scaling.factor': f32(8) }],
  ['rope.scale_linear', { 'llama.rope.scale_linear': f32(8) }],
])('%s divides positions', (_, keys) => {
  const rope = ropeOf(keys);
  expect(rope.scaling).toEqual({ scale: 1 / 8, magnitude: 1 });
  expect(ropeFrequencies(rope)[3]).toBeCloseTo(10000 ** (-6 / 32) / 8, 15);
});

test('long factors are for contexts beyond the original one', () => {
  const weight = (name: string) => ({ name, type: 'F32' as const, rows: 1, cols: 2, offset: 0, bytes: 8 });
  const rope = { dimensions: 4, base: 10, pairing: 'half' as const };
  const [short, long] = [weight('short'), weight('long')];
  const both = { ...rope, factors: short, longFactors: { weight: long, beyond: 64 } };
  expect(ropeAt(both, 64)).toEqual({ ...rope, factors: short });
  expect(ropeAt(both, 65)).toEqual({ ...rope, factors: long });
});
