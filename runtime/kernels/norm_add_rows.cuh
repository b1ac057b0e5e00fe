// y = norm(x) + residual of each row, for norms that follow a projection and that no operand_rows takes with its input.
// One block a row. Shapes: input, residual, output f32 [rows][cols]. Its tests alone: npx vitest run
// test/runtime/sim.test.ts -t norm_add_rows
//
// C: norm (RmsNorm or LayerNorm); int rows (blocks), cols, threads; bool add_residual.
#pragma once
#include "row_columns.cuh"
#include "step.h"

namespace realizar {

struct NormAddRowsArgs {
  const StepHeader* step;
  const float* input;
  const float* norm;       // [cols]
  const float* norm_bias;  // [cols]
  const float* residual;
  float* output;
};

template <class C>
DEVICE void norm_add_rows(const NormAddRowsArgs& a) {
  const int row = block_index(), n = load_settled(&a.step->n_rows);
  grid_release();
  grid_wait();
  if (row >= n) return;
  RowColumns<C> x, residual;
  x.load(a.input + (int64_t)row * C::cols);
  if constexpr (C::add_residual) residual.load(a.residual + (int64_t)row * C::cols);
  x.normalize(typename C::norm{}, a.norm, a.norm_bias, (float*)shared_memory());
  if constexpr (C::add_residual) x.add(residual);
  x.store(a.output + (int64_t)row * C::cols);
}

}  // namespace realizar
