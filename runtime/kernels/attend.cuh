// One token's attention for one layer: per-head norms of q and k, rope, KV append, softmax(q k^T / sqrt(d)) v.
//
// The context is split over blocks (flash decoding): block = (KV head, group of its query heads, split). Each block turns
// its queries itself; the blocks of the last split also turn the new key, use it from shared memory, and one of them
// appends it and the new value to the cache. Scores: a thread a position. Values: a warp a position, lanes over the head.
// A block leaves (largest score, sum of exponentials, weighted values) for each head; the last one to arrive for a group
// of heads adds the splits up, in their order, so the result does not depend on who was last.
//
// KV cache of a layer: keys then values, each f16 [head_count_kv][n_ctx][row], row = head_size rounded up to 8.
//
// C: heads, kv_heads, head_size, heads_per_block, splits, min_split (positions below which a split is not worth a block),
//    n_ctx, warps; rope_dims, rope_adjacent, inverse_frequency(i), rope_factors; query_norm, key_norm, epsilon.
#pragma once
#include "../artifact.h"
#include "device.h"

namespace realizar {

struct AttendArgs {
  const float* qkv;           // [heads * head_size + 2 * kv_heads * head_size]
  const float* query_norm;    // [head_size]
  const float* key_norm;      // [head_size]
  const float* rope_factors;  // [rope_dims / 2]
  uint16_t* keys;             // [kv_heads][n_ctx][row]
  uint16_t* values;           // [kv_heads][n_ctx][row]
  const State* state;
  uint32_t* counters;  // [kv_heads * head groups], zero between nodes
  float* partial;      // [heads][splits][head_size + 2]: weighted values, largest score, sum
  float* output;       // [heads * head_size]
};

template <class C>
struct AttendShape {
  static constexpr int threads = C::warps * 32, tile = threads;
  static constexpr int row = (C::head_size + 7) / 8 * 8;
  static constexpr int heads_per_kv = C::heads / C::kv_heads, head_groups = heads_per_kv / C::heads_per_block;
  static constexpr int pairs = (C::head_size + 63) / 64;  // lane's pairs of dimensions: 2 * lane + 64 * j
  static constexpr int partial_row = C::head_size + 2;
  // Shared memory, floats: queries, new key, new value, scores of a tile, one number a warp and head, weighted values.
  static constexpr int query_at = 0, key_at = query_at + C::heads_per_block * row, value_at = key_at + row;
  static constexpr int score_at = value_at + row, warp_at = score_at + C::heads_per_block * tile;
  static constexpr int sum_at = warp_at + C::warps * C::heads_per_block;
  static constexpr int shared_bytes = (sum_at + C::warps * C::heads_per_block * C::head_size + 4) * 4;
};

// A head of q or k from the projection: norm, rope, times `scale`, into shared memory. One warp.
template <class C>
DEVICE void turn_head(const float* from, const float* norm, bool normalize, const float* factors, int position, float scale,
                      float* to) {
  const int lane = thread_index() % 32;
  float squares[1] = {};
  for (int d = lane; d < AttendShape<C>::row; d += 32) {
    const float v = d < C::head_size ? load_global(from + d) : 0.f;
    squares[0] = fmaf(v, v, squares[0]);
    to[d] = v;
  }
  if (normalize) {
    warp_sum(squares);
    const float by = rsqrtf(squares[0] / C::head_size + C::epsilon);
    for (int d = lane; d < C::head_size; d += 32) to[d] *= by * norm[d];
  }
  warp_sync();
  for (int i = lane; i < C::rope_dims / 2; i += 32) {
    const int a = C::rope_adjacent ? 2 * i : i, b = C::rope_adjacent ? 2 * i + 1 : i + C::rope_dims / 2;
    float angle = position * C::inverse_frequency(i);
    if (C::rope_factors) angle /= factors[i];
    float sine, cosine;
    sincosf(angle, &sine, &cosine);
    const float x = to[a], y = to[b];
    to[a] = x * cosine - y * sine;
    to[b] = x * sine + y * cosine;
  }
  warp_sync();
  for (int d = lane; d < C::head_size; d += 32) to[d] *= scale;
}

// Adds up the splits of one block's heads: out = sum_s e^(m_s - M) values_s / sum_s e^(m_s - M) sum_s.
template <class C>
DEVICE void combine_splits(const AttendArgs& a, int first_head, int splits) {
  using Shape = AttendShape<C>;
  for (int i = thread_index(); i < C::heads_per_block * C::head_size; i += Shape::threads) {
    const int head = first_head + i / C::head_size, d = i % C::head_size;
    const float* rows = a.partial + (int64_t)head * C::splits * Shape::partial_row;
    float most = -INFINITY, sum = 0, value = 0;
    for (int s = 0; s < splits; s++) most = fmaxf(most, load_global(rows + s * Shape::partial_row + C::head_size));
    for (int s = 0; s < splits; s++) {
      const float* row = rows + s * Shape::partial_row;
      const float weight = expf(load_global(row + C::head_size) - most);
      sum = fmaf(weight, load_global(row + C::head_size + 1), sum);
      value = fmaf(weight, load_global(row + d), value);
    }
    a.output[head * C::head_size + d] = value / sum;
  }
}

// The queries of the block, and the new key and value where this split ends with them. One warp a head, in turn.
template <class C>
DEVICE void load_heads(const AttendArgs& a, int kv_head, int first_head, int position, bool has_newest, bool appends,
                       float* shared) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  const float scale = 1.f / sqrtf((float)C::head_size);
  for (int h = warp; h < C::heads_per_block; h += C::warps)
    turn_head<C>(a.qkv + (first_head + h) * C::head_size, a.query_norm, C::query_norm, a.rope_factors, position, scale,
                 shared + Shape::query_at + h * Shape::row);
  if (!has_newest || warp != C::heads_per_block % C::warps) return;
  float* key = shared + Shape::key_at;
  float* value = shared + Shape::value_at;
  turn_head<C>(a.qkv + (C::heads + kv_head) * C::head_size, a.key_norm, C::key_norm, a.rope_factors, position, 1.f, key);
  const int64_t cache_row = ((int64_t)kv_head * C::n_ctx + position) * Shape::row;
  for (int d = lane; d < Shape::row; d += 32) {
    const uint16_t k = float_to_half(d < C::head_size ? key[d] : 0.f);
    const uint16_t v =
        float_to_half(d < C::head_size ? load_global(a.qkv + (C::heads + C::kv_heads + kv_head) * C::head_size + d) : 0.f);
    key[d] = half_to_float(k);  // as every later token will see it
    value[d] = half_to_float(v);
    if (appends) a.keys[cache_row + d] = k, a.values[cache_row + d] = v;
  }
}

DEVICE void unpack_halves(const uint4& v, float (&f)[8]) {
  const uint32_t w[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; i++) f[2 * i] = half_to_float(w[i] & 0xffff), f[2 * i + 1] = half_to_float(w[i] >> 16);
}

// scores[h] = q_h . k for the key in row `position` of the cache, or the newest one.
template <class C>
DEVICE void score_position(const uint16_t* keys, const float* newest, const float* queries, float (&scores)[C::heads_per_block]) {
  constexpr int row = AttendShape<C>::row;
#pragma unroll 4
  for (int d = 0; d < row; d += 8) {
    float k[8];
    if (newest) {
#pragma unroll
      for (int j = 0; j < 8; j++) k[j] = newest[d + j];
    } else {
      unpack_halves(load_global_cached((const uint4*)(keys + d)), k);
    }
#pragma unroll
    for (int h = 0; h < C::heads_per_block; h++)
#pragma unroll
      for (int j = 0; j < 8; j++) scores[h] = fmaf(queries[h * row + d + j], k[j], scores[h]);
  }
}

template <class C>
DEVICE void attend(const AttendArgs& a) {
  using Shape = AttendShape<C>;
  constexpr int H = C::heads_per_block;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  const int split = block_index() % C::splits, heads_index = block_index() / C::splits;
  const int kv_head = heads_index / Shape::head_groups, group = heads_index % Shape::head_groups;
  const int first_head = kv_head * Shape::heads_per_kv + group * H;
  float* shared = (float*)shared_memory();
  grid_release();
  grid_wait();

  // Equal shares for as many splits as are worth a block; the last one holds the newest position.
  const int position = load_global(&a.state->position), seq_len = load_global(&a.state->seq_len);
  int splits = (seq_len + C::min_split - 1) / C::min_split;
  if (splits > C::splits) splits = C::splits;
  const int share = (seq_len + splits - 1) / splits;
  splits = (seq_len + share - 1) / share;
  if (split >= splits) return;
  const int first = split * share, end = split == splits - 1 ? seq_len : first + share;
  load_heads<C>(a, kv_head, first_head, position, split == splits - 1, group == 0, shared);
  block_sync();

  const uint16_t* keys = a.keys + (int64_t)kv_head * C::n_ctx * Shape::row;
  const uint16_t* values = a.values + (int64_t)kv_head * C::n_ctx * Shape::row;
  float* tile_scores = shared + Shape::score_at;
  float* warp_number = shared + Shape::warp_at;
  float most[H], sum[H], value[H][Shape::pairs][2] = {};  // sum: of this thread's positions; value: of this warp's
#pragma unroll
  for (int h = 0; h < H; h++) most[h] = -INFINITY, sum[h] = 0;

  for (int tile = first; tile < end; tile += Shape::tile) {
    const int p = tile + thread_index(), n = end - tile < Shape::tile ? end - tile : Shape::tile;
    float scores[H] = {};
    if (p < end)
      score_position<C>(keys + (int64_t)p * Shape::row, p == position ? shared + Shape::key_at : nullptr,
                        shared + Shape::query_at, scores);
#pragma unroll
    for (int h = 0; h < H; h++) {
      const float largest = warp_max(p < end ? scores[h] : -INFINITY);
      if (lane == 0) warp_number[warp * H + h] = largest;
    }
    block_sync();
#pragma unroll
    for (int h = 0; h < H; h++) {
      float now = most[h];
      for (int w = 0; w < C::warps; w++) now = fmaxf(now, warp_number[w * H + h]);
      const float fade = expf(most[h] - now), e = p < end ? expf(scores[h] - now) : 0.f;
      most[h] = now;
      sum[h] = fmaf(sum[h], fade, e);
#pragma unroll
      for (int j = 0; j < Shape::pairs; j++) value[h][j][0] *= fade, value[h][j][1] *= fade;
      tile_scores[h * Shape::tile + thread_index()] = e;
    }
    block_sync();
    for (int t = warp; t < n; t += C::warps) {
#pragma unroll
      for (int j = 0; j < Shape::pairs; j++) {
        const int d = 2 * lane + 64 * j;
        if (d >= C::head_size) continue;
        float v0, v1;
        if (tile + t == position) {
          v0 = shared[Shape::value_at + d], v1 = shared[Shape::value_at + d + 1];
        } else {
          const uint32_t two = load_global((const uint32_t*)(values + (int64_t)(tile + t) * Shape::row + d));
          v0 = half_to_float(two & 0xffff), v1 = half_to_float(two >> 16);
        }
#pragma unroll
        for (int h = 0; h < H; h++) {
          const float e = tile_scores[h * Shape::tile + t];
          value[h][j][0] = fmaf(e, v0, value[h][j][0]);
          value[h][j][1] = fmaf(e, v1, value[h][j][1]);
        }
      }
    }
    block_sync();
  }

  // Add up the block: sums of the threads, weighted values of the warps.
  warp_sum(sum);
  float* warp_values = shared + Shape::sum_at;
#pragma unroll
  for (int h = 0; h < H; h++) {
    if (lane == 0) warp_number[warp * H + h] = sum[h];
#pragma unroll
    for (int j = 0; j < Shape::pairs; j++) {
      const int d = 2 * lane + 64 * j;
      if (d < C::head_size) {
        warp_values[(warp * H + h) * C::head_size + d] = value[h][j][0];
        warp_values[(warp * H + h) * C::head_size + d + 1] = value[h][j][1];
      }
    }
  }
  block_sync();
#pragma unroll
  for (int h = 0; h < H; h++) {
    float total = 0;
    for (int w = 0; w < C::warps; w++) total += warp_number[w * H + h];
    float* partial = a.partial + ((int64_t)(first_head + h) * C::splits + split) * Shape::partial_row;
    if (thread_index() == 0 && splits > 1) partial[C::head_size] = most[h], partial[C::head_size + 1] = total;
    for (int d = thread_index(); d < C::head_size; d += Shape::threads) {
      float v = 0;
      for (int w = 0; w < C::warps; w++) v += warp_values[(w * H + h) * C::head_size + d];
      if (splits > 1)
        partial[d] = v;
      else
        a.output[(first_head + h) * C::head_size + d] = v / total;
    }
  }
  if (splits == 1) return;
  int* is_last = (int*)(warp_values + C::warps * H * C::head_size);
  block_sync();
  if (thread_index() == 0) *is_last = arrive(a.counters + heads_index) == (uint32_t)splits - 1;
  block_sync();
  if (!*is_last) return;
  combine_splits<C>(a, first_head, splits);
  if (thread_index() == 0) a.counters[heads_index] = 0;
}

}  // namespace realizar
