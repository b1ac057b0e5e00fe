// Experts against the same in float64: rows of each chosen one, and their weighted sum, with every variant.
#include <algorithm>
#include <cmath>

// Logits are in registers of the threads that have some, and stored by the same ones, which GCC does not see.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include "../../../runtime/kernels/experts/kernel.cuh"
#include "harness.h"
#include "tiles.h"

namespace realizar {
namespace {

using std::vector;
using test::random_floats;
using test::TestDevice;

struct Rows : ExpertsDefaults {
  using formats = ExpertFormats<F32, F32>;
  using norm = RmsNorm<1e-5f>;
  static constexpr int cols = 70, rows = 12, experts = 6, used = 2, group_rows = 2, chunk_cols = 64;
  static constexpr int warps = 2, blocks = 5, stages = 2, prefetch_stages = 1;
  static constexpr Activation activation = Activation::silu;
  static constexpr int bias = 3, matrix_scale = 2;
};

// Softmax of those chosen, which have the largest logits.
struct Sum : ExpertsDefaults {
  using formats = ExpertFormats<F32>;
  static constexpr int cols = 36, rows = 20, experts = 6, used = 2, group_rows = 4, chunk_cols = 32;
  static constexpr int warps = 2, blocks = 3, stages = 2, prefetch_stages = 1;
  static constexpr bool combines = true;
};

// Sigmoids, of the experts of two groups of three, chosen with a bias.
struct GroupedSum : Sum {
  using selection = ByScore<true, 3, 2>;
  using weights = SigmoidWeights<false>;
  static constexpr float weights_scale = 1.7f, scale = 0.5f;
  static constexpr int bias = 1, matrix_scale = 1;
  static constexpr bool add_shared = true, gated = true, add_residual = true;
};

template <class C>
void experts_body(const ExpertsArgs& a) {
  experts<C>(a);
}
template <class C>
struct Kernels {
  REALIZAR_KERNEL(kernel, C::warps * 32, 1, ExpertsArgs, experts_body<C>)
  static inline const HostKernel table[] = {{"experts", kernel, sizeof(ExpertsArgs)}, {nullptr, nullptr, 0}};
};

double sigmoid_of(double v) { return 1 / (1 + std::exp(-v)); }

template <class C>
vector<char> packed(const vector<float>* matrices) {
  using Shape = ExpertsShape<C>;
  constexpr int R = C::group_rows, Units = Shape::chunk_units;
  vector<char> bytes(Shape::group_bytes * Shape::groups * C::experts);
  for (int group = 0; group < Shape::groups * C::experts; group++)
    for (int chunk = 0; chunk < Shape::chunks; chunk++)
      for (int part = 0; part < Shape::parts; part++) {
        float* to = (float*)(bytes.data() + group * Shape::group_bytes + chunk * Shape::stage_bytes +
                             part * tile_stride<F32, R, Units>);
        const auto put = [&]<int U>() {
          test::pack_tile<R, U>(matrices[part], C::rows * C::experts, C::cols, group * R, chunk * C::chunk_cols, to);
        };
        if (chunk < Shape::chunks - 1)
          put.template operator()<Units>();
        else
          put.template operator()<Shape::last_units>();
      }
  return bytes;
}

// The chosen experts, best first, and their weights.
template <class C>
vector<std::pair<int, double>> route(const vector<float>& logits, const vector<float>& selection) {
  vector<double> scores(logits.begin(), logits.begin() + C::experts);
  if (C::selection::scored)
    for (int e = 0; e < C::experts; e++) scores[e] = sigmoid_of(logits[e]) + selection[e];
  constexpr int groups = C::selection::groups, size = C::experts / groups;
  vector<std::pair<double, int>> best;
  for (int group = 0; group < groups; group++) {
    vector<double> own(scores.begin() + group * size, scores.begin() + (group + 1) * size);
    std::sort(own.rbegin(), own.rend());
    best.push_back({own[0] + own[1], group});
  }
  std::sort(best.rbegin(), best.rend());
  vector<std::pair<double, int>> order;
  for (int i = 0; i < C::selection::groups_used; i++)
    for (int e = best[i].second * size; e < (best[i].second + 1) * size; e++) order.push_back({scores[e], e});
  std::sort(order.rbegin(), order.rend());
  vector<std::pair<int, double>> chosen;
  double sum = 0;
  for (int j = 0; j < C::used; j++) {
    const int e = order[j].second;
    const double weight = C::weights::sigmoid ? sigmoid_of(logits[e]) : std::exp(double(logits[e]));
    chosen.push_back({e, weight}), sum += weight;
  }
  for (auto& [e, weight] : chosen) weight *= C::weights_scale / sum;
  return chosen;
}

template <class C>
void check() {
  using Shape = ExpertsShape<C>;
  std::mt19937 random(3);
  TestDevice device(Kernels<C>::table);
  const auto numbers = [&](int n) { return random_floats(n, random); };
  const int outputs = C::combines ? C::rows : C::used * C::rows;
  const vector<float> matrices[] = {numbers(C::experts * C::rows * C::cols), numbers(C::experts * C::rows * C::cols)};
  const vector<float> input = numbers(Shape::inputs * C::cols), logits = numbers(C::experts + 1);
  const vector<float> norm = numbers(C::cols), shared = numbers(C::rows), residual = numbers(C::rows);
  const vector<float> biases[] = {numbers(C::experts * C::rows), numbers(C::experts * C::rows)};
  const vector<float> scales[] = {numbers(C::experts), numbers(C::experts)}, selection = numbers(C::experts);
  float* output = device.allocate<float>(outputs);
  ExpertsArgs args = {};
  args.weights = device.upload(packed<C>(matrices));
  args.input = device.upload(input), args.logits = (char*)device.upload(logits), args.norm = device.upload(norm);
  args.shared = device.upload(shared), args.residual = device.upload(residual), args.output = output;
  for (int i = 0; i < 2; i++) args.bias[i] = device.upload(biases[i]), args.matrix_scale[i] = device.upload(scales[i]);
  args.selection = device.upload(selection);
  device.expect(device.driver.func_set_max_dynamic_shared(device.function("experts"), Shape::shared_bytes));
  device.expect(device.launch("experts", C::blocks, Shape::threads, Shape::shared_bytes, args).result);

  const auto chosen = route<C>(logits, selection);
  double squares = 0;
  for (const float v : input) squares += double(v) * v;
  const double by = C::norm::any ? 1 / std::sqrt(squares / C::cols + 1e-5) : 1;
  const auto product = [&](int part, int j, int row) {
    const int e = chosen[j].first;
    const float* x = input.data() + (C::combines ? j * C::cols : 0);
    double y = 0;
    for (int c = 0; c < C::cols; c++)
      y += x[c] * (C::norm::any ? by * norm[c] : 1) * matrices[part][(e * C::rows + row) * C::cols + c];
    if (C::matrix_scale >> part & 1) y *= scales[part][e];
    return C::bias >> part & 1 ? y + biases[part][e * C::rows + row] : y;
  };
  const vector<float> got = device.download(output, outputs);
  double error = 0, power = 0;
  for (int i = 0; i < outputs; i++) {
    const int row = i % C::rows;
    double want = 0;
    if (C::combines) {
      for (int j = 0; j < C::used; j++) want += chosen[j].second * product(0, j, row);
      if (C::add_shared) want += shared[row] * sigmoid_of(logits[C::experts]);
      want = want * C::scale + (C::add_residual ? residual[row] : 0);
    } else {
      const double gate = product(0, i / C::rows, row);
      want = gate * sigmoid_of(gate) * product(1, i / C::rows, row);
    }
    error += (got[i] - want) * (got[i] - want), power += want * want;
  }
  EXPECT(error <= 1e-10 * power);
}

CASE(experts_rows) { check<Rows>(); }
CASE(experts_sum) { check<Sum>(); }
CASE(experts_sum_of_groups) { check<GroupedSum>(); }

}  // namespace
}  // namespace realizar
