// Choosing for many rows: each slot's token is what the token program's select chooses from the same logits, and slots
// move on alike.
#include <algorithm>
#include <cmath>
#include <memory>

#include "../../../runtime/kernels/select.cuh"
#include "../../../runtime/kernels/select_rows.cuh"
#include "../../../runtime/sampling.h"
#include "harness.h"

namespace realizar {
namespace {

using std::vector;
using test::TestDevice;

constexpr int n_ctx = 48, n_slots = 6, n_outputs = 5;

struct Slot {
  SlotHead head;
  int32_t history[n_ctx], fed[n_ctx];
};

template <int threads_, int n, int blocks_>
struct Shape {
  static constexpr int threads = threads_, blocks = blocks_, n_vocab = n, slot_bytes = sizeof(Slot);
};
// The token program's, by one block.
template <int n>
struct Alone {
  static constexpr int threads = 64, blocks = 1, candidates = 3, n_vocab = n;
};

template <class C>
struct Kernels {
  REALIZAR_KERNEL(rows, C::threads, 1, SelectRowsArgs, select_rows<C>)
  REALIZAR_KERNEL(alone, 64, 1, SelectArgs, select<Alone<C::n_vocab>>)
  static inline const HostKernel table[] = {
      {"rows", rows, sizeof(SelectRowsArgs)}, {"alone", alone, sizeof(SelectArgs)}, {nullptr, nullptr, 0}};
};

template <class C>
class Choosers {
 public:
  static constexpr int n = C::n_vocab;

  Choosers() {
    memset((void*)slots, 0, sizeof(Slot) * n_slots);
    for (const char* name : {"rows", "alone"})
      device.expect(device.driver.func_set_max_dynamic_shared(device.function(name), 1 << 17));
    for (int i = 0; i < n_slots; i++) slots[i].head.ring = (uint64_t)&rings[i * token_ring_size];
  }
  void set(int slot, const realizar_sampling& s, const vector<int32_t>& stop) {
    check_sampling(s, n);
    describe_sampling(s, slots[slot].head.sampling);
    std::copy(stop.begin(), stop.end(), slots[slot].head.stop);
    slots[slot].head.end = {0, uint32_t(stop.size())};
  }
  // Some slots are constrained: to few tokens, to most, or to one.
  void constrain(int slot, std::mt19937& random) {
    vector<uint32_t> words(mask_words(n));
    const uint32_t share = random() % 3;
    for (int t = 0; t < n; t++)
      if (share == 0 ? random() % 16 == 0 : share == 1 && random() % 8) words[size_t(t) / 32] |= 1u << t % 32;
    const uint32_t one = random() % n;
    words[one / 32] |= 1u << one % 32;
    slots[slot].head.mask = (uint64_t)device.upload(words);
    slots[slot].head.sampling.sampling.adjusts = 1;
  }
  // The same without a mask: the logits of what it forbids are -infinity.
  int32_t by_logits(Slot slot, int position, const float* of) {
    const uint32_t* words = (const uint32_t*)slot.head.mask;
    vector<float> left(of, of + n);
    for (int t = 0; t < n; t++)
      if (!(words[t / 32] >> t % 32 & 1)) left[size_t(t)] = -INFINITY;
    slot.head.mask = 0;
    return alone(slot, position, left.data())->history[position];
  }
  // What the token program leaves in a copy of the slot.
  std::unique_ptr<Slot> alone(const Slot& slot, int position, const float* of) {
    Slot* copy = device.upload(vector<Slot>{slot});
    copy->head.state = {slot.fed[position], position, position + 1, slot.head.state.serial};
    uint64_t* ring = device.template allocate<uint64_t>(token_ring_size);
    copy->head.ring = (uint64_t)ring;
    memcpy(row, of, sizeof(float) * size_t(n));
    for (int c = 0; c < 3; c++) {
      candidates[c] = {-INFINITY, 0x7fffffff};
      for (int t = c * n / 3; t < (c + 1) * n / 3; t++) candidates[c] = better(candidates[c], Best{row[t], t});
    }
    const SelectArgs args = {candidates, row, adjusted, &copy->head.state, copy->history, copy->fed, seen, nullptr};
    constexpr int shared = select_shared_bytes<Alone<n>>;
    device.expect(device.launch("alone", 1, 64, shared, args).result);
    return std::make_unique<Slot>(*copy);
  }
  void run(const vector<Row>& rows, const vector<int32_t>& output_rows, const float* logits) {
    const StepHeader header = {int(rows.size()), int(output_rows.size()), 0, 0};
    const SelectRowsArgs args = {device.upload(vector<StepHeader>{header}),
                                 device.upload(rows),
                                 device.upload(output_rows),
                                 &slots->head.state,
                                 slots->fed,
                                 logits,
                                 adjusted,
                                 bests,
                                 counters};
    constexpr int shared = SelectRowsShape<C>::shared_bytes;
    device.expect(device.launch("rows", n_outputs * C::blocks, C::threads, shared, args).result);
    for (int i = 0; i < n_outputs; i++) EXPECT_EQ(counters[i], 0u);
  }

  TestDevice device{Kernels<C>::table};
  Slot* slots = device.allocate<Slot>(n_slots);
  uint64_t* rings = device.upload(vector<uint64_t>(n_slots * token_ring_size));
  float *row = device.allocate<float>(n), *adjusted = device.allocate<float>(size_t(n_outputs) * n);
  uint32_t* seen = device.upload(vector<uint32_t>(n));
  uint32_t* counters = device.upload(vector<uint32_t>(n_outputs));
  Best *candidates = device.allocate<Best>(3), *bests = device.allocate<Best>(n_outputs * C::blocks);
};

realizar_sampling random_sampling(std::mt19937& random, vector<realizar_logit_bias>& biases, int n) {
  realizar_sampling s = {sizeof(realizar_sampling), 0, 0, 1, 0, 0, 64, 1, 0, 0, nullptr, 0};
  s.temperature = random() % 3 ? float(random() % 20) / 10 : 0;
  s.seed = random();
  if (random() % 2) s.top_k = int32_t(random() % 40);
  if (random() % 2) s.top_p = float(random() % 100) / 100;
  if (random() % 3 == 0) s.min_p = float(random() % 100) / 100;
  if (random() % 2) s.repeat_penalty = 1.5f, s.repeat_last_n = int32_t(random() % 30) - 1;
  if (random() % 3 == 0) s.frequency_penalty = 0.5f, s.presence_penalty = -0.25f;
  for (int t = int(random() % 7); t < n && random() % 3; t += 1 + int(random() % 50))
    biases.push_back({t, random() % 5 ? float(random() % 9) - 4 : -INFINITY});
  s.logit_bias = biases.data(), s.n_logit_bias = uint32_t(biases.size());
  return s;
}

template <class C>
void check() {
  std::mt19937 random(4);
  Choosers<C> chooser;
  for (int round = 0; round < 25; round++) {
    set_execution_order(round % 3 ? random() : 0);
    vector<float> logits = test::random_floats(size_t(n_outputs) * C::n_vocab, random);
    const float odd[] = {NAN, INFINITY, -INFINITY, -0.f};
    for (int i = 0; i < 20 && round % 2; i++) logits[random() % logits.size()] = odd[random() % 4];
    if (round % 5 == 4) std::fill_n(logits.begin(), C::n_vocab, NAN);
    float* on_device = chooser.device.upload(logits);
    // A row of each slot, in any order, of which one is no output, one does not choose, and one slot is done.
    vector<int> order(n_slots);
    for (int i = 0; i < n_slots; i++) order[size_t(i)] = i;
    std::shuffle(order.begin(), order.end(), random);
    vector<Row> rows;
    for (const int i : order) {
      const int position = int(random() % n_ctx);
      vector<realizar_logit_bias> biases;
      Slot& slot = chooser.slots[i];
      chooser.set(i, random_sampling(random, biases, C::n_vocab), {});
      slot.head.mask = 0;
      if (random() % 3) chooser.constrain(i, random);
      for (int32_t& token : slot.fed) token = int32_t(random() % 20) % C::n_vocab;
      slot.head.state = {7, position, position + 1, uint32_t(random() % 100)};
      rows.push_back({random() % 2 ? take_slots : 3, random() % 2 ? take_slots : position, i, true});
    }
    const vector<int32_t> output_rows = {4, 0, 2, 5};
    rows[5].chooses = false;
    chooser.slots[rows[2].slot].head.end.done = 1;

    vector<Slot> expected(chooser.slots, chooser.slots + n_slots);
    vector<int32_t> tokens(n_slots);
    for (const int output : {0, 1}) {
      const Row& row = rows[size_t(output_rows[size_t(output)])];
      Slot& slot = chooser.slots[row.slot];
      const int position = slot.head.state.position;
      const auto alone = chooser.alone(slot, position, &logits[size_t(output) * C::n_vocab]);
      expected[size_t(row.slot)].head.state = alone->head.state;
      const int32_t token = tokens[size_t(row.slot)] = alone->history[position];
      if (slot.head.mask) EXPECT_EQ(token, chooser.by_logits(slot, position, &logits[size_t(output) * C::n_vocab]));
      if (output == 1 && token >= 0) slot.head.stop[slot.head.end.n_stop++] = token;
      expected[size_t(row.slot)].head.end.done = token == no_token || output == 1;
    }
    chooser.run(rows, output_rows, on_device);
    for (int i = 0; i < n_slots; i++) {
      const State &got = chooser.slots[i].head.state, &want = expected[size_t(i)].head.state;
      EXPECT(memcmp(&got, &want, sizeof got) == 0);
      EXPECT_EQ(chooser.slots[i].head.end.done, expected[size_t(i)].head.end.done);
      if (rows[4].slot != i && rows[0].slot != i) continue;
      const uint32_t serial = got.serial - 1;
      EXPECT_EQ(chooser.rings[i * int(token_ring_size) + int(serial % token_ring_size)],
                uint64_t(serial) << 32 | uint32_t(tokens[size_t(i)]));
    }
    EXPECT(memcmp(on_device, logits.data(), logits.size() * sizeof(float)) == 0);
  }
  set_execution_order(0);
}
CASE(select_rows_by_three_blocks) { check<Shape<64, 700, 3>>(); }
CASE(select_rows_of_an_odd_vocabulary) { check<Shape<32, 501, 4>>(); }
CASE(select_rows_by_one_block) { check<Shape<128, 90, 1>>(); }

}  // namespace
}  // namespace realizar
