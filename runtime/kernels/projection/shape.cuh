// What follows from a projection's C (config.cuh): how its rows and columns are shared out over warps and lanes, and
// where everything lies in shared memory. compiler/kernels/projection/config.ts computes the same; the emitted
// kernels.cu asserts that the two agree.
#pragma once
#include "../group_run.cuh"
#include "../matrix_tiling.cuh"
#include "../shared_units.cuh"
#include "config.cuh"

namespace realizar {

template <class C>
struct ProjectionShape : MatrixTiling<C> {
  using Tiling = MatrixTiling<C>;
  using Tiling::chunk_units, Tiling::chunks, Tiling::last_units;
  // A warp has one chunk of columns, so `chunks` warps share a group of rows; C::row_warps groups are under way
  // together.
  static constexpr int warps = chunks * C::row_warps, threads = warps * 32;
  // A warp's lanes: lanes_k of them share a row of the tile, each with unit_sets units of it, 32 columns apart from
  // each other's; lanes_r rows at a time, so that a tile takes so many steps.
  static constexpr int lanes_k = chunk_units < 32 ? round_up_to_power_of_two(chunk_units) : 32;
  static constexpr int lanes_r = 32 / lanes_k, unit_sets = (chunk_units + 31) / 32;
  static constexpr int steps = (C::group_rows + lanes_r - 1) / lanes_r, parts = C::segments::parts();
  // Four columns of its chunk at a time for each lane.
  static constexpr int input_steps = (chunk_units * 8 + 31) / 32;
  template <class... S>
  static constexpr int largest_tile(Segments<S...>) {
    int most = 0;
    ((most = S::template largest_tile<C::group_rows, chunk_units>() > most
                 ? S::template largest_tile<C::group_rows, chunk_units>()
                 : most),
     ...);
    return most;
  }
  template <class... S>
  static constexpr int total_groups(Segments<S...>) {
    return (S::template groups<C::group_rows> + ...);
  }
  static constexpr int stage_bytes = largest_tile(typename C::segments{});
  static constexpr int groups = total_groups(typename C::segments{});
  // Epilogue passes of pass_rows rows: their sums over the chunks meet in shared memory, in two buffers that alternate.
  static constexpr int block_groups = (groups + C::blocks - 1) / C::blocks;
  static constexpr int pass_rows = C::pass_groups * C::group_rows;
  static constexpr int passes = (block_groups + C::pass_groups - 1) / C::pass_groups;
  static constexpr int sums_size = parts * chunks * pass_rows;
  // Shared memory: the pipeline stages; each warp's input; barriers; sums; squares a chunk, and two numbers a warp.
  using Kinds = typename C::segments;
  static constexpr int input_bytes = SharedUnits<Kinds, chunk_units>::bytes;
  static constexpr int input_at = warps * C::stages * stage_bytes;
  static constexpr int barriers_at = input_at + warps * input_bytes;
  static constexpr int partial_at = barriers_at + warps * C::stages * 16;
  static constexpr int squares_at = partial_at + (passes > 1 ? 2 : 1) * sums_size * 4;
  static constexpr int best_at = squares_at + round_up(chunks * 4, 8);
  // And of a router share: the block's rows, and a flag.
  static constexpr int rows_at = best_at + warps * (int)sizeof(Best);
  static constexpr int rows_bytes = C::router::logits > 0 ? 4 * (block_groups * C::group_rows + 1) : 0;
  static constexpr int shared_bytes = round_up(rows_at + rows_bytes, 16);
  static_assert(sizeof(CopyBarrier) <= 16 && C::group_rows <= 32 && C::chunk_cols % 32 == 0);
  static_assert(C::pass_groups % C::row_warps == 0 && C::prefetch_at_once <= C::prefetch_stages &&
                C::prefetch_stages <= C::stages);
};

// Visits the segment that holds a group: f.template operator()<Index, S>(group in segment, rows before, bytes before).
template <class C, int Index, class F, class S, class... Rest>
DEVICE void visit_segment_from(int group, int rows, int64_t bytes, F& f, Segments<S, Rest...>) {
  constexpr int groups = S::template groups<C::group_rows>;
  if constexpr (sizeof...(Rest) > 0) {
    if (group >= groups) {
      visit_segment_from<C, Index + 1>(group - groups, rows + S::rows,
                                       bytes + groups * ProjectionShape<C>::template group_bytes<S>, f,
                                       Segments<Rest...>{});
      return;
    }
  }
  f.template operator()<Index, S>(group, rows, bytes);
}
template <class C, class F>
DEVICE void visit_segment(int group, F&& f) {
  visit_segment_from<C, 0>(group, 0, 0, f, typename C::segments{});
}

}  // namespace realizar
