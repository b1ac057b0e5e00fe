// Sampling parameters, and tokens handed over while the device runs ahead. The draws themselves: sim/select.cpp.
#include <cmath>
#include <deque>
#include <functional>
#include <set>

#include "../../runtime/driver/driver.h"
#include "faulty_driver.h"
#include "open.h"

using namespace test;
using Tokens = std::vector<int32_t>;

namespace {

// Ends after `most` tokens.
struct Listener {
  Tokens tokens;
  size_t most = SIZE_MAX;
  std::function<void()> on_each = [] {};

  static int hear(void* user, int32_t token) {
    auto& self = *static_cast<Listener*>(user);
    self.tokens.push_back(token);
    self.on_each();
    return self.tokens.size() >= self.most;
  }
};

int generate(const Session& session, uint32_t n, Listener& listener, int mode, const Tokens& stop = {}) {
  uint32_t n_generated = ~0u;
  const int status = realizar_session_generate(session.get(), n, stop.data(), uint32_t(stop.size()), Listener::hear,
                                               &listener, mode, &n_generated);
  CHECK_EQUAL(n_generated, uint32_t(listener.tokens.size()));
  return status;
}

Tokens generated(const Session& session, uint32_t n, int mode, const Tokens& stop = {}) {
  Listener listener;
  CHECK_EQUAL(generate(session, n, listener, mode, stop), int(REALIZAR_OK));
  return listener.tokens;
}

void feed(const Session& session, const Tokens& tokens, int mode) {
  for (const int32_t token : tokens) CHECK_EQUAL(realizar_session_step(session.get(), token, mode), int(REALIZAR_OK));
}

realizar_sampling hot(uint64_t seed) {
  realizar_sampling sampling = realizar_default_sampling();
  sampling.temperature = 40;  // the tiny model's logits are far apart
  sampling.seed = seed;
  return sampling;
}

void set(const Session& session, const realizar_sampling& sampling) {
  CHECK_EQUAL(realizar_session_set_sampling(session.get(), &sampling), int(REALIZAR_OK));
}

int32_t read_chosen(const Session& session) {
  int32_t token = -1;
  CHECK_EQUAL(realizar_session_chosen(session.get(), &token), int(REALIZAR_OK));
  return token;
}

const int modes[] = {REALIZAR_GRAPH, REALIZAR_EAGER};

}  // namespace

TEST(hands_over_the_greedy_tokens) {
  const tiny::File file;
  const Model model = open_model(file);
  for (const int mode : modes) {
    const Session session = open_with_graph(model);
    feed(session, {7, 2}, mode);
    const Tokens expected = tiny::expected_continuation({7, 2}, 31);
    CHECK(generated(session, 30, mode) == Tokens(expected.begin(), expected.end() - 1));
    CHECK_EQUAL(position_of(session), 31u);
    // The last one has not been fed; the results of the last step are there.
    Tokens all = {7, 2};
    all.insert(all.end(), expected.begin(), expected.end() - 2);
    CHECK(read_logits(session) == tiny::expected_logits(all));
    CHECK_EQUAL(read_greedy(session), expected[29]);
    feed(session, {expected[29]}, mode);
    CHECK_EQUAL(read_greedy(session), expected[30]);
  }
}

TEST(hands_over_one_token_and_none) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  feed(session, {4}, REALIZAR_GRAPH);
  CHECK(generated(session, 0, REALIZAR_GRAPH).empty());
  CHECK(generated(session, 1, REALIZAR_GRAPH) == tiny::expected_continuation({4}, 1));
  CHECK_EQUAL(position_of(session), 1u);
  CHECK(generated(session, 3, REALIZAR_GRAPH) == tiny::expected_continuation({4}, 3));
  // Without anybody who listens.
  feed(session, {1}, REALIZAR_GRAPH);
  CHECK_EQUAL(realizar_session_generate(session.get(), 5, nullptr, 0, nullptr, nullptr, REALIZAR_GRAPH, nullptr),
              int(REALIZAR_OK));
  CHECK_EQUAL(position_of(session), 8u);
}

TEST(ends_with_a_stop_token_and_goes_on_from_there) {
  const tiny::File file;
  const Model model = open_model(file);
  for (const int mode : modes) {
    const Tokens all = tiny::expected_continuation({7}, 40);
    for (const size_t at : {size_t(0), size_t(1), size_t(3), size_t(9)}) {
      const Session session = open_with_graph(model);
      feed(session, {7}, mode);
      const Tokens stop = {-1, all[at], 12345};
      size_t end = 0;
      while (all[end] != all[at]) end++;
      const Tokens heard = generated(session, 30, mode, stop);
      CHECK(heard == Tokens(all.begin(), all.begin() + long(end) + 1));
      CHECK_EQUAL(position_of(session), uint32_t(end) + 1);
      int32_t token;
      float logits[tiny::n_vocab];
      CHECK_EQUAL(realizar_session_chosen(session.get(), &token), int(REALIZAR_INVALID_ARGUMENT));
      CHECK_EQUAL(realizar_session_logits(session.get(), logits, tiny::n_vocab), int(REALIZAR_INVALID_ARGUMENT));
      // What had been queued beyond leaves no trace.
      feed(session, {heard.back()}, mode);
      const Tokens rest = generated(session, 9, mode);
      CHECK(rest == Tokens(all.begin() + long(end) + 1, all.begin() + long(end) + 10));
    }
  }
}

TEST(ends_when_the_listener_says_so) {
  const tiny::File file;
  const Model model = open_model(file);
  for (const size_t most : {size_t(1), size_t(2), size_t(20)}) {
    const Session session = open_with_graph(model);
    feed(session, {5}, REALIZAR_GRAPH);
    Listener listener;
    listener.most = most;
    CHECK_EQUAL(generate(session, 50, listener, REALIZAR_GRAPH), int(REALIZAR_OK));
    CHECK(listener.tokens == tiny::expected_continuation({5}, int(most)));
    CHECK_EQUAL(position_of(session), uint32_t(most));
    check_decoding(session, {}, REALIZAR_GRAPH);
    CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
    check_decoding(session, {1, 2, 3}, REALIZAR_GRAPH);
  }
}

TEST(ends_where_the_context_is_full) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  feed(session, {6}, REALIZAR_GRAPH);
  CHECK(generated(session, 1000, REALIZAR_GRAPH) == tiny::expected_continuation({6}, tiny::n_ctx));
  CHECK_EQUAL(position_of(session), uint32_t(tiny::n_ctx));
  CHECK_EQUAL(read_greedy(session), tiny::expected_continuation({6}, tiny::n_ctx).back());
  CHECK(generated(session, UINT32_MAX, REALIZAR_GRAPH).size() == 1);
  CHECK_EQUAL(realizar_session_step(session.get(), 0, REALIZAR_GRAPH), int(REALIZAR_CONTEXT_FULL));
}

TEST(generates_only_after_a_step_and_with_a_graph) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_session(model);
  Listener listener;
  CHECK_EQUAL(generate(session, 3, listener, REALIZAR_GRAPH), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "call realizar_session_step first");
  feed(session, {1}, REALIZAR_EAGER);
  CHECK_EQUAL(generate(session, 3, listener, REALIZAR_GRAPH), int(REALIZAR_NO_GRAPH));
  CHECK_EQUAL(generate(session, 3, listener, 7), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_generate(session.get(), 3, nullptr, 1, nullptr, nullptr, REALIZAR_EAGER, nullptr),
              int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "stop is null");
  CHECK(generated(session, 3, REALIZAR_EAGER) == tiny::expected_continuation({1}, 3));
}

TEST(the_same_seed_gives_the_same_tokens) {
  const tiny::File file;
  realizar_model_options permuted = default_options();
  permuted.poison = 1;
  permuted.order_seed = 99;
  std::set<Tokens> of_seeds;
  for (const uint64_t seed : {0ull, 1ull, ~0ull, 1ull << 32}) {
    std::set<Tokens> same;
    for (const auto& options : {default_options(), permuted}) {
      const Model model = open_model(file, options);
      for (const int mode : modes) {
        const Session session = open_with_graph(model);
        set(session, hot(seed));
        feed(session, {7}, mode);
        same.insert(generated(session, 40, mode));
        // Step by step.
        CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
        feed(session, {7}, mode);
        Tokens stepped;
        while (stepped.size() < 40) {
          stepped.push_back(read_chosen(session));
          feed(session, {stepped.back()}, mode);
        }
        same.insert(stepped);
      }
    }
    CHECK_EQUAL(same.size(), size_t(1));
    of_seeds.insert(same.begin(), same.end());
  }
  CHECK_EQUAL(of_seeds.size(), size_t(4));
}

TEST(sessions_sample_by_themselves) {
  const tiny::File file;
  const Model model = open_model(file);
  const auto alone = [&](uint64_t seed) {
    const Session session = open_with_graph(model);
    if (seed) set(session, hot(seed));
    feed(session, {3}, REALIZAR_GRAPH);
    return generated(session, 20, REALIZAR_GRAPH);
  };
  const Tokens greedy = alone(0), first = alone(1), second = alone(2);
  const Session a = open_with_graph(model), b = open_with_graph(model), c = open_with_graph(model);
  set(a, hot(1));
  set(b, hot(2));
  for (const Session* session : {&a, &b, &c}) feed(*session, {3}, REALIZAR_GRAPH);
  Tokens of_b, of_c;
  Listener listener;
  // Whenever a hands over a token, the others make a step.
  listener.on_each = [&] {
    of_b.push_back(read_chosen(b));
    of_c.push_back(read_chosen(c));
    feed(b, {of_b.back()}, REALIZAR_EAGER);
    feed(c, {of_c.back()}, REALIZAR_GRAPH);
  };
  CHECK_EQUAL(generate(a, 20, listener, REALIZAR_GRAPH), int(REALIZAR_OK));
  CHECK(listener.tokens == first && of_b == second && of_c == greedy);
}

TEST(parameters_apply_from_the_next_step_on) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  feed(session, {7}, REALIZAR_GRAPH);
  const int32_t banned = tiny::expected_continuation({7}, 1)[0];
  const realizar_logit_bias bias[] = {{banned, -INFINITY}};
  realizar_sampling sampling = realizar_default_sampling();
  sampling.logit_bias = bias, sampling.n_logit_bias = 1;
  set(session, sampling);
  CHECK_EQUAL(read_greedy(session), banned);
  CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
  feed(session, {7}, REALIZAR_GRAPH);
  std::vector<float> logits = tiny::expected_logits({7});
  CHECK(read_logits(session) == logits);  // the host sees them as they were
  logits[size_t(banned)] = -INFINITY;
  CHECK_EQUAL(read_greedy(session), tiny::first_largest(logits));
  CHECK_EQUAL(realizar_session_set_sampling(session.get(), nullptr), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
  check_decoding(session, {7, 1, 2}, REALIZAR_GRAPH);
}

TEST(penalties_look_at_what_was_fed) {
  const tiny::File file;
  const Model model = open_model(file);
  for (const int mode : modes) {
    const Session session = open_with_graph(model);
    realizar_sampling sampling = realizar_default_sampling();
    sampling.presence_penalty = 1e9f;
    sampling.repeat_last_n = 5;
    set(session, sampling);
    const Tokens prompt = {9, 8, 7};
    feed(session, prompt, mode);
    Tokens fed = prompt;
    for (const int32_t token : generated(session, 30, mode)) {
      std::vector<float> logits = tiny::expected_logits(fed);
      for (size_t i = fed.size() > 5 ? fed.size() - 5 : 0; i < fed.size(); i++) logits[size_t(fed[i])] = -INFINITY;
      CHECK_EQUAL(token, tiny::first_largest(logits));
      fed.push_back(token);
    }
    CHECK_EQUAL(realizar_session_rewind(session.get(), 1), int(REALIZAR_OK));
    feed(session, {3}, mode);
    std::vector<float> logits = tiny::expected_logits({9, 3});
    logits[9] = logits[3] = -INFINITY;
    CHECK_EQUAL(read_greedy(session), tiny::first_largest(logits));
  }
}

TEST(greedy_calls_refuse_a_temperature) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  set(session, hot(3));
  feed(session, {7}, REALIZAR_GRAPH);
  int32_t token;
  CHECK_EQUAL(realizar_session_greedy(session.get(), &token), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "a temperature is set");
  CHECK_EQUAL(realizar_session_run_greedy(session.get(), 1, &token, REALIZAR_GRAPH), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_set_sampling(session.get(), nullptr), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_greedy(session.get(), &token), int(REALIZAR_INVALID_ARGUMENT));  // it was drawn
  feed(session, {1}, REALIZAR_GRAPH);
  CHECK_EQUAL(read_greedy(session), tiny::expected_continuation({7, 1}, 1)[0]);
}

TEST(refuses_parameters_out_of_range) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  const auto refuses = [&](const std::function<void(realizar_sampling&)>& change, const std::string& text) {
    realizar_sampling sampling = realizar_default_sampling();
    change(sampling);
    CHECK_EQUAL(realizar_session_set_sampling(session.get(), &sampling), int(REALIZAR_INVALID_ARGUMENT));
    CHECK_HAS(realizar_last_error(), text);
  };
  using S = realizar_sampling;
  refuses([](S& s) { s.struct_size = 8; }, "realizar_sampling.struct_size is 8");
  for (const float bad : {NAN, -0.1f, INFINITY, -INFINITY}) {
    refuses([&](S& s) { s.temperature = bad; }, "temperature is");
    refuses([&](S& s) { s.top_p = bad; }, "top_p is");
    refuses([&](S& s) { s.min_p = bad; }, "min_p is");
    refuses([&](S& s) { s.repeat_penalty = bad; }, "repeat_penalty is");
  }
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    refuses([&](S& s) { s.presence_penalty = bad; }, "presence_penalty is");
    refuses([&](S& s) { s.frequency_penalty = bad; }, "frequency_penalty is");
  }
  refuses([](S& s) { s.top_k = -1; }, "top_k is -1; it must be at least 0");
  refuses([](S& s) { s.top_p = 1.001f; }, "top_p is 1.001; it must be from 0 to 1");
  refuses([](S& s) { s.min_p = 2; }, "min_p is 2");
  refuses([](S& s) { s.repeat_last_n = -2; }, "repeat_last_n is -2");
  refuses([](S& s) { s.repeat_penalty = 0; }, "repeat_penalty is 0; it must be a number above 0");
  refuses([](S& s) { s.n_logit_bias = 1; }, "logit_bias is null");
  std::vector<realizar_logit_bias> bias(REALIZAR_MAX_LOGIT_BIAS + 1);
  refuses([&](S& s) { s.logit_bias = bias.data(), s.n_logit_bias = uint32_t(bias.size()); },
          "there are 1025 logit biases; at most 1024 are possible");
  const auto biases = [&](std::vector<realizar_logit_bias> list, const std::string& text) {
    refuses([&](S& s) { s.logit_bias = list.data(), s.n_logit_bias = uint32_t(list.size()); }, text);
  };
  biases({{10, 1}}, "token 10, which is outside the vocabulary of 10 tokens");
  biases({{-1, 1}}, "token -1");
  biases({{3, 1}, {4, NAN}}, "token 4 is nan");
  biases({{3, INFINITY}}, "token 3 is inf");
  biases({{3, 1}, {4, 1}, {3, 1}}, "token 3 has two logit biases");
  CHECK_EQUAL(realizar_session_set_sampling(nullptr, nullptr), int(REALIZAR_INVALID_ARGUMENT));
  check_decoding(session, {3, 1, 4}, REALIZAR_GRAPH);  // nothing of it applied
}

TEST(a_call_that_fails_while_generating_leaves_a_session_that_goes_on) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  for (const int mode : modes) {
    const Tokens all = tiny::expected_continuation({7}, 20);
    for (int n = 0;; n++) {
      CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
      feed(session, {7}, mode);
      Listener listener;
      driver.arm(n);
      const int status = generate(session, 6, listener, mode);
      const std::string failed = driver.failed();
      driver.arm(-1);
      const size_t heard = listener.tokens.size();
      CHECK(listener.tokens == Tokens(all.begin(), all.begin() + long(heard)));
      CHECK_EQUAL(status, int(failed.empty() ? REALIZAR_OK : REALIZAR_DRIVER));
      if (failed.empty()) break;
      CHECK_EQUAL(position_of(session), uint32_t(std::max(heard, size_t(1))));
      if (heard == 0) continue;
      feed(session, {listener.tokens.back()}, mode);
      CHECK(generated(session, 3, mode) == Tokens(all.begin() + long(heard), all.begin() + long(heard) + 3));
    }
  }
}

// A driver whose launches run later, one whenever somebody asks whether they have ended.
namespace late {

const realizar::Driver* real;
std::deque<std::pair<realizar::GraphExec, realizar::Stream>> queue;
size_t longest = 0;
int fails_after = -1;  // queries
bool loses = false;    // launches are never run

void run_one() {
  const auto [exec, stream] = queue.front();
  queue.pop_front();
  if (!loses) CHECK_EQUAL(real->graph_launch(exec, stream), 0);
}
realizar::Result launch(realizar::GraphExec exec, realizar::Stream stream) {
  queue.emplace_back(exec, stream);
  longest = std::max(longest, queue.size());
  return 0;
}
realizar::Result query(realizar::Stream) {
  if (fails_after >= 0 && fails_after-- == 0) return 700;
  if (queue.empty()) return 0;
  run_one();
  return realizar::not_ready;
}
void run_all() {
  while (!queue.empty()) run_one();
}

// Opens a session on it and feeds 7.
struct Driver {
  Driver() {
    real = realizar::load_driver().driver;
    queue.clear(), longest = 0, fails_after = -1, loses = false;
    static realizar::Driver table;
    table = *real;
    table.graph_launch = launch;
    table.stream_query = query;
    table.stream_synchronize = [](realizar::Stream stream) { return run_all(), real->stream_synchronize(stream); };
    table.memcpy_htod_async = [](realizar::DevicePtr to, const void* from, size_t bytes, realizar::Stream stream) {
      return run_all(), real->memcpy_htod_async(to, from, bytes, stream);
    };
    table.memcpy_dtoh_async = [](void* to, realizar::DevicePtr from, size_t bytes, realizar::Stream stream) {
      return run_all(), real->memcpy_dtoh_async(to, from, bytes, stream);
    };
    realizar::set_driver_for_test(&table);
    model = open_model(file);
    session = open_with_graph(model);
    feed(session, {7}, REALIZAR_GRAPH);
  }
  ~Driver() {
    session.reset();
    model.reset();
    realizar::set_driver_for_test(nullptr);
  }
  tiny::File file;
  Model model;
  Session session;
};

}  // namespace late

TEST(hands_over_each_token_before_the_steps_after_it_have_run) {
  late::Driver driver;
  const Tokens all = tiny::expected_continuation({7}, 60);
  Listener listener;
  listener.most = 50;
  size_t waiting = 0;
  listener.on_each = [&] { waiting = std::max(waiting, late::queue.size()); };
  CHECK_EQUAL(generate(driver.session, 60, listener, REALIZAR_GRAPH), int(REALIZAR_OK));
  CHECK(listener.tokens == Tokens(all.begin(), all.begin() + 50));
  CHECK(waiting >= 1 && late::longest <= 17);
  // Discarded steps that are still under way do not disturb what follows.
  CHECK(!late::queue.empty());
  feed(driver.session, {all[49]}, REALIZAR_GRAPH);
  CHECK(generated(driver.session, 10, REALIZAR_GRAPH) == Tokens(all.begin() + 50, all.begin() + 60));
  CHECK_EQUAL(read_greedy(driver.session), all[59]);
}

TEST(a_failure_of_the_device_ends_the_wait) {
  late::Driver driver;
  Listener listener;
  late::fails_after = 5;
  CHECK_EQUAL(generate(driver.session, 60, listener, REALIZAR_GRAPH), int(REALIZAR_DRIVER));
  CHECK_HAS(realizar_last_error(), "cuStreamQuery failed for the queued steps");
  CHECK(!listener.tokens.empty() && listener.tokens.size() < 6);
}

TEST(steps_that_leave_no_token_end_the_wait) {
  late::Driver driver;
  Listener listener;
  late::loses = true;
  CHECK_EQUAL(generate(driver.session, 60, listener, REALIZAR_GRAPH), int(REALIZAR_DRIVER));
  CHECK_HAS(realizar_last_error(), "the device has done step 1 and handed over no token");
}
