// A projection against the same in float64: rows and columns that do not come out even, several passes of the epilogue,
// more tiles than stages; and every variant.
#include <cmath>

#include "../../../runtime/kernels/projection/kernel.cuh"
#include "harness.h"
#include "tiles.h"

namespace realizar {
namespace {

using std::vector;
using test::random_floats;
using test::TestDevice;

struct Plain : ProjectionDefaults {
  using segments = Segments<Segment<37, F32>, Segment<10, F32>>;
  static constexpr int rows = 47, cols = 99, group_rows = 4, chunk_cols = 64;
  static constexpr int row_warps = 2, blocks = 3, pass_groups = 2;
  static constexpr int stages = 2, prefetch_at_once = 1, prefetch_stages = 2;
};

struct Layered : Plain {
  using norm = LayerNorm<1e-5f, true>;
  static constexpr Activation activation = Activation::relu_sqr;
  static constexpr int bias = 3, matrix_scale = 2;
};

struct Gated : Plain {
  using segments = Segments<Segment<47, F32, F32>>;
  using input = SummedInput<1e-6f, true>;
  using norm = RmsNorm<1e-5f>;
  using cap = SoftCap<3.f>;
  using best = LargestRow;
  using router = Router<5>;
  static constexpr Activation activation = Activation::silu;
  static constexpr float scale = 0.5f;
  static constexpr int bias = 3, matrix_scale = 3;
  static constexpr bool add_residual = true, scales_bias = true;
};

template <class C>
void projection_body(const ProjectionArgs& a) {
  projection<C>(a);
}
template <class C>
struct Kernels {
  REALIZAR_KERNEL(kernel, ProjectionShape<C>::threads, 1, ProjectionArgs, projection_body<C>)
  static inline const HostKernel table[] = {{"projection", kernel, sizeof(ProjectionArgs)}, {nullptr, nullptr, 0}};
};

// A segment's matrices, tile by tile.
template <class C, class S>
void pack(const vector<float>* matrices, char*& at) {
  using Shape = ProjectionShape<C>;
  constexpr int R = C::group_rows, Units = Shape::chunk_units, tile = tile_stride<F32, R, Units>;
  for (int group = 0; group < S::template groups<R>; group++, at += Shape::template group_bytes<S>)
    for (int chunk = 0; chunk < Shape::chunks; chunk++)
      for (int part = 0; part < S::parts; part++) {
        float* to = (float*)(at + (chunk * S::parts + part) * tile);
        const auto put = [&]<int U>() {
          test::pack_tile<R, U>(matrices[part], S::rows, C::cols, group * R, chunk * C::chunk_cols, to);
        };
        if (chunk < Shape::chunks - 1)
          put.template operator()<Units>();
        else
          put.template operator()<Shape::last_units>();
      }
}
template <class C, class... S>
vector<char> packed(const vector<float>* matrices, Segments<S...>) {
  vector<char> bytes((0 + ... + (ProjectionShape<C>::template group_bytes<S> * S::template groups<C::group_rows>)));
  char* at = bytes.data();
  ((pack<C, S>(matrices, at), matrices += S::parts), ...);
  return bytes;
}

double mean_of_squares(const vector<double>& x, double mean = 0) {
  double sum = 0;
  for (const double v : x) sum += (v - mean) * (v - mean);
  return sum / double(x.size());
}

template <class C>
void check() {
  using Shape = ProjectionShape<C>;
  constexpr bool gated = Shape::parts == 2, summed = !std::is_same_v<typename C::input, PlainInput>;
  std::mt19937 random(7);
  TestDevice device(Kernels<C>::table);
  const auto numbers = [&](int n) { return random_floats(n, random); };
  const vector<float> matrices[] = {numbers((gated ? C::rows : 37) * C::cols),
                                    numbers((gated ? C::rows : 10) * C::cols)};
  const vector<float> input = numbers(C::cols), norm = numbers(C::cols), norm_bias = numbers(C::cols);
  const vector<float> residual = numbers(C::rows), sum_norm = numbers(C::cols), sum_residual = numbers(C::cols);
  const vector<float> biases[] = {numbers(C::rows), numbers(C::rows)}, scales[] = {{0.5f}, {1.5f}};
  const vector<float> router = numbers((C::router::logits + 1) * C::rows), router_norm = numbers(C::rows);
  float *output = device.allocate<float>(C::rows), *sum = device.allocate<float>(C::cols);
  Best* best = device.allocate<Best>(C::blocks);
  char* logits = device.upload(vector<char>(AccumulatedLogits::bytes * (C::router::logits + 1)));
  ProjectionArgs args = {};
  args.weights = device.upload(packed<C>(matrices, typename C::segments{}));
  args.input = device.upload(input), args.norm = device.upload(norm), args.norm_bias = device.upload(norm_bias);
  args.residual = device.upload(residual), args.output = output, args.best = best;
  for (int i = 0; i < 2; i++) args.bias[i] = device.upload(biases[i]), args.matrix_scale[i] = device.upload(scales[i]);
  args.sum_norm = device.upload(sum_norm), args.sum_residual = device.upload(sum_residual), args.sum = sum;
  args.router = device.upload(router), args.router_norm = device.upload(router_norm), args.logits = logits;
  device.expect(device.driver.func_set_max_dynamic_shared(device.function("projection"), Shape::shared_bytes));
  device.expect(device.launch("projection", C::blocks, Shape::threads, Shape::shared_bytes, args).result);

  vector<double> x(input.begin(), input.end());
  double error = 0, power = 0;
  const auto compare = [&](double got, double want) { error += (got - want) * (got - want), power += want * want; };
  if (summed) {
    const double by = 1 / std::sqrt(mean_of_squares(x) + 1e-6);
    const vector<float> stored = device.download(sum, C::cols);
    for (int i = 0; i < C::cols; i++) x[i] = x[i] * by * sum_norm[i] + sum_residual[i], compare(stored[i], x[i]);
  }
  if constexpr (C::norm::any) {
    double mean = 0;
    if (!summed)
      for (const double v : x) mean += v / C::cols;
    const double by = 1 / std::sqrt(mean_of_squares(x, mean) + 1e-5);
    for (int i = 0; i < C::cols; i++) x[i] = (x[i] - mean) * by * norm[i] + (summed ? 0 : norm_bias[i]);
  }
  const auto product = [&](int i, int row) {
    double y = 0;
    for (int c = 0; c < C::cols; c++) y += x[c] * matrices[i][row * C::cols + c];
    const double scale = C::matrix_scale >> i & 1 ? scales[i][0] : 1, bias = C::bias >> i & 1 ? biases[i][row] : 0;
    return y * scale + bias * (C::scales_bias ? scale : 1);
  };
  vector<double> y(C::rows);
  for (int row = 0; row < C::rows; row++) {
    double v = gated || row < 37 ? product(0, row) : product(1, row - 37);
    if (C::activation == Activation::silu) v = v / (1 + std::exp(-v));
    if (C::activation == Activation::relu_sqr) v = v > 0 ? v * v : 0;
    if (gated) v *= product(1, row);
    if (gated) v = 3 * std::tanh(v * C::scale / 3) + residual[row];
    y[row] = v;
  }
  const vector<float> got = device.download(output, C::rows);
  for (int row = 0; row < C::rows; row++) compare(got[row], y[row]);
  EXPECT(error <= 1e-10 * power);
  if (!gated) return;
  Best largest = {-INFINITY, 0x7fffffff};
  for (const Best& one : device.download(best, C::blocks)) largest = better(largest, one);
  for (const float v : got) EXPECT(v <= largest.value);
  EXPECT_EQ(got[largest.row], largest.value);
  for (int i = 0; i < C::router::logits; i++) {
    double logit = 0;
    for (int row = 0; row < C::rows; row++) logit += double(router[i * C::rows + row]) * router_norm[row] * got[row];
    EXPECT(std::fabs(double(*AccumulatedLogits::sum(logits, i)) * AccumulatedLogits::step - logit) < 1e-4);
  }
}

CASE(projection_of_two_segments) { check<Plain>(); }
CASE(projection_with_layer_norm) { check<Layered>(); }
CASE(projection_with_gate_sum_and_router) { check<Gated>(); }

}  // namespace
}  // namespace realizar
