// What follows from C (config.cuh): tiles, and where everything lies in shared memory. compiler/kernels/route_rows.ts
// computes the same; the emitted kernels.cu asserts that the two agree.
#pragma once
#include "../experts/routing_shape.cuh"
#include "../matrix_tiling.cuh"
#include "config.cuh"

namespace realizar {

template <class C>
struct RouteRowsShape {
  static constexpr int logits = RoutingShape<C>::logits, routing_cols = 2 * C::used + (C::gated ? 1 : 0);
  // A warp has 8 rows by 8 experts.
  static constexpr int row_warps = C::tile_rows / 8, expert_warps = C::tile_experts / 8;
  static constexpr int warps = row_warps * expert_warps, threads = 32 * warps;
  static constexpr int row_tiles = (C::rows + C::tile_rows - 1) / C::tile_rows;
  static constexpr int expert_tiles = (logits + C::tile_experts - 1) / C::tile_experts;
  static constexpr int blocks = row_tiles * expert_tiles;
  // 128 columns at a time, four to a lane.
  static constexpr int chunk = 128, pieces = chunk / 4, chunks = (C::cols + chunk - 1) / chunk;
  // Rows of whole 16 bytes are copied.
  static constexpr bool copied = C::router::plain && C::cols % 4 == 0;
  // Shared memory: chunks of rows, of the router's matrix and of the norm's weights, and then, of each warp, what it
  // needs to choose; barriers; a flag.
  static constexpr int vectors = C::tile_rows + C::tile_experts + 1;  // the last one the norm's weights
  static constexpr int chunk_bytes = vectors * chunk * 4;
  static constexpr int choice_bytes = round_up(RoutingShape<C>::bytes, 16);
  static constexpr int chunks_bytes = C::stages * chunk_bytes, choices_bytes = warps * choice_bytes;
  static constexpr int barriers_at = chunks_bytes > choices_bytes ? chunks_bytes : choices_bytes;
  static constexpr int last_at = barriers_at + 16 * C::stages, shared_bytes = last_at + 16;
  static_assert(C::tile_rows % 8 == 0 && C::tile_experts % 8 == 0 && 8 % expert_warps == 0 && 8 % row_warps == 0);
  static_assert(C::stages >= 2 && (copied || C::stages == 2) && sizeof(CopyBarrier) <= 16);
};

}  // namespace realizar
