// The operand form of rows of numbers, the input of a matrix product of many rows: value = scale[row] * half, where
//   halves  f16 [ceil(cols / 128) * 2][rows padded to 8][64]: a half-block, 128 bytes a row
//   scale   f32 [rows]: a power of two
// A half-block lies as shared memory wants it: the 16-byte piece i of row r at place i ^ r % 8. Columns are permuted
// within each 128, so that the lane that has unit t of four of a row of weights (formats.cuh) has what it multiplies
// with next to each other: column c of a block, with u = c / 32, j = c % 32 / 4, e = c % 4, lies in half-block j / 4 at
// place j % 4 * 16 + (e < 2 ? 2 u + e : 8 + 2 u + e - 2). Columns past `cols` are zeros. Its tests alone: npx vitest
// run test/runtime/sim.test.ts -t operand
#pragma once
#include "formats.cuh"

namespace realizar {

constexpr int operand_block = 128;  // columns
constexpr int64_t operand_halves(int rows, int cols) {
  return (int64_t)round_up(cols, operand_block) * round_up(rows, 8);
}

// Where a column of a row is, in halves; an even column's right neighbour is next to it. `rows`: of the program.
DEVICE int64_t operand_offset(int row, int col, int rows) {
  const int u = col % operand_block / 32, j = col % 32 / 4, e = col % 4;
  const int half_block = col / operand_block * 2 + j / 4, piece = j % 4 * 2 + e / 2;
  return ((int64_t)half_block * ((rows + 7) / 8 * 8) + row) * 64 + (piece ^ row % 8) * 8 + 2 * u + e % 2;
}
// A column and its right neighbour, scaled down already.
DEVICE void store_operand(uint16_t* halves, int row, int even_col, int rows, float a, float b) {
  *(uint32_t*)(halves + operand_offset(row, even_col, rows)) = pack_halves(a, b);
}

// The power of two that brings a row's largest magnitude into [2^13, 2^14), from the bits of that magnitude (as numbers
// they are in the magnitudes' order, and infinity and NaN are above all). Never subnormal; 1 of a row of zeros; NaN of
// a row that has infinity or NaN.
DEVICE float operand_scale(uint32_t largest_bits) {
  const int exponent = (int)(largest_bits >> 23);
  if (exponent == 255) return NAN;
  if (largest_bits == 0) return 1.f;
  return bits_to_float((uint32_t)(exponent > 14 ? exponent - 13 : 1) << 23);
}
DEVICE uint32_t magnitude_bits(float v) { return float_to_bits(v) & 0x7fffffff; }

}  // namespace realizar
