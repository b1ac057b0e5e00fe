/** Ropes of several axes: of a text they are one, as long as no pair is left to the axis that it has no position on. */
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { architectureModel } from '../support/architecture_models.js';
import { u32 } from '../support/gguf_writer.js';
import { LLAMA_CPP_MODELS } from '../support/llama_cpp_models.js';

/** A model of 16 pairs. */
function load(name: string, axes: readonly number[] | number) {
  const model = LLAMA_CPP_MODELS.find((one) => one.name === name)!;
  const value = typeof axes === 'number' ? u32(axes) : ({ type: 'array', of: 'int32', value: [...axes] } as const);
  const keys = { 'rope.dimension_sections': value };
  return modelSpec(readGguf(architectureModel({ ...model, keys })));
}

describe.each([
  [
    'qwen2vl',
    [
      [8, 4, 4, 0],
      [16, 0, 0, 0],
      [8, 8, 8, 8],
    ],
    [[8, 4, 3, 1], [4, 4, 4, 4], [0, 0, 0, 0], []],
  ],
  // Interleaved; what the three leave over transformers rotates like the first.
  [
    'qwen3vl',
    [
      [6, 5, 5, 0],
      [8, 8, 8, 8],
      [24, 20, 20, 0],
    ],
    [[5, 5, 5, 1], [4, 4, 4, 4], []],
  ],
  [
    'glm4',
    [
      [8, 4, 4, 0],
      [8, 8, 8, 8],
    ],
    [
      [8, 4, 3, 1],
      [4, 4, 4, 4],
    ],
  ],
] as const)('%s', (name, taken, refused) => {
  test.each(taken.map((axes) => [axes]))('%j', (axes) => {
    expect(load(name, axes).layers[0]!.rope).toMatchObject({ dimensions: 32, pairing: 'half' });
  });
  test.each(refused.map((axes) => [axes]))('%j is refused', (axes) => {
    expect(() => load(name, axes)).toThrow(
      `metadata key "${name}.rope.dimension_sections": expected four numbers that leave none of 16 pairs to the fourth axis`,
    );
  });
});

test('a number stands for all four', () => {
  expect(load('glm4', 8).layers[0]!.rope).toMatchObject({ pairing: 'half' });
  expect(load('glm4', 0).layers[0]!.rope).toMatchObject({ pairing: 'adjacent' });
  expect(() => load('glm4', 4)).toThrow('leave none of 16 pairs to the fourth axis');
});
