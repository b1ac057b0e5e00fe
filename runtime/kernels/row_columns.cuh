// A row of f32 shared out over a block's threads, in registers: four columns at a time to each. And its norms.
// C: int cols, threads.
#pragma once
#include "block_sum.cuh"
#include "norm.cuh"
#include "operand.cuh"

namespace realizar {

template <class C>
struct RowColumns {
  static constexpr int warps = C::threads / 32;
  // As many as the operand form has, so past C::cols too, where they are zeros.
  static constexpr int fours = round_up(C::cols, operand_block) / 4, each = (fours + C::threads - 1) / C::threads;
  float v[each][4];

  static DEVICE int column(int step) { return 4 * (step * C::threads + thread_index()); }
  // What follows is done to the columns that are there: body(step, index in four, column).
  template <class Body>
  static DEVICE void visit(const Body& body) {
#pragma unroll
    for (int j = 0; j < each; j++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        if (column(j) + e < C::cols) body(j, e, column(j) + e);
  }
  // Of what earlier nodes wrote; after grid_wait.
  DEVICE void load(const float* row) {
#pragma unroll
    for (int j = 0; j < each; j++) {
      v[j][0] = v[j][1] = v[j][2] = v[j][3] = 0;
      if (C::cols % 4 == 0 && column(j) < C::cols) {
        const float4 four = load_global((const float4*)(row + column(j)));
        v[j][0] = four.x, v[j][1] = four.y, v[j][2] = four.z, v[j][3] = four.w;
      }
    }
    if (C::cols % 4 != 0) visit([&](int j, int e, int column) { v[j][e] = load_global(row + column); });
  }
  DEVICE void store(float* row) const {
#pragma unroll
    for (int j = 0; j < each; j++)
      if (C::cols % 4 == 0 && column(j) < C::cols) *(float4*)(row + column(j)) = {v[j][0], v[j][1], v[j][2], v[j][3]};
    if (C::cols % 4 != 0) visit([&](int j, int e, int column) { row[column] = v[j][e]; });
  }

  // The mean square of the row's distance from `mean`.
  DEVICE float mean_square(float mean, float* partial) const {
    float squares = 0;
    visit([&](int j, int e, int) { squares = fmaf(v[j][e] - mean, v[j][e] - mean, squares); });
    return block_sum<warps>(squares, partial) / C::cols;
  }
  DEVICE float mean(float* partial) const {
    float sum = 0;
    visit([&](int j, int e, int) { sum += v[j][e]; });
    return block_sum<warps>(sum, partial) / C::cols;
  }

  // `partial`: a number a warp of shared memory, free before and after.
  DEVICE void normalize(NoNorm, const float*, const float*, float*) {}
  template <float Epsilon>
  DEVICE void normalize(RmsNorm<Epsilon>, const float* weight, const float*, float* partial) {
    const float by = rsqrtf(mean_square(0.f, partial) + Epsilon);
    visit([&](int j, int e, int column) { v[j][e] *= by * weight[column]; });
  }
  template <float Epsilon, bool Bias>
  DEVICE void normalize(LayerNorm<Epsilon, Bias>, const float* weight, const float* bias, float* partial) {
    const float middle = mean(partial), by = rsqrtf(mean_square(middle, partial) + Epsilon);
    visit([&](int j, int e, int column) {
      v[j][e] = fmaf((v[j][e] - middle) * by, weight[column], Bias ? bias[column] : 0.f);
    });
  }
  DEVICE void add(const RowColumns& other) {
    visit([&](int j, int e, int) { v[j][e] += other.v[j][e]; });
  }
};

}  // namespace realizar
