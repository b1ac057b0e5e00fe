// What follows from an attention's compile-time shape C (attend.cuh): where everything lies in shared memory, and what
// a block works on. compiler/kernels/attend/config.ts computes the same bytes; the emitted kernels.cu asserts that they
// agree.
#pragma once
#include "../artifact.h"
#include "device.h"

namespace realizar {

// What attention's output is multiplied with, the sigmoid of a gate: one for each head, or for each element.
enum class Gates { none, heads, elements };

struct AttendArgs {
  const float* qkv;           // [heads * head_size + 2 * kv_heads * head_size + gates]
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
  static constexpr int chunk = 16;  // positions that a warp takes at a time
  static constexpr int row = (C::head_size + 15) / 16 * 16, pieces = row / 8, steps = row / 16;
  static constexpr int heads_per_kv = C::heads / C::kv_heads, head_groups = heads_per_kv / H;
  static constexpr int partial_row = C::head_size + 2, lane_splits = (C::splits + 31) / 32;
  // Rows of queries and of a warp's values are a little longer, so that what lanes read and write is in different
  // banks.
  static constexpr int query_row = row + 8, value_row = row + 4;
  // Shared memory, bytes: each warp's ring of chunks; f16: queries' high, then their low halves, new key, new value;
  // f32: each head's largest score and sum of each warp; norms' weights; cos and sin; am I the last split; barriers.
  static constexpr int half_chunk = chunk * row * 2;  // bytes of a chunk's keys, and of its values
  static constexpr int ring_bytes = C::ring * 2 * half_chunk;
  static constexpr int query_at = C::warps * ring_bytes, newest_at = query_at + 2 * H * query_row * 2;
  static constexpr int most_at = newest_at + 2 * row * 2, sum_at = most_at + H * C::warps * 4;
  static constexpr int query_norms = C::query_norm ? (C::whole_norms & 1 ? H : 1) * C::head_size : 0;
  static constexpr int key_norms = C::key_norm ? C::head_size : 0;
  static constexpr int norms_at = sum_at + H * C::warps * 4;
  static constexpr int angle_at = norms_at + (query_norms + key_norms) * 4, is_last_at = angle_at + C::rope_dims * 4;
  static constexpr int barrier_at = (is_last_at + 4 + 7) / 8 * 8;
  static constexpr int shared_bytes = (barrier_at + C::warps * C::ring * 8 + 15) / 16 * 16;
  // A warp leaves its values where its ring was, and the splits' weights lie where rings were.
  static_assert(H * value_row * 4 <= ring_bytes && H * C::splits * 4 <= C::warps * ring_bytes);
  static_assert(H <= 8 && C::head_size % 2 == 0);
  // Where piece i of the key or value at a position lies in its row, so that eight rows' pieces are in different banks.
  static constexpr int twists = pieces % 8 == 0 ? 8 : pieces % 4 == 0 ? 4 : 2;
  static DEVICE int twist(int position) { return position / (8 / twists) % twists; }
  static DEVICE int swizzle(int position, int i) { return i ^ twist(position); }
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
  // The high halves of query h of the block, or the low ones: both add up to it.
  DEVICE uint16_t* query(int low, int h) const {
    return (uint16_t*)(shared + Shape::query_at) + (low * Shape::H + h) * Shape::query_row;
  }
  DEVICE uint16_t* newest_key() const { return (uint16_t*)(shared + Shape::newest_at); }
  DEVICE uint16_t* newest_value() const { return newest_key() + Shape::row; }

  // A warp's chunks are every C::warps-th; i counts them.
  DEVICE int chunk_first(int warp, int i) const { return first + (i * C::warps + warp) * Shape::chunk; }
  DEVICE char* ring(int warp) const { return shared + warp * Shape::ring_bytes; }
  DEVICE char* chunk_keys(int warp, int i) const { return ring(warp) + i % C::ring * 2 * Shape::half_chunk; }
  DEVICE CopyBarrier& barrier(int warp, int i) const {
    return ((CopyBarrier*)(shared + Shape::barrier_at))[warp * C::ring + i % C::ring];
  }
  // Of a chunk, what earlier launches have written.
  DEVICE int cached(int from) const {
    const int left = (has_newest() ? position : end) - from;
    return left < Shape::chunk ? left : Shape::chunk;
  }
  // Starts copying the cached positions of a chunk. One warp.
  DEVICE void fetch(int warp, int i) const {
    const int from = chunk_first(warp, i), n = cached(from);
    if (n <= 0) return;
    const int64_t row = ((int64_t)kv_head * C::n_ctx + from) * Shape::row;
    const int bytes = n * Shape::row * 2;
    CopyBarrier& done = barrier(warp, i);
    begin_copies(done, 2 * bytes);
    copy_to_shared(chunk_keys(warp, i), args.keys + row, bytes, done);
    copy_to_shared(chunk_keys(warp, i) + Shape::half_chunk, args.values + row, bytes, done);
    end_copies(done);
  }
  DEVICE void await(int warp, int i) const {
    if (cached(chunk_first(warp, i)) > 0) barrier(warp, i).wait(i / C::ring & 1);
  }
};

}  // namespace realizar
