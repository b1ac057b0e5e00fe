// Combine: the results of the context's splits, added up by the last block to arrive, in the splits' order.
#pragma once
#include "load.cuh"

namespace realizar {

// Adds up the splits of the block's heads: out = sum_s e^(m_s - M) values_s / sum_s e^(m_s - M) sum_s. First a warp a
// head, lanes over splits, for what each split weighs; then a thread for each of the heads' dimensions.
template <class C>
DEVICE void combine_splits(const AttendBlock<C>& b, float first_gate) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float* weights = b.floats(0);  // [H][splits]
  const auto value_of = [&](int i, int s) {
    const int64_t head = b.first_head + i / C::head_size;
    return load_global(b.args.partial + (head * C::splits + s) * Shape::partial_row + i % C::head_size);
  };
  // The thread's first values are on their way while the weights are worked out.
  constexpr int preloaded = C::splits < 16 ? C::splits : 16;
  float first[preloaded];
#pragma unroll
  for (int s = 0; s < preloaded; s++)
    first[s] = s < b.splits && thread_index() < Shape::H * C::head_size ? value_of(thread_index(), s) : 0.f;
  for (int h = warp; h < Shape::H; h += C::warps) {
    const float* last = b.args.partial + (int64_t)(b.first_head + h) * C::splits * Shape::partial_row + C::head_size;
    float most[Shape::lane_splits], sum[Shape::lane_splits], total[1] = {}, largest[1] = {-INFINITY};
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) {
      const int s = lane + 32 * j;
      most[j] = s < b.splits ? load_global(last + s * Shape::partial_row) : -INFINITY;
      sum[j] = s < b.splits ? load_global(last + s * Shape::partial_row + 1) : 0.f;
    }
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) largest[0] = fmaxf(largest[0], most[j]);
    warp_max(largest);
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) most[j] = fast_exp(most[j] - largest[0]), total[0] += most[j] * sum[j];
    warp_sum(total);
    total[0] += C::sinks::share(b.args.sinks, b.first_head + h, largest[0]);
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++)
      if (lane + 32 * j < b.splits) weights[h * C::splits + lane + 32 * j] = most[j] / total[0];
  }
  block_sync();
  for (int i = thread_index(); i < Shape::H * C::head_size; i += Shape::threads) {
    const float* weight = weights + i / C::head_size * C::splits;
    float value = 0;
    int s = 0;
    if (i == thread_index()) {
#pragma unroll
      for (; s < preloaded; s++)
        if (s < b.splits) value = fmaf(weight[s], first[s], value);
    }
#pragma unroll 8
    for (; s < b.splits; s++) value = fmaf(weight[s], value_of(i, s), value);
    b.args.output[b.first_head * C::head_size + i] = value * C::gates::factor(b, i, first_gate);
  }
}

}  // namespace realizar
