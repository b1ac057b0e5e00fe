// A row of f32 shared out over a block's threads, in registers, and its norms. Of each 128 columns a thread has four
// next to each other in each unit of 32: what makes two whole pieces of the operand form (operand.cuh), and what eight
// threads load is a unit. C: int cols, threads.
#pragma once
#include "block_sum.cuh"
#include "norm.cuh"
#include "operand.cuh"

namespace realizar {

template <class C>
struct RowColumns {
  static constexpr int warps = C::threads / 32;
  // 128 columns of eight threads each, as many as the operand form has: zeros past C::cols.
  static constexpr int at_once = C::threads / 8, blocks = round_up(C::cols, operand_block) / operand_block;
  static constexpr int sets = (blocks + at_once - 1) / at_once, each = 4 * sets;
  float v[each][4];

  static DEVICE int block(int set) { return set * at_once + thread_index() / 8; }
  static DEVICE int column(int step) {
    return block(step / 4) * operand_block + step % 4 * 32 + thread_index() % 8 * 4;
  }
  // What follows is done to the columns that are there: body(step, index in four, column).
  template <class Body>
  static DEVICE void visit(const Body& body) {
#pragma unroll
    for (int j = 0; j < each; j++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        if (column(j) + e < C::cols) body(j, e, column(j) + e);
  }
  // Of what earlier nodes wrote, after grid_wait; or of weights.
  template <bool Weights = false>
  DEVICE void load(const float* row) {
    const auto one = [](const auto* p) { return Weights ? *p : load_global(p); };
#pragma unroll
    for (int j = 0; j < each; j++) {
      v[j][0] = v[j][1] = v[j][2] = v[j][3] = 0;
      if (C::cols % 4 == 0 && column(j) < C::cols) {
        const float4 four = one((const float4*)(row + column(j)));
        v[j][0] = four.x, v[j][1] = four.y, v[j][2] = four.z, v[j][3] = four.w;
      }
    }
    if (C::cols % 4 != 0) visit([&](int j, int e, int column) { v[j][e] = one(row + column); });
  }
  DEVICE void store(float* row) const {
#pragma unroll
    for (int j = 0; j < each; j++)
      if (C::cols % 4 == 0 && column(j) < C::cols) *(float4*)(row + column(j)) = {v[j][0], v[j][1], v[j][2], v[j][3]};
    if (C::cols % 4 != 0) visit([&](int j, int e, int column) { row[column] = v[j][e]; });
  }
  // Of the operand form, scaled; `rows`: of the program.
  DEVICE void store_halves(uint16_t* halves, int row, int rows, float by) const {
#pragma unroll
    for (int set = 0; set < sets; set++) {
      if (block(set) >= blocks) continue;
#pragma unroll
      for (int e = 0; e < 4; e += 2) {
        const auto pair = [&](int unit) {
          return pack_halves(v[4 * set + unit][e] * by, v[4 * set + unit][e + 1] * by);
        };
        *(uint4*)(halves + operand_offset(row, column(4 * set) + e, rows)) = {pair(0), pair(1), pair(2), pair(3)};
      }
    }
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
  DEVICE uint32_t largest_bits(float* partial) const {
    uint32_t largest = 0;
    visit([&](int j, int e, int) {
      const uint32_t bits = magnitude_bits(v[j][e]);
      largest = bits > largest ? bits : largest;
    });
    return block_max<warps>(largest, (uint32_t*)partial);
  }

  // `partial`: a number a warp of shared memory, free before and after.
  DEVICE void normalize(NoNorm, const float*, const float*, float*) {}
  template <float Epsilon>
  DEVICE void normalize(RmsNorm<Epsilon>, const float* norm, const float*, float* partial) {
    RowColumns weight;
    weight.template load<true>(norm);
    const float by = rsqrtf(mean_square(0.f, partial) + Epsilon);
    visit([&](int j, int e, int) { v[j][e] *= by * weight.v[j][e]; });
  }
  template <float Epsilon, bool Bias>
  DEVICE void normalize(LayerNorm<Epsilon, Bias>, const float* norm, const float* bias, float* partial) {
    RowColumns weight, plus = {};
    weight.template load<true>(norm);
    if constexpr (Bias) plus.template load<true>(bias);
    const float middle = mean(partial), by = rsqrtf(mean_square(middle, partial) + Epsilon);
    visit([&](int j, int e, int) { v[j][e] = fmaf((v[j][e] - middle) * by, weight.v[j][e], plus.v[j][e]); });
  }
  DEVICE void add(const RowColumns& other) {
    visit([&](int j, int e, int) { v[j][e] += other.v[j][e]; });
  }
};

}  // namespace realizar
