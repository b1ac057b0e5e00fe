// The main loop of attention of many rows: a warp has 16 queries and takes a chunk of positions at a time on tensor
// cores, with an online softmax:
//   s = cap(q k^T), m' = max(m, s), p = e^(s - m'), sum = sum * e^(m - m') + p, value = value * e^(m - m') + p v
// Scores, probabilities (operand A of their product with values, as f16) and values stay in registers. What a chunk
// does to a query that sees none of its positions is nothing, bit for bit: p = 0, m' = m, e^0 = 1.
#pragma once
#include "../matrix.cuh"
#include "queries.cuh"

namespace realizar {

constexpr float log2_e = 1.44269504f;

// What a warp has found of its queries: lane l of queries l / 4 and l / 4 + 8.
template <class C>
struct Found {
  using Shape = AttendRowsShape<C>;
  float most[2] = {-INFINITY, -INFINITY}, sum[2] = {};  // sum: of this lane's positions
  // Of dimensions 8 i + l % 4 * 2 and 1 more, of the first query and then of the second.
  float value[Shape::dim_tiles][4] = {};
};

// What the scores are relative to: never -infinity, so that e^(-infinity - it) is 0.
DEVICE float reference(float most) { return most == -INFINITY ? 0.f : most; }

// The scores of a chunk's positions: 8 i + l % 4 * 2 and 1 more, of the first query and then of the second.
template <class C>
DEVICE void score(const uint16_t* keys, TileQueries<C>& queries, float (&scores)[AttendRowsShape<C>::chunk / 8][4]) {
  using Shape = AttendRowsShape<C>;
  const int lane = thread_index() % 32, t = lane / 16 * 8 + lane % 8, piece = Shape::Row::swizzle(t, lane / 8 % 2);
  const uint16_t* row = keys + t * Shape::row;
#pragma unroll
  for (int s = 0; s < Shape::steps; s++) {
#pragma unroll
    for (int part = 0; part < (C::rests ? 2 : 1); part++) {
      const uint32_t(&query)[4] = queries.step(part * Shape::steps + s);
#pragma unroll
      for (int i = 0; i < Shape::chunk / 16; i++) {
        uint32_t tiles[4];
        load_tiles(row + i * 16 * Shape::row + (2 * s ^ piece) * 8, tiles);
        multiply_add(scores[2 * i], query, tiles[0], tiles[1]);
        multiply_add(scores[2 * i + 1], query, tiles[2], tiles[3]);
      }
    }
  }
}

// value += p v. Positions from `there` on are those of nobody: where their values should be may be anything, so the
// last that is there stands for them, which weighs nothing.
template <class C, bool Edge>
DEVICE void add_values(const uint16_t* values, int there, const uint32_t (&weights)[AttendRowsShape<C>::chunk / 16][4],
                       Found<C>& found) {
  using Shape = AttendRowsShape<C>;
  const int lane = thread_index() % 32;
#pragma unroll
  for (int i = 0; i < Shape::chunk / 16; i++) {
    const int mine = 16 * i + lane % 16, t = Edge && mine >= there ? there - 1 : mine;
    const uint16_t* row = values + t * Shape::row;
    const int piece = Shape::Row::swizzle(t, lane / 16);
#pragma unroll
    for (int d = 0; d < Shape::steps; d++) {
      uint32_t tiles[4];
      load_tiles_transposed(row + (2 * d ^ piece) * 8, tiles);
      multiply_add(found.value[2 * d], weights[i], tiles[0], tiles[1]);
      multiply_add(found.value[2 * d + 1], weights[i], tiles[2], tiles[3]);
    }
  }
}

// A chunk of positions from `from` on. Edge: there are some that not all of the tile's rows see.
template <class C, bool Edge>
DEVICE void attend_chunk(const Work<C>& work, int from, const uint16_t* keys, TileQueries<C>& queries,
                         Found<C>& found) {
  using Shape = AttendRowsShape<C>;
  constexpr int tiles = Shape::chunk / 8;
  const int lane = thread_index() % 32;
  float scores[tiles][4] = {};
  score<C>(keys, queries, scores);
  uint32_t weights[tiles / 2][4];
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const int newest = work.position(queries.index(r)), oldest = C::window::hidden(newest + 1);
    float most[1] = {found.most[r]};
#pragma unroll
    for (int i = 0; i < tiles; i++)
#pragma unroll
      for (int e = 0; e < 2; e++) {
        float& s = scores[i][2 * r + e];
        const int t = from + 8 * i + lane % 4 * 2 + e;
        s = Edge && (t > newest || t < oldest) ? -INFINITY : C::cap::apply(s);
        most[0] = fmaxf(most[0], s);
      }
    warp_max<4>(most);
    const float relative = reference(most[0]) * log2_e;
    const float fade = fast_exp2((found.most[r] - reference(most[0])) * log2_e);  // exactly 1 where none is larger
    found.most[r] = most[0];
    float sum = 0;
#pragma unroll
    for (int i = 0; i < tiles; i++) {
      const float a = fast_exp2(fmaf(scores[i][2 * r], log2_e, -relative));
      const float b = fast_exp2(fmaf(scores[i][2 * r + 1], log2_e, -relative));
      sum += a + b;
      weights[i / 2][i % 2 * 2 + r] = pack_halves(a, b);
    }
    found.sum[r] = fmaf(found.sum[r], fade, sum);
#pragma unroll
    for (int i = 0; i < Shape::dim_tiles; i++) found.value[i][2 * r] *= fade, found.value[i][2 * r + 1] *= fade;
  }
  add_values<C, Edge>(keys + Shape::chunk * Shape::row, work.end_position() - from, weights, found);
}

}  // namespace realizar
