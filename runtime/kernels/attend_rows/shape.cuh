// What follows from attention's C (config.cuh): tiles, and where everything lies in shared memory.
#pragma once
#include "../kv_row.cuh"
#include "../operand.cuh"
#include "config.cuh"

namespace realizar {

template <class C>
struct AttendRowsShape {
  using Row = KvRow<C::head_size>;
  static constexpr int warps = 4, threads = warps * 32, warp_queries = 16;
  static constexpr int heads_per_kv = C::heads / C::kv_heads;
  static constexpr int tile_rows = warps * warp_queries / heads_per_kv;  // of a tile at most
  static constexpr int row = Row::row, steps = row / 16, dim_tiles = row / 8;
  static constexpr int cols = C::heads * C::head_size, padding = round_up(cols, operand_block) - cols;  // of the output
  // Positions taken at a time: as many as there are registers for.
  static constexpr int chunk = row > 128 ? 32 : 64, page_chunks = kv_page_positions / chunk;
  static constexpr int split_chunks = C::split_positions / chunk;
  static constexpr bool folds = C::slot_pages * kv_page_positions > C::split_positions;
  // f32 of a block: each thread's values, and the largest score and sum of its two rows.
  static constexpr int fold_size = threads * (4 * dim_tiles + 4);
  // Shared memory, bytes: pipeline stages, each a chunk's keys and values; f16 queries of longer heads, whose rows are
  // a little longer so that what lanes read is in different banks; barriers.
  static constexpr int chunk_bytes = chunk * row * 2;
  static constexpr int query_cols = (C::rests ? 2 : 1) * row, query_steps = query_cols / 16;
  static constexpr bool queries_stay = query_steps <= 8;  // in registers
  static constexpr int query_row = query_cols + 8, query_at = C::stages * 2 * chunk_bytes;
  static constexpr int barrier_at = query_at + (queries_stay ? 0 : warps * warp_queries * query_row * 2);
  static constexpr int shared_bytes = (barrier_at + C::stages * 8 + 15) / 16 * 16;
  static_assert(C::heads % C::kv_heads == 0 && tile_rows >= 1 && row <= 256 && cols % 2 == 0);
  static_assert(C::split_positions % kv_page_positions == 0);
};

}  // namespace realizar
