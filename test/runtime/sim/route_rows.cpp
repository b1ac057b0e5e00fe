// The choice of experts for many rows against the same in float64 and against itself in other tiles; then what it leads
// to: rows sorted by expert, scattered to their places, and what experts made of them added up.
#include <algorithm>
#include <cmath>

#include "../../../runtime/kernels/combine_rows.cuh"
#include "../../../runtime/kernels/route_rows/kernel.cuh"
#include "../../../runtime/kernels/scatter_rows.cuh"
#include "../../../runtime/kernels/sort_rows.cuh"
#include "harness.h"
#include "matrices.h"
#include "operand.h"

namespace realizar {
namespace {

using std::vector;
using test::random_floats;
using test::TestDevice;

template <class Args, void (*Body)(const Args&)>
struct Kernels {
  REALIZAR_KERNEL(kernel, 1024, 1, Args, Body)
  static inline const HostKernel table[] = {{"kernel", kernel, sizeof(Args)}, {nullptr, nullptr, 0}};
};

StepHeader* step_of(TestDevice& device, int n_rows) { return device.upload(vector<StepHeader>{{n_rows, 0, 0, 0}}); }

// ------------------------------------------------------------------ route_rows
// As the token program leaves it where a projection has its share of the router: f32, row by row.
struct Plain : RouteRowsDefaults {
  using router = PlainRouter;
  using norm = RmsNorm<1e-5f>;
  static constexpr int cols = 404, group_rows = 1, chunk_cols = 32;
  static constexpr int rows = 24, experts = 64, used = 3, tile_rows = 8, tile_experts = 32, stages = 3;
};
struct Odd : Plain {
  static constexpr int cols = 202, stages = 2;
};
// Of experts in groups, with a gate; the matrices' formats differ.
struct Grouped : RouteRowsDefaults {
  using router = TiledRouter<Segment<12, Q8_0>, Segment<1, F32>>;
  using selection = ByScore<true, 4, 2>;
  using weights = SigmoidWeights<false>;
  static constexpr float weights_scale = 1.7f;
  static constexpr int cols = 160, group_rows = 4, chunk_cols = 128;
  static constexpr int rows = 24, experts = 12, used = 5, tile_rows = 16, tile_experts = 8, stages = 2;
  static constexpr int bias = 1, matrix_scale = 2;
  static constexpr bool gated = true;
};
struct OverAll : Odd {
  using router = TiledRouter<Segment<64, BF16>>;
  using norm = NoNorm;
  using weights = SoftmaxWeights<true>;
  static constexpr int bias = 1;
};
template <class C, int Rows, int Experts>
struct Tiled : C {
  static constexpr int tile_rows = Rows, tile_experts = Experts;
};

template <class Router>
struct RouterMatrices;
template <>
struct RouterMatrices<PlainRouter> {
  using segments = Segments<Segment<64, F32>>;
};
template <class... S>
struct RouterMatrices<TiledRouter<S...>> {
  using segments = Segments<S...>;
};

template <class C>
struct RouteInputs {
  static constexpr int logits = RouteRowsShape<C>::logits;
  test::Random random;
  test::Matrices<C> matrices{typename RouterMatrices<typename C::router>::segments{}, random};
  vector<float> x, norm, bias, selection;
  RouteInputs() {
    for (int i = 0; i < C::rows * C::cols; i++) x.push_back(random.normal());
    for (int i = 0; i < C::cols; i++) norm.push_back(random.normal());
    for (int i = 0; i < logits; i++) bias.push_back(random.normal()), selection.push_back(random.normal() / 4);
  }
};

// Routing of n rows, of which row i is row order[i] of the inputs.
template <class C>
vector<float> route(const RouteInputs<C>& in, const vector<int>& order) {
  using Shape = RouteRowsShape<C>;
  TestDevice device(Kernels<RouteRowsArgs, route_rows<C>>::table);
  vector<float> x;
  for (const int row : order) x.insert(x.end(), in.x.begin() + row * C::cols, in.x.begin() + (row + 1) * C::cols);
  RouteRowsArgs args = {};
  args.step = step_of(device, int(order.size()));
  args.input = device.upload(x), args.norm = device.upload(in.norm);
  if (C::router::plain) {
    const vector<float> rows(in.matrices.weights[0].begin(), in.matrices.weights[0].end());
    args.router = (const char*)device.upload(rows);
  } else {
    args.router = device.upload(in.matrices.bytes);
  }
  args.bias[0] = device.upload(in.bias);
  args.matrix_scale[1] = device.upload(vector<float>{0.25f});
  args.selection = device.upload(in.selection);
  args.logits = device.allocate<float>(C::rows * Shape::logits);
  args.counters = device.upload(vector<uint32_t>(Shape::row_tiles));
  args.routing = device.upload(vector<float>(C::rows * Shape::routing_cols, -1));
  device.expect(device.driver.func_set_max_dynamic_shared(device.function("kernel"), Shape::shared_bytes));
  device.expect(device.launch("kernel", Shape::blocks, Shape::threads, Shape::shared_bytes, args).result);
  for (const uint32_t count : device.download(args.counters, Shape::row_tiles)) EXPECT_EQ(count, 0u);
  const vector<float> all = device.download(args.routing, C::rows * Shape::routing_cols);
  const auto end = all.begin() + ptrdiff_t(order.size()) * Shape::routing_cols;
  EXPECT(std::all_of(end, all.end(), [](float v) { return v == -1; }));
  return {all.begin(), end};
}

double sigmoid_of(double v) { return 1 / (1 + std::exp(-v)); }

template <class C>
void check_row(const RouteInputs<C>& in, int row, const float* got) {
  vector<double> x(in.x.begin() + row * C::cols, in.x.begin() + (row + 1) * C::cols), logits;
  double squares = 0;
  for (const double v : x) squares += v * v;
  if (C::norm::any)
    for (int c = 0; c < C::cols; c++) x[c] *= in.norm[c] / std::sqrt(squares / C::cols + 1e-5);
  for (size_t m = 0; m < in.matrices.weights.size(); m++)
    for (size_t at = 0; at < in.matrices.weights[m].size(); at += C::cols) {
      double y = 0;
      for (int c = 0; c < C::cols; c++) y += x[c] * in.matrices.weights[m][at + c];
      if (C::matrix_scale >> m & 1) y *= 0.25;
      if (C::bias >> m & 1) y += in.bias[at / C::cols];
      logits.push_back(y);
    }
  vector<double> scores(logits.begin(), logits.begin() + C::experts);
  if (C::selection::scored)
    for (int e = 0; e < C::experts; e++) scores[e] = sigmoid_of(logits[e]) + in.selection[e];
  constexpr int groups = C::selection::groups, size = C::experts / groups;
  vector<std::pair<double, int>> best;
  for (int group = 0; group < groups; group++) {
    vector<double> own(scores.begin() + group * size, scores.begin() + (group + 1) * size);
    std::sort(own.rbegin(), own.rend());
    best.push_back({own[0] + own[1], group});
  }
  std::sort(best.rbegin(), best.rend());
  vector<std::pair<double, int>> ranked;
  for (int i = 0; i < C::selection::groups_used; i++)
    for (int e = best[i].second * size; e < (best[i].second + 1) * size; e++) ranked.push_back({scores[e], e});
  std::sort(ranked.rbegin(), ranked.rend());
  double sum = 0, all = 0;
  const auto weight = [&](int e) { return C::weights::sigmoid ? sigmoid_of(logits[e]) : std::exp(logits[e]); };
  for (int j = 0; j < C::used; j++) sum += weight(ranked[j].second);
  for (int e = 0; e < C::experts; e++) all += weight(e);
  for (int j = 0; j < C::used; j++) {
    const double want = weight(ranked[j].second) / (C::weights::over_all ? all : sum) * C::weights_scale;
    EXPECT_EQ(got[j], float(ranked[j].second));
    EXPECT(std::fabs(got[C::used + j] - want) <= 2e-5 * want);
  }
  if (C::gated) EXPECT(std::fabs(got[2 * C::used] - sigmoid_of(logits[C::experts])) <= 1e-6);
}

template <class C>
void check_route() {
  const RouteInputs<C> in;
  constexpr int cols = RouteRowsShape<C>::routing_cols;
  vector<int> all, turned;
  for (int i = 0; i < C::rows; i++) all.push_back(i);
  for (int i = 0; i < 13; i++) turned.push_back(C::rows - 1 - i);
  const vector<float> want = route<C>(in, all);
  for (int row = 0; row < C::rows; row++) check_row(in, row, &want[size_t(row) * cols]);
  const auto expect_same = [&](const vector<int>& order, const vector<float>& got) {
    for (size_t i = 0; i < order.size(); i++)
      EXPECT(memcmp(&got[i * cols], &want[size_t(order[i]) * cols], cols * 4) == 0);
  };
  expect_same(turned, route<C>(in, turned));
  expect_same(turned, route<Tiled<C, 16, 16>>(RouteInputs<Tiled<C, 16, 16>>{}, turned));
  for (const uint32_t seed : {1u, 2u}) {
    set_execution_order(seed);
    expect_same(all, route<Tiled<C, 8, 64>>(RouteInputs<Tiled<C, 8, 64>>{}, all));
  }
  set_execution_order(0);
}
CASE(route_rows_by_logits) { check_route<Plain>(); }
CASE(route_rows_of_odd_columns) { check_route<Odd>(); }
CASE(route_rows_over_all_experts) { check_route<OverAll>(); }
CASE(route_rows_of_groups) { check_route<Grouped>(); }

// ------------------------------------------------------------------ sort_rows
template <int Warps, int TileRows>
struct Sort {
  static constexpr int rows = 64, experts = 10, used = 3, routing_cols = 7, tile_rows = TileRows, warps = Warps;
};

// Experts of so many rows; none is chosen that is a multiple of 4 but 0, which all rows take.
vector<float> some_routing(int n_rows) {
  vector<float> routing;
  for (int row = 0; row < n_rows; row++) {
    const int a = 1 + row * row % 3, b = 5 + row * 7 % 3;
    for (const int v : {row % 2 ? a : 0, row % 2 ? 0 : b, row % 2 ? b : a, 0, 0, 0, 0}) routing.push_back(float(v));
  }
  return routing;
}

template <class C>
void check_sort(int n_rows) {
  TestDevice device(Kernels<SortRowsArgs, sort_rows<C>>::table);
  const vector<float> routing = some_routing(n_rows);
  int32_t* places = device.upload(vector<int32_t>(C::rows * C::used, -1));
  const int most = C::rows * C::used + 7 * C::experts;
  ExpertTile* tiles = device.upload(vector<ExpertTile>(size_t(most), {-1, -1, -1, -1}));
  const SortRowsArgs args = {step_of(device, n_rows), device.upload(routing), places, (StepHeader*)tiles};
  const unsigned shared = SortRowsShape<C>::shared_bytes;
  device.expect(device.launch("kernel", 1, SortRowsShape<C>::threads, shared, args).result);
  const vector<int32_t> got = device.download(places, C::rows * C::used);
  const vector<ExpertTile> list = device.download(tiles, size_t(most));
  StepHeader header;
  memcpy(&header, list.data(), sizeof header);
  int place = 0, tile = 0;
  for (int expert = 0; expert < C::experts; expert++) {
    const int first = place;
    for (int i = 0; i < n_rows * C::used; i++)
      if (routing[size_t(i / C::used * C::routing_cols + i % C::used)] == float(expert)) EXPECT_EQ(got[i], place++);
    for (int row = first; row < place; row += C::tile_rows) {
      const ExpertTile& found = list[size_t(1 + tile++)];
      EXPECT_EQ(found.expert, expert);
      EXPECT_EQ(found.row, row);
      EXPECT_EQ(found.n_rows, std::min(C::tile_rows, place - row));
    }
    place = round_up(place, 8);
  }
  EXPECT_EQ(header.n_rows, place);
  EXPECT_EQ(header.n_tiles, tile);
  EXPECT_EQ(list[size_t(1 + tile)].expert, -1);
  for (int i = n_rows * C::used; i < C::rows * C::used; i++) EXPECT_EQ(got[i], -1);
}
CASE(sort_rows_by_expert) {
  check_sort<Sort<1, 8>>(64);
  check_sort<Sort<4, 16>>(64);
  check_sort<Sort<4, 8>>(33);
  check_sort<Sort<3, 128>>(2);
}

// ------------------------------------------------------------------ scatter_rows, combine_rows
constexpr int step_rows = 13, choices = 3, pair_rows = 64;
vector<int32_t> some_places() {
  vector<int32_t> places;
  for (int i = 0; i < 16 * choices; i++) places.push_back(i * 11 % 61);
  return places;
}

struct Scatter {
  static constexpr int rows = 16, pairs = pair_rows, cols = 200, used = choices, threads = 32;
};
CASE(scatter_rows_to_their_places) {
  TestDevice device(Kernels<ScatterRowsArgs, scatter_rows<Scatter>>::table);
  constexpr int cols = 256;
  vector<uint16_t> input(size_t(operand_halves(16, cols))), nothing(size_t(operand_halves(pair_rows, cols)), 0xffff);
  for (size_t i = 0; i < input.size(); i++) input[i] = uint16_t(i);
  vector<float> scales;
  for (int i = 0; i < 16; i++) scales.push_back(std::ldexp(1.f, i));
  uint16_t* output = device.upload(nothing);
  float* output_scale = device.upload(vector<float>(pair_rows, -1));
  const vector<int32_t> places = some_places();
  const ScatterRowsArgs args = {step_of(device, step_rows),
                                device.upload(input),
                                device.upload(scales),
                                device.upload(places),
                                output,
                                output_scale};
  device.expect(device.launch("kernel", Scatter::rows, Scatter::threads, 0, args).result);
  const auto got = device.download(output, nothing.size());
  const auto got_scales = device.download(output_scale, pair_rows);
  size_t written = 0;
  for (const uint16_t half : got) written += half != 0xffff;
  EXPECT_EQ(written, size_t(step_rows * choices * cols));
  for (int i = 0; i < step_rows * choices; i++) {
    EXPECT_EQ(got_scales[size_t(places[size_t(i)])], scales[size_t(i / choices)]);
    for (int c = 0; c < cols; c++)
      EXPECT_EQ(got[size_t(operand_offset(places[size_t(i)], c, pair_rows))],
                input[size_t(operand_offset(i / choices, c, 16))]);
  }
}

template <int Cols>
struct Combine : CombineRowsDefaults {
  static constexpr int rows = 16, cols = Cols, used = choices, routing_cols = 2 * choices + 1, threads = 32;
  static constexpr bool add_shared = Cols == 33, gated = add_shared, add_residual = true;
  static constexpr float scale = add_shared ? 0.5f : 1.f;
};
template <class C>
void check_combine() {
  TestDevice device(Kernels<CombineRowsArgs, combine_rows<C>>::table);
  std::mt19937 random(5);
  const auto numbers = [&](int n) { return random_floats(size_t(n), random); };
  const vector<float> input = numbers(pair_rows * C::cols), routing = numbers(C::rows * C::routing_cols);
  const vector<float> shared = numbers(C::rows * C::cols), residual = numbers(C::rows * C::cols);
  const vector<int32_t> places = some_places();
  float* output = device.upload(vector<float>(C::rows * C::cols, -1));
  const CombineRowsArgs args = {step_of(device, step_rows),
                                device.upload(input),
                                device.upload(routing),
                                device.upload(places),
                                device.upload(shared),
                                device.upload(residual),
                                output};
  device.expect(device.launch("kernel", C::rows, C::threads, 0, args).result);
  const vector<float> got = device.download(output, C::rows * C::cols);
  for (int i = 0; i < C::rows * C::cols; i++) {
    const int row = i / C::cols, col = i % C::cols;
    const float* own = &routing[size_t(row * C::routing_cols)];
    double want = 0;
    for (int j = 0; j < choices; j++)
      want += double(own[choices + j]) * input[size_t(places[size_t(row * choices + j)] * C::cols + col)];
    if (C::add_shared) want += double(own[2 * choices]) * shared[size_t(i)];
    want = want * C::scale + residual[size_t(i)];
    EXPECT(row < step_rows ? std::fabs(got[size_t(i)] - want) <= 1e-5 : got[size_t(i)] == -1);
  }
}
CASE(combine_rows_of_four_columns) { check_combine<Combine<36>>(); }
CASE(combine_rows_of_odd_columns) { check_combine<Combine<33>>(); }

}  // namespace
}  // namespace realizar
