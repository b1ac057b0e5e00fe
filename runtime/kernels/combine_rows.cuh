// What a row's experts have made of it, together:
//   y = (sum_j weight_j x_j + shared * gate) * scale + residual, best expert first
// A block a row. Shapes: input f32 [pairs][cols], x_j of place j of the row (sort_rows.cuh); routing f32
// [rows][routing_cols], numbers of the experts, their weights and, where gated, the gate; shared, residual, output f32
// [rows][cols]. Its tests alone: npx vitest run test/runtime/sim.test.ts -t combine_rows
//
// C starts from CombineRowsDefaults and states: int rows (blocks), cols, used, routing_cols, threads.
#pragma once
#include "numbers.h"
#include "step.h"

namespace realizar {

struct CombineRowsArgs {
  const StepHeader* step;
  const float* input;
  const float* routing;
  const int32_t* places;
  const float* shared;
  const float* residual;
  float* output;
};

struct CombineRowsDefaults {
  static constexpr bool add_shared = false, gated = false, add_residual = false;
  static constexpr float scale = 1.f;
};

DEVICE float4 scale_add(float by, const float4& v, const float4& sum) {
  return {fmaf(by, v.x, sum.x), fmaf(by, v.y, sum.y), fmaf(by, v.z, sum.z), fmaf(by, v.w, sum.w)};
}
DEVICE float scale_add(float by, float v, float sum) { return fmaf(by, v, sum); }

// Columns i, i + threads, .. of the row, one or four (Columns) at a time.
template <class C, class Columns>
DEVICE void combine_row(const CombineRowsArgs& a, int row) {
  constexpr int n = C::cols / (int)(sizeof(Columns) / 4);
  int places[C::used];
  float weights[C::used];
#pragma unroll
  for (int j = 0; j < C::used; j++) {
    places[j] = load_global(a.places + row * C::used + j);
    weights[j] = load_global(a.routing + (int64_t)row * C::routing_cols + C::used + j);
  }
  const float gate = C::gated ? load_global(a.routing + (int64_t)row * C::routing_cols + 2 * C::used) : 1.f;
  const auto load = [](const float* from, int row, int i) {
    return load_global((const Columns*)from + (int64_t)row * n + i);
  };
  for (int i = thread_index(); i < n; i += C::threads) {
    Columns y = {};
#pragma unroll
    for (int j = 0; j < C::used; j++) y = scale_add(weights[j], load(a.input, places[j], i), y);
    if (C::add_shared) y = scale_add(gate, load(a.shared, row, i), y);
    const Columns residual = C::add_residual ? load(a.residual, row, i) : Columns{};
    ((Columns*)a.output)[(int64_t)row * n + i] = scale_add(C::scale, y, residual);
  }
}

template <class C>
DEVICE void combine_rows(const CombineRowsArgs& a) {
  const int row = block_index(), n_rows = load_settled(&a.step->n_rows);
  grid_release();
  grid_wait();
  if (row >= n_rows) return;
  if constexpr (C::cols % 4 == 0)
    combine_row<C, float4>(a, row);
  else
    combine_row<C, float>(a, row);
}

}  // namespace realizar
