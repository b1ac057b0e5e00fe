// Prompts: many tokens in one call.
#include <functional>

#include "faulty_driver.h"
#include "open.h"

using namespace test;
using Tokens = std::vector<int32_t>;

namespace {

const int modes[] = {REALIZAR_GRAPH, REALIZAR_EAGER};

// Hears how many have been fed, and ends with the count `most`.
struct Listener {
  std::vector<uint32_t> counts;
  uint32_t most = UINT32_MAX;

  static int hear(void* user, uint32_t n_fed) {
    auto& self = *static_cast<Listener*>(user);
    self.counts.push_back(n_fed);
    return n_fed == self.most;
  }
};

int prefill(const Session& session, const Tokens& tokens, Listener& listener, int mode, uint32_t& n_fed) {
  n_fed = ~0u;
  return realizar_session_prefill(session.get(), tokens.data(), uint32_t(tokens.size()), Listener::hear, &listener,
                                  mode, &n_fed);
}

Tokens prompt(uint32_t n) {
  Tokens tokens;
  for (uint32_t i = 0; i < n; i++) tokens.push_back(int32_t((i * 7 + i * i) % tiny::n_vocab));
  return tokens;
}

}  // namespace

TEST(a_prompt_leaves_what_as_many_steps_do) {
  const tiny::File file;
  const Model model = open_model(file);
  for (const int mode : modes)
    for (const uint32_t n : {1u, 2u, 17u, 70u, uint32_t(tiny::n_ctx)}) {
      const Session session = open_with_graph(model);
      const Tokens tokens = prompt(n);
      Listener listener;
      uint32_t n_fed;
      CHECK_EQUAL(prefill(session, tokens, listener, mode, n_fed), int(REALIZAR_OK));
      CHECK_EQUAL(n_fed, n);
      CHECK_EQUAL(position_of(session), n);
      CHECK_EQUAL(listener.counts.size(), size_t(n));
      for (uint32_t i = 0; i < n; i++) CHECK_EQUAL(listener.counts[i], i + 1);
      CHECK(read_logits(session) == tiny::expected_logits(tokens));
      CHECK_EQUAL(read_greedy(session), tiny::first_largest(tiny::expected_logits(tokens)));
    }
}

TEST(a_prompt_goes_on_where_the_session_is) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  const Tokens all = prompt(40);
  CHECK_EQUAL(realizar_session_prefill(session.get(), all.data(), 25, nullptr, nullptr, REALIZAR_GRAPH, nullptr),
              int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_rewind(session.get(), 20), int(REALIZAR_OK));
  uint32_t n_fed;
  Listener listener;
  CHECK_EQUAL(prefill(session, Tokens(all.begin() + 20, all.end()), listener, REALIZAR_EAGER, n_fed), int(REALIZAR_OK));
  CHECK(read_logits(session) == tiny::expected_logits(all));
  CHECK_EQUAL(prefill(session, {}, listener, REALIZAR_GRAPH, n_fed), int(REALIZAR_OK));
  CHECK_EQUAL(n_fed, 0u);
}

TEST(a_prompt_that_is_ended_keeps_what_was_fed) {
  const tiny::File file;
  const Model model = open_model(file);
  for (const int mode : modes)
    for (const uint32_t most : {1u, 2u, 30u}) {
      const Session session = open_with_graph(model);
      const Tokens tokens = prompt(90);
      Listener listener;
      listener.most = most;
      uint32_t n_fed;
      CHECK_EQUAL(prefill(session, tokens, listener, mode, n_fed), int(REALIZAR_OK));
      CHECK(n_fed >= most && n_fed <= most + 16);  // some had been queued
      CHECK_EQUAL(position_of(session), n_fed);
      CHECK(read_logits(session) == tiny::expected_logits(Tokens(tokens.begin(), tokens.begin() + n_fed)));
      Listener rest;
      CHECK_EQUAL(prefill(session, Tokens(tokens.begin() + n_fed, tokens.end()), rest, mode, n_fed), int(REALIZAR_OK));
      CHECK(read_logits(session) == tiny::expected_logits(tokens));
    }
}

TEST(a_prompt_is_checked_before_any_of_it_is_fed) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_session(model);
  Listener listener;
  uint32_t n_fed;
  const auto refuses = [&](const Tokens& tokens, int mode, int status, const char* text) {
    CHECK_EQUAL(prefill(session, tokens, listener, mode, n_fed), status);
    CHECK_HAS(realizar_last_error(), text);
    CHECK_EQUAL(n_fed, 0u);
    CHECK_EQUAL(position_of(session), 0u);
    CHECK(listener.counts.empty());
  };
  refuses({1, 2, 10}, REALIZAR_EAGER, REALIZAR_INVALID_ARGUMENT, "token 10 is outside the vocabulary of 10 tokens");
  refuses({1, -1}, REALIZAR_EAGER, REALIZAR_INVALID_ARGUMENT, "token -1");
  refuses({1}, REALIZAR_GRAPH, REALIZAR_NO_GRAPH, "realizar_graph_build");
  refuses({1}, 5, REALIZAR_INVALID_ARGUMENT, "5 is no realizar_mode");
  refuses(Tokens(tiny::n_ctx + 1), REALIZAR_EAGER, REALIZAR_CONTEXT_FULL, "101 more are needed");
  CHECK_EQUAL(realizar_session_prefill(session.get(), nullptr, 1, nullptr, nullptr, REALIZAR_EAGER, nullptr),
              int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "tokens is null");
  CHECK_EQUAL(realizar_session_prefill(nullptr, nullptr, 0, nullptr, nullptr, REALIZAR_EAGER, &n_fed),
              int(REALIZAR_INVALID_ARGUMENT));
}

TEST(a_call_that_fails_within_a_prompt_leaves_a_session_that_goes_on) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  const Tokens tokens = prompt(9);
  for (const int mode : modes)
    for (int n = 0;; n++) {
      CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
      Listener listener;
      uint32_t n_fed;
      driver.arm(n);
      const int status = prefill(session, tokens, listener, mode, n_fed);
      const std::string failed = driver.failed();
      driver.arm(-1);
      CHECK_EQUAL(status, int(failed.empty() ? REALIZAR_OK : REALIZAR_DRIVER));
      CHECK_EQUAL(n_fed, uint32_t(listener.counts.size()));
      CHECK_EQUAL(position_of(session), n_fed);
      if (failed.empty()) break;
      CHECK_EQUAL(prefill(session, Tokens(tokens.begin() + n_fed, tokens.end()), listener, mode, n_fed),
                  int(REALIZAR_OK));
      CHECK(read_logits(session) == tiny::expected_logits(tokens));
    }
}
