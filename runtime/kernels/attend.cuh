// One token's attention for one layer: norms of q and k, rope, KV append, softmax(cap(q k^T * scale)) v.
//
// The context is split over blocks (flash decoding): block = (KV head, group of its query heads, split). A split's
// share of the cache comes through shared memory in tiles of C::tile positions, a ring of C::stages of them. All of it
// but the newest position was written by earlier launches, as was the state, so position, rope angles and the first
// tiles are there before grid_wait; only q and the new key and value come after it.
//
// Each block turns its queries itself. The blocks of the last split also turn the new key and use it and the new value
// from shared memory; one of them appends both to the cache. A warp takes eight positions of a tile at a time, by
// itself: scores with four lanes a position, softmax, values with lanes over the head. Then the block's warps are added
// up, and leave (weighted values, largest score, sum of exponentials) of each head where the context is split; the last
// block to arrive for a group of heads adds the splits up, in their order, so that the result does not depend on who
// was last.
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
#include "activation.cuh"
#include "attend_shape.cuh"
#include "formats.cuh"

namespace realizar {

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
// not of this head alone, `all_size` elements. One warp; a lane has the pairs of elements that turn together.
template <class C>
DEVICE void turn_head(const float* from, const float* norm, bool normalize, const float* all, int all_size,
                      const float* angles, float scale, float* to) {
  constexpr int pairs = AttendShape<C>::row / 2, each = (pairs + 31) / 32, turning = C::rope_dims / 2;
  const auto first = [](int i) { return i < turning && !C::rope_adjacent ? i : 2 * i; };
  const auto second = [](int i) { return i < turning && !C::rope_adjacent ? i + turning : 2 * i + 1; };
  const auto load = [&](int i, int d) { return i < pairs && d < C::head_size ? load_global(from + d) : 0.f; };
  const int lane = thread_index() % 32;
  float x[each], y[each];
#pragma unroll
  for (int j = 0; j < each; j++) {
    const int i = lane + 32 * j;
    x[j] = load(i, first(i)), y[j] = load(i, second(i));
  }
  if (normalize) {
    float squares[1] = {};
#pragma unroll
    for (int j = 0; j < each; j++) squares[0] = fmaf(x[j], x[j], fmaf(y[j], y[j], squares[0]));
    warp_sum(squares);
    const float mean = all_size == C::head_size ? squares[0] / C::head_size : mean_square(all, all_size);
    const float by = rsqrtf(mean + C::epsilon);
#pragma unroll
    for (int j = 0; j < each; j++) {
      const int i = lane + 32 * j;
      if (i < pairs && first(i) < C::head_size) x[j] *= by * norm[first(i)];
      if (i < pairs && second(i) < C::head_size) y[j] *= by * norm[second(i)];
    }
  }
#pragma unroll
  for (int j = 0; j < each; j++) {
    const int i = lane + 32 * j;
    if (i >= pairs) continue;
    const float cosine = i < turning ? angles[2 * i] : 1.f, sine = i < turning ? angles[2 * i + 1] : 0.f;
    to[first(i)] = (x[j] * cosine - y[j] * sine) * scale;
    to[second(i)] = (x[j] * sine + y[j] * cosine) * scale;
  }
}

// The norms' weights of the block's heads, into shared memory.
template <class C>
DEVICE void load_norms(const AttendBlock<C>& b) {
  using Shape = AttendShape<C>;
  float* norms = b.floats(Shape::norms_at);
  const float* query = b.args.query_norm + (C::whole_norms & 1 ? b.first_head * C::head_size : 0);
  const float* key = b.args.key_norm + (C::whole_norms & 2 ? b.kv_head * C::head_size : 0);
  for (int i = thread_index(); i < Shape::query_norms; i += Shape::threads) norms[i] = query[i];
  for (int i = thread_index(); i < Shape::key_norms; i += Shape::threads) norms[Shape::query_norms + i] = key[i];
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
    turn_head<C>(a.qkv + at, b.floats(Shape::norms_at) + (whole ? h * C::head_size : 0), C::query_norm,
                 a.qkv + (whole ? 0 : at), whole ? C::heads * C::head_size : C::head_size, angles, C::scale,
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
  turn_head<C>(keys + at, b.floats(Shape::norms_at) + Shape::query_norms, C::key_norm, keys + (whole ? 0 : at),
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

// What a warp has found so far of its positions: of each head the largest score and, beside it, the sum of exponentials
// (each lane of its position's) and the weighted values (each lane of its dimensions).
template <class C>
struct WarpHeads {
  using Shape = AttendShape<C>;
  float most[Shape::H], sum[Shape::H] = {};
  float value[Shape::H][Shape::pairs][2] = {};

  DEVICE WarpHeads() {
#pragma unroll
    for (int h = 0; h < Shape::H; h++) most[h] = -INFINITY;
  }
};

// scores[h] = q_h . k of one position, in the four lanes that share it.
template <class C>
DEVICE void score_position(const AttendBlock<C>& b, const uint4* key, int position,
                           float (&scores)[AttendShape<C>::H]) {
  using Shape = AttendShape<C>;
  const int part = thread_index() % 4;
  const float* queries = b.floats(Shape::query_at);
#pragma unroll
  for (int j = 0; j < (Shape::pieces + 7) / 8 * 2; j++) {
    // Two neighbours of every eight: with their keys swizzled, lanes of two positions read from different banks.
    const int piece = 2 * part + j % 2 + j / 2 * 8;
    if (Shape::pieces % 8 && piece >= Shape::pieces) continue;
    float k[8];
    unpack_halves(key[Shape::swizzle(position, piece)], k);
#pragma unroll
    for (int h = 0; h < Shape::H; h++) {
      const float4 q0 = *(const float4*)(queries + h * Shape::row + piece * 8);
      const float4 q1 = *(const float4*)(queries + h * Shape::row + piece * 8 + 4);
      scores[h] = dot(q1, {k[4], k[5], k[6], k[7]}, dot(q0, {k[0], k[1], k[2], k[3]}, scores[h]));
    }
  }
  warp_sum<4>(scores);
#pragma unroll
  for (int h = 0; h < Shape::H; h++) scores[h] = soft_cap(scores[h], C::soft_cap);
}

// Eight positions of tile i from `at` on, of those up to n that are there. One warp.
template <class C>
DEVICE void attend_positions(const AttendBlock<C>& b, int i, int at, int n, WarpHeads<C>& found) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32, from = b.first + i * C::tile;
  // Lanes without a position of their own follow the last one that is there, and weigh nothing.
  const int mine = at + lane / 4, t = mine < n ? mine : n - 1;
  float scores[Shape::H] = {}, largest[Shape::H];
  score_position(b, from + t == b.position ? (const uint4*)b.newest_key() : b.tile_key(i, t), from + t, scores);
#pragma unroll
  for (int h = 0; h < Shape::H; h++) largest[h] = scores[h];
  warp_max<4>(largest);
  float* shares = b.floats(Shape::shares_at) + warp * Shape::H * 8;
#pragma unroll
  for (int h = 0; h < Shape::H; h++) {
    const float most = fmaxf(found.most[h], largest[h]), fade = expf(found.most[h] - most);
    const float share = mine < n ? expf(scores[h] - most) : 0.f;
    found.most[h] = most;
    found.sum[h] = fmaf(found.sum[h], fade, share);
#pragma unroll
    for (int j = 0; j < Shape::pairs; j++) found.value[h][j][0] *= fade, found.value[h][j][1] *= fade;
    if (lane % 4 == 0) shares[h * 8 + lane / 4] = share;
  }
  warp_sync();
#pragma unroll
  for (int p = 0; p < 8; p++) {
    const int row = at + p < n ? at + p : n - 1;
    const uint16_t* values = from + row == b.position ? b.newest_value() : b.tile_value(i, row);
#pragma unroll
    for (int j = 0; j < Shape::pairs; j++) {
      const int d = 2 * lane + 64 * j;
      if (C::head_size % 64 && d >= C::head_size) continue;
      const uint32_t two = *(const uint32_t*)(values + d);
      const float v0 = half_to_float(two & 0xffff), v1 = half_to_float(two >> 16);
#pragma unroll
      for (int h = 0; h < Shape::H; h++) {
        found.value[h][j][0] = fmaf(shares[h * 8 + p], v0, found.value[h][j][0]);
        found.value[h][j][1] = fmaf(shares[h * 8 + p], v1, found.value[h][j][1]);
      }
    }
  }
  warp_sync();
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
    float most[Shape::lane_splits], sum[Shape::lane_splits], total[1] = {}, largest[1] = {-INFINITY};
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) {
      const int s = lane + 32 * j;
      most[j] = s < b.splits ? load_global(last + s * Shape::partial_row) : -INFINITY;
      sum[j] = s < b.splits ? load_global(last + s * Shape::partial_row + 1) : 0.f;
    }
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) largest[0] = fmaxf(largest[0], most[j]);
    warp_max(largest);
#pragma unroll
    for (int j = 0; j < Shape::lane_splits; j++) most[j] = expf(most[j] - largest[0]), total[0] += most[j] * sum[j];
    warp_sum(total);
    total[0] += sink_share(b, b.first_head + h, largest[0]);
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
DEVICE void finish_heads(const AttendBlock<C>& b, WarpHeads<C>& found) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float* warp_values = b.floats(Shape::warp_values_at);
  float *warp_most = b.floats(Shape::most_at), *warp_sums = b.floats(Shape::sum_at);
  // Four lanes share a position.
#pragma unroll
  for (int h = 0; h < Shape::H; h++) found.sum[h] = lane % 4 == 0 ? found.sum[h] : 0.f;
  warp_sum(found.sum);
#pragma unroll
  for (int h = 0; h < Shape::H; h++) {
    if (lane == 0) warp_most[warp * Shape::H + h] = found.most[h], warp_sums[warp * Shape::H + h] = found.sum[h];
#pragma unroll
    for (int j = 0; j < Shape::pairs; j++) {
      const int d = 2 * lane + 64 * j;
      if (C::head_size % 64 && d >= C::head_size) continue;
      warp_values[(warp * Shape::H + h) * C::head_size + d] = found.value[h][j][0];
      warp_values[(warp * Shape::H + h) * C::head_size + d + 1] = found.value[h][j][1];
    }
  }
  block_sync();
  for (int i = thread_index(); i < Shape::H * C::head_size; i += Shape::threads) {
    const int h = i / C::head_size, d = i % C::head_size, head = b.first_head + h;
    float most = -INFINITY, value = 0, sum = 0;
#pragma unroll
    for (int w = 0; w < C::warps; w++) most = fmaxf(most, warp_most[w * Shape::H + h]);
#pragma unroll
    for (int w = 0; w < C::warps; w++) {
      const float weight = expf(warp_most[w * Shape::H + h] - most);  // 0 of a warp that had no position
      sum = fmaf(weight, warp_sums[w * Shape::H + h], sum);
      value = fmaf(weight, warp_values[w * Shape::H * C::head_size + i], value);
    }
    if (b.splits == 1) {
      b.args.output[head * C::head_size + d] = value / (sum + sink_share(b, head, most));
      continue;
    }
    float* partial = b.args.partial + ((int64_t)head * C::splits + b.split) * Shape::partial_row;
    partial[d] = value;
    if (d == 0) partial[C::head_size] = most, partial[C::head_size + 1] = sum;
  }
  if (b.splits == 1) return;
  int* is_last = (int*)b.floats(Shape::is_last_at);
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
  if (split >= splits || heads_index >= C::kv_heads * Shape::head_groups) {
    grid_release();
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
  load_norms(b);
  block_sync();
  grid_wait();
  load_heads(b);
  block_sync();
  // Not earlier: the next node's weights would be in the way of the queries.
  grid_release();
  WarpHeads<C> found;
  for (int i = 0; i < b.tiles(); i++) {
    const int left = b.end - b.first - i * C::tile, n = left < C::tile ? left : C::tile;
    b.await(i);
    for (int at = thread_index() / 32 * 8; at < n; at += C::warps * 8) attend_positions(b, i, at, n, found);
    if (i + C::stages >= b.tiles()) continue;
    block_sync();
    if (thread_index() < 32) b.fetch(i + C::stages);
  }
  finish_heads(b, found);
}

}  // namespace realizar
