// A projection's share of a router's logits (accumulated_logits.cuh): logit_e += sum over the block's rows r of
// W[e][r] norm[r] y[r].
#pragma once
#include "../accumulated_logits.cuh"
#include "shape.cuh"

namespace realizar {

// A block's share. `lanes` neighbours take the rows of one logit, one after the other. Weights times norms are in
// registers before the rows are known, where they are few.
template <class C, class Router = typename C::router>
class RouterShare {
 public:
  // The block's groups of rows; shared: Shape::rows_bytes, 0 from here on until there are rows.
  DEVICE RouterShare(const float* router, const float* norm, const GroupRun& run, char* shared)
      : router_(router), norm_(norm), first_(run.first * C::group_rows), y_((float*)shared) {
    const int past = run.end * C::group_rows;
    end_ = past < cols ? past : cols;
    for (int i = thread_index(); i < rows + 1; i += threads) y_[i] = 0;
    if constexpr (preloaded) {
#pragma unroll
      for (int pass = 0; pass < passes; pass++)
#pragma unroll
        for (int i = 0; i < each; i++) kept_[pass * each + i] = weight(pass, i);
    }
  }
  DEVICE void keep(int row, float y) const { y_[row - first_] = y; }
  // All threads, when all rows have been kept.
  DEVICE void add(char* logits) const {
    int* overflow = (int*)(y_ + rows);
    block_sync();
#pragma unroll
    for (int pass = 0; pass < passes; pass++) {
      float sum = 0;
#pragma unroll
      for (int i = 0; i < each; i++) {
        const int row = thread_index() % lanes + i * lanes;
        const float w = preloaded ? kept_[pass * each + i] : weight(pass, i);
        if (rows % lanes == 0 || row < rows) sum = fmaf(w, y_[row], sum);
      }
#pragma unroll
      for (int mask = 1; mask < lanes; mask *= 2) sum += warp_shuffle_xor(sum, mask);
      const int logit = logit_of(pass);
      if (thread_index() % lanes != 0 || logit >= C::router::logits) continue;
      if (!(fabsf(sum) < AccumulatedLogits::most)) *overflow = 1;
      node_add(AccumulatedLogits::sum(logits, logit), round_to_int64(sum * (1 / AccumulatedLogits::step)));
    }
    block_sync();
    if (thread_index() >= 32) return;
    float squares[1] = {};
    for (int i = thread_index(); i < rows; i += 32) squares[0] = fmaf(y_[i], y_[i], squares[0]);
    warp_sum(squares);
    if (thread_index() == 0)
      AccumulatedLogits::squares(logits, C::router::logits)[block_index()] = *overflow ? NAN : squares[0];
  }

 private:
  using Shape = ProjectionShape<C>;
  static constexpr int rows = Shape::block_groups * C::group_rows, threads = Shape::threads;
  static constexpr int most_lanes = round_down_to_power_of_two(threads / C::router::logits);
  static constexpr int lanes = most_lanes < rows ? most_lanes : round_down_to_power_of_two(rows);
  static constexpr int each = (rows + lanes - 1) / lanes, at_once = threads / lanes;
  static constexpr int passes = (C::router::logits + at_once - 1) / at_once;
  static constexpr bool preloaded = passes * each <= 8;

  template <class S>
  static constexpr int rows_of(Segments<S>) {
    return S::rows;
  }
  static constexpr int cols = rows_of(typename C::segments{});
  static DEVICE int logit_of(int pass) { return pass * at_once + thread_index() / lanes; }
  DEVICE float weight(int pass, int i) const {
    const int logit = logit_of(pass), row = first_ + thread_index() % lanes + i * lanes;
    if (logit >= C::router::logits || row >= end_) return 0.f;
    return router_[(int64_t)logit * cols + row] * norm_[row];
  }

  const float *router_, *norm_;  // [logits][cols], [cols]
  int first_, end_;              // of the block's rows
  float* y_;                     // [rows], and a flag
  float kept_[preloaded ? passes * each : 1] = {};
};
template <class C>
class RouterShare<C, NoRouter> {
 public:
  DEVICE RouterShare(const float*, const float*, const GroupRun&, char*) {}
  DEVICE void keep(int, float) const {}
  DEVICE void add(char*) const {}
};

}  // namespace realizar
