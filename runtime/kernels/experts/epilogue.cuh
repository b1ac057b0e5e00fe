// The epilogue without a sum: y[j] = act(W_j norm(x) + b_j), or act(gate) * up of two matrices.
#pragma once
#include "main_loop.cuh"

namespace realizar {

// The block's rows of each chosen expert.
template <class C>
DEVICE void write_rows(const ExpertsArgs& a, ExpertPipeline<C>& weights, const ExpertInput<C>& x, int count,
                       float scale) {
  using Shape = ExpertsShape<C>;
  constexpr int R = C::group_rows, lanes = Shape::sum_lanes;
  const int lane = thread_index() % 32;
  const bool writes = lane % lanes == 0 && lane < R * lanes;
  for (int item = thread_index() / 32; item < count; item += C::warps) {
    const auto [j, group] = weights.at(weights.first, item);
    const int row = group * R + lane / lanes;
    const int64_t of_expert = (int64_t)weights.chosen[j] * C::rows + row;
    float bias[2] = {};  // fetched now: they arrive while the rows are computed
    if (C::bias & 1 && writes) bias[0] = a.bias[0][of_expert];
    if (C::bias & 2 && writes) bias[1] = a.bias[1][of_expert];
    float scales[2] = {scale, scale};
    if (C::matrix_scale & 1) scales[0] *= a.matrix_scale[0][weights.chosen[j]];
    if (C::matrix_scale & 2) scales[1] *= a.matrix_scale[1][weights.chosen[j]];
    const float sum = dot_item(weights, x, j);
    float y = fmaf(sum, scales[0], bias[0]);
    if constexpr (Shape::parts == 2)  // the other half of the lanes has the other part
      y = gate<C::activation>(y, fmaf(warp_shuffle_xor(sum, 16), scales[1], bias[1]));
    else
      y = activate<C::activation>(y);
    if (writes) a.output[j * C::rows + row] = y;
  }
}

}  // namespace realizar
