// Combine: y = (sum_j weight_j (W_j x_j + b_j) + shared * gate) * scale + residual. The products of a row meet in
// shared memory, where one thread adds them up, best expert first: the result does not depend on who was faster.
#pragma once
#include "logits.cuh"
#include "main_loop.cuh"

namespace realizar {

// What a row of the sum needs besides its products, fetched while they are computed.
template <class C>
struct SumTerms {
  float residual = 0, shared = 0, bias[C::used] = {};

  DEVICE SumTerms(const ExpertsArgs& a, const int* chosen, int row, bool wanted) {
    if (!wanted) return;
    if (C::add_residual) residual = load_global(a.residual + row);
    if (C::add_shared) shared = load_global(a.shared + row);
    if constexpr (C::bias != 0) {
#pragma unroll
      for (int j = 0; j < C::used; j++) bias[j] = a.bias[0][(int64_t)chosen[j] * C::rows + row];
    }
  }
};

// The block's rows of the weighted sum over the chosen experts.
template <class C>
DEVICE void sum_rows(const ExpertsArgs& a, ExpertPipeline<C>& weights, const ExpertInput<C>& x,
                     const BlockRouting<C>& routing, int groups) {
  using Shape = ExpertsShape<C>;
  constexpr int R = C::group_rows;
  const int lane = thread_index() % 32, first = weights.first * R, rows = groups * R;
  float* products = (float*)(shared_memory() + Shape::sums_at);
  SumTerms<C> terms(a, weights.chosen, first + thread_index(), thread_index() < rows);
  for (int item = thread_index() / 32; item < groups * C::used; item += C::warps) {
    const float sum = dot_item(weights, x, weights.at(weights.first, item).chosen);
    if (lane % Shape::sum_lanes == 0) products[item * R + lane / Shape::sum_lanes] = sum;
  }
  block_sync();
  for (int i = thread_index(); i < rows; i += Shape::threads) {
    if (i >= Shape::threads) terms = SumTerms<C>(a, weights.chosen, first + i, true);
    float y = 0;
#pragma unroll
    for (int j = 0; j < C::used; j++) {
      float product = products[(i / R * C::used + j) * R + i % R];
      if (C::matrix_scale) product *= a.matrix_scale[0][weights.chosen[j]];
      y = fmaf(routing.weights()[j], product + terms.bias[j], y);
    }
    if (C::add_shared) y = fmaf(routing.shared_weight(), terms.shared, y);
    a.output[first + i] = fmaf(y, C::scale, terms.residual);
  }
}

}  // namespace realizar
