// Rows of a step sorted by the experts that they have chosen (expert_tiles.cuh): the place of each choice, by expert
// and then by row, and the tiles, at most C::tile_rows of one expert. One block. Shapes: routing f32
// [rows][routing_cols], of which the first C::used are the numbers of experts; places int32 [rows][used]. Its tests
// alone: npx vitest run test/runtime/sim.test.ts -t sort_rows
//
// Each warp has a run of rows and counts them by expert; where its rows of an expert begin follows from the counts of
// the warps before it and of the experts before that one. A row's experts are different ones, so its lanes count at
// once, without atomics.
//
// C: int rows (at most), experts (at most 256), used, routing_cols, tile_rows, warps.
#pragma once
#include "expert_tiles.cuh"
#include "formats.cuh"

namespace realizar {

struct SortRowsArgs {
  const StepHeader* step;
  const float* routing;
  int32_t* places;
  StepHeader* tiles;  // and the tiles after it
};

template <class C>
struct SortRowsShape {
  static constexpr int threads = 32 * C::warps;
  // Shared memory: of each warp a count for each expert; each expert's count; the number of each choice's expert.
  static constexpr int totals_at = 4 * C::warps * C::experts, chosen_at = totals_at + 4 * C::experts;
  static constexpr int shared_bytes = round_up(chosen_at + C::rows * C::used, 16);
  static_assert(C::experts <= 256 && C::used <= 32);
};

template <class C>
class SortRows {
 public:
  using Shape = SortRowsShape<C>;
  DEVICE SortRows(const SortRowsArgs& a, int n_rows)
      : a_(a),
        n_rows_(n_rows),
        counts_((uint32_t*)shared_memory() + thread_index() / 32 * C::experts),
        totals_((uint32_t*)(shared_memory() + Shape::totals_at)),
        chosen_((uint8_t*)(shared_memory() + Shape::chosen_at)) {}
  DEVICE void run() {
    load_choices();
    for (int i = thread_index(); i < C::warps * C::experts; i += Shape::threads) ((uint32_t*)shared_memory())[i] = 0;
    block_sync();
    each_choice([&](int i) { counts_[chosen_[i]]++; });
    block_sync();
    for (int expert = thread_index(); expert < C::experts; expert += Shape::threads) add_warps(expert);
    block_sync();
    for (int expert = thread_index(); expert < C::experts; expert += Shape::threads) place_expert(expert);
    block_sync();
    each_choice([&](int i) { a_.places[i] = (int32_t)counts_[chosen_[i]]++; });
  }

 private:
  // Several on their way at once.
  DEVICE void load_choices() const {
    constexpr int batch = 8;
    for (int first = thread_index(); first < n_rows_ * C::used; first += batch * Shape::threads) {
      float experts[batch];
#pragma unroll
      for (int k = 0; k < batch; k++) {
        const int i = first + k * Shape::threads, row = i / C::used;
        if (row < n_rows_) experts[k] = load_global(a_.routing + (int64_t)row * C::routing_cols + i % C::used);
      }
#pragma unroll
      for (int k = 0; k < batch; k++) {
        const int i = first + k * Shape::threads;
        if (i < n_rows_ * C::used) chosen_[i] = (uint8_t)experts[k];
      }
    }
  }
  // body(index) of each choice of the warp's rows, a lane each, row by row.
  template <class Body>
  DEVICE void each_choice(const Body& body) const {
    const int each = (n_rows_ + C::warps - 1) / C::warps, first = thread_index() / 32 * each;
    const int lane = thread_index() % 32, end = first + each < n_rows_ ? first + each : n_rows_;
    for (int row = first; row < end; row++) {
      if (lane < C::used) body(row * C::used + lane);
      warp_sync();
    }
  }
  // The warps' counts become the number of rows before each warp's.
  DEVICE void add_warps(int expert) const {
    uint32_t total = 0;
#pragma unroll 8
    for (int warp = 0; warp < C::warps; warp++) {
      uint32_t& count = ((uint32_t*)shared_memory())[warp * C::experts + expert];
      const uint32_t own = count;
      count = total, total += own;
    }
    totals_[expert] = total;
  }
  DEVICE void place_expert(int expert) const {
    int first = 0, tile = 0;
#pragma unroll 8
    for (int before = 0; before < expert; before++) first += padded(totals_[before]), tile += tiles_of(totals_[before]);
    const int total = (int)totals_[expert];
    for (int warp = 0; warp < C::warps; warp++)
      ((uint32_t*)shared_memory())[warp * C::experts + expert] += (uint32_t)first;
    ExpertTile* tiles = (ExpertTile*)(a_.tiles + 1) + tile;
    for (int i = 0; i < tiles_of(total); i++) {
      const int left = total - i * C::tile_rows;
      tiles[i] = {expert, first + i * C::tile_rows, left < C::tile_rows ? left : C::tile_rows, 0};
    }
    if (expert == C::experts - 1) *a_.tiles = {first + padded(total), 0, tile + tiles_of(total), 0};
  }
  static DEVICE int padded(uint32_t rows) { return (int)(rows + 7) / 8 * 8; }
  static DEVICE int tiles_of(uint32_t rows) { return ((int)rows + C::tile_rows - 1) / C::tile_rows; }

  const SortRowsArgs& a_;
  const int n_rows_;
  uint32_t *counts_, *totals_;  // of the warp; of all
  uint8_t* chosen_;
};

template <class C>
DEVICE void sort_rows(const SortRowsArgs& a) {
  const int n_rows = load_settled(&a.step->n_rows);
  grid_release();
  grid_wait();
  SortRows<C>(a, n_rows).run();
}

}  // namespace realizar
