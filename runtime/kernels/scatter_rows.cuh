// The operand (operand.cuh) of each row of a step, at each place that the row's experts have for it (sort_rows.cuh):
// the input of products with experts' matrices. A block a row. Shapes: input f16 in operand form [rows][cols], output
// the same [pairs][cols]; places int32 [rows][used]. Its tests alone: npx vitest run test/runtime/sim.test.ts -t
// scatter_rows
//
// The next node starts when all blocks have waited: it, and what follows, may read the list of tiles before its wait.
//
// C: int rows, pairs (both at most, multiples of 8), cols, used, threads.
#pragma once
#include "operand.cuh"
#include "step.h"

namespace realizar {

struct ScatterRowsArgs {
  const StepHeader* step;
  const uint16_t* input;
  const float* input_scale;
  const int32_t* places;
  uint16_t* output;
  float* output_scale;
};

// Pieces of 16 bytes of a row, 8 to a half-block.
template <class C>
constexpr int row_pieces = round_up(C::cols, operand_block) / 8;

template <class C>
DEVICE void scatter_rows(const ScatterRowsArgs& a) {
  const int row = block_index(), n_rows = load_settled(&a.step->n_rows);
  grid_wait();
  grid_release();
  if (row >= n_rows) return;
  int places[C::used];
#pragma unroll
  for (int j = 0; j < C::used; j++) places[j] = load_global(a.places + row * C::used + j);
  const auto at = [](int half_block, int rows, int row, int piece) {
    return ((int64_t)half_block * rows + row) * 8 + (piece ^ row % 8);
  };
  for (int i = thread_index(); i < row_pieces<C>; i += C::threads) {
    const float4 piece = load_global((const float4*)a.input + at(i / 8, C::rows, row, i % 8));
#pragma unroll
    for (int j = 0; j < C::used; j++) ((float4*)a.output)[at(i / 8, C::pairs, places[j], i % 8)] = piece;
  }
  const float scale = load_global(a.input_scale + row);
  for (int j = thread_index(); j < C::used; j += C::threads)
    a.output_scale[load_global(a.places + row * C::used + j)] = scale;
}

}  // namespace realizar
