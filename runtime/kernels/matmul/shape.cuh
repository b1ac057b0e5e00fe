// What follows from C (config.cuh): tiles, and where everything lies in shared memory.
#pragma once
#include "../matrix_tiling.cuh"
#include "../warpgroup.cuh"
#include "config.cuh"

namespace realizar {

template <class C>
struct MatmulShape : MatrixTiling<C> {
  using Tiling = MatrixTiling<C>;
  static constexpr int step_cols = 128, step_units = step_cols / unit_cols;
  static constexpr int steps = (Tiling::units + step_units - 1) / step_units;
  static constexpr int parts = C::segments::parts();
  static constexpr int sums = C::tile_rows / 2;  // of a lane
  // Warpgroups that multiply, and one that loads.
  static constexpr int warps = 4 * C::warpgroups, threads = 32 * (warps + 4);
  // Registers of their threads, where they can be shared out.
  static constexpr int equal_registers = 65536 / (threads * C::multiprocessor_blocks) / 8 * 8, loader_registers = 40;
  static constexpr int most_registers =
      (equal_registers * (C::warpgroups + 1) - loader_registers) / C::warpgroups / 8 * 8;
  static constexpr int multiplier_registers = most_registers < 240 ? most_registers : 240;
  // A tile's matrix rows: outputs, or half as many where a gate's and an up matrix's rows are side by side.
  static constexpr int tile_outputs = 64 * C::warpgroups / parts;
  template <class S>
  static constexpr int tiles_of = (S::rows + tile_outputs - 1) / tile_outputs;
  template <class... S>
  static constexpr int total_tiles(Segments<S...>) {
    return (tiles_of<S> + ...);
  }
  template <class... S>
  static constexpr int total_outputs(Segments<S...>) {
    return (S::rows + ...);
  }
  static constexpr int output_tiles = total_tiles(typename C::segments{});
  static constexpr int outputs = total_outputs(typename C::segments{});
  // Bytes of an expert's matrix, or of its gate and up.
  template <class S>
  static constexpr int64_t all_groups(Segments<S>) {
    static_assert(S::rows % C::group_rows == 0);
    return S::template groups<C::group_rows> * Tiling::template group_bytes<S>;
  }
  static constexpr int64_t find_expert_bytes() {
    if constexpr (C::experts > 0)
      return all_groups(typename C::segments{});
    else
      return 0;
  }
  static constexpr int64_t expert_bytes = find_expert_bytes();
  static constexpr int split_steps = C::split_steps ? C::split_steps : steps;
  static constexpr int splits = (steps + split_steps - 1) / split_steps;
  static constexpr int split_blocks = C::apart ? splits : 1;
  static DEVICE int split_end(int split) {
    const int end = (split + 1) * split_steps;
    return end < steps ? end : steps;
  }
  // Shared memory: stages, each two times 64 columns of the tile's rows; barriers.
  static constexpr int half_stage_bytes = C::tile_rows * swizzled_row_bytes, stage_bytes = 2 * half_stage_bytes;
  static constexpr int barriers_at = C::stages * stage_bytes;
  static constexpr int shared_bytes = round_up(barriers_at + 2 * C::stages * 8, 16) + swizzle_bytes;  // to align it
  static_assert(C::rows % 8 == 0 && C::stages >= 2);
  static_assert(splits == 1 || C::apart || split_steps % C::depth == 0);  // a split's first weights are in slot 0
};

}  // namespace realizar
