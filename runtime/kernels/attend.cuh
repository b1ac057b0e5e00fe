// One token's attention for one layer: norms of q and k, rope, KV append, softmax(cap(q k^T * scale)) v.
//
// The context is split over blocks (flash decoding): block = (KV head, group of its query heads, split). A split's
// share of the cache comes through shared memory in tiles of C::tile positions, a ring of C::stages of them. All of it
// but the newest position was written by earlier launches, as was the state, so position, rope angles and the first
// tiles are there before grid_wait; only q and the new key and value come after it.
//
// Each block turns its queries itself. The blocks of the last split also turn the new key and use it and the new value
// from shared memory; one of them appends both to the cache. Scores: a thread a position and some of the heads.
// Softmax: a warp a head. Values: a warp a position, lanes over the head. A block leaves (weighted values, largest
// score, sum of exponentials) of each head; the last one to arrive for a group of heads adds the splits up, in their
// order, so that the result does not depend on who was last.
//
// KV cache of a layer: keys then values, each f16 [kv_heads][n_ctx][row], row = head_size rounded up to 8. The 16-byte
// pieces of a key are swizzled by its position, so that threads that read consecutive keys hit different banks.
//
// C: heads, kv_heads, head_size, heads_per_block, splits, min_split (positions that are worth a block of their own),
//    whole (positions that are not worth adding splits up), tile, stages, n_ctx, warps; scale, soft_cap (0: none),
//    window (newest positions that are seen; 0: all); rope_dims (0: nothing turns), rope_adjacent, rope_magnitude,
//    inverse_frequency(i), rope_factors; query_norm, key_norm, whole_norms (bit 0: of all query heads together, bit 1:
//    of all key heads), epsilon; sinks (a score of each head's that takes its share of the softmax).
#pragma once
#include "../artifact.h"
#include "activation.cuh"
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
  static constexpr int score_groups = threads / C::tile;  // threads that share a position, each with its heads
  static constexpr int score_heads = (H + score_groups - 1) / score_groups;
  static constexpr int warp_heads = (H + C::warps - 1) / C::warps;
  static constexpr int pairs = (C::head_size + 63) / 64;  // lane's pairs of dimensions: 2 * lane + 64 * j
  static constexpr int partial_row = C::head_size + 2, lane_splits = (C::splits + 31) / 32;
  static constexpr int half_tile = C::tile * row * 2;  // bytes of a tile's keys, and of its values
  // Shared memory, bytes: the ring; then f32: queries, turned new key before rounding, scores of a tile, of each head
  // how much older sums fade, its largest score and sum, values of each warp; cos and sin; f16: new key, new value.
  static constexpr int query_at = C::stages * 2 * half_tile, key_at = query_at + H * row * 4;
  static constexpr int score_at = key_at + row * 4, fade_at = score_at + H * C::tile * 4;
  static constexpr int most_at = fade_at + H * 4, sum_at = most_at + H * 4;
  static constexpr int angle_at = sum_at + H * 4 + 4;  // one more number: am I the last split?
  static constexpr int newest_at = (angle_at + C::rope_dims * 4 + 15) / 16 * 16;
  static constexpr int barrier_at = newest_at + 2 * row * 2;
  static constexpr int warp_values_at = barrier_at + C::stages * 16;
  static constexpr int shared_bytes = (warp_values_at + C::warps * H * C::head_size * 4 + 15) / 16 * 16;
  static_assert(threads % C::tile == 0 && C::head_size % 2 == 0 && C::splits <= C::warps * C::head_size);
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
  DEVICE const char* tile_keys(int i) const { return shared + i % C::stages * 2 * Shape::half_tile; }
  DEVICE const char* tile_values(int i) const { return tile_keys(i) + Shape::half_tile; }
  DEVICE CopyBarrier& barrier(int i) const { return ((CopyBarrier*)(shared + Shape::barrier_at))[i % C::stages]; }

  // Warp 0: starts copying the cached positions of a tile.
  DEVICE void fetch(int i) const {
    const int from = first + i * C::tile, cached = has_newest() ? position : end;
    const int n = cached - from < C::tile ? cached - from : C::tile;
    if (i >= tiles() || n <= 0) return;
    const int64_t row = ((int64_t)kv_head * C::n_ctx + from) * Shape::row;
    const int bytes = n * Shape::row * 2;
    begin_copies(barrier(i), 2 * bytes);
    copy_to_shared((char*)tile_keys(i), args.keys + row, bytes, barrier(i));
    copy_to_shared((char*)tile_values(i), args.values + row, bytes, barrier(i));
    end_copies(barrier(i));
  }
  DEVICE void await(int i) const {
    if (first + i * C::tile < (has_newest() ? position : end)) barrier(i).wait(i / C::stages & 1);
  }
};

// The mean square of `size` numbers, in every lane. One warp.
DEVICE float mean_square(const float* from, int size) {
  float squares[1] = {};
#pragma unroll 8
  for (int i = thread_index() % 32; i < size; i += 32) {
    const float v = load_global(from + i);
    squares[0] = fmaf(v, v, squares[0]);
  }
  warp_sum(squares);
  return squares[0] / size;
}

// A head of q or k from the projection: norm, rope, times `scale`, into shared memory. `all`: what the norm is of, if
// not of this head alone, `all_size` elements. One warp.
template <class C>
DEVICE void turn_head(const float* from, const float* norm, bool normalize, const float* all, int all_size,
                      const float* angles, float scale, float* to) {
  const int lane = thread_index() % 32;
#pragma unroll 8
  for (int d = lane; d < AttendShape<C>::row; d += 32) to[d] = d < C::head_size ? load_global(from + d) : 0.f;
  if (normalize) {
    const float by = rsqrtf(mean_square(all, all_size) + C::epsilon);
    for (int d = lane; d < C::head_size; d += 32) to[d] *= by * norm[d];
  }
  warp_sync();
  for (int i = lane; i < C::rope_dims / 2; i += 32) {
    const int a = C::rope_adjacent ? 2 * i : i, b = C::rope_adjacent ? 2 * i + 1 : i + C::rope_dims / 2;
    const float cosine = angles[2 * i], sine = angles[2 * i + 1], x = to[a], y = to[b];
    to[a] = x * cosine - y * sine;
    to[b] = x * sine + y * cosine;
  }
  warp_sync();
  for (int d = lane; d < C::head_size; d += 32) to[d] *= scale;
}

// The queries of the block, and the new key and value where this split ends with them. A warp a head, in turn.
template <class C>
DEVICE void load_heads(const AttendBlock<C>& b) {
  using Shape = AttendShape<C>;
  const AttendArgs& a = b.args;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  const float* angles = b.floats(Shape::angle_at);
  for (int h = warp; h < Shape::H; h += C::warps) {
    const int at = (b.first_head + h) * C::head_size;
    constexpr bool whole = C::whole_norms & 1;
    turn_head<C>(a.qkv + at, a.query_norm + (whole ? at : 0), C::query_norm, a.qkv + (whole ? 0 : at),
                 whole ? C::heads * C::head_size : C::head_size, angles, C::scale,
                 b.floats(Shape::query_at) + h * Shape::row);
  }
  if (!b.has_newest() || warp != C::warps - 1) return;
  float* key = b.floats(Shape::key_at);
  const int at = b.kv_head * C::head_size;
  // On its way while the key is turned.
  const float* value = a.qkv + (C::heads + C::kv_heads + b.kv_head) * C::head_size;
  float values[(Shape::row + 31) / 32];
#pragma unroll
  for (int i = 0; i < (Shape::row + 31) / 32; i++)
    values[i] = lane + 32 * i < C::head_size ? load_global(value + lane + 32 * i) : 0.f;
  constexpr bool whole = C::whole_norms & 2;
  const float* keys = a.qkv + C::heads * C::head_size;
  turn_head<C>(keys + at, a.key_norm + (whole ? at : 0), C::key_norm, keys + (whole ? 0 : at),
               whole ? C::kv_heads * C::head_size : C::head_size, angles, 1.f, key);
  warp_sync();
  const bool appends = b.first_head % Shape::heads_per_kv == 0;  // one group of heads does
  const int64_t row = ((int64_t)b.kv_head * C::n_ctx + b.position) * Shape::row;
#pragma unroll
  for (int i = 0; i < (Shape::row + 31) / 32; i++) {
    const int d = lane + 32 * i;
    if (d >= Shape::row) continue;
    const uint16_t k = float_to_half(d < C::head_size ? key[d] : 0.f), v = float_to_half(values[i]);
    const int swizzled = Shape::swizzle(b.position, d / 8) * 8 + d % 8;
    b.newest_key()[swizzled] = k;
    b.newest_value()[d] = v;
    if (appends) a.keys[row + swizzled] = k, a.values[row + d] = v;
  }
}

DEVICE void unpack_halves(const uint4& v, float (&f)[8]) {
  const uint32_t w[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; i++) f[2 * i] = half_to_float(w[i] & 0xffff), f[2 * i + 1] = half_to_float(w[i] >> 16);
}

// scores[h][t] = q_h . k_t for the tile's n positions.
template <class C>
DEVICE void score_tile(const AttendBlock<C>& b, int i, int n) {
  using Shape = AttendShape<C>;
  const int t = thread_index() % C::tile, group = thread_index() / C::tile, position = b.first + i * C::tile + t;
  if (t >= n) return;
  const uint4* key =
      position == b.position ? (const uint4*)b.newest_key() : (const uint4*)b.tile_keys(i) + t * Shape::pieces;
  const float* queries = b.floats(Shape::query_at);
  float scores[Shape::score_heads] = {};
#pragma unroll 4
  for (int piece = 0; piece < Shape::pieces; piece++) {
    float k[8];
    unpack_halves(key[Shape::swizzle(position, piece)], k);
#pragma unroll
    for (int j = 0; j < Shape::score_heads; j++) {
      const int h = group + j * Shape::score_groups;
      if (Shape::H % Shape::score_groups && h >= Shape::H) continue;
      const float4 q0 = *(const float4*)(queries + h * Shape::row + piece * 8);
      const float4 q1 = *(const float4*)(queries + h * Shape::row + piece * 8 + 4);
      scores[j] +=
          q0.x * k[0] + q0.y * k[1] + q0.z * k[2] + q0.w * k[3] + q1.x * k[4] + q1.y * k[5] + q1.z * k[6] + q1.w * k[7];
    }
  }
#pragma unroll
  for (int j = 0; j < Shape::score_heads; j++) {
    const int h = group + j * Shape::score_groups;
    if (h < Shape::H) b.floats(Shape::score_at)[h * C::tile + t] = soft_cap(scores[j], C::soft_cap);
  }
}

// Scores of the tile become exponentials; each head's largest score and sum move on. A warp a head, in turn.
template <class C>
DEVICE void soften_tile(const AttendBlock<C>& b, int n, float (&most)[AttendShape<C>::warp_heads],
                        float (&sum)[AttendShape<C>::warp_heads]) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
#pragma unroll
  for (int j = 0; j < Shape::warp_heads; j++) {
    const int h = warp + j * C::warps;
    if (h >= Shape::H) continue;
    float* scores = b.floats(Shape::score_at) + h * C::tile;
    float largest = -INFINITY;
    for (int t = lane; t < n; t += 32) largest = fmaxf(largest, scores[t]);
    largest = fmaxf(most[j], warp_max(largest));
    const float fade = expf(most[j] - largest);
    float tile_sum[1] = {};
    for (int t = lane; t < n; t += 32) {
      const float e = expf(scores[t] - largest);
      scores[t] = e;
      tile_sum[0] += e;
    }
    warp_sum(tile_sum);
    sum[j] = fmaf(sum[j], fade, tile_sum[0]);
    most[j] = largest;
    if (lane == 0) b.floats(Shape::fade_at)[h] = fade;
  }
}

// value[h] = value[h] * fade + sum over the warp's positions of the tile of e * v.
template <class C>
DEVICE void add_values(const AttendBlock<C>& b, int i, int n,
                       float (&value)[AttendShape<C>::H][AttendShape<C>::pairs][2]) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32, from = b.first + i * C::tile;
  const float* scores = b.floats(Shape::score_at);
#pragma unroll
  for (int h = 0; h < Shape::H; h++) {
    const float fade = b.floats(Shape::fade_at)[h];
#pragma unroll
    for (int j = 0; j < Shape::pairs; j++) value[h][j][0] *= fade, value[h][j][1] *= fade;
  }
#pragma unroll 4
  for (int t = warp; t < n; t += C::warps) {
    const uint16_t* row =
        from + t == b.position ? b.newest_value() : (const uint16_t*)b.tile_values(i) + t * Shape::row;
#pragma unroll
    for (int j = 0; j < Shape::pairs; j++) {
      const int d = 2 * lane + 64 * j;
      if (C::head_size % 64 && d >= C::head_size) continue;
      const uint32_t two = *(const uint32_t*)(row + d);
      const float v0 = half_to_float(two & 0xffff), v1 = half_to_float(two >> 16);
#pragma unroll
      for (int h = 0; h < Shape::H; h++) {
        const float e = scores[h * C::tile + t];
        value[h][j][0] = fmaf(e, v0, value[h][j][0]);
        value[h][j][1] = fmaf(e, v1, value[h][j][1]);
      }
    }
  }
}

// What a head's sink adds to the sum of exponentials beside a largest score: it has no value of its own.
template <class C>
DEVICE float sink_share(const AttendBlock<C>& b, int head, float largest) {
  return C::sinks ? expf(b.args.sinks[head] - largest) : 0.f;
}

// Adds up the splits of the block's heads: out = sum_s e^(m_s - M) values_s / sum_s e^(m_s - M) sum_s. First a warp a
// head, lanes over splits, for what each split weighs; then a thread for each of the heads' dimensions.
template <class C>
DEVICE void combine_splits(const AttendBlock<C>& b) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float* weights = b.floats(Shape::warp_values_at);  // [H][splits]
  const auto value_of = [&](int i, int s) {
    const int64_t head = b.first_head + i / C::head_size;
    return load_global(b.args.partial + (head * C::splits + s) * Shape::partial_row + i % C::head_size);
  };
  // The thread's first values are on their way while the weights are worked out.
  constexpr int ahead = C::splits < 16 ? C::splits : 16;
  float first[ahead];
#pragma unroll
  for (int s = 0; s < ahead; s++)
    first[s] = s < b.splits && thread_index() < Shape::H * C::head_size ? value_of(thread_index(), s) : 0.f;
  for (int h = warp; h < Shape::H; h += C::warps) {
    const float* last = b.args.partial + (int64_t)(b.first_head + h) * C::splits * Shape::partial_row + C::head_size;
    float most[Shape::lane_splits], sum[Shape::lane_splits], total[1] = {}, largest = -INFINITY;
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) {
      const int s = lane + 32 * j;
      most[j] = s < b.splits ? load_global(last + s * Shape::partial_row) : -INFINITY;
      sum[j] = s < b.splits ? load_global(last + s * Shape::partial_row + 1) : 0.f;
    }
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) largest = fmaxf(largest, most[j]);
    largest = warp_max(largest);
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) most[j] = expf(most[j] - largest), total[0] += most[j] * sum[j];
    warp_sum(total);
    total[0] += sink_share(b, b.first_head + h, largest);
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++)
      if (lane + 32 * j < b.splits) weights[h * C::splits + lane + 32 * j] = most[j] / total[0];
  }
  block_sync();
  for (int i = thread_index(); i < Shape::H * C::head_size; i += Shape::threads) {
    const float* weight = weights + i / C::head_size * C::splits;
    float value = 0;
    int s = 0;
    if (i == thread_index()) {
#pragma unroll
      for (; s < ahead; s++)
        if (s < b.splits) value = fmaf(weight[s], first[s], value);
    }
#pragma unroll 8
    for (; s < b.splits; s++) value = fmaf(weight[s], value_of(i, s), value);
    b.args.output[b.first_head * C::head_size + i] = value;
  }
}

// Adds up the block's warps and writes the heads' results, or what combine_splits needs of them.
template <class C>
DEVICE void finish_heads(const AttendBlock<C>& b, const float (&value)[AttendShape<C>::H][AttendShape<C>::pairs][2],
                         const float (&most)[AttendShape<C>::warp_heads],
                         const float (&sum)[AttendShape<C>::warp_heads]) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float* warp_values = b.floats(Shape::warp_values_at);
#pragma unroll
  for (int h = 0; h < Shape::H; h++)
#pragma unroll
    for (int j = 0; j < Shape::pairs; j++) {
      const int d = 2 * lane + 64 * j;
      if (C::head_size % 64 && d >= C::head_size) continue;
      warp_values[(warp * Shape::H + h) * C::head_size + d] = value[h][j][0];
      warp_values[(warp * Shape::H + h) * C::head_size + d + 1] = value[h][j][1];
    }
#pragma unroll
  for (int j = 0; j < Shape::warp_heads; j++) {
    const int h = warp + j * C::warps;
    if (h < Shape::H && lane == 0) b.floats(Shape::most_at)[h] = most[j], b.floats(Shape::sum_at)[h] = sum[j];
  }
  block_sync();
  for (int i = thread_index(); i < Shape::H * C::head_size; i += Shape::threads) {
    const int h = i / C::head_size, d = i % C::head_size, head = b.first_head + h;
    float v = 0;
#pragma unroll
    for (int w = 0; w < C::warps; w++) v += warp_values[w * Shape::H * C::head_size + i];
    if (b.splits == 1) {
      const float sink = sink_share(b, head, b.floats(Shape::most_at)[h]);
      b.args.output[head * C::head_size + d] = v / (b.floats(Shape::sum_at)[h] + sink);
      continue;
    }
    float* partial = b.args.partial + ((int64_t)head * C::splits + b.split) * Shape::partial_row;
    partial[d] = v;
    if (d == 0)
      partial[C::head_size] = b.floats(Shape::most_at)[h], partial[C::head_size + 1] = b.floats(Shape::sum_at)[h];
  }
  if (b.splits == 1) return;
  int* is_last = (int*)b.floats(Shape::sum_at + Shape::H * 4);
  block_sync();
  if (thread_index() == 0) *is_last = arrive(b.args.counters + b.counter) == (uint32_t)b.splits - 1;
  block_sync();
  if (!*is_last) return;
  combine_splits(b);
  if (thread_index() == 0) b.args.counters[b.counter] = 0;
}

template <class C>
DEVICE void attend(const AttendArgs& a) {
  using Shape = AttendShape<C>;
  const int heads_index = block_index() / C::splits, kv_head = heads_index / Shape::head_groups;
  const int first_head = kv_head * Shape::heads_per_kv + heads_index % Shape::head_groups * Shape::H;

  // Equal shares of what is seen for as many splits as are worth it; the last one holds the newest position.
  const int position = load_settled(&a.state->position), seq_len = load_settled(&a.state->seq_len);
  const int hidden = C::window && seq_len > C::window ? seq_len - C::window : 0, seen = seq_len - hidden;
  int splits = seen <= C::whole ? 1 : (seen + C::min_split - 1) / C::min_split;
  if (splits > C::splits) splits = C::splits;
  const int share = (seen + splits - 1) / splits;
  splits = (seen + share - 1) / share;
  const int split = block_index() % C::splits;
  const AttendBlock<C> b = {a,
                            shared_memory(),
                            split,
                            kv_head,
                            first_head,
                            heads_index,
                            position,
                            splits,
                            hidden + split * share,
                            split == splits - 1 ? seq_len : hidden + (split + 1) * share};
  grid_release();
  if (split >= splits || heads_index >= C::kv_heads * Shape::head_groups) {
    grid_wait();  // to keep the place: what comes into it is for every multiprocessor
    return;
  }
  if (thread_index() < 32) {
    if (thread_index() == 0)
      for (int i = 0; i < C::stages; i++) b.barrier(i).init();
    copy_barriers_ready();
    warp_sync();
    for (int i = 0; i < C::stages; i++) b.fetch(i);
  }
  for (int i = thread_index(); i < C::rope_dims / 2; i += Shape::threads) {
    float angle = position * C::inverse_frequency(i);
    if (C::rope_factors) angle /= a.rope_factors[i];
    float* at = b.floats(Shape::angle_at) + 2 * i;
    sincosf(angle, at + 1, at);
    at[0] *= C::rope_magnitude, at[1] *= C::rope_magnitude;
  }
  block_sync();
  grid_wait();
  load_heads(b);
  block_sync();

  float most[Shape::warp_heads], sum[Shape::warp_heads] = {};  // of this warp's heads
  float value[Shape::H][Shape::pairs][2] = {};                 // of this warp's positions
#pragma unroll
  for (int j = 0; j < Shape::warp_heads; j++) most[j] = -INFINITY;
  for (int i = 0; i < b.tiles(); i++) {
    const int left = b.end - b.first - i * C::tile, n = left < C::tile ? left : C::tile;
    b.await(i);
    score_tile(b, i, n);
    block_sync();
    soften_tile(b, n, most, sum);
    block_sync();
    add_values(b, i, n, value);
    block_sync();
    if (thread_index() < 32) b.fetch(i + C::stages);
  }
  finish_heads(b, value, most, sum);
}

}  // namespace realizar
