import { expect, test } from 'vitest';
import { GGML_TYPES, ggmlTypeOfId, isSupportedType } from '../../runtime/files/ggml.js';

/** Id, elements and bytes a block: ggml.h's enum and the static_asserts on block sizes in ggml-common.h. */
const PUBLISHED = {
  F32: [0, 1, 4],
  F16: [1, 1, 2],
  Q4_0: [2, 32, 2 + 16],
  Q4_1: [3, 32, 2 * 2 + 16],
  Q5_0: [6, 32, 2 + 4 + 16],
  Q5_1: [7, 32, 2 * 2 + 4 + 16],
  Q8_0: [8, 32, 2 + 32],
  Q8_1: [9, 32, 2 * 2 + 32],
  Q2_K: [10, 256, 2 * 2 + 256 / 16 + 256 / 4],
  Q3_K: [11, 256, 2 + 256 / 4 + 256 / 8 + 12],
  Q4_K: [12, 256, 2 * 2 + 12 + 256 / 2],
  Q5_K: [13, 256, 2 * 2 + 12 + 256 / 2 + 256 / 8],
  Q6_K: [14, 256, 2 + 256 / 16 + (3 * 256) / 4],
  Q8_K: [15, 256, 4 + 256 + (256 / 16) * 2],
  IQ2_XXS: [16, 256, 2 + (256 / 8) * 2],
  IQ2_XS: [17, 256, 2 + (256 / 8) * 2 + 256 / 32],
  IQ3_XXS: [18, 256, 2 + 3 * (256 / 8)],
  IQ1_S: [19, 256, 2 + 256 / 8 + 256 / 16],
  IQ4_NL: [20, 32, 2 + 16],
  IQ3_S: [21, 256, 2 + 13 * (256 / 32) + 256 / 64],
  IQ2_S: [22, 256, 2 + 256 / 4 + 256 / 16],
  IQ4_XS: [23, 256, 2 + 2 + 256 / 64 + 256 / 2],
  I8: [24, 1, 1],
  I16: [25, 1, 2],
  I32: [26, 1, 4],
  I64: [27, 1, 8],
  F64: [28, 1, 8],
  IQ1_M: [29, 256, 256 / 8 + 256 / 16 + 256 / 32],
  BF16: [30, 1, 2],
  TQ1_0: [34, 256, 2 + 256 / 64 + (256 - (4 * 256) / 64) / 5],
  TQ2_0: [35, 256, 2 + 256 / 4],
  MXFP4: [39, 32, 1 + 16],
  NVFP4: [40, 64, 4 + 32],
  Q1_0: [41, 128, 2 + 16],
} as const;

test.each(Object.entries(PUBLISHED))('%s has its published block', (name, [id, blockSize, blockBytes]) => {
  expect(ggmlTypeOfId(id)).toEqual({ name, info: { id, blockSize, blockBytes } });
});

test.each([4, 5, 31, 32, 33, 36, 37, 38, 1000, 2 ** 32 - 1])('id %d, removed or never given, is no type', (id) => {
  expect(ggmlTypeOfId(id)).toBeUndefined();
});

test('the supported types are the ones that have kernels', () => {
  const names = Object.keys(PUBLISHED).map((name) => name as keyof typeof PUBLISHED);
  expect(names.filter(isSupportedType).sort()).toEqual(Object.keys(GGML_TYPES).sort());
  expect(names.filter(isSupportedType)).toHaveLength(23);
});
