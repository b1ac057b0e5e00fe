// The main loop of attention: a warp takes 16 positions at a time on tensor cores, with an online softmax:
//   s = cap(q k^T), m' = max(m, s), p = e^(s - m'), sum = sum * e^(m - m') + p, value = value * e^(m - m') + p v
#pragma once
#include "../matrix.cuh"
#include "load.cuh"

namespace realizar {

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
  const int piece = Shape::Row::swizzle(from + t, lane / 8 % 2);

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
    const float score = C::cap::apply(scores[k / 2][k % 2] + scores[k / 2][k % 2 + 2]);
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
    load_tiles_transposed(values + (2 * s ^ piece) * 8, tiles);
#pragma unroll
    for (int k = 0; k < 4; k++) found.value[s][k] *= fades[k % 2];
    multiply_add(found.value[s], tiles, high[0], high[1]);
    multiply_add(found.value[s], tiles, low[0], low[1]);
  }
}

}  // namespace realizar
