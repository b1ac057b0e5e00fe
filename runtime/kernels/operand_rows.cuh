// Rows of numbers in operand form (operand.cuh), the input of a matrix product of many rows:
//   x = input, or RmsNorm(input) + residual, which is stored for later nodes;  output = norm(x)
// A block takes a row, or some, one after another; in registers from its load to its store. Shapes: input,
// sum_residual, sum f32 [rows][cols]. Gathered: row r of the output is of input row output_rows[r], for so many rows as
// have outputs. Its tests alone: npx vitest run test/runtime/sim.test.ts -t operand_rows
//
// C starts from OperandRowsDefaults and states: int rows (of the output, at most), cols, threads. A row's bits
// depend on threads, and on nothing else of the launch.
#pragma once
#include "row_columns.cuh"
#include "step.h"

namespace realizar {

struct OperandRowsArgs {
  const StepHeader* step;
  const float* input;
  const float* sum_norm;  // [cols]
  const float* sum_residual;
  float* sum;
  const float* norm;           // [cols]
  const float* norm_bias;      // [cols]
  const int32_t* output_rows;  // [outputs]
  uint16_t* output;
  float* output_scale;
};

struct OperandRowsDefaults {
  using input = PlainInput;  // or SummedInput
  using norm = NoNorm;       // or RmsNorm, LayerNorm
  static constexpr bool gather = false;
};

template <class C>
DEVICE void sum_row(PlainInput, const OperandRowsArgs&, int, RowColumns<C>&, float*) {}
template <class C, float Epsilon, bool Stored>
DEVICE void sum_row(SummedInput<Epsilon, Stored>, const OperandRowsArgs& a, int row, RowColumns<C>& x, float* partial) {
  RowColumns<C> residual;
  residual.load(a.sum_residual + (int64_t)row * C::cols);
  x.normalize(RmsNorm<Epsilon>{}, a.sum_norm, nullptr, partial);
  x.add(residual);
  if (Stored) x.store(a.sum + (int64_t)row * C::cols);
}

template <class C>
DEVICE void store_operand_row(const RowColumns<C>& x, int row, uint16_t* output, float* output_scale, float* partial) {
  uint32_t largest = 0;
  RowColumns<C>::visit([&](int j, int e, int) {
    const uint32_t bits = magnitude_bits(x.v[j][e]);
    largest = bits > largest ? bits : largest;
  });
  const float scale = operand_scale(block_max<RowColumns<C>::warps>(largest, (uint32_t*)partial));
  if (thread_index() == 0) output_scale[row] = scale;
  const float by = 1.f / scale;  // exact, of a power of two
#pragma unroll
  for (int j = 0; j < RowColumns<C>::each; j++) {
    const int column = RowColumns<C>::column(j);
    if (column >= 4 * RowColumns<C>::fours) continue;
    store_operand(output, row, column, C::rows, x.v[j][0] * by, x.v[j][1] * by);
    store_operand(output, row, column + 2, C::rows, x.v[j][2] * by, x.v[j][3] * by);
  }
}

template <class C>
DEVICE void operand_rows(const OperandRowsArgs& a) {
  const int n = load_settled(C::gather ? &a.step->n_outputs : &a.step->n_rows);
  const auto input_row = [&](int row) { return C::gather && row < n ? load_settled(a.output_rows + row) : row; };
  float* partial = (float*)shared_memory();
  grid_release();
  int from = input_row(block_index());
  grid_wait();
  for (int row = block_index(); row < n; row += grid_blocks(), from = input_row(row)) {
    RowColumns<C> x;
    x.load(a.input + (int64_t)from * C::cols);
    sum_row(typename C::input{}, a, from, x, partial);
    x.normalize(typename C::norm{}, a.norm, a.norm_bias, partial);
    store_operand_row(x, row, a.output, a.output_scale, partial);
  }
}

}  // namespace realizar
