// The experts that each row of a step takes, and their weights:
//   logits = W norm(x) + b in f32, then the choice of experts/routing.cuh
// Shapes: x f32 [rows][cols]; W [experts][cols] in any format, and of a shared expert's gate [1][cols]; routing f32
// [rows][2 used], numbers of the experts, best first, and their weights, and after them the gate's sigmoid. Its tests
// alone: npx vitest run test/runtime/sim.test.ts -t route_rows
//
// Parts: config.cuh (arguments, what is compile-time), shape.cuh (tiles, shared memory), load.cuh (x and W).
//
// Products are of f32: halves would choose others where two experts are close. A block has the logits of some rows and
// some experts, a warp of 8 by 8, each lane the same columns of all; the last of a tile's blocks to come chooses, a
// warp a row. A row's logits do not depend on the tiles.
#pragma once
#include "../experts/routing.cuh"
#include "load.cuh"

namespace realizar {

template <class C>
class RouteTile {
 public:
  using Shape = RouteRowsShape<C>;
  DEVICE RouteTile(const RouteRowsArgs& a, char* shared)
      : a_(a),
        shared_(shared),
        at_{block_index() / Shape::expert_tiles * C::tile_rows, block_index() % Shape::expert_tiles * C::tile_experts,
            load_settled(&a.step->n_rows)},
        columns_(a, at_, shared) {}
  DEVICE bool is_empty() const { return at_.row >= at_.n_rows; }

  // Weights are constant: the first ones come while the nodes before run.
  DEVICE void prefetch() { columns_.start(); }
  DEVICE void compute_logits() {
    float sums[64] = {}, squares[8] = {};
    columns_.rest();
    for (int chunk = 0; chunk < Shape::chunks; chunk++) add_products(chunk, columns_.next(chunk), sums, squares);
    warp_sum(squares);
    store_logits(sums, squares);
  }
  // All threads: have all logits of the tile's rows been written?
  DEVICE bool is_last() const {
    if (Shape::expert_tiles == 1) return block_sync(), true;
    int* last = (int*)(shared_ + Shape::last_at);
    uint32_t* counter = a_.counters + at_.row / C::tile_rows;
    block_sync();
    if (thread_index() == 0) {
      *last = arrive(counter) == Shape::expert_tiles - 1;
      if (*last) *counter = 0;
    }
    block_sync();
    const bool is = *last;
    block_sync();  // what follows takes the same memory
    return is;
  }
  DEVICE void choose() const {
    const int warp = thread_index() / 32, lane = thread_index() % 32;
    const Routing<C, ByWarp> routing = {shared_ + warp * Shape::choice_bytes};
    for (int i = warp; i < C::tile_rows && at_.row + i < at_.n_rows; i += Shape::warps) {
      const int row = at_.row + i;
      for (int j = lane; j < Shape::logits; j += 32)
        routing.set(j, load_global(a_.logits + (int64_t)row * Shape::logits + j));
      routing.take(a_.selection);
      routing.weigh(1.f);
      warp_sync();
      float* to = a_.routing + (int64_t)row * Shape::routing_cols;
      if (lane < C::used) to[lane] = (float)routing.chosen()[lane], to[C::used + lane] = routing.weights()[lane];
      if (C::gated && lane == 0) to[2 * C::used] = routing.shared_weight();
      warp_sync();
    }
  }

 private:
  using Columns = ChunkLoader<C>;
  static DEVICE int first_row_of_warp() { return thread_index() / 32 / Shape::expert_warps * 8; }
  static DEVICE int first_expert_of_warp() { return thread_index() / 32 % Shape::expert_warps * 8; }
  DEVICE void add_products(int chunk, const RouteChunk& from, float (&sums)[64], float (&squares)[8]) const {
    const int lane = thread_index() % 32;
    if (chunk * Shape::chunk + 4 * lane >= C::cols) return;
    float4 x[8];
#pragma unroll
    for (int r = 0; r < 8; r++) x[r] = from.rows[(first_row_of_warp() + r) * Shape::pieces + lane];
    if constexpr (C::norm::any) {
      const float4 norm = from.norm[lane];
#pragma unroll
      for (int r = 0; r < 8; r++) {
        squares[r] = dot(x[r], x[r], squares[r]);
        x[r] = {x[r].x * norm.x, x[r].y * norm.y, x[r].z * norm.z, x[r].w * norm.w};
      }
    }
#pragma unroll
    for (int e = 0; e < 8; e++) {
      const float4 w = from.experts[Columns::piece(first_expert_of_warp() + e, lane)];
#pragma unroll
      for (int r = 0; r < 8; r++) sums[8 * r + e] = dot(x[r], w, sums[8 * r + e]);
    }
  }
  // Two neighbours get four of the warp's sums.
  DEVICE void store_logits(float (&sums)[64], const float (&squares)[8]) const {
    const int lane = thread_index() % 32;
#pragma unroll
    for (int quarter = 0; quarter < 4; quarter++) {
      float part[16];
#pragma unroll
      for (int i = 0; i < 16; i++) part[i] = sums[16 * quarter + i];
      const float sum = warp_sums<32>(part);
      const int odd = lane / 16, row = at_.row + first_row_of_warp() + 2 * quarter + odd;
      const int expert = at_.expert + first_expert_of_warp() + lane / 2 % 8;
      const float factor = factor_of(odd ? squares[2 * quarter + 1] : squares[2 * quarter]);
      if (lane % 2 == 0 && row < at_.n_rows && expert < Shape::logits)
        a_.logits[(int64_t)row * Shape::logits + expert] = logit(sum, factor, expert);
    }
  }
  // What the logits of a row are multiplied with.
  static DEVICE float factor_of(float squares) {
    if constexpr (C::norm::any)
      return rsqrtf(squares / C::cols + C::norm::epsilon);
    else
      return 1.f;
  }
  DEVICE float logit(float sum, float factor, int expert) const {
    const int matrix = expert < C::experts ? 0 : 1;
    const float scale = C::matrix_scale >> matrix & 1 ? *a_.matrix_scale[matrix] : 1.f;
    const float bias = C::bias >> matrix & 1 ? a_.bias[matrix][expert - matrix * C::experts] : 0.f;
    return fmaf(sum, factor * scale, C::scales_bias ? bias * scale : bias);
  }

  const RouteRowsArgs& a_;
  char* shared_;
  const RouteTileAt at_;
  Columns columns_;
};

template <class C>
DEVICE void route_rows(const RouteRowsArgs& a) {
  RouteTile<C> tile(a, shared_memory());
  grid_release();
  if (!tile.is_empty()) tile.prefetch();
  grid_wait();
  if (tile.is_empty()) return;
  tile.compute_logits();
  if (tile.is_last()) tile.choose();
}

}  // namespace realizar
