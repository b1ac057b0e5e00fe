// Products of many rows with experts' matrices against the same in float64, and against themselves: whatever the tiles
// and the other pairs are, a pair has the same bits.
#include <cmath>
#include <map>

#include "../../../runtime/kernels/expert_tiles.cuh"
#include "../../../runtime/kernels/matmul/kernel.cuh"
#include "../../../runtime/kernels/matmul/largest.cuh"
#include "harness.h"
#include "matrices.h"

namespace realizar {
namespace {

using std::vector;
using test::file_scale;
using test::Matrices;
using test::Random;
using test::TestDevice;

struct Gated : MatmulDefaults {
  using segments = Segments<Segment<44, Q4_K, Q8_0>>;
  using all_segments = Segments<Segment<5 * 44, Q4_K, Q8_0>>;
  static constexpr int experts = 5, cols = 512, group_rows = 4, chunk_cols = 256;
  static constexpr int rows = 128, tile_rows = 16, warpgroups = 1, blocks = 3, multiprocessor_blocks = 1;
  static constexpr int stages = 3, depth = 2, prefetch_steps = 2;
  static constexpr Activation activation = Activation::swiglu_oai;
  static constexpr int bias = 3, matrix_scale = 2;
};
struct Down : Gated {
  using segments = Segments<Segment<70, BF16>>;
  using all_segments = Segments<Segment<5 * 70, BF16>>;
  static constexpr int cols = 99, group_rows = 2, chunk_cols = 64, depth = 1, bias = 1, matrix_scale = 0;
  static constexpr Activation activation = Activation::none;
};
template <class C, int TileRows, int Warpgroups, int Blocks, int Depth>
struct Tiled : C {
  static constexpr int tile_rows = TileRows, warpgroups = Warpgroups, blocks = Blocks, depth = Depth;
};
template <class C>
struct All : C {
  using segments = typename C::all_segments;
};

template <class C>
void matmul_body(const MatmulArgs& a) {
  matmul<C>(a);
}
template <class C>
void largest_body(const LargestArgs& a) {
  find_largest<All<C>>(a);
}
template <class C>
struct Kernels {
  REALIZAR_KERNEL(kernel, MatmulShape<C>::threads, 1, MatmulArgs, matmul_body<C>)
  REALIZAR_KERNEL(largest, 32 * largest_warps, 1, LargestArgs, largest_body<C>)
  static inline const HostKernel table[] = {
      {"matmul", kernel, sizeof(MatmulArgs)}, {"largest", largest, sizeof(LargestArgs)}, {nullptr, nullptr, 0}};
};

// Some inputs of each expert; the magnitudes of experts' weights are far apart.
template <class C>
struct Inputs {
  Random random;
  Matrices<C> matrices{typename C::all_segments{}, random};
  vector<vector<float>> x;
  vector<float> scales, biases[2], matrix_scales;
  vector<int> experts;

  Inputs() {
    for (int i = 0; i < 60; i++) {
      x.emplace_back();
      for (int c = 0; c < C::cols; c++) x.back().push_back(random.normal());
      scales.push_back(std::ldexp(1.f, random.byte() % 4 - 4));
      experts.push_back(i % 9 < 5 ? 3 : i % 3);  // none of expert 4
    }
    for (int i = 0; i < C::experts * 100; i++)
      biases[0].push_back(random.normal()), biases[1].push_back(random.normal());
    for (int i = 0; i < C::experts; i++) matrix_scales.push_back(random.normal());
  }
};

// Outputs by input, of some of the inputs, in the order of `taken` within an expert.
template <class C>
std::map<int, vector<float>> run(const Inputs<C>& in, const vector<int>& taken) {
  using Shape = MatmulShape<C>;
  TestDevice device(Kernels<C>::table);
  vector<uint16_t> operand(size_t(operand_halves(C::rows, C::cols)), 0x7e00);
  vector<float> scales(C::rows, NAN);
  vector<ExpertTile> tiles;
  std::map<int, int> places;
  int place = 0;
  for (int expert = 0; expert < C::experts; expert++) {
    place = round_up(place, 8);
    const int first = place;
    for (const int input : taken) {
      if (in.experts[size_t(input)] != expert) continue;
      if ((place - first) % C::tile_rows == 0) tiles.push_back({expert, place, 0, 0});
      tiles.back().n_rows++;
      for (int c = 0; c < round_up(C::cols, operand_block); c++)
        operand[size_t(operand_offset(place, c, C::rows))] =
            c < C::cols ? float_to_half(in.x[size_t(input)][size_t(c)]) : uint16_t(0);
      scales[size_t(place)] = in.scales[size_t(input)];
      places[input] = place++;
    }
  }
  vector<ExpertTile> list(1 + tiles.size());
  const StepHeader header = {round_up(place, 8), 0, int32_t(tiles.size()), 0};
  memcpy(list.data(), &header, sizeof header);
  std::copy(tiles.begin(), tiles.end(), list.begin() + 1);
  MatmulArgs args = {};
  args.step = (const StepHeader*)device.upload(list);
  args.weights = device.upload(in.matrices.bytes), args.input = device.upload(operand);
  args.input_scale = device.upload(scales);
  for (int i = 0; i < 2; i++) {
    args.bias[i] = device.upload(in.biases[i]);
    args.matrix_scale[i] = device.upload(in.matrix_scales);
  }
  uint32_t* largest = device.upload(vector<uint32_t>(2 * C::experts));
  const unsigned blocks = (MatrixRows<typename C::all_segments>::value + largest_warps - 1) / largest_warps;
  const LargestArgs find = {args.weights, largest};
  device.expect(device.launch("largest", blocks, 32 * largest_warps, 0, find).result);
  args.largest = (const float*)largest;
  const vector<float> magnitudes = in.matrices.largest(C::experts);
  EXPECT(device.download(args.largest, magnitudes.size()) == magnitudes);
  float* output = device.upload(vector<float>(size_t(C::rows) * Shape::outputs, -1.f));
  args.output = output;
  device.expect(device.driver.func_set_max_dynamic_shared(device.function("matmul"), Shape::shared_bytes));
  const auto outcome = device.launch("matmul", C::blocks, Shape::threads, Shape::shared_bytes, args);
  EXPECT_EQ(outcome.text, "no error");
  const vector<float> all = device.download(output, size_t(C::rows) * Shape::outputs);
  std::map<int, vector<float>> outputs;
  for (const auto& [input, at] : places)
    outputs[input] = vector<float>(all.begin() + at * Shape::outputs, all.begin() + (at + 1) * Shape::outputs);
  return outputs;
}

template <class C>
double exact(const Inputs<C>& in, int input, int output) {
  constexpr int rows = MatmulShape<C>::outputs;
  const int expert = in.experts[size_t(input)];
  const auto product = [&](size_t matrix) {
    double y = 0;
    for (int c = 0; c < C::cols; c++)
      y += double(in.x[size_t(input)][size_t(c)]) *
           in.matrices.weights[matrix][size_t((expert * rows + output) * C::cols + c)];
    const double scale = C::matrix_scale >> matrix & 1 ? in.matrix_scales[size_t(expert)] : 1;
    return y * in.scales[size_t(input)] * scale + in.biases[matrix][size_t(expert * rows + output)];
  };
  if (MatmulShape<C>::parts == 1) return product(0);
  const double gate = std::min(product(0), 7.);
  return gate / (1 + std::exp(-1.702 * gate)) * (std::max(-7., std::min(product(1), 7.)) + 1);
}

template <class C>
void check() {
  const Inputs<C> in;
  vector<int> all, some, turned;
  for (int i = 0; i < 60; i++) all.push_back(i), turned.push_back(59 - i);
  for (int i = 0; i < 60; i += 7) some.push_back(i);
  const auto want = run<C>(in, all);
  double error = 0, power = 0;
  for (const auto& [input, row] : want)
    for (int i = 0; i < MatmulShape<C>::outputs; i++) {
      const double y = exact(in, input, i);
      error += (row[size_t(i)] - y) * (row[size_t(i)] - y), power += y * y;
    }
  EXPECT(error <= 1e-6 * power);
  const auto expect_same = [&](const std::map<int, vector<float>>& got) {
    for (const auto& [input, row] : got) EXPECT(memcmp(row.data(), want.at(input).data(), row.size() * 4) == 0);
  };
  expect_same(run<C>(in, turned));
  expect_same(run<Tiled<C, 8, 2, 4, 1>>(Inputs<Tiled<C, 8, 2, 4, 1>>{}, some));
  for (const uint32_t seed : {1u, 2u}) {
    set_execution_order(seed);
    expect_same(run<Tiled<C, 32, 1, 5, 2>>(Inputs<Tiled<C, 32, 1, 5, 2>>{}, turned));
  }
  set_execution_order(0);
}
CASE(expert_matmul_of_gate_and_up) { check<Gated>(); }
CASE(expert_matmul_of_one_matrix) { check<Down>(); }

}  // namespace
}  // namespace realizar
