// A matrix product of many rows against the same in float64, and against itself: whatever the tiles, splits and other
// rows are, a row has the same bits.
#include <algorithm>
#include <cmath>

#include "../../../runtime/kernels/matmul/kernel.cuh"
#include "../../../runtime/kernels/matmul/largest.cuh"
#include "../../../runtime/kernels/operand.cuh"
#include "harness.h"
#include "matrices.h"

namespace realizar {
namespace {

using std::vector;
using test::file_scale;
using test::Matrices;
using test::Random;
using test::TestDevice;

// Two matrices whose formats, rows and columns do not come out even.
struct Plain : MatmulDefaults {
  using segments = Segments<Segment<70, Q8_0>, Segment<21, Q6_K>>;
  static constexpr int cols = 768, group_rows = 4, chunk_cols = 512;
  static constexpr int rows = 40, tile_rows = 16, warpgroups = 1, blocks = 3, multiprocessor_blocks = 1;
  static constexpr int stages = 3, depth = 2, prefetch_steps = 2;
};
template <class C>
struct OneOfEach : C {
  static constexpr int experts = 1;
};
struct Floats : Plain {
  using segments = Segments<Segment<37, F32>, Segment<10, BF16>, Segment<66, F16>>;
  static constexpr int cols = 99, chunk_cols = 64, warpgroups = 2, stages = 4, depth = 1, bias = 5, matrix_scale = 2;
  static constexpr Activation activation = Activation::relu_sqr;
};
// All that F32 has is multiplied.
struct Whole : Floats {
  using segments = Segments<Segment<53, F32>>;
  static constexpr int bias = 1, matrix_scale = 0;
  static constexpr Activation activation = Activation::none;
};
struct Gated : Plain {
  using segments = Segments<Segment<71, Q4_K, Q5_0>>;
  using cap = SoftCap<3.f>;
  static constexpr Activation activation = Activation::silu;
  static constexpr float scale = 0.5f;
  static constexpr int bias = 3, matrix_scale = 3;
  static constexpr bool add_residual = true, scales_bias = true;
};
// The same in other tiles.
template <class C, int TileRows, int Warpgroups, int Blocks, int Stages>
struct Tiled : C {
  static constexpr int tile_rows = TileRows, warpgroups = Warpgroups, blocks = Blocks, stages = Stages;
};
// Weights are not fetched into L2 first.
template <class C>
struct Unfetched : C {
  static constexpr int prefetch_steps = 0;
};
template <class C, int Steps, bool Apart>
struct Split : C {
  static constexpr int split_steps = Steps;
  static constexpr bool apart = Apart;
};

template <class C>
void largest_body(const LargestArgs& a) {
  find_largest<OneOfEach<C>>(a);
}
template <class C>
void matmul_body(const MatmulArgs& a) {
  matmul<C>(a);
}
template <class C>
struct Kernels {
  REALIZAR_KERNEL(kernel, MatmulShape<C>::threads, 1, MatmulArgs, matmul_body<C>)
  REALIZAR_KERNEL(largest, 32 * largest_warps, 1, LargestArgs, largest_body<C>)
  static inline const HostKernel table[] = {
      {"matmul", kernel, sizeof(MatmulArgs)}, {"largest", largest, sizeof(LargestArgs)}, {nullptr, nullptr, 0}};
};

template <class C>
struct Inputs {
  Random random;
  Matrices<C> matrices{typename C::segments{}, random};
  vector<float> x, scales, residual;
  vector<vector<float>> biases;

  Inputs() {
    constexpr int outputs = MatmulShape<C>::outputs;
    for (int i = 0; i < C::rows * C::cols; i++)
      x.push_back(half_to_float(float_to_half(random.normal() * (random.byte() == 0 ? 100.f : 1.f))));
    for (int i = 0; i < C::rows; i++) scales.push_back(std::ldexp(1.f, random.byte() % 4 - 6));
    for (int i = 0; i < C::rows * outputs; i++) residual.push_back(random.normal());
    for (int i = 0; i < 3; i++) {
      biases.emplace_back();
      for (int j = 0; j < outputs; j++) biases.back().push_back(random.normal());
    }
  }
};
constexpr float matrix_scales[] = {0.5f, 1.5f, 2.f};

// The outputs of n_rows rows, row i of which is row order[i] of the inputs.
template <class C>
vector<float> run(const Inputs<C>& in, int n_rows, const vector<int>& order) {
  using Shape = MatmulShape<C>;
  TestDevice device(Kernels<C>::table);
  // What nobody filled is no number.
  vector<uint16_t> operand(size_t(operand_halves(C::rows, C::cols)), 0x7e00);
  vector<float> scales(C::rows, NAN), residual(size_t(C::rows) * Shape::outputs, NAN);
  for (int row = 0; row < n_rows; row++) {
    const int from = order[size_t(row)];
    scales[size_t(row)] = in.scales[size_t(from)];
    for (int c = 0; c < round_up(C::cols, operand_block); c++)
      operand[size_t(operand_offset(row, c, C::rows))] =
          c < C::cols ? float_to_half(in.x[size_t(from * C::cols + c)]) : uint16_t(0);
    for (int i = 0; i < Shape::outputs; i++)
      residual[size_t(row * Shape::outputs + i)] = in.residual[size_t(from * Shape::outputs + i)];
  }
  MatmulArgs args = {};
  const StepHeader header = {C::of_outputs ? -1 : n_rows, n_rows, 0, 0};
  args.step = device.upload(vector<StepHeader>{header});
  args.weights = device.upload(in.matrices.bytes), args.input = device.upload(operand);
  args.input_scale = device.upload(scales), args.residual = device.upload(residual);
  float* output = device.allocate<float>(size_t(C::rows) * Shape::outputs);
  args.output = output;
  for (int i = 0; i < 3; i++) {
    args.bias[i] = device.upload(in.biases[size_t(i)]);
    args.matrix_scale[i] = device.upload(vector<float>{matrix_scales[i]});
  }
  args.largest = device.upload(in.matrices.largest());
  const size_t tiles = size_t(Shape::output_tiles * (C::rows + C::tile_rows - 1) / C::tile_rows + 1);
  args.partial = device.allocate<float>(tiles * Shape::splits * Shape::sums * Shape::threads);
  args.counters = device.upload(vector<uint32_t>(tiles * Shape::warps));
  device.expect(device.driver.func_set_max_dynamic_shared(device.function("matmul"), Shape::shared_bytes));
  const auto outcome = device.launch("matmul", C::blocks, Shape::threads, Shape::shared_bytes, args);
  EXPECT_EQ(outcome.text, "no error");
  vector<float> outputs = device.download(output, size_t(n_rows * Shape::outputs));
  for (const uint32_t count : device.download(args.counters, tiles * Shape::warps)) EXPECT_EQ(count, 0u);
  return outputs;
}

template <class C>
double exact(const Inputs<C>& in, int row, int output) {
  constexpr bool gated = MatmulShape<C>::parts == 2;
  const auto product = [&](size_t matrix, int at) {
    double y = 0;
    for (int c = 0; c < C::cols; c++)
      y += double(in.x[size_t(row * C::cols + c)]) * in.matrices.weights[matrix][size_t(at * C::cols + c)];
    const double scale = C::matrix_scale >> matrix & 1 ? matrix_scales[matrix] : 1;
    const double bias = C::bias >> matrix & 1 ? in.biases[matrix][size_t(at)] : 0;
    return y * in.scales[size_t(row)] * scale + bias * (C::scales_bias ? scale : 1);
  };
  size_t matrix = 0;
  int at = output;
  while (!gated && at >= int(in.matrices.weights[matrix].size()) / C::cols)
    at -= int(in.matrices.weights[matrix++].size()) / C::cols;
  double y = product(matrix, at);
  if (C::activation == Activation::silu) y = y / (1 + std::exp(-y));
  if (C::activation == Activation::relu_sqr) y = y > 0 ? y * y : 0;
  if (gated) y *= product(1, at);
  y *= C::scale;
  if (!std::is_same_v<typename C::cap, NoCap>) y = 3 * std::tanh(y / 3);
  return y + (C::add_residual ? in.residual[size_t(row * MatmulShape<C>::outputs + output)] : 0);
}

vector<int> in_order(int n) {
  vector<int> order;
  for (int i = 0; i < n; i++) order.push_back(i);
  return order;
}

template <class C>
void check(const Inputs<C>& in, const vector<float>& got, double most = 1e-6) {
  double error = 0, power = 0;
  const int outputs = MatmulShape<C>::outputs;
  for (size_t i = 0; i < got.size(); i++) {
    const double want = exact(in, int(i) / outputs, int(i) % outputs), off = got[i] - want;
    error += off * off, power += want * want;
  }
  EXPECT(error <= most * power);
}

template <class C>
void check_all(double most = 1e-6) {
  const Inputs<C> in;
  check(in, run<C>(in, C::rows, in_order(C::rows)), most);
  check(in, run<C>(in, 17, in_order(17)), most);
}
CASE(matmul_of_two_segments) { check_all<Plain>(); }
CASE(matmul_of_floats) { check_all<Floats>(); }
CASE(matmul_of_f32_is_of_more_than_halves) { check_all<Whole>(1e-12); }
CASE(matmul_with_gate_and_residual) { check_all<Gated>(); }
CASE(matmul_of_weights_whose_scales_are_subnormal) {
  file_scale = 3e-7f;
  check_all<Plain>();
}

template <class C>
void check_largest() {
  const Inputs<C> in;
  TestDevice device(Kernels<C>::table);
  const vector<float> want = in.matrices.largest();
  uint32_t* largest = device.upload(vector<uint32_t>(want.size()));
  const unsigned blocks = (MatrixRows<typename C::segments>::value + largest_warps - 1) / largest_warps;
  const LargestArgs args = {device.upload(in.matrices.bytes), largest};
  device.expect(device.launch("largest", blocks, 32 * largest_warps, 0, args).result);
  const vector<uint32_t> got = device.download(largest, want.size());
  for (size_t i = 0; i < want.size(); i++) EXPECT_EQ(bits_to_float(got[i]), want[i]);
}
CASE(largest_weights_of_matrices) {
  check_largest<Plain>();
  check_largest<Floats>();
  check_largest<Gated>();
}

// `Other` computes what C computes, in other tiles.
template <class Other>
void expect_same(const vector<float>& want, int n_rows, bool turned) {
  const Inputs<Other> other;  // drawn alike
  vector<int> order = in_order(n_rows);
  if (turned) std::rotate(order.begin(), order.begin() + 5, order.end());
  const vector<float> got = run<Other>(other, n_rows, order);
  const size_t outputs = size_t(MatmulShape<Other>::outputs);
  for (size_t row = 0; row < size_t(n_rows); row++)
    EXPECT(memcmp(&got[row * outputs], &want[size_t(order[row]) * outputs], outputs * 4) == 0);
}
template <class C>
void expect_row_invariance() {
  const Inputs<C> in;
  const vector<float> want = run<C>(in, C::rows, in_order(C::rows));
  expect_same<Tiled<C, 8, 1, 1, 3>>(want, 40, false);
  expect_same<Tiled<C, 8, 2, 4, 5>>(want, 9, true);
  expect_same<Tiled<C, 32, 1, 2, 3>>(want, 33, true);
  expect_same<Unfetched<Tiled<C, 16, 4, 2, 4>>>(want, 23, false);
  for (const uint32_t seed : {1u, 2u}) {
    set_execution_order(seed);
    expect_same<Tiled<C, 64, 1, 5, 3>>(want, 40, true);
  }
  set_execution_order(0);
}
CASE(matmul_rows_do_not_depend_on_tiles) {
  expect_row_invariance<Plain>();
  expect_row_invariance<Floats>();
}
CASE(matmul_rows_do_not_depend_on_who_adds_splits) {
  using InOrder = Split<Plain, 2, false>;
  const Inputs<InOrder> in;
  const vector<float> want = run<InOrder>(in, 40, in_order(40));
  check(in, want);
  expect_same<Split<Plain, 2, true>>(want, 40, true);
  expect_same<Tiled<Split<Plain, 2, true>, 64, 2, 4, 3>>(want, 40, false);
  for (const uint32_t seed : {1u, 2u, 3u}) {
    set_execution_order(seed);
    expect_same<Tiled<Split<Plain, 2, true>, 8, 1, 7, 4>>(want, 31, true);
  }
  set_execution_order(0);
}
struct OfOutputs : Plain {
  static constexpr bool of_outputs = true;
};
CASE(matmul_of_rows_whose_logits_are_wanted) { check_all<OfOutputs>(); }

}  // namespace
}  // namespace realizar
