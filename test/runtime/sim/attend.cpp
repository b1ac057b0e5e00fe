// Attention of one token against the same in float64: of a plain model, and with every variant. The context is split,
// its pages are in no order, and its newest position is the token's own. What is in no position is NaN.
#include <algorithm>
#include <cmath>
#include <random>

#include "../../../runtime/kernels/attend/kernel.cuh"
#include "harness.h"
#include "rotated.h"

namespace realizar {
namespace {

using std::vector;
using test::random_floats;
using test::TestDevice;

struct Plain : AttendDefaults {
  static constexpr int heads = 4, kv_heads = 2, head_size = 20;
  static constexpr int64_t page_stride = 1 << 16;
  static constexpr int heads_per_block = 2, splits = 3, warps = 2, stages = 1;
  static constexpr int min_split = 16, unsplit = 16;
  static constexpr float scale = 0.3f;
  static constexpr int newest = 1 << 20, gates_size = 0;
  static constexpr float cap_of = 0.f;
};

struct Varied : Plain {
  using query_norm = HeadNorm;
  using key_norm = JointNorm;
  struct rope : Rope<8, RopePairs::adjacent> {
    static constexpr bool factors = true;
    static constexpr float magnitude = 1.5f;
    static DEVICE float inverse_frequency(int pair) { return 1.f / (1 << pair); }
  };
  using window = Window<37>;
  using cap = SoftCap<2.f>;
  using sinks = Sinks;
  using gates = ElementGates;
  static constexpr float epsilon = 1e-5f;
  static constexpr int newest = 37, gates_size = heads * head_size;
  static constexpr float cap_of = 2.f;
};

template <class C>
void attend_body(const AttendArgs& a) {
  attend<C>(a);
}
template <class C>
struct Kernels {
  REALIZAR_KERNEL(kernel, C::warps * 32, 1, AttendArgs, attend_body<C>)
  static inline const HostKernel table[] = {{"attend", kernel, sizeof(AttendArgs)}, {nullptr, nullptr, 0}};
};

constexpr int n_ctx = 3 * kv_page_positions;
const vector<uint32_t> in_order = {0, 1, 2}, permuted = {4, 0, 3};  // of five pages

template <class C>
vector<float> check_at(int position, const vector<uint32_t>& pages) {
  using Shape = AttendShape<C>;
  std::mt19937 random(position);
  TestDevice device(Kernels<C>::table);
  const size_t q_size = C::heads * C::head_size, kv_size = C::kv_heads * C::head_size;
  const vector<float> qkv = random_floats(q_size + 2 * kv_size + C::gates_size, random);
  const vector<float> query_norm = random_floats(q_size, random), key_norm = random_floats(kv_size, random);
  const vector<float> sinks = random_floats(C::heads, random), factors(4, 1.25f);
  // The cache as the kernel has it, and in order.
  vector<uint16_t> caches[2];
  vector<double> plain[2];
  for (int i = 0; i < 2; i++) {
    caches[i].assign(5 * C::page_stride, 0x7fff);
    plain[i].assign(C::kv_heads * n_ctx * C::head_size, 0);
    for (int row = 0; row < C::kv_heads * n_ctx; row++)
      for (int d = 0; d < Shape::row && row % n_ctx < position; d++) {
        const uint16_t half = d < C::head_size ? float_to_half(std::normal_distribution<float>()(random)) : 0;
        const int t = row % n_ctx;
        caches[i][cache_row<C>(pages[t / kv_page_positions], row / n_ctx, t) + Shape::Row::element(t, d)] = half;
        if (d < C::head_size) plain[i][row * C::head_size + d] = half_to_float(half);
      }
  }
  uint16_t *keys = device.upload(caches[0]), *values = device.upload(caches[1]);
  State* state = device.upload(vector<State>{{.token = 0, .position = position, .seq_len = position + 1, .serial = 1}});
  uint32_t* counters = device.upload(vector<uint32_t>(C::heads / C::heads_per_block, 0));
  float* partial = device.allocate<float>(C::heads * C::splits * Shape::partial_row);
  float* output = device.allocate<float>(q_size);
  device.expect(device.driver.func_set_max_dynamic_shared(device.function("attend"), Shape::shared_bytes));
  const AttendArgs args = {device.upload(qkv),
                           device.upload(query_norm),
                           device.upload(key_norm),
                           device.upload(factors),
                           device.upload(sinks),
                           device.upload(pages),
                           keys,
                           values,
                           state,
                           counters,
                           partial,
                           output};
  device.expect(
      device.launch("attend", C::heads / C::heads_per_block * C::splits, Shape::threads, Shape::shared_bytes, args)
          .result);

  double error = 0, power = 0;
  const vector<float> got = device.download(output, q_size);
  for (int h = 0; h < C::heads; h++) {
    const int kv = h / (C::heads / C::kv_heads);
    const size_t key_at = q_size + kv * C::head_size;
    const auto query = test::rotated<C, typename C::query_norm>(qkv, h * C::head_size, 0, C::heads, query_norm.data(),
                                                                factors, position);
    const auto key =
        test::rotated<C, typename C::key_norm>(qkv, key_at, q_size, C::kv_heads, key_norm.data(), factors, position);
    for (int d = 0; d < C::head_size; d++) {
      const size_t at = (kv * n_ctx + position) * C::head_size + d;
      plain[0][at] = half_to_float(float_to_half(float(key[d])));
      plain[1][at] = half_to_float(float_to_half(qkv[key_at + kv_size + d]));
    }
    vector<double> sums(C::head_size);
    double total = std::is_same_v<typename C::sinks, Sinks> ? std::exp(double(sinks[h])) : 0;
    for (int t = std::max(0, position + 1 - C::newest); t <= position; t++) {
      const size_t row = (kv * n_ctx + t) * C::head_size;
      double score = 0;
      for (int d = 0; d < C::head_size; d++) score += query[d] * C::scale * plain[0][row + d];
      if (C::cap_of > 0) score = C::cap_of * std::tanh(score / C::cap_of);
      const double weight = std::exp(score);
      total += weight;
      for (int d = 0; d < C::head_size; d++) sums[d] += weight * plain[1][row + d];
    }
    for (int d = 0; d < C::head_size; d++) {
      const size_t i = h * C::head_size + d;
      const double gate = C::gates_size > 0 ? 1 / (1 + std::exp(-double(qkv[q_size + 2 * kv_size + i]))) : 1;
      const double want = sums[d] / total * gate;
      error += (want - got[i]) * (want - got[i]), power += want * want;
    }
  }
  EXPECT(error <= 1e-9 * power);
  for (const uint32_t count : device.download(counters, C::heads / C::heads_per_block)) EXPECT_EQ(count, 0u);
  return got;
}
template <class C>
void check_at(int position) {
  EXPECT(check_at<C>(position, in_order) == check_at<C>(position, permuted));
}

CASE(attend_of_a_plain_model) {
  for (const int position : {0, 15, 16, 40, 63, 64, 150}) check_at<Plain>(position);
}
CASE(attend_with_every_variant) {
  for (const int position : {0, 15, 36, 37, 63, 64, 70, 190}) check_at<Varied>(position);
}

}  // namespace
}  // namespace realizar
