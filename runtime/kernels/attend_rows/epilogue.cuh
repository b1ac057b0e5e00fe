// The epilogue of attention of many rows: values over sums, and sinks and gates, in operand form with a scale of 1:
// what lies between f16 values is none too large for f16.
#pragma once
#include "main_loop.cuh"

namespace realizar {

template <class C>
DEVICE void store_queries(const AttendRowsArgs& a, const Work<C>& work, const TileQueries<C>& queries,
                          const Found<C>& found) {
  using Shape = AttendRowsShape<C>;
#pragma unroll
  for (int r = 0; r < 2; r++) {
    if (!queries.exists(r)) continue;
    const int row = work.row(queries.index(r)), head = work.head(queries.index(r));
    const float by = 1.f / (found.sum[r] + C::sinks::share(a.sinks, head, found.most[r]));
    const float* qkv = a.qkv + (int64_t)row * C::qkv_cols;
#pragma unroll
    for (int i = 0; i < Shape::dim_tiles; i++) {
      const int d = 8 * i + thread_index() % 4 * 2, col = head * C::head_size + d;
      if (d >= C::head_size) continue;
      // + 0: of -0 and 0, which of the two it is depends on how many chunks a query did not see.
      const float first = found.value[i][2 * r] * by * C::gates::template weight<C>(qkv, col) + 0.f;
      const float second = found.value[i][2 * r + 1] * by * C::gates::template weight<C>(qkv, col + 1) + 0.f;
      store_operand(a.output, row, col, C::rows, first, second);
    }
  }
}

// What the operand form has beside the heads: scales, and zeros in columns past the last.
template <class C>
DEVICE void store_rest(const AttendRowsArgs& a, const Work<C>& work) {
  using Shape = AttendRowsShape<C>;
  constexpr int pairs = Shape::padding / 2;
  if (work.kv_head != C::kv_heads - 1) return;
  for (int i = thread_index(); i < work.tile.n_rows; i += Shape::threads) a.output_scale[work.tile.row + i] = 1.f;
  if constexpr (pairs > 0)
    for (int i = thread_index(); i < work.tile.n_rows * pairs; i += Shape::threads)
      store_operand(a.output, work.tile.row + i / pairs, Shape::cols + i % pairs * 2, C::rows, 0.f, 0.f);
}

}  // namespace realizar
