// Attention of many rows: against the same in float64, and that a row gives the same bits whatever is beside it, in
// whichever tile, pages and order. What is in no position is NaN.
#include <algorithm>
#include <cmath>
#include <map>

#include "../../../runtime/kernels/attend_rows/kernel.cuh"
#include "harness.h"
#include "operand.h"

namespace realizar {
namespace {

using std::vector;
using test::random_floats;
using test::TestDevice;

struct Plain : AttendRowsDefaults {
  static constexpr int heads = 4, kv_heads = 2, head_size = 20, rows = 70, slot_pages = 4, slot_bytes = 16;
  static constexpr int64_t page_stride = 1 << 15;
  static constexpr int split_positions = 128, stages = 2;
  static constexpr int qkv_cols = 0, newest = 1 << 20;
  static constexpr float cap_of = 0.f;
};
// Every variant, groups of 7 heads, one stage.
struct Varied : AttendRowsDefaults {
  using window = Window<70>;
  using cap = SoftCap<2.f>;
  using sinks = Sinks;
  using gates = ElementGates;
  static constexpr int heads = 14, kv_heads = 2, head_size = 16, rows = 70, slot_pages = 4, slot_bytes = 16;
  static constexpr int64_t page_stride = 4096;
  static constexpr int split_positions = 64, stages = 1;
  static constexpr int qkv_cols = (heads + 2 * kv_heads + heads) * head_size, newest = 70;
  static constexpr float cap_of = 2.f;
};
// Queries of two halves, in registers and in shared memory.
struct Fine : Plain {
  static constexpr bool rests = true;
};
struct FineInShared : Fine {
  static constexpr int head_size = 72;
};
// Queries in shared memory, shorter chunks; one head, and no splits.
struct Long : Plain {
  using gates = HeadGates;
  static constexpr int heads = 1, kv_heads = 1, head_size = 136, split_positions = 256, stages = 3;
  static constexpr int qkv_cols = 3 * head_size + 1;
};

// A head a KV head, so the most rows of a tile; rows of keys as wide as all banks.
struct Single : Plain {
  using window = Window<100>;
  static constexpr int heads = 2, kv_heads = 2, head_size = 64, split_positions = 64, stages = 3, newest = 100;
};

template <class C>
struct Kernels {
  REALIZAR_KERNEL(kernel, 128, 1, AttendRowsArgs, attend_rows<C>)
  static inline const HostKernel table[] = {{"attend", kernel, sizeof(AttendRowsArgs)}, {nullptr, nullptr, 0}};
};

constexpr int n_slots = 4, n_positions = 4 * kv_page_positions;
// Rows of a slot that a step has.
struct Span {
  int slot, position, n;
};
struct Layout {
  vector<Span> spans;
  int tile_rows;      // at most
  vector<int> pages;  // which of all pages are the slots', one after the other
  unsigned blocks;
  uint32_t seed;  // of the order of blocks and threads
};

// What all sequences are, wherever they lie: queries, keys, values and gates of each slot and position.
template <class C>
struct Sequences {
  std::mt19937 random{11};
  vector<float> queries = C::rests ? large(C::heads) : halves(C::heads);
  vector<float> keys = halves(C::kv_heads), values = halves(C::kv_heads);
  vector<float> gates = random_floats(n_slots * n_positions * C::qkv_cols, random);
  vector<float> sinks = random_floats(C::heads, random);

  // Such that scores of queries rounded to halves would not do.
  vector<float> large(int heads) {
    vector<float> numbers = random_floats(n_slots * n_positions * heads * C::head_size, random);
    for (float& v : numbers) v *= 8;
    return numbers;
  }
  vector<float> halves(int heads) {
    vector<float> numbers = random_floats(n_slots * n_positions * heads * C::head_size, random);
    for (float& v : numbers) v = half_to_float(float_to_half(v));
    return numbers;
  }
  static const float* at(const vector<float>& all, int slot, int position, int heads, int head) {
    return &all[((slot * n_positions + position) * heads + head) * C::head_size];
  }
  const float* gates_of(int slot, int position) const {
    return gates.data() + (slot * n_positions + position) * C::qkv_cols;
  }

  // The output of a row in float64.
  vector<double> output(int slot, int position) const {
    vector<double> all;
    for (int h = 0; h < C::heads; h++) {
      const int kv = h / (C::heads / C::kv_heads);
      vector<double> sums(C::head_size);
      double total = std::is_same_v<typename C::sinks, Sinks> ? std::exp(double(sinks[h])) : 0;
      for (int t = std::max(0, position + 1 - int(C::newest)); t <= position; t++) {
        double score = 0;
        for (int d = 0; d < C::head_size; d++)
          score += double(at(queries, slot, position, C::heads, h)[d]) * at(keys, slot, t, C::kv_heads, kv)[d];
        if (C::cap_of > 0) score = C::cap_of * std::tanh(score / C::cap_of);
        total += std::exp(score);
        for (int d = 0; d < C::head_size; d++) sums[d] += std::exp(score) * at(values, slot, t, C::kv_heads, kv)[d];
      }
      for (int d = 0; d < C::head_size; d++) {
        const float* gate = gates_of(slot, position) + (C::heads + 2 * C::kv_heads) * C::head_size;
        const bool by_head = std::is_same_v<typename C::gates, HeadGates>;
        const double g = C::gates::any ? 1 / (1 + std::exp(-double(gate[by_head ? h : h * C::head_size + d]))) : 1;
        all.push_back(sums[d] / total * g);
      }
    }
    return all;
  }
};

// Outputs by slot and position, as their bits.
using Outputs = std::map<std::pair<int, int>, vector<uint16_t>>;

template <class C>
Outputs run(const Sequences<C>& all, const Layout& layout) {
  using Shape = AttendRowsShape<C>;
  constexpr int row_size = Shape::row, n_pages = n_slots * C::slot_pages + 3;
  constexpr size_t cache_size = n_pages * C::page_stride;
  static_assert(C::page_stride >= C::kv_heads * kv_page_positions * row_size);
  TestDevice device(Kernels<C>::table);
  vector<Tile> tiles;
  vector<std::pair<int, int>> rows;
  vector<uint16_t> query(C::rows * C::heads * Shape::query_cols, 0x7fff), keys(cache_size, 0x7fff),
      values(cache_size, 0x7fff);
  vector<float> qkv(C::rows * C::qkv_cols + 1, NAN);
  // What nobody sees any more has a page that is nobody's.
  vector<uint32_t> page_table(n_slots * C::slot_pages, n_pages - 1);
  for (const Span& span : layout.spans) {
    for (int i = 0; i < span.n; i += layout.tile_rows)
      tiles.push_back({int(rows.size()) + i, std::min(layout.tile_rows, span.n - i), span.position + i, span.slot});
    for (int i = 0; i < span.n; i++) {
      const int row = int(rows.size()), position = span.position + i;
      rows.push_back({span.slot, position});
      for (int h = 0; h < C::heads; h++)
        for (int d = 0; d < row_size; d++) {
          const float v = d < C::head_size ? all.at(all.queries, span.slot, position, C::heads, h)[d] : 0;
          uint16_t* to = &query[(row * C::heads + h) * Shape::query_cols + d];
          to[0] = float_to_half(v);
          if (C::rests) to[row_size] = float_to_half(v - half_to_float(to[0]));
        }
      std::copy_n(all.gates_of(span.slot, position), C::qkv_cols, qkv.begin() + row * C::qkv_cols);
    }
    for (int t = std::max(0, span.position + 1 - int(C::newest)) / kv_page_positions * kv_page_positions;
         t < span.position + span.n; t++) {
      const int entry = span.slot * C::slot_pages + t / kv_page_positions;
      page_table[entry] = uint32_t(layout.pages[entry]);
      for (int h = 0; h < C::kv_heads; h++)
        for (int d = 0; d < row_size; d++) {
          const int64_t at = cache_row<C>(page_table[entry], h, t) + KvRow<C::head_size>::element(t, d);
          const bool there = d < C::head_size;
          keys[at] = there ? float_to_half(all.at(all.keys, span.slot, t, C::kv_heads, h)[d]) : 0;
          values[at] = there ? float_to_half(all.at(all.values, span.slot, t, C::kv_heads, h)[d]) : 0;
        }
    }
  }
  // A lone row may take its slot's position.
  const auto is_alone = [&](const Tile& tile) {
    return std::ranges::any_of(layout.spans, [&](const Span& span) { return span.slot == tile.slot && span.n == 1; });
  };
  vector<State> states(n_slots, State{0, 1 << 20, 1 << 20, 0});
  for (Tile& tile : tiles)
    if (layout.seed % 2 && is_alone(tile)) states[tile.slot].position = std::exchange(tile.position, take_slots);
  tiles.resize(C::rows, {1 << 20, 1 << 20, 1 << 20, 1 << 20});
  const int n_tiles =
      int(std::find_if(tiles.begin(), tiles.end(), [](const Tile& t) { return t.row == 1 << 20; }) - tiles.begin());
  const size_t halves = size_t(operand_halves(C::rows, Shape::cols));
  uint16_t* output = device.upload(vector<uint16_t>(halves, 0x7fff));
  float* scale = device.upload(vector<float>(C::rows, -1));
  const AttendRowsArgs args = {device.upload(vector<StepHeader>{{int(rows.size()), 0, n_tiles, 0}}),
                               device.upload(tiles),
                               device.upload(states),
                               device.upload(query),
                               device.upload(all.sinks),
                               device.upload(qkv),
                               device.upload(page_table),
                               device.upload(keys),
                               device.upload(values),
                               device.allocate<float>(layout.blocks * Shape::fold_size),
                               output,
                               scale};
  device.expect(device.driver.func_set_max_dynamic_shared(device.function("attend"), Shape::shared_bytes));
  set_execution_order(layout.seed);
  device.expect(device.launch("attend", layout.blocks, Shape::threads, Shape::shared_bytes, args).result);
  set_execution_order(0);

  const auto got = device.download(output, halves);
  const auto scales = device.download(scale, C::rows);
  Outputs outputs;
  for (int row = 0; row < C::rows; row++) {
    const bool there = row < int(rows.size());
    EXPECT_EQ(scales[row], there ? 1.f : -1.f);
    for (int col = 0; col < round_up(Shape::cols, operand_block); col++) {
      const uint16_t half = got[size_t(operand_offset(row, col, C::rows))];
      if (there && col < Shape::cols)
        outputs[rows[row]].push_back(half);
      else
        EXPECT_EQ(half, there ? 0 : 0x7fff);
    }
  }
  return outputs;
}

template <class C>
void check_numbers(const Sequences<C>& all, const Outputs& outputs) {
  double error = 0, power = 0;
  for (const auto& [row, halves] : outputs) {
    const vector<double> want = all.output(row.first, row.second);
    for (size_t i = 0; i < want.size(); i++) {
      const double got = half_to_float(halves[i]);
      error += (got - want[i]) * (got - want[i]), power += want[i] * want[i];
    }
  }
  EXPECT(error <= (C::rests ? 1e-7 : 1e-6) * power);
}

// The same bits of the rows that both have.
void check_same(const Outputs& outputs, const Outputs& others) {
  size_t n = 0;
  for (const auto& [row, halves] : others) {
    if (!outputs.count(row)) continue;
    EXPECT(outputs.at(row) == halves);
    n++;
  }
  EXPECT(n > 0);
}

vector<int> shuffled_pages(uint32_t seed) {
  vector<int> pages(n_slots * 4);
  for (int i = 0; i < int(pages.size()); i++) pages[i] = i;
  std::mt19937 random(seed);
  if (seed) std::shuffle(pages.begin(), pages.end(), random);
  return pages;
}

template <class C>
void check() {
  constexpr int most = AttendRowsShape<C>::tile_rows;
  const Sequences<C> all;
  // A prompt's later part, a token of a long context, a short prompt, a chunk across the border of a page and a split.
  const vector<Span> spans = {{0, 100, 33}, {1, 199, 1}, {2, 0, 9}, {3, 121, 12}};
  const Outputs outputs = run(all, Layout{spans, most, shuffled_pages(0), 3, 0});
  check_numbers(all, outputs);
  check_same(outputs, run(all, Layout{{spans[3], spans[2], spans[0]}, 1, shuffled_pages(1), 1, 1}));
  check_same(outputs, run(all, Layout{{{1, 198, 4}, {0, 113, 20}}, std::min(most, 7), shuffled_pages(2), 40, 2}));
  check_same(outputs, run(all, Layout{{{3, 127, 1}, {2, 5, 1}, {0, 128, 1}, {1, 199, 1}}, 1, shuffled_pages(3), 2, 3}));
}
CASE(attend_rows_of_a_plain_model) { check<Plain>(); }
CASE(attend_rows_with_every_variant) { check<Varied>(); }
CASE(attend_rows_of_long_heads) { check<Long>(); }
CASE(attend_rows_of_queries_of_two_halves) { check<Fine>(), check<FineInShared>(); }
CASE(attend_rows_of_a_head_a_kv_head) { check<Single>(); }

// Steps of any composition.
CASE(attend_rows_of_random_steps) {
  const Sequences<Plain> all;
  Outputs outputs;
  std::mt19937 random(5);
  const auto below = [&](int n) { return int(random() % unsigned(n)); };
  for (int step = 0; step < 6; step++) {
    Layout layout = {{},
                     1 + below(AttendRowsShape<Plain>::tile_rows),
                     shuffled_pages(uint32_t(random())),
                     1u + unsigned(below(9)),
                     uint32_t(random())};
    int left = Plain::rows;
    for (const int slot : shuffled_pages(uint32_t(random()))) {
      if (slot >= n_slots || left == 0) continue;
      const int n = std::min({left, 1 + below(30)});
      layout.spans.push_back({slot, below(60) + 60, n});
      left -= n;
    }
    const Outputs now = run(all, layout);
    if (step > 0) check_same(outputs, now);
    outputs.insert(now.begin(), now.end());
  }
  check_numbers(all, outputs);
}

CASE(attend_rows_of_no_rows) { EXPECT(run(Sequences<Plain>(), Layout{{}, 1, shuffled_pages(0), 3, 0}).empty()); }

}  // namespace
}  // namespace realizar
