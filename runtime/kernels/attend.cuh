// One token's attention for one layer: norms of q and k, rope, KV append, softmax(cap(q k^T * scale)) v.
//
// The context is split over blocks (flash decoding): block = (KV head, group of its query heads, split), and over a
// block's warps in chunks of 16 positions, which come through shared memory: each warp has a ring of C::ring of them.
// All of the cache but the newest position was written by earlier launches, as was the state, so position, rope angles
// and the first chunks are there before grid_wait; only q and the new key and value come after it.
//
// Each block turns its queries itself. The blocks of the last split also turn the new key and use it and the new value
// from shared memory; one of them appends both to the cache. A warp multiplies on tensor cores, up to eight queries at
// once. Keys and values are halves; a query, and how much a position weighs, is the sum of two halves, so that nothing
// is lost: rows of the scores' tile are the queries' high halves, then their low ones. Then the block's warps are added
// up, and leave (weighted values, largest score, sum of exponentials) of each head where the context is split; the last
// block to arrive for a group of heads adds the splits up, in their order, so that the result does not depend on who
// was last.
//
// KV cache of a layer: keys then values, each f16 [kv_heads][n_ctx][row], row = head_size rounded up to 16, zeros after
// head_size. The 16-byte pieces of a row are swizzled by its position, so that rows of a tile are in different banks.
//
// C: heads, kv_heads, head_size, heads_per_block, splits, min_split (positions that are worth a block of their own),
//    whole (positions that are not worth adding splits up), ring, n_ctx, warps; scale, soft_cap (0: none),
//    window (newest positions that are seen; 0: all); rope_dims (0: nothing turns), rope_adjacent, rope_magnitude,
//    inverse_frequency(i), rope_factors; query_norm, key_norm, whole_norms (bit 0: of all query heads together, bit 1:
//    of all key heads), norm_turned (norms come after the rope), epsilon; sinks (a score of each head's that takes its
//    share of the softmax); gates (of what).
#pragma once
#include "activation.cuh"
#include "attend_shape.cuh"
#include "matrix.cuh"

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

// A head of q or k from the projection: norm and rope or, with norm_turned, rope and norm, times `scale`; store(d,
// value) of each element, and of those that fill the row up. `all`: what the norm is of, if not of this head alone,
// `all_size` elements. One warp; a lane has the pairs of elements that turn together.
template <class C, class Store>
DEVICE void turn_head(const float* from, const float* norm, bool normalize, const float* all, int all_size,
                      const float* angles, float scale, const Store& store) {
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
  const auto cosine = [&](int i) { return i < turning ? angles[2 * i] : 1.f; };
  const auto sine = [&](int i) { return i < turning ? angles[2 * i + 1] : 0.f; };
  if constexpr (C::norm_turned) {
#pragma unroll
    for (int j = 0; j < each; j++) {
      const int i = lane + 32 * j;
      const float turned = x[j] * cosine(i) - y[j] * sine(i);
      y[j] = x[j] * sine(i) + y[j] * cosine(i), x[j] = turned;
    }
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
    const float c = C::norm_turned ? 1.f : cosine(i), s = C::norm_turned ? 0.f : sine(i);
    store(first(i), (x[j] * c - y[j] * s) * scale);
    store(second(i), (x[j] * s + y[j] * c) * scale);
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
                 [&](int d, float v) {
                   const uint16_t high = float_to_half(v);
                   b.query(0, h)[d] = high, b.query(1, h)[d] = float_to_half(v - half_to_float(high));
                 });
  }
  if (!b.has_newest() || warp != C::warps - 1) return;
  const bool appends = b.first_head % Shape::heads_per_kv == 0;  // one group of heads does
  const int64_t row = ((int64_t)b.kv_head * C::n_ctx + b.position) * Shape::row;
  const auto keep = [&](uint16_t* newest, uint16_t* cache, int d, float v) {
    const int at = Shape::swizzle(b.position, d / 8) * 8 + d % 8;
    newest[at] = float_to_half(v);
    if (appends) cache[row + at] = newest[at];
  };
  const int at = b.kv_head * C::head_size;
  // On its way while the key is turned.
  const float* value = a.qkv + (C::heads + C::kv_heads) * C::head_size + at;
  float values[(Shape::row + 31) / 32];
#pragma unroll
  for (int i = 0; i < (Shape::row + 31) / 32; i++)
    values[i] = lane + 32 * i < C::head_size ? load_global(value + lane + 32 * i) : 0.f;
  constexpr bool whole = C::whole_norms & 2;
  const float* keys = a.qkv + C::heads * C::head_size;
  turn_head<C>(keys + at, b.floats(Shape::norms_at) + Shape::query_norms, C::key_norm, keys + (whole ? 0 : at),
               whole ? C::kv_heads * C::head_size : C::head_size, angles, 1.f,
               [&](int d, float v) { keep(b.newest_key(), a.keys, d, v); });
#pragma unroll
  for (int i = 0; i < (Shape::row + 31) / 32; i++)
    if (lane + 32 * i < Shape::row) keep(b.newest_value(), a.values, lane + 32 * i, values[i]);
}

// The queries as tiles: rows of high halves, then of low ones. Rows beyond H repeat the last head.
template <class C>
struct Queries {
  using Shape = AttendShape<C>;
  static constexpr bool kept = Shape::steps <= 8;  // in registers; there are too few of them for longer heads
  const uint16_t* row;
  uint32_t tiles[kept ? Shape::steps : 1][4];

  DEVICE Queries(const AttendBlock<C>& b) {
    const int lane = thread_index() % 32, h = lane % 8;
    row = b.query(lane / 8 % 2, h < Shape::H ? h : Shape::H - 1) + lane / 16 * 8;
#pragma unroll
    for (int s = 0; s < Shape::steps && kept; s++) load_tiles(row + 16 * s, tiles[s]);
  }
  DEVICE const uint32_t (&step(int s))[4] {
    if (!kept) load_tiles(row + 16 * s, tiles[0]);
    return tiles[kept ? s : 0];
  }
};

// What a warp has found so far of its positions.
template <class C>
struct WarpHeads {
  // Head lane / 4: the largest score, and beside it the sum of exponentials of this lane's positions.
  float most = -INFINITY, sum = 0;
  // Weighted values of dimensions 16 s + lane / 4 and 8 more, each of heads 2 * (lane % 4) and 1 more.
  float value[AttendShape<C>::steps][4] = {};
};

// The i-th chunk of a warp.
template <class C>
DEVICE void attend_chunk(const AttendBlock<C>& b, int i, Queries<C>& queries, WarpHeads<C>& found) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  const int from = b.chunk_first(warp, i), left = b.end - from, n = left < Shape::chunk ? left : Shape::chunk;
  // The row of keys and of values that this lane names. Beyond the last that is there, that one, which weighs nothing.
  const int mine = lane / 16 * 8 + lane % 8, t = mine < n ? mine : n - 1;
  const bool newest = from + t == b.position;
  const uint16_t* keys = newest ? b.newest_key() : (const uint16_t*)b.chunk_keys(warp, i) + t * Shape::row;
  const uint16_t* values = newest ? b.newest_value() : keys + Shape::half_chunk / 2;
  const int piece = Shape::swizzle(from + t, lane / 8 % 2);

  float scores[2][4] = {};  // of eight positions each: 2 * (lane % 4) and 1 more; by the queries' high and low halves
#pragma unroll
  for (int s = 0; s < Shape::steps; s++) {
    uint32_t tiles[4];
    load_tiles(keys + (2 * s ^ piece) * 8, tiles);
    const uint32_t(&query)[4] = queries.step(s);
    multiply_add(scores[0], query, tiles[0], tiles[1]);
    multiply_add(scores[1], query, tiles[2], tiles[3]);
  }

  float share[2][2], most[1] = {found.most};
#pragma unroll
  for (int k = 0; k < 4; k++) {
    const bool there = k / 2 * 8 + lane % 4 * 2 + k % 2 < n;
    const float score = soft_cap(scores[k / 2][k % 2] + scores[k / 2][k % 2 + 2], C::soft_cap);
    share[k / 2][k % 2] = there ? score : -INFINITY;
    most[0] = fmaxf(most[0], share[k / 2][k % 2]);
  }
  warp_max<4>(most);
  const float fade = fast_exp(found.most - most[0]);
  found.most = most[0];
  found.sum *= fade;
  uint32_t high[2], low[2];
#pragma unroll
  for (int k = 0; k < 2; k++) {
    uint16_t halves[2][2];
#pragma unroll
    for (int e = 0; e < 2; e++) {
      const float v = fast_exp(share[k][e] - most[0]);
      found.sum += v;
      halves[0][e] = float_to_half(v), halves[1][e] = float_to_half(v - half_to_float(halves[0][e]));
    }
    high[k] = halves[0][0] | (uint32_t)halves[0][1] << 16, low[k] = halves[1][0] | (uint32_t)halves[1][1] << 16;
  }

  const float fades[2] = {warp_shuffle(fade, lane % 4 * 8), warp_shuffle(fade, lane % 4 * 8 + 4)};
#pragma unroll
  for (int s = 0; s < Shape::steps; s++) {
    uint32_t tiles[4];
    load_tiles_turned(values + (2 * s ^ piece) * 8, tiles);
#pragma unroll
    for (int k = 0; k < 4; k++) found.value[s][k] *= fades[k % 2];
    multiply_add(found.value[s], tiles, high[0], high[1]);
    multiply_add(found.value[s], tiles, low[0], low[1]);
  }
}

// What a head's sink adds to the sum of exponentials beside a largest score: it has no value of its own.
template <class C>
DEVICE float sink_share(const AttendBlock<C>& b, int head, float largest) {
  return C::sinks ? fast_exp(b.args.sinks[head] - largest) : 0.f;
}

// The gate of element i of what the block's heads give, as the projection left it.
template <class C>
DEVICE float load_gate(const AttendBlock<C>& b, int i) {
  const float* gates = b.args.qkv + (C::heads + 2 * C::kv_heads) * C::head_size;
  const int element = b.first_head * C::head_size + i;
  return load_global(gates + (C::gates == Gates::heads ? element / C::head_size : element));
}

// What element i is multiplied with. first_gate: that of the thread's first one, loaded long before.
template <class C>
DEVICE float gated_by(const AttendBlock<C>& b, int i, float first_gate) {
  return C::gates == Gates::none ? 1.f : sigmoid(i == thread_index() ? first_gate : load_gate(b, i));
}

// Adds up the splits of the block's heads: out = sum_s e^(m_s - M) values_s / sum_s e^(m_s - M) sum_s. First a warp a
// head, lanes over splits, for what each split weighs; then a thread for each of the heads' dimensions.
template <class C>
DEVICE void combine_splits(const AttendBlock<C>& b, float first_gate) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float* weights = b.floats(0);  // [H][splits]
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
    for (int j = 0; j < Shape::lane_splits; j++) most[j] = fast_exp(most[j] - largest[0]), total[0] += most[j] * sum[j];
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
    b.args.output[b.first_head * C::head_size + i] = value * gated_by(b, i, first_gate);
  }
}

// Adds up the block's warps and writes the heads' results, or what combine_splits needs of them.
template <class C>
DEVICE void finish_heads(const AttendBlock<C>& b, WarpHeads<C>& found, float first_gate) {
  using Shape = AttendShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float *all_most = b.floats(Shape::most_at), *all_sums = b.floats(Shape::sum_at);
  float sum[1] = {found.sum};
  warp_sum<4>(sum);
  if (lane % 4 == 0 && lane / 4 < Shape::H)
    all_most[lane / 4 * C::warps + warp] = found.most, all_sums[lane / 4 * C::warps + warp] = sum[0];
  float* own = (float*)b.ring(warp);
#pragma unroll
  for (int s = 0; s < Shape::steps; s++)
#pragma unroll
    for (int k = 0; k < 4; k++) {
      const int h = lane % 4 * 2 + k % 2, d = 16 * s + k / 2 * 8 + lane / 4;
      if (h < Shape::H) own[h * Shape::value_row + d] = found.value[s][k];
    }
  block_sync();
  for (int i = thread_index(); i < Shape::H * C::head_size; i += Shape::threads) {
    const int h = i / C::head_size, d = i % C::head_size, head = b.first_head + h;
    float most = -INFINITY, value = 0, sum = 0;
#pragma unroll
    for (int w = 0; w < C::warps; w++) most = fmaxf(most, all_most[h * C::warps + w]);
#pragma unroll
    for (int w = 0; w < C::warps; w++) {
      const float weight = fast_exp(all_most[h * C::warps + w] - most);  // 0 of a warp that had no position
      sum = fmaf(weight, all_sums[h * C::warps + w], sum);
      value = fmaf(weight, ((const float*)b.ring(w))[h * Shape::value_row + d], value);
    }
    if (b.splits == 1) {
      b.args.output[head * C::head_size + d] = value / (sum + sink_share(b, head, most)) * gated_by(b, i, first_gate);
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
  combine_splits(b, first_gate);
  if (thread_index() == 0) b.args.counters[b.counter] = 0;
}

template <class C>
DEVICE void attend(const AttendArgs& a) {
  using Shape = AttendShape<C>;
  grid_release();  // what the next node asks for early arrives while this one waits for its chain of small loads
  const int heads_index = block_index() / C::splits, kv_head = heads_index / Shape::head_groups;
  const int first_head = kv_head * Shape::heads_per_kv + heads_index % Shape::head_groups * Shape::H;

  // Equal shares of what is seen for as many splits as are worth it; the last one holds the newest position.
  const int position = load_settled(&a.state->position), seq_len = load_settled(&a.state->seq_len);
  const int hidden = C::window && seq_len > C::window ? seq_len - C::window : 0, seen = seq_len - hidden;
  int splits = seen <= C::whole ? 1 : (seen + C::min_split - 1) / C::min_split;
  if (splits > C::splits) splits = C::splits;
  const int share = ((seen + splits - 1) / splits + Shape::chunk - 1) / Shape::chunk * Shape::chunk;
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
    grid_wait();  // to keep the place: what comes into it is for every multiprocessor
    return;
  }
  const int warp = thread_index() / 32;
  if (thread_index() % 32 == 0)
    for (int i = 0; i < C::ring; i++) b.barrier(warp, i).init();
  copy_barriers_ready();
  warp_sync();
  for (int i = 0; i < C::ring; i++) b.fetch(warp, i);
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
  float first_gate = 0;
  if (C::gates != Gates::none && thread_index() < Shape::H * C::head_size) first_gate = load_gate(b, thread_index());
  load_heads(b);
  block_sync();
  Queries<C> queries(b);
  WarpHeads<C> found;
  for (int i = 0; b.chunk_first(warp, i) < b.end; i++) {
    b.await(warp, i);
    attend_chunk(b, i, queries, found);
    warp_sync();
    b.fetch(warp, i + C::ring);
  }
  finish_heads(b, found, first_gate);
}

}  // namespace realizar
