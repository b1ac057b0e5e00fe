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
        first_row_(block_index() / Shape::expert_tiles * C::tile_rows),
        first_expert_(block_index() % Shape::expert_tiles * C::tile_experts),
        n_rows_(load_settled(&a.step->n_rows)) {}
  DEVICE bool is_empty() const { return first_row_ >= n_rows_; }

  // Weights are constant: the first ones come while the nodes before run.
  DEVICE void prefetch() { router_.load(a_, first_expert_, 0); }
  DEVICE void compute_logits() {
    float sums[64] = {};
    rows_.load(a_, first_row_, n_rows_, 0);
    for (int chunk = 0; chunk < Shape::chunks; chunk++) {
      float4* rows = (float4*)(shared_ + chunk % 2 * Shape::chunk_bytes);
      float4* experts = rows + C::tile_rows * Shape::pieces;
      rows_.store(rows);
      router_.store(experts);
      // The other chunk's readers have done with it: they store this one first.
      block_sync();
      if (chunk + 1 < Shape::chunks) {
        rows_.load(a_, first_row_, n_rows_, chunk + 1);
        router_.load(a_, first_expert_, chunk + 1);
      }
      add_products(rows, experts, sums);
    }
    rows_.store_factors(factors());
    block_sync();
    store_logits(sums);
  }
  // All threads: have all logits of the tile's rows been written?
  DEVICE bool is_last() const {
    if (Shape::expert_tiles == 1) return block_sync(), true;
    int* last = (int*)(shared_ + Shape::last_at);
    uint32_t* counter = a_.counters + first_row_ / C::tile_rows;
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
    for (int i = warp; i < C::tile_rows && first_row_ + i < n_rows_; i += Shape::warps) {
      const int row = first_row_ + i;
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
  DEVICE float* factors() const { return (float*)(shared_ + Shape::factors_at); }
  static DEVICE int first_row_of_warp() { return thread_index() / 32 / Shape::expert_warps * 8; }
  static DEVICE int first_expert_of_warp() { return thread_index() / 32 % Shape::expert_warps * 8; }
  DEVICE void add_products(const float4* rows, const float4* experts, float (&sums)[64]) const {
    const int lane = thread_index() % 32;
    float4 x[8];
#pragma unroll
    for (int r = 0; r < 8; r++) x[r] = rows[(first_row_of_warp() + r) * Shape::pieces + lane];
#pragma unroll
    for (int e = 0; e < 8; e++) {
      const float4 w = experts[router_piece(first_expert_of_warp() + e, lane)];
#pragma unroll
      for (int r = 0; r < 8; r++) sums[8 * r + e] = dot(x[r], w, sums[8 * r + e]);
    }
  }
  // Two neighbours get four of the warp's sums.
  DEVICE void store_logits(float (&sums)[64]) const {
    const int lane = thread_index() % 32;
#pragma unroll
    for (int quarter = 0; quarter < 4; quarter++) {
      float part[16];
#pragma unroll
      for (int i = 0; i < 16; i++) part[i] = sums[16 * quarter + i];
      const float sum = warp_sums<32>(part);
      const int row = first_row_of_warp() + 2 * quarter + lane / 16;
      const int expert = first_expert_ + first_expert_of_warp() + lane / 2 % 8;
      if (lane % 2 == 0 && first_row_ + row < n_rows_ && expert < Shape::logits)
        a_.logits[(int64_t)(first_row_ + row) * Shape::logits + expert] = logit(sum, factors()[row], expert);
    }
  }
  DEVICE float logit(float sum, float factor, int expert) const {
    const int matrix = expert < C::experts ? 0 : 1;
    const float scale = C::matrix_scale >> matrix & 1 ? *a_.matrix_scale[matrix] : 1.f;
    const float bias = C::bias >> matrix & 1 ? a_.bias[matrix][expert - matrix * C::experts] : 0.f;
    return fmaf(sum, factor * scale, C::scales_bias ? bias * scale : bias);
  }

  const RouteRowsArgs& a_;
  char* shared_;
  const int first_row_, first_expert_, n_rows_;
  RowLoader<C> rows_;
  RouterLoader<C> router_;
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
