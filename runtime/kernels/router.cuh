// The logits of a router without a node of their own: W (norm * y) / rms(y), y the output of a projection whose blocks
// have a few rows each. Every block adds its rows' part to each logit, and leaves its rows' sum of squares; the experts
// (experts.cuh) divide by the root mean square.
//
// What blocks add in whatever order must not depend on it, so the sums are whole numbers, of steps of 2^-28: with an
// epsilon of 1e-6 a logit is within 2e-5 of what it would be, however small y. A part beyond 2^27 of those 2^63 cannot
// be told from others when summed up: then the squares are NaN, and with them all that follows.
#pragma once
#include "projection_shape.cuh"

namespace realizar {

struct Gathered {
  static constexpr float step = 1.f / (1 << 28), most = 1 << 27;
  // Of each sum, so that many parts of the L2 add at once; the sum comes first, the rest is empty. GATHERED_BYTES of
  // compiler/kernels/router.ts.
  static constexpr int bytes = 256;
  // Where the sum of logit i is; and the squares, after those of all.
  static DEVICE int64_t* sum(char* logits, int i) { return (int64_t*)(logits + (int64_t)bytes * i); }
  static DEVICE float* squares(char* logits, int n) { return (float*)(logits + (int64_t)bytes * n); }
};

// A block's share. `lanes` neighbours take the rows of one logit in turns. Weights times norms are in registers before
// the rows are known, where they are few.
template <class C, bool Any = (C::routes > 0)>
class RouterShare {
 public:
  // The block's groups of rows; shared: Shape::rows_bytes, 0 from here on until there are rows.
  DEVICE RouterShare(const float* router, const float* norm, const GroupRun& run, char* shared)
      : router_(router), norm_(norm), first_(run.first * C::group_rows), y_((float*)shared) {
    const int past = run.end * C::group_rows;
    end_ = past < cols ? past : cols;
    for (int i = thread_index(); i < rows + 1; i += threads) y_[i] = 0;
    if constexpr (early) {
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
        const float w = early ? kept_[pass * each + i] : weight(pass, i);
        if (rows % lanes == 0 || row < rows) sum = fmaf(w, y_[row], sum);
      }
#pragma unroll
      for (int mask = 1; mask < lanes; mask *= 2) sum += warp_shuffle_xor(sum, mask);
      const int logit = logit_of(pass);
      if (thread_index() % lanes != 0 || logit >= C::routes) continue;
      if (!(fabsf(sum) < Gathered::most)) *overflow = 1;
      node_add(Gathered::sum(logits, logit), round_to_int64(sum * (1 / Gathered::step)));
    }
    block_sync();
    if (thread_index() >= 32) return;
    float squares[1] = {};
    for (int i = thread_index(); i < rows; i += 32) squares[0] = fmaf(y_[i], y_[i], squares[0]);
    warp_sum(squares);
    if (thread_index() == 0) Gathered::squares(logits, C::routes)[block_index()] = *overflow ? NAN : squares[0];
  }

 private:
  using Shape = ProjectionShape<C>;
  static constexpr int rows = Shape::block_groups * C::group_rows, threads = Shape::threads;
  static constexpr int most_lanes = round_down_to_power_of_two(threads / C::routes);
  static constexpr int lanes = most_lanes < rows ? most_lanes : round_down_to_power_of_two(rows);
  static constexpr int each = (rows + lanes - 1) / lanes, at_once = threads / lanes;
  static constexpr int passes = (C::routes + at_once - 1) / at_once;
  static constexpr bool early = passes * each <= 8;

  template <class S>
  static constexpr int rows_of(Segments<S>) {
    return S::rows;
  }
  static constexpr int cols = rows_of(typename C::segments{});
  static DEVICE int logit_of(int pass) { return pass * at_once + thread_index() / lanes; }
  DEVICE float weight(int pass, int i) const {
    const int logit = logit_of(pass), row = first_ + thread_index() % lanes + i * lanes;
    if (logit >= C::routes || row >= end_) return 0.f;
    return router_[(int64_t)logit * cols + row] * norm_[row];
  }

  const float *router_, *norm_;  // [routes][cols], [cols]
  int first_, end_;              // of the block's rows
  float* y_;                     // [rows], and a flag
  float kept_[early ? passes * each : 1] = {};
};
template <class C>
class RouterShare<C, false> {
 public:
  DEVICE RouterShare(const float*, const float*, const GroupRun&, char*) {}
  DEVICE void keep(int, float) const {}
  DEVICE void add(char*) const {}
};

}  // namespace realizar
