// The kernels that take rows one by one, against the same in float64: embeddings, norms, and the operand form.
#include <cmath>
#include <set>

#include "../../../runtime/kernels/embed_rows.cuh"
#include "../../../runtime/kernels/norm_add_rows.cuh"
#include "../../../runtime/kernels/operand_rows.cuh"
#include "harness.h"
#include "operand.h"
#include "tiles.h"

namespace realizar {
namespace {

using std::vector;
using test::random_floats;
using test::TestDevice;

double mean_square(const vector<double>& x, double mean) {
  double sum = 0;
  for (const double v : x) sum += (v - mean) * (v - mean);
  return sum / double(x.size());
}
// No bias: an RMSNorm.
vector<double> normalized(const vector<double>& x, const vector<float>& weight, const vector<float>* bias,
                          double epsilon) {
  double mean = 0;
  if (bias)
    for (const double v : x) mean += v / double(x.size());
  const double by = 1 / std::sqrt(mean_square(x, mean) + epsilon);
  vector<double> y(x.size());
  for (size_t i = 0; i < x.size(); i++) y[i] = (x[i] - mean) * by * weight[i] + (bias ? (*bias)[i] : 0);
  return y;
}

// How far what was computed is from what it should be.
struct Distance {
  double error = 0, power = 0;
  void compare(double got, double want) { error += (got - want) * (got - want), power += want * want; }
  bool within(double bound) const { return error <= bound * power; }
};

template <class Args, void (*Body)(const Args&)>
struct Kernels {
  REALIZAR_KERNEL(kernel, 1024, 1, Args, Body)
  static inline const HostKernel table[] = {{"kernel", kernel, sizeof(Args)}, {nullptr, nullptr, 0}};
};

StepHeader* step_of(TestDevice& device, int n_rows, int n_outputs = 0) {
  return device.upload(vector<StepHeader>{{n_rows, n_outputs, 0, 0}});
}

CASE(operand_places) {
  EXPECT_EQ(operand_halves(9, 130), int64_t(256 * 16));
  EXPECT_EQ(operand_offset(0, 0, 9), int64_t(0));
  EXPECT_EQ(operand_offset(0, 33, 9), int64_t(3));           // u = 1, e = 1
  EXPECT_EQ(operand_offset(0, 2, 9), int64_t(8));            // e = 2
  EXPECT_EQ(operand_offset(0, 4, 9), int64_t(16));           // j = 1
  EXPECT_EQ(operand_offset(3, 0, 9), int64_t(3 * 64 + 24));  // piece 0 at place 3
  EXPECT_EQ(operand_offset(0, 16, 9), int64_t(16 * 64));     // the second half-block
  EXPECT_EQ(operand_offset(0, 128, 9), int64_t(2 * 16 * 64));
  std::set<int64_t> places;
  for (int row = 0; row < 16; row++)
    for (int col = 0; col < 256; col++) places.insert(operand_offset(row, col, 9));
  EXPECT_EQ(places.size(), size_t(16 * 256));
  EXPECT_EQ(*places.rbegin(), int64_t(16 * 256 - 1));
}

CASE(operand_scales) {
  const auto scale = [](float largest) { return operand_scale(magnitude_bits(largest)); };
  EXPECT_EQ(scale(8192.f), 1.f);
  EXPECT_EQ(scale(16383.f), 1.f);
  EXPECT_EQ(scale(-16384.f), 2.f);
  EXPECT_EQ(scale(1.f), 0x1p-13f);
  EXPECT_EQ(scale(3e38f), 0x1p114f);
  EXPECT_EQ(scale(0.f), 1.f);
  EXPECT_EQ(scale(0x1p-113f), 0x1p-126f);
  EXPECT_EQ(scale(0x1p-149f), 0x1p-126f);
  EXPECT(std::isnan(scale(INFINITY)) && std::isnan(scale(-NAN)));
}

// ------------------------------------------------------------------ operand_rows
struct PlainRows : OperandRowsDefaults {
  static constexpr int rows = 11, cols = 180, threads = 64;
};
struct SummedRows : OperandRowsDefaults {
  using input = SummedInput<1e-6f, true>;
  using norm = RmsNorm<1e-5f>;
  static constexpr int rows = 11, cols = 99, threads = 32;
};
struct LayeredRows : OperandRowsDefaults {
  using norm = LayerNorm<1e-5f, true>;
  static constexpr int rows = 5, cols = 300, threads = 32;
  static constexpr bool gather = true;
};

template <class C>
void check_operand_rows() {
  constexpr bool summed = !std::is_same_v<typename C::input, PlainInput>;
  constexpr int inputs = 11, n = 4;
  std::mt19937 random(7);
  TestDevice device(Kernels<OperandRowsArgs, operand_rows<C>>::table);
  const auto numbers = [&](int n) { return random_floats(size_t(n), random); };
  vector<float> input = numbers(inputs * C::cols), residual = numbers(inputs * C::cols);
  const float large = C::norm::any ? 1e15f : 1e30f;  // squares stay numbers
  for (int i = 0; i < C::cols; i++) input[i] *= large, input[C::cols + i] /= large, input[2 * C::cols + i] = 0;
  input[3 * C::cols + 5] = INFINITY;
  const vector<float> sum_norm = numbers(C::cols), norm = numbers(C::cols), norm_bias = numbers(C::cols);
  const vector<int32_t> output_rows = {7, 3, 10, 0};
  const size_t halves = size_t(operand_halves(C::rows, C::cols));
  uint16_t* output = device.upload(vector<uint16_t>(halves, 0xffff));
  float *scale = device.upload(vector<float>(C::rows, -1)), *sum = device.allocate<float>(inputs * C::cols);
  const StepHeader* step = C::gather ? step_of(device, inputs, n) : step_of(device, n, 0);
  const OperandRowsArgs args = {step,
                                device.upload(input),
                                device.upload(sum_norm),
                                device.upload(residual),
                                sum,
                                device.upload(norm),
                                device.upload(norm_bias),
                                device.upload(output_rows),
                                output,
                                scale};
  device.expect(device.launch("kernel", C::rows, C::threads, C::threads / 32 * 4, args).result);

  const auto got = device.download(output, halves);
  const auto scales = device.download(scale, C::rows), sums = device.download(sum, inputs * C::cols);
  for (int row = n; row < C::rows; row++) EXPECT_EQ(scales[row], -1.f);
  for (int row = 0; row < n; row++) {
    const int from = C::gather ? output_rows[row] : row;
    if (from == 3) {
      EXPECT(std::isnan(scales[row]));
      continue;
    }
    const auto at = [&](const vector<float>& rows) {
      return vector<double>(rows.begin() + from * C::cols, rows.begin() + (from + 1) * C::cols);
    };
    vector<double> x = at(input);
    Distance distance;
    if (summed) {
      x = normalized(x, sum_norm, nullptr, 1e-6);
      for (int i = 0; i < C::cols; i++) x[i] += at(residual)[i], distance.compare(at(sums)[i], x[i]);
      EXPECT(distance.within(1e-13));
    }
    if constexpr (C::norm::any) x = normalized(x, norm, summed ? nullptr : &norm_bias, 1e-5);
    distance = {};
    double largest = 0;
    for (int i = 0; i < C::cols; i++) {
      distance.compare(test::operand_value(got, scales, row, i, C::rows), x[i]);
      largest = std::max(largest, std::fabs(x[i]) / scales[row]);
    }
    EXPECT(distance.within(1e-7));
    EXPECT(largest == 0 || (largest > 8191 && largest < 16385));
    for (int i = C::cols; i < round_up(C::cols, operand_block); i++)
      EXPECT_EQ(got[size_t(operand_offset(row, i, C::rows))], 0);
  }
}
CASE(operand_rows_as_they_are) { check_operand_rows<PlainRows>(); }
CASE(operand_rows_of_a_sum_and_norm) { check_operand_rows<SummedRows>(); }
CASE(operand_rows_gathered_with_layer_norm) { check_operand_rows<LayeredRows>(); }

// ------------------------------------------------------------------ norm_add_rows
template <bool Layer>
struct NormAdd {
  using norm = std::conditional_t<Layer, LayerNorm<1e-5f, true>, RmsNorm<1e-5f>>;
  static constexpr int rows = 5, cols = Layer ? 77 : 140, threads = 64;
  static constexpr bool add_residual = !Layer;
};
template <class C>
void check_norm_add_rows() {
  constexpr int n = 3;
  std::mt19937 random(7);
  TestDevice device(Kernels<NormAddRowsArgs, norm_add_rows<C>>::table);
  const vector<float> input = random_floats(C::rows * C::cols, random), norm = random_floats(C::cols, random);
  const vector<float> bias = random_floats(C::cols, random), residual = random_floats(C::rows * C::cols, random);
  float* output = device.upload(vector<float>(C::rows * C::cols, -1));
  const NormAddRowsArgs args = {step_of(device, n),  device.upload(input),    device.upload(norm),
                                device.upload(bias), device.upload(residual), output};
  device.expect(device.launch("kernel", C::rows, C::threads, C::threads / 32 * 4, args).result);
  const vector<float> got = device.download(output, C::rows * C::cols);
  for (int row = 0; row < C::rows; row++) {
    const vector<double> x(input.begin() + row * C::cols, input.begin() + (row + 1) * C::cols);
    const vector<double> y = normalized(x, norm, C::add_residual ? nullptr : &bias, 1e-5);
    Distance distance;
    for (int i = 0; i < C::cols; i++) {
      const int at = row * C::cols + i;
      distance.compare(got[at], row < n ? y[i] + (C::add_residual ? residual[at] : 0) : -1);
    }
    EXPECT(distance.within(1e-12));
  }
}
CASE(norm_add_rows_of_rms_norm) { check_norm_add_rows<NormAdd<false>>(); }
CASE(norm_add_rows_of_layer_norm) { check_norm_add_rows<NormAdd<true>>(); }

// ------------------------------------------------------------------ embed_rows
template <int Cols>
struct Embedding {
  using format = F32;
  static constexpr int rows = 4, slot_bytes = 64, cols = Cols, group_rows = 4, chunk_cols = 64;
  static constexpr int units = (cols + 31) / 32, chunks = (units + 1) / 2, last_units = units - 2 * (chunks - 1);
  static constexpr int last_tile = tile_stride<F32, group_rows, last_units>, tile = tile_stride<F32, group_rows, 2>;
  static constexpr int64_t group_bytes = (chunks - 1) * tile + last_tile;
  static constexpr float scale = 2.f;
};
template <class C>
void check_embed_rows() {
  constexpr int vocabulary = 10;
  std::mt19937 random(7);
  TestDevice device(Kernels<EmbedRowsArgs, embed_rows<C>>::table);
  const vector<float> matrix = random_floats(vocabulary * C::cols, random);
  vector<char> weights(3 * C::group_bytes);
  for (int group = 0; group < 3; group++)
    for (int chunk = 0; chunk < C::chunks; chunk++) {
      float* to = (float*)(weights.data() + group * C::group_bytes + chunk * C::tile);
      if (chunk < C::chunks - 1)
        test::pack_tile<4, 2>(matrix, vocabulary, C::cols, 4 * group, 64 * chunk, to);
      else
        test::pack_tile<4, C::last_units>(matrix, vocabulary, C::cols, 4 * group, 64 * chunk, to);
    }
  const vector<Row> rows = {{9, 0, 0, 0}, {0, 1, 0, 0}, {take_slots, take_slots, 2, 0}, {-2, 0, 0, 0}};
  const vector<int> tokens = {9, 0, 5};
  struct Slot {
    State state;
    int32_t fed[12];
  };
  vector<Slot> before(3, Slot{{1, 2, 3, 4}, {}});
  before[2].state = {5, 7, 8, 1};
  Slot* slots = device.upload(before);
  float* output = device.upload(vector<float>(C::rows * C::cols, -1));
  const EmbedRowsArgs args = {step_of(device, 3), device.upload(rows),    &slots->state,
                              &slots->fed[0],     device.upload(weights), output};
  device.expect(device.launch("kernel", C::rows, 32, 0, args).result);
  const vector<float> got = device.download(output, C::rows * C::cols);
  for (int row = 0; row < C::rows; row++)
    for (int i = 0; i < C::cols; i++)
      EXPECT_EQ(got[row * C::cols + i], row < 3 ? 2 * matrix[tokens[row] * C::cols + i] : -1.f);
  const vector<Slot> after = device.download(slots, 3);
  EXPECT_EQ(after[0].fed[0], 9);
  EXPECT_EQ(after[0].fed[1], 0);
  EXPECT_EQ(after[2].fed[7], 5);
  EXPECT_EQ(after[2].state.position, 7);
}
CASE(embed_rows_of_whole_units) { check_embed_rows<Embedding<96>>(); }
CASE(embed_rows_of_odd_columns) { check_embed_rows<Embedding<99>>(); }

}  // namespace
}  // namespace realizar
