// The epilogue of attention: a block's warps are added up; where the context is split, so are the blocks (combine.cuh).
#pragma once
#include "combine.cuh"
#include "main_loop.cuh"

namespace realizar {

// Adds up the block's warps and writes the heads' results, or what combine_splits needs of them.
template <class C>
DEVICE void finish_heads(const AttendBlock<C>& b, WarpHeads<C>& found, float first_gate) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float *all_most = b.floats(Shape::most_at), *all_sums = b.floats(Shape::sum_at);
  float sum[1] = {found.sum};
  warp_sum<4>(sum);
  if (lane % 4 == 0 && lane / 4 < Shape::H)
    all_most[lane / 4 * C::warps + warp] = found.most, all_sums[lane / 4 * C::warps + warp] = sum[0];
  float* own = (float*)b.stages(warp);
#pragma unroll
  for (int s = 0; s < Shape::steps; s++)
#pragma unroll
    for (int k = 0; k < 4; k++) {
      const int h = lane % 4 * 2 + k % 2, d = 16 * s + k / 2 * 8 + lane / 4;
      if (h < Shape::H) own[h * Shape::value_row + d] = found.value[s][k];
    }
  block_sync();
  for (int i = thread_index(); i < Shape::H * C::head_size; i += Shape::threads) {
    const int h = i / C::head_size, d = i % C::head_size, head = b.first_head + h;
    float most = -INFINITY, value = 0, sum = 0;
#pragma unroll
    for (int w = 0; w < C::warps; w++) most = fmaxf(most, all_most[h * C::warps + w]);
#pragma unroll
    for (int w = 0; w < C::warps; w++) {
      const float weight = fast_exp(all_most[h * C::warps + w] - most);  // 0 of a warp that had no position
      sum = fmaf(weight, all_sums[h * C::warps + w], sum);
      value = fmaf(weight, ((const float*)b.stages(w))[h * Shape::value_row + d], value);
    }
    if (b.splits == 1) {
      b.args.output[head * C::head_size + d] =
          value / (sum + C::sinks::share(b.args.sinks, head, most)) * C::gates::factor(b, i, first_gate);
      continue;
    }
    float* partial = b.args.partial + ((int64_t)head * C::splits + b.split) * Shape::partial_row;
    partial[d] = value;
    if (d == 0) partial[C::head_size] = most, partial[C::head_size + 1] = sum;
  }
  if (b.splits == 1) return;
  int* is_last = (int*)b.floats(Shape::is_last_at);
  block_sync();
  if (thread_index() == 0) *is_last = arrive(b.args.counters + b.counter) == (uint32_t)b.splits - 1;
  block_sync();
  if (!*is_last) return;
  combine_splits(b, first_gate);
  if (thread_index() == 0) b.args.counters[b.counter] = 0;
}

}  // namespace realizar
