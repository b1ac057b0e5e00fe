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
// What is read is asked for some rows at a time, before any of it is used: each wait for the L2 is for all of them.
template <class C>
DEVICE void store_tile(const MatmulArgs& a, const OutputTileOf<C>& tile, int first_row, int end_row,
                       const float (&sums)[MatmulShape<C>::sums]) {
  using Shape = MatmulShape<C>;
  constexpr bool gated = Shape::parts == 2;
  constexpr int pairs = Shape::sums / 4, at_once = pairs < 8 ? pairs : 8;
  const int output[2] = {tile.row(0), tile.row(1)};
  const OutputTerms terms[2] = {output_terms<C>(a, tile, 0), output_terms<C>(a, tile, 1)};
  const auto is_there = [&](int at, int which) { return at < end_row && output[which] < tile.rows; };
  const auto place = [&](int at, int which) {
    return (int64_t)at * Shape::outputs + tile.outputs_before + output[which];
  };
#pragma unroll
  for (int from = 0; from < pairs; from += at_once) {
    float scale[at_once][2], residual[at_once][2][2];
#pragma unroll
    for (int i = 0; i < at_once; i++)
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const int at = first_row + 8 * (from + i) + thread_index() % 4 * 2 + e;
        scale[i][e] = at < end_row ? load_global(a.input_scale + at) : 0.f;
#pragma unroll
        for (int which = 0; which < 3 - Shape::parts; which++)
          residual[i][e][which] =
              C::add_residual && is_there(at, which) ? load_global(a.residual + place(at, which)) : 0.f;
      }
#pragma unroll
    for (int i = 0; i < at_once; i++)
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const int at = first_row + 8 * (from + i) + thread_index() % 4 * 2 + e;
        const float* sum = sums + 4 * (from + i) + e;
        const float first = fmaf(sum[0], scale[i][e] * terms[0].scale, terms[0].bias);
        const float second = fmaf(sum[2], scale[i][e] * terms[1].scale, terms[1].bias);
        const auto finish = [&](int which, float y) {
          if (!is_there(at, which)) return;
          y = C::cap::apply(y * C::scale);
          a.output[place(at, which)] = C::add_residual ? y + residual[i][e][which] : y;
        };
        finish(0, gated ? gate<C::activation>(first, second) : activate<C::activation>(first));
        if (!gated) finish(1, activate<C::activation>(second));
      }
  }
}

}  // namespace realizar
