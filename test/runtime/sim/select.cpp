// The choice of the next token, against a slow one in float64 that sorts all tokens.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "../../../runtime/kernels/select.cuh"
#include "../../../runtime/sampling.h"
#include "harness.h"

namespace realizar {

namespace {

using std::vector;
using test::repeated;
using test::TestDevice;

constexpr int n_ctx = 64;

template <int threads_, int n, int blocks_ = 1>
struct Shape {
  static constexpr int threads = threads_, blocks = blocks_, candidates = 4, n_vocab = n;
};

template <class C>
void select_body(const SelectArgs& a) {
  select<C>(a);
}

// What a draw keeps, token by token.
struct KeptArgs {
  const float* logits;
  const Sampling* sampling;
  const int* position;
  SampleMeeting* meeting;
  int* kept;
  int* token;
};
template <class C>
void kept_body(const KeptArgs& a) {
  Sampler<C::threads, C::n_vocab, C::blocks> sampler(shared_memory(), a.logits, a.meeting, block_index());
  const int token = sampler.draw(*a.sampling, *a.position, sampler.best_of_all());
  if (block_index() != 0) return;
  if (thread_index() == 0) *a.token = token;
  for (int t = thread_index(); t < C::n_vocab; t += C::threads) {
    const float v = finite_logit(a.logits[t]);
    a.kept[t] = is_choosable(v) && sampler.kept(v, sampler.rank(v), t);
  }
}

template <class C>
struct Kernels {
  REALIZAR_KERNEL(choose, C::threads, 1, SelectArgs, select_body<C>)
  REALIZAR_KERNEL(keep, C::threads, 1, KeptArgs, kept_body<C>)
  static inline const HostKernel table[] = {
      {"choose", choose, sizeof(SelectArgs)}, {"keep", keep, sizeof(KeptArgs)}, {nullptr, nullptr, 0}};
};

realizar_sampling defaults() { return {sizeof(realizar_sampling), 0, 0, 1, 0, 0, 64, 1, 0, 0, nullptr, 0}; }

template <class C>
class Chooser {
 public:
  static constexpr int n = C::n_vocab;

  Chooser() {
    device.expect(device.driver.memset_d8_async(DevicePtr(region), 0, state_bytes, nullptr));
    if (meeting) device.expect(device.driver.memset_d8_async(DevicePtr(meeting), 0, sizeof(SampleMeeting), nullptr));
    *(uint64_t**)(region + slot_ring_offset) = ring;
    state() = {.token = 3 % n, .position = 0, .seq_len = 1, .serial = 1};
    for (Function f : {device.function("choose"), device.function("keep")})
      device.expect(device.driver.func_set_max_dynamic_shared(f, shared));
  }

  void set(const realizar_sampling& s) {
    check_sampling(s, n);
    describe_sampling(s, described);
    memcpy(region + slot_sampling_offset, &described, described.used_bytes());
  }
  void set_logits(const vector<float>& values) {
    memcpy(logits, values.data(), sizeof(float) * size_t(n));
    constexpr int rows = (n + C::candidates - 1) / C::candidates;
    for (int c = 0; c < C::candidates; c++) {
      best[c] = {-INFINITY, 0x7fffffff};
      for (int t = c * rows; t < std::min((c + 1) * rows, n); t++) best[c] = better(best[c], Best{logits[t], t});
    }
  }
  State& state() { return *(State*)region; }
  // Starts over at a position, where the sampling's counter stands.
  int32_t choose_at(int position) {
    state().position = position % n_ctx;
    return choose();
  }
  int32_t choose() {
    const State before = state();
    const SelectArgs args = {best, logits, adjusted, &state(), history, fed, seen, meeting};
    device.expect(device.launch("choose", C::blocks, C::threads, shared, args).result);
    const int32_t token = history[before.position];
    EXPECT_EQ(state().token, token == no_token ? 0 : token);
    EXPECT_EQ(state().position, before.position + 1);
    EXPECT_EQ(state().seq_len, before.seq_len + 1);
    EXPECT_EQ(state().serial, before.serial + 1);
    EXPECT_EQ(fed[before.position], before.token);
    EXPECT_EQ(ring[before.serial % token_ring_size], uint64_t(before.serial) << 32 | uint32_t(token));
    return token;
  }
  // Of one draw: its token, and into `kept` what it was drawn from.
  int32_t draw(int position, vector<int>& kept) {
    int* flags = (int*)device.template allocate<int>(size_t(n));
    int* out = device.template allocate<int>(1);
    Sampling* sampling = device.upload(vector<Sampling>{described.sampling});
    int* at = device.upload(vector<int>{position});
    device.expect(
        device.launch("keep", C::blocks, C::threads, shared, KeptArgs{logits, sampling, at, meeting, flags, out})
            .result);
    kept.assign(flags, flags + n);
    return *out;
  }

  static constexpr uint64_t history_at = slot_bias_offset + sizeof(LogitBias) * max_logit_bias;
  static constexpr uint64_t fed_at = history_at + 4 * uint64_t(n_ctx), seen_at = fed_at + 4 * uint64_t(n_ctx);
  static constexpr uint64_t state_bytes = seen_at + 4 * uint64_t(n);
  static constexpr int shared = select_shared_bytes<C>;
  TestDevice device{Kernels<C>::table};
  uint64_t ring[token_ring_size] = {};
  char* region = device.allocate<char>(state_bytes);
  Best* best = device.allocate<Best>(C::candidates);
  float* logits = device.allocate<float>(n);
  float* adjusted = device.allocate<float>(n);
  int32_t* history = (int32_t*)(region + history_at);
  int32_t* fed = (int32_t*)(region + fed_at);
  uint32_t* seen = (uint32_t*)(region + seen_at);
  SampleMeeting* meeting = C::blocks > 1 ? device.allocate<SampleMeeting>(1) : nullptr;
  DeviceSampling described = {};
};

// ------------------------------------------------------------------ the reference
struct Reference {
  vector<int> order;      // what is kept, by descending logit, then by token
  vector<double> weight;  // of order[i] at the temperature, largest 1

  double total() const { return std::accumulate(weight.begin(), weight.end(), 0.0); }
};

// What the parameters keep; with a slack, what they keep where filters are that much wider.
Reference reference(const vector<float>& logits, const realizar_sampling& s, double slack = 0) {
  Reference r;
  for (int t = 0; t < int(logits.size()); t++)
    if (logits[size_t(t)] > -INFINITY) r.order.push_back(t);
  std::stable_sort(r.order.begin(), r.order.end(), [&](int a, int b) { return logits[size_t(a)] > logits[size_t(b)]; });
  if (s.top_k > 0 && r.order.size() > size_t(s.top_k)) r.order.resize(size_t(s.top_k));
  const double top = logits[size_t(r.order[0])];
  const auto weight = [&](size_t i, double temperature) {
    return std::exp((double(logits[size_t(r.order[i])]) - top) / temperature);
  };
  if (s.top_p < 1) {
    double all = 0, sum = 0;
    for (size_t i = 0; i < r.order.size(); i++) all += weight(i, 1);
    size_t n = 0;
    do sum += weight(n++, 1);
    while (n < r.order.size() && sum / all < double(s.top_p) + slack);
    r.order.resize(n);
  }
  size_t n = 1;
  while (n < r.order.size() && weight(n, 1) >= double(s.min_p) * (1 - slack)) n++;
  r.order.resize(n);
  for (size_t i = 0; i < n; i++) r.weight.push_back(weight(i, s.temperature));
  return r;
}

// Normal logits; the tokens of one in `equal` have a logit that others have too.
vector<float> random_logits(std::mt19937& random, int n, float spread, unsigned equal = 10) {
  std::normal_distribution<float> normal(0, spread);
  vector<float> values(size_t(n), 0);
  for (float& v : values) v = normal(random);
  for (float& v : values)
    if (random() % equal == 0) v = values[random() % size_t(n)];
  return values;
}

// The tokens kept, and the one drawn, are float64's: but for a token whose probability ends within 3e-6 of the limit.
template <class C>
void check_draws(int rounds) {
  std::mt19937 random(std::random_device{}());
  Chooser<C> chooser;
  constexpr double slack = 3e-6;
  for (int round = 0; round < rounds; round++) {
    const float spreads[] = {0.01f, 0.3f, 1.f, 3.f, 10.f, 1000.f};
    const float spread = spreads[random() % 6];
    const vector<float> logits = random_logits(random, C::n_vocab, spread, round % 4 ? 10 : 2);
    realizar_sampling s = defaults();
    const float temperatures[] = {0.2f, 0.8f, 1.f, 1.7f, 30.f};
    s.temperature = temperatures[random() % 5];
    s.seed = uint64_t(random()) << 32 | random();
    if (random() % 2) s.top_k = int32_t(random() % 3 ? random() % 100 : random() % unsigned(C::n_vocab)) + 1;
    if (random() % 2) s.top_p = float(random() % 1000) / 1000;
    if (random() % 3 == 0) s.min_p = float(random() % 1000) / 1000;
    chooser.set(s);
    chooser.set_logits(logits);
    set_execution_order(random() % 2 ? random() : 0);

    const Reference least = reference(logits, s, -slack);
    Reference r = reference(logits, s, slack);
    const int position = int(random() % 1000000);
    vector<int> kept;
    const int32_t token = chooser.draw(position, kept);
    const size_t n_kept = size_t(std::accumulate(kept.begin(), kept.end(), 0));
    EXPECT(least.order.size() <= n_kept && n_kept <= r.order.size());
    r.order.resize(n_kept), r.weight.resize(n_kept);
    for (int t : r.order) EXPECT(kept[size_t(t)]);

    const uint4 word = philox(uint4{uint32_t(position), 0, 0, 0}, uint2{uint32_t(s.seed), uint32_t(s.seed >> 32)});
    const double u = std::ldexp(double(uint64_t(word.x) << 32 | word.y), -64), total = r.total();
    const size_t at = size_t(std::find(r.order.begin(), r.order.end(), token) - r.order.begin());
    EXPECT(at < n_kept);
    const double before = std::accumulate(r.weight.begin(), r.weight.begin() + ptrdiff_t(at), 0.0) / total;
    EXPECT(before - slack <= u && u <= before + r.weight[at] / total + slack);
  }
}

// Random123's known answers for philox4x32, 10 rounds.
CASE(philox_of_published_vectors) {
  const auto equals = [](uint4 a, uint4 b) { return a.x == b.x && a.y == b.y && a.z == b.z && a.w == b.w; };
  const uint32_t all = 0xffffffff;
  EXPECT(equals(philox({0, 0, 0, 0}, {0, 0}), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT(equals(philox({all, all, all, all}, {all, all}), {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT(equals(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
                {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

CASE(products_of_64_bits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; i++) {
    const uint64_t a = i < 4 ? ~0ull : random() >> (random() % 64), b = i % 4 ? random() : ~0ull;
    EXPECT(multiply_high(a, b) == uint64_t((unsigned __int128)a * b >> 64));
  }
}

CASE(weights_are_exponentials) {
  std::mt19937 random(1);
  EXPECT(sample_weight(0, 1) == 1ull << 44);
  EXPECT(sample_weight(1e30f, 0) == 1ull << 44);
  EXPECT(sample_weight(largest_float, largest_float) == 0);
  for (int i = 0; i < 100000; i++) {
    const float distance = std::ldexp(float(random()), int(random() % 10) - 34),
                decay = std::ldexp(float(random()), -31);
    const double exact = std::ldexp(std::exp2(-double(distance) * double(decay)), 44);
    EXPECT(std::abs(double(sample_weight(distance, decay)) - exact) <= 3e-7 * exact + 1);
  }
}

CASE(draws_from_7_by_4_blocks) { check_draws<Shape<128, 7, 4>>(repeated(300)); }
CASE(draws_from_4099_by_16_blocks) { check_draws<Shape<32, 4099, 16>>(repeated(200)); }
CASE(draws_from_128256_by_32_blocks) { check_draws<Shape<32, 128256, 32>>(repeated(16)); }
CASE(draws_from_7) { check_draws<Shape<128, 7>>(repeated(300)); }
CASE(draws_from_1000) { check_draws<Shape<128, 1000>>(repeated(300)); }
CASE(draws_from_4099_with_512_threads) { check_draws<Shape<512, 4099>>(repeated(60)); }
CASE(draws_from_50257) { check_draws<Shape<128, 50257>>(repeated(16)); }
CASE(draws_from_151936) { check_draws<Shape<128, 151936>>(repeated(8)); }
CASE(draws_from_256000) { check_draws<Shape<512, 256000>>(repeated(6)); }

// The upper tail of the chi-square distribution, by Wilson and Hilferty's approximation.
double chi_square_tail(double statistic, double degrees) {
  const double v = 2 / (9 * degrees);
  return 0.5 * std::erfc((std::cbrt(statistic / degrees) - (1 - v)) / std::sqrt(2 * v));
}

template <class C>
void check_distribution(realizar_sampling s, float spread) {
  std::mt19937 random(5);
  const vector<float> logits = random_logits(random, C::n_vocab, spread);
  Chooser<C> chooser;
  chooser.set_logits(logits);
  constexpr int draws = repeated(10000);
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; i++) {
    if (i % n_ctx == 0) {
      s.seed = random();
      chooser.set(s);
    }
    counts[chooser.choose_at(i)]++;
  }
  const Reference r = reference(logits, s);
  const double total = r.total();
  double statistic = 0, rest = 0, rest_expected = 0, degrees = -1;
  int counted = 0;
  for (size_t i = 0; i < r.order.size(); i++) {
    const double expected = r.weight[i] / total * draws, seen = counts[r.order[i]];
    counted += counts[r.order[i]];
    if (expected < 8) {
      rest += seen, rest_expected += expected;
      continue;
    }
    statistic += (seen - expected) * (seen - expected) / expected, degrees++;
  }
  if (rest_expected >= 8) statistic += (rest - rest_expected) * (rest - rest_expected) / rest_expected, degrees++;
  EXPECT_EQ(counted, draws);  // nothing else was drawn
  EXPECT(degrees >= 4);
  EXPECT(chi_square_tail(statistic, degrees) > 1e-4);
}

CASE(has_the_distribution_of_the_logits) {
  realizar_sampling s = defaults();
  s.temperature = 1;
  check_distribution<Shape<32, 300>>(s, 2);
}
CASE(has_the_distribution_of_all_filters) {
  realizar_sampling s = defaults();
  s.temperature = 0.8f, s.top_k = 40, s.top_p = 0.95f, s.min_p = 0.05f;
  check_distribution<Shape<32, 300>>(s, 1);
}
CASE(has_the_distribution_of_all_filters_by_4_blocks) {
  realizar_sampling s = defaults();
  s.temperature = 0.8f, s.top_k = 40, s.top_p = 0.95f, s.min_p = 0.05f;
  check_distribution<Shape<32, 300, 4>>(s, 1);
}
CASE(has_the_distribution_of_a_high_temperature) {
  realizar_sampling s = defaults();
  s.temperature = 2.5f, s.top_p = 0.7f;
  check_distribution<Shape<32, 300>>(s, 3);
}

CASE(many_equal_logits_keep_the_first) {
  using C = Shape<32, 9001, 8>;
  Chooser<C> chooser;
  realizar_sampling s = defaults();
  s.temperature = 1, s.top_k = 5000;
  vector<int> kept;
  for (const float value : {0.f, -0.f, 12.5f, -1e30f}) {
    chooser.set(s);
    chooser.set_logits(vector<float>(C::n_vocab, value));
    chooser.draw(1, kept);
    for (int t = 0; t < C::n_vocab; t++) EXPECT_EQ(kept[size_t(t)], int(t < 5000));
  }
  // Differences far below what distances resolve, above and below zero.
  vector<float> logits(C::n_vocab, 1.f);
  logits[8000] = std::nextafter(1.f, 2.f), logits[17] = std::nextafter(1.f, 0.f), logits[0] = 50;
  chooser.set_logits(logits);
  chooser.draw(1, kept);
  EXPECT_EQ(std::accumulate(kept.begin(), kept.end(), 0), 5000);
  EXPECT(kept[8000] && !kept[17] && kept[0] && kept[4999] && !kept[5000]);
}

template <class C>
void check_greedy() {
  std::mt19937 random(3);
  Chooser<C> chooser;
  const realizar_logit_bias nothing = {5, 0};
  realizar_sampling copied = defaults();  // the same logits by the other way
  copied.logit_bias = &nothing, copied.n_logit_bias = 1;
  realizar_sampling one = defaults();
  one.temperature = 1, one.top_k = 1;
  for (int round = 0; round < 40; round++) {
    vector<float> logits = random_logits(random, C::n_vocab, 1, 2);
    const float odd[] = {NAN, INFINITY, -INFINITY, 1e38f, -0.f, 0.f};
    for (int i = 0; i < 300 && round % 2; i++) logits[random() % logits.size()] = odd[random() % 6];
    if (round % 8 == 7)
      for (float& v : logits) v = v > 0 ? NAN : -INFINITY;
    if (round == 39) logits.assign(logits.size(), NAN);
    int32_t expected = no_token;
    for (int t = 0; t < C::n_vocab; t++) {
      const float v = logits[size_t(t)];
      if (std::isnan(v) || v == -INFINITY) continue;  // banned, which no token may be
      if (expected == no_token || v > logits[size_t(expected)]) expected = t;
    }
    chooser.set_logits(logits);
    for (const realizar_sampling& s : {defaults(), copied, one}) {
      chooser.set(s);
      const int token = chooser.choose_at(round);
      EXPECT_EQ(token, expected);
    }
  }
}

CASE(greedy_is_the_first_largest) { check_greedy<Shape<128, 1003>>(); }
CASE(greedy_is_the_first_largest_by_8_blocks) { check_greedy<Shape<32, 1003, 8>>(); }

template <class C>
void check_biases_and_penalties() {
  std::mt19937 random(std::random_device{}());
  Chooser<C> chooser;
  for (int round = 0; round < 60; round++) {
    const vector<float> logits = random_logits(random, C::n_vocab, 3);
    chooser.set_logits(logits);
    vector<realizar_logit_bias> biases;
    for (int t = 0; t < C::n_vocab && round % 3; t++)
      if (random() % 9 == 0) biases.push_back({t, random() % 7 ? float(int(random() % 200) - 100) / 10 : -INFINITY});
    std::shuffle(biases.begin(), biases.end(), random);
    realizar_sampling s = defaults();
    s.logit_bias = biases.data(), s.n_logit_bias = uint32_t(biases.size());
    s.repeat_penalty = round % 4 ? 1.3f : 1;
    s.frequency_penalty = random() % 2 ? 0.4f : 0, s.presence_penalty = random() % 2 ? -0.7f : 0;
    s.repeat_last_n = int32_t(random() % 3 ? random() % 30 : -1);
    chooser.set(s);
    const int position = int(random() % n_ctx);
    vector<int32_t> fed;
    for (int i = 0; i <= position; i++) fed.push_back(int32_t(random() % 20));
    for (int i = 0; i < n_ctx; i++) chooser.fed[i] = i < position ? fed[size_t(i)] : 499;
    chooser.state().token = fed.back();

    vector<double> expected(logits.begin(), logits.end());
    for (const auto& [token, bias] : biases) expected[size_t(token)] += double(bias);
    std::map<int32_t, int> window;
    for (int i = position; i >= 0 && (s.repeat_last_n < 0 || position - i < s.repeat_last_n); i--)
      window[fed[size_t(i)]]++;
    for (const auto& [token, times] : window) {
      double& logit = expected[size_t(token)];
      logit = logit <= 0 ? logit * double(s.repeat_penalty) : logit / double(s.repeat_penalty);
      logit -= times * double(s.frequency_penalty) + double(s.presence_penalty);
    }
    const int32_t token = chooser.choose_at(position);
    const int32_t best = int32_t(std::max_element(expected.begin(), expected.end()) - expected.begin());
    EXPECT(token == best || std::abs(expected[size_t(token)] - expected[size_t(best)]) < 1e-5);
    if (chooser.described.sampling.adjusts)
      for (size_t t = 0; t < expected.size(); t++)
        EXPECT(double(chooser.adjusted[t]) == expected[t] ||
               std::abs(double(chooser.adjusted[t]) - expected[t]) < 1e-5);
    for (int t = 0; t < C::n_vocab; t++) {
      EXPECT_EQ(chooser.seen[t], 0u);
      EXPECT(chooser.logits[t] == logits[size_t(t)]);
    }
  }
}

CASE(biases_and_penalties_change_logits_as_llama_cpp_does) { check_biases_and_penalties<Shape<128, 500>>(); }
CASE(biases_and_penalties_change_logits_as_llama_cpp_does_by_4_blocks) {
  check_biases_and_penalties<Shape<32, 500, 4>>();
}

CASE(the_same_seed_draws_the_same_in_any_order_and_by_any_number_of_threads_and_blocks) {
  std::mt19937 random(9);
  const vector<float> logits = random_logits(random, 3000, 2);
  realizar_sampling s = defaults();
  s.temperature = 1.2f, s.top_p = 0.97f, s.seed = 0x123456789abcdefull;
  Chooser<Shape<128, 3000>> few;
  Chooser<Shape<512, 3000>> many;
  Chooser<Shape<32, 3000, 16>> blocks;
  few.set(s), many.set(s), blocks.set(s);
  few.set_logits(logits), many.set_logits(logits), blocks.set_logits(logits);
  constexpr int n = repeated(n_ctx);
  vector<int32_t> first, other;
  for (int i = 0; i < n; i++) first.push_back(few.choose_at(i));
  for (uint32_t order : {1, 2, 3}) {
    set_execution_order(order);
    for (int i = 0; i < n; i++) EXPECT_EQ(few.choose_at(i), first[size_t(i)]);
    for (int i = 0; i < n; i++) EXPECT_EQ(blocks.choose_at(i), first[size_t(i)]);
  }
  for (int i = 0; i < n; i++) EXPECT_EQ(many.choose_at(i), first[size_t(i)]);
  s.seed++;
  few.set(s);
  for (int i = 0; i < n; i++) other.push_back(few.choose_at(i));
  EXPECT(other != first);
}

// Meetings are counted modulo 2^32, and bins are clean when they are used again.
CASE(meetings_go_on_when_their_count_wraps) {
  using C = Shape<32, 3000, 16>;
  std::mt19937 random(10);
  Chooser<C> chooser, wrapped;
  realizar_sampling s = defaults();
  s.temperature = 1.5f, s.top_p = 0.9f;
  chooser.set(s), wrapped.set(s);
  wrapped.meeting->arrivals = 0u - 16 * C::blocks;
  for (int i = 0; i < repeated(n_ctx); i++) {
    const vector<float> logits = random_logits(random, C::n_vocab, i % 2 ? 3 : 0.01f);
    chooser.set_logits(logits), wrapped.set_logits(logits);
    EXPECT_EQ(wrapped.choose_at(i), chooser.choose_at(i));
  }
  EXPECT(wrapped.meeting->arrivals < 0u - 16 * C::blocks);
}

}  // namespace
}  // namespace realizar
