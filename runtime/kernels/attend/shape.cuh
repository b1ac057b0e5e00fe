// What follows from attention's C (config.cuh): tiles, and where everything lies in shared memory.
// compiler/kernels/attend/config.ts computes the same bytes; the emitted kernels.cu asserts that they agree.
#pragma once
#include <type_traits>

#include "../kv_row.cuh"
#include "config.cuh"

namespace realizar {

template <class C>
struct AttendShape {
  static constexpr int threads = C::warps * 32, H = C::heads_per_block;
  static constexpr int chunk = 16;  // positions that a warp takes at a time
  using Row = KvRow<C::head_size>;
  static constexpr int row = Row::row, steps = row / 16;
  static constexpr int heads_per_kv = C::heads / C::kv_heads, head_groups = heads_per_kv / H;
  static constexpr int partial_row = C::head_size + 2, lane_splits = (C::splits + 31) / 32;
  static constexpr bool crosses_pages = !std::is_same_v<typename C::window, AllPositions>;  // a chunk may
  static_assert(kv_page_positions % chunk == 0);
  // Rows of queries and of a warp's values are a little longer, so that what lanes read and write is in different
  // banks.
  static constexpr int query_row = row + 8, value_row = row + 4;
  // Shared memory, bytes: each warp's pipeline stages, a chunk each; f16: queries' high, then their low halves, new
  // key, new value; f32: each head's largest score and sum of each warp; norms' weights; cos and sin; am I the last
  // split; barriers.
  static constexpr int half_chunk = chunk * row * 2;  // bytes of a chunk's keys, and of its values
  static constexpr int warp_stages_bytes = C::stages * 2 * half_chunk;
  static constexpr int query_at = C::warps * warp_stages_bytes, newest_at = query_at + 2 * H * query_row * 2;
  static constexpr int most_at = newest_at + 2 * row * 2, sum_at = most_at + H * C::warps * 4;
  static constexpr int query_norms = C::query_norm::weights(H, C::head_size);
  static constexpr int key_norms = C::key_norm::weights(1, C::head_size);
  static constexpr int norms_at = sum_at + H * C::warps * 4;
  static constexpr int angle_at = norms_at + (query_norms + key_norms) * 4, is_last_at = angle_at + C::rope::dims * 4;
  static constexpr int barrier_at = (is_last_at + 4 + 7) / 8 * 8;
  static constexpr int shared_bytes = (barrier_at + C::warps * C::stages * 8 + 15) / 16 * 16;
  // A warp leaves its values where its stages were, and the splits' weights lie where all stages were.
  static_assert(H * value_row * 4 <= warp_stages_bytes && H * C::splits * 4 <= C::warps * warp_stages_bytes);
  static_assert(H <= 8);
};

}  // namespace realizar
