// Queries, keys and values of a step's rows against the same in float64: rows of several slots, in pages in no order.
#include <algorithm>

#include "../../../runtime/kernels/append.cuh"
#include "harness.h"
#include "rotated.h"

namespace realizar {
namespace {

using std::vector;
using test::random_floats;
using test::TestDevice;

struct Plain : AppendDefaults {
  static constexpr int heads = 4, kv_heads = 2, head_size = 20, qkv_cols = 160, slot_bytes = 16, warps = 3;
  static constexpr int64_t page_stride = kv_heads * 64 * 32 + 128;  // another cache has the rest
  static constexpr float scale = 0.3f;
};
struct Varied : Plain {
  using query_norm = HeadNorm;
  using key_norm = JointNorm;
  struct rope : Rope<8, RopePairs::adjacent> {
    static constexpr bool factors = true;
    static constexpr float magnitude = 1.5f;
    static DEVICE float inverse_frequency(int pair) { return 1.f / (1 << pair); }
  };
  static constexpr int qkv_cols = 165, warps = 1;
  static constexpr float epsilon = 1e-5f;
  static constexpr bool rests = true;
};

template <class C>
struct Kernels {
  REALIZAR_KERNEL(kernel, AppendShape<C>::threads, 1, AppendArgs, append<C>)
  static inline const HostKernel table[] = {{"append", kernel, sizeof(AppendArgs)}, {nullptr, nullptr, 0}};
};

template <class C>
void check() {
  constexpr int max_rows = 7, pages = 5, row_size = KvRow<C::head_size>::row;
  const vector<Row> rows = {{0, 62, 1, 0}, {0, 63, 1, 0}, {0, 64, 1, 0}, {0, take_slots, 0, 0}, {0, 127, 2, 0}};
  const vector<int> positions = {62, 63, 64, 5, 127};
  // Of three slots: 16 bytes each.
  const vector<uint32_t> page_table = {4, 9, 0, 0, 2, 0, 0, 0, 9, 3, 0, 0};
  const vector<State> states = {{0, 5, 6, 1}, {0, 99, 100, 1}, {0, 99, 100, 1}};
  std::mt19937 random(3);
  TestDevice device(Kernels<C>::table);
  const vector<float> qkv = random_floats(max_rows * C::qkv_cols, random), factors(4, 1.25f);
  const vector<float> query_norm = random_floats(C::heads * C::head_size, random);
  const vector<float> key_norm = random_floats(C::kv_heads * C::head_size, random);
  constexpr size_t cache_size = pages * C::page_stride;
  const vector<uint16_t> untouched(cache_size, 0x7fff);
  uint16_t *keys = device.upload(untouched), *values = device.upload(untouched);
  constexpr int query_cols = row_size * (C::rests ? 2 : 1);
  constexpr size_t query_size = max_rows * C::heads * query_cols;
  uint16_t* query = device.upload(vector<uint16_t>(query_size, 0x7fff));
  const AppendArgs args = {device.upload(vector<StepHeader>{{int(rows.size()), 0, 0, 0}}),
                           device.upload(rows),
                           device.upload(states),
                           device.upload(qkv),
                           device.upload(query_norm),
                           device.upload(key_norm),
                           device.upload(factors),
                           device.upload(page_table),
                           keys,
                           values,
                           query};
  using Shape = AppendShape<C>;
  device.expect(device.launch("append", max_rows, Shape::threads, Shape::shared_bytes, args).result);
  const auto got_keys = device.download(keys, cache_size), got_values = device.download(values, cache_size);
  const auto got_query = device.download(query, query_size);

  double error = 0, power = 0;
  const auto compare = [&](uint16_t got, double want) {
    error += (half_to_float(got) - want) * (half_to_float(got) - want), power += want * want;
  };
  size_t n_written = 0;
  for (int r = 0; r < int(rows.size()); r++) {
    const size_t first_query = r * C::qkv_cols, first_key = first_query + C::heads * C::head_size;
    const int position = positions[r];
    for (int h = 0; h < C::heads; h++) {
      const auto want = test::rotated<C, typename C::query_norm>(qkv, first_query + h * C::head_size, first_query,
                                                                 C::heads, query_norm.data(), factors, position);
      const uint16_t* got = &got_query[(r * C::heads + h) * query_cols];
      for (int d = 0; d < row_size; d++) {
        const double exact = d < C::head_size ? want[d] * C::scale : 0;
        compare(got[d], exact);
        const double rest = C::rests ? half_to_float(got[row_size + d]) : 0;
        if (C::rests) EXPECT(std::abs(half_to_float(got[d]) + rest - exact) <= 1e-5 + 1e-5 * std::abs(exact));
      }
    }
    for (int h = 0; h < C::kv_heads; h++) {
      const size_t at = first_key + h * C::head_size;
      const auto want =
          test::rotated<C, typename C::key_norm>(qkv, at, first_key, C::kv_heads, key_norm.data(), factors, position);
      const int64_t to = cache_row<C>(page_table[rows[r].slot * 4 + position / 64], h, position);
      for (int d = 0; d < row_size; d++) {
        const int64_t element = to + KvRow<C::head_size>::element(position, d);
        compare(got_keys[element], d < C::head_size ? want[d] : 0);
        EXPECT_EQ(got_values[element], d < C::head_size ? float_to_half(qkv[at + C::kv_heads * C::head_size + d]) : 0);
        n_written++;
      }
    }
  }
  EXPECT(error <= 1e-6 * power);
  for (const auto* cache : {&got_keys, &got_values})
    EXPECT_EQ(size_t(std::count(cache->begin(), cache->end(), 0x7fff)), cache_size - n_written);
  EXPECT_EQ(size_t(std::count(got_query.begin(), got_query.end(), 0x7fff)),
            query_size - rows.size() * C::heads * query_cols);
}

CASE(append_of_a_plain_model) { check<Plain>(); }
CASE(append_with_every_variant) { check<Varied>(); }

}  // namespace
}  // namespace realizar
