// What follows from an attention's compile-time shape C (attend.cuh): where everything lies in shared memory, and what
// a block works on. compiler/plan/attention.ts computes the same bytes; the emitted kernels.cu asserts that they agree.
#pragma once
#include "../artifact.h"
#include "device.h"

namespace realizar {

struct AttendArgs {
  const float* qkv;           // [heads * head_size + 2 * kv_heads * head_size]
  const float* query_norm;    // [head_size], or [heads * head_size]
  const float* key_norm;      // [head_size], or [kv_heads * head_size]
  const float* rope_factors;  // [rope_dims / 2]
  const float* sinks;         // [heads]
  uint16_t* keys;             // [kv_heads][n_ctx][row]
  uint16_t* values;           // [kv_heads][n_ctx][row]
  const State* state;
  uint32_t* counters;  // [kv_heads * head groups], zero between nodes
  float* partial;      // [heads][splits][head_size + 2]: weighted values, largest score, sum
  float* output;       // [heads * head_size]
};

template <class C>
struct AttendShape {
  static constexpr int threads = C::warps * 32, H = C::heads_per_block;
  static constexpr int row = (C::head_size + 7) / 8 * 8, pieces = row / 8;
  static constexpr int heads_per_kv = C::heads / C::kv_heads, head_groups = heads_per_kv / H;
  static constexpr int pairs = (C::head_size + 63) / 64;  // lane's pairs of dimensions: 2 * lane + 64 * j
  static constexpr int partial_row = C::head_size + 2, lane_splits = (C::splits + 31) / 32;
  static constexpr int half_tile = C::tile * row * 2;  // bytes of a tile's keys, and of its values
  // Shared memory, bytes: the ring; then f32: queries, turned new key before rounding; of each warp and head how much
  // each of eight positions weighs, its largest score and sum; am I the last split; cos and sin; norms' weights; f16:
  // new key, new value; barriers; f32: values of each warp.
  static constexpr int query_at = C::stages * 2 * half_tile, key_at = query_at + H * row * 4;
  static constexpr int shares_at = key_at + row * 4, most_at = shares_at + C::warps * H * 32;
  static constexpr int sum_at = most_at + C::warps * H * 4, is_last_at = sum_at + C::warps * H * 4;
  static constexpr int angle_at = is_last_at + 4, norms_at = angle_at + C::rope_dims * 4;
  static constexpr int query_norms = C::query_norm ? (C::whole_norms & 1 ? H : 1) * C::head_size : 0;
  static constexpr int key_norms = C::key_norm ? C::head_size : 0;
  static constexpr int newest_at = (norms_at + (query_norms + key_norms) * 4 + 15) / 16 * 16;
  static constexpr int barrier_at = newest_at + 2 * row * 2;
  static constexpr int warp_values_at = barrier_at + C::stages * 16;
  static constexpr int shared_bytes = (warp_values_at + C::warps * H * C::head_size * 4 + 15) / 16 * 16;
  static_assert(C::tile % 8 == 0 && C::head_size % 2 == 0 && C::splits <= C::warps * C::head_size);
  // Where piece i of the key at a position lies in its row.
  static DEVICE int swizzle(int position, int i) { return pieces % 8 == 0 ? i ^ position % 8 : i; }
};

// What a block works on.
template <class C>
struct AttendBlock {
  using Shape = AttendShape<C>;
  const AttendArgs& args;
  char* shared;
  int split, kv_head, first_head, counter;
  int position, splits, first, end;  // first, end: this split's share of positions, the newest included

  DEVICE float* floats(int at) const { return (float*)(shared + at); }
  DEVICE bool has_newest() const { return split == splits - 1; }
  DEVICE int tiles() const { return (end - first + C::tile - 1) / C::tile; }
  DEVICE uint16_t* newest_key() const { return (uint16_t*)(shared + Shape::newest_at); }
  DEVICE uint16_t* newest_value() const { return newest_key() + Shape::row; }
  DEVICE char* tile(int i) const { return shared + i % C::stages * 2 * Shape::half_tile; }
  DEVICE const uint4* tile_key(int i, int t) const { return (const uint4*)tile(i) + t * Shape::pieces; }
  DEVICE const uint16_t* tile_value(int i, int t) const {
    return (const uint16_t*)(tile(i) + Shape::half_tile) + t * Shape::row;
  }
  DEVICE CopyBarrier& barrier(int i) const { return ((CopyBarrier*)(shared + Shape::barrier_at))[i % C::stages]; }

  // Warp 0: starts copying the cached positions of a tile.
  DEVICE void fetch(int i) const {
    const int from = first + i * C::tile, cached = has_newest() ? position : end;
    const int n = cached - from < C::tile ? cached - from : C::tile;
    if (i >= tiles() || n <= 0) return;
    const int64_t row = ((int64_t)kv_head * C::n_ctx + from) * Shape::row;
    const int bytes = n * Shape::row * 2;
    begin_copies(barrier(i), 2 * bytes);
    copy_to_shared(tile(i), args.keys + row, bytes, barrier(i));
    copy_to_shared(tile(i) + Shape::half_tile, args.values + row, bytes, barrier(i));
    end_copies(barrier(i));
  }
  DEVICE void await(int i) const {
    if (first + i * C::tile < (has_newest() ? position : end)) barrier(i).wait(i / C::stages & 1);
  }
};

}  // namespace realizar
