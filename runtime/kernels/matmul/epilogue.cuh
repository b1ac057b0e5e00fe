// The epilogue: splits are added up, then
//   y = cap(act(sum * scale + bias) * C::scale) + residual, or act(gate) * up of two matrices
#pragma once
#include "weights.cuh"

namespace realizar {

// A warp leaves its sums of a split of a tile; the last of the tile's splits to come adds all of them up in order and
// returns true.
template <class C>
DEVICE bool add_splits(const MatmulArgs& a, int tile, int split, float (&sums)[MatmulShape<C>::sums]) {
  using Shape = MatmulShape<C>;
  constexpr int adders = 32 * Shape::warps;
  float* partial = a.partial + (int64_t)tile * Shape::splits * Shape::sums * adders + thread_index();
  const auto at = [&](int s, int i) { return partial + ((int64_t)s * Shape::sums + i) * adders; };
  uint32_t* counter = a.counters + tile * Shape::warps + thread_index() / 32;
#pragma unroll
  for (int i = 0; i < Shape::sums; i++) *at(split, i) = sums[i];
  warp_sync();
  float is_last = 0;
  if (thread_index() % 32 == 0) is_last = arrive(counter) == Shape::splits - 1;
  is_last = warp_shuffle(is_last, 0);
  if (is_last == 0) return false;
#pragma unroll
  for (int i = 0; i < Shape::sums; i++) {
    float sum = load_global(at(0, i));
    for (int s = 1; s < Shape::splits; s++) sum += load_global(at(s, i));
    sums[i] = sum;
  }
  if (thread_index() % 32 == 0) *counter = 0;
  return true;
}

// What the sums of a matrix row are multiplied with, but for the row of the step's own scale, and what is added to
// them.
struct OutputTerms {
  float scale, bias;
};
// Of one of the lane's two rows.
template <class C>
DEVICE OutputTerms output_terms(const MatmulArgs& a, const OutputTileOf<C>& tile, int which) {
  const int matrix = tile.matrix(which), row = tile.inside(tile.row(which));
  const float matrix_scale = C::matrix_scale >> matrix & 1 ? a.matrix_scale[matrix][tile.expert] : 1.f;
  const float bias = C::bias >> matrix & 1 ? a.bias[matrix][tile.expert * tile.rows + row] : 0.f;
  return {matrix_scale / weight_scale(a, tile, which), C::scales_bias ? bias * matrix_scale : bias};
}

// Writes the lane's outputs of a tile, of the step's rows first_row + 8 i + 2 (lane % 4) and the next, up to end_row.
template <class C>
DEVICE void store_tile(const MatmulArgs& a, const OutputTileOf<C>& tile, int first_row, int end_row,
                       const float (&sums)[MatmulShape<C>::sums]) {
  using Shape = MatmulShape<C>;
  constexpr bool gated = Shape::parts == 2;
  const int row[2] = {tile.row(0), tile.row(1)};
  const OutputTerms terms[2] = {output_terms<C>(a, tile, 0), output_terms<C>(a, tile, 1)};
  const auto finish = [&](int at, int output, float y) {
    if (output >= tile.rows) return;
    const int64_t to = (int64_t)at * Shape::outputs + tile.outputs_before + output;
    y = C::cap::apply(y * C::scale);
    a.output[to] = C::add_residual ? y + load_global(a.residual + to) : y;
  };
#pragma unroll
  for (int i = 0; i < Shape::sums / 4; i++)
#pragma unroll
    for (int e = 0; e < 2; e++) {
      const int at = first_row + 8 * i + thread_index() % 4 * 2 + e;
      if (at >= end_row) continue;
      const float scale = load_global(a.input_scale + at);
      const float first = fmaf(sums[4 * i + e], scale * terms[0].scale, terms[0].bias);
      const float second = fmaf(sums[4 * i + 2 + e], scale * terms[1].scale, terms[1].bias);
      finish(at, row[0], gated ? gate<C::activation>(first, second) : activate<C::activation>(first));
      if (!gated) finish(at, row[1], activate<C::activation>(second));
    }
}

}  // namespace realizar
