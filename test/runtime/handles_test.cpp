// Misuse of handles and callbacks: an error where there could be a crash, and nothing changed.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "open.h"

using namespace test;

namespace {

realizar_session* inner;  // what a callback uses

int feed(realizar_session* session, int32_t token) { return realizar_session_step(session, token, REALIZAR_GRAPH); }

int generate(realizar_session* session, realizar_on_token on_token, uint32_t* n = nullptr) {
  return realizar_session_generate(session, 5, nullptr, 0, on_token, nullptr, REALIZAR_GRAPH, n);
}

}  // namespace

TEST(closed_handles_are_refused_and_closing_twice_is) {
  const tiny::File file;
  realizar_model* model = open_model(file).release();
  realizar_session* session = nullptr;
  CHECK_EQUAL(realizar_session_open(model, &session), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_close(session), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_close(session), int(REALIZAR_CLOSED));
  CHECK_HAS(realizar_last_error(), "no open session of this library");
  uint32_t n = 7;
  int32_t token;
  float logits[tiny::n_vocab];
  char* text;
  realizar_node_profile nodes[16];
  CHECK_EQUAL(feed(session, 1), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_graph_build(session, &n), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_prefill(session, &token, 0, nullptr, nullptr, 0, &n), int(REALIZAR_CLOSED));
  CHECK_EQUAL(n, 0u);
  CHECK_EQUAL(realizar_session_set_sampling(session, nullptr), int(REALIZAR_CLOSED));
  CHECK_EQUAL(generate(session, nullptr), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_run_greedy(session, 1, nullptr, 0), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_logits(session, logits, tiny::n_vocab), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_chosen(session, &token), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_greedy(session, &token), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_position(session, &n), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_rewind(session, 0), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_profile(session, 1, 1, nodes, 16), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_dump_nodes(session, &text), int(REALIZAR_CLOSED));
  // No later handle is the same.
  realizar_session* next = nullptr;
  CHECK_EQUAL(realizar_session_open(model, &next), int(REALIZAR_OK));
  CHECK(next != session);
  CHECK_EQUAL(realizar_session_close(session), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_model_close(model), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_model_close(model), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_session_open(model, &session), int(REALIZAR_CLOSED));
  double rate;
  int32_t size;
  CHECK_EQUAL(realizar_measure_read_ceiling(model, &rate), int(REALIZAR_CLOSED));
  CHECK_EQUAL(realizar_model_device_size(model, &size, &size, &size), int(REALIZAR_CLOSED));
  CHECK_EQUAL(std::string(realizar_model_device_name(model)), std::string());
  // The model lives as long as its last session.
  CHECK_EQUAL(realizar_session_step(next, 1, REALIZAR_EAGER), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_chosen(next, &token), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_close(next), int(REALIZAR_OK));
  // What never was a handle, and one of another kind.
  CHECK_EQUAL(feed(reinterpret_cast<realizar_session*>(0x1234), 1), int(REALIZAR_CLOSED));
  CHECK_EQUAL(feed(reinterpret_cast<realizar_session*>(model), 1), int(REALIZAR_CLOSED));
}

TEST(a_callback_cannot_use_or_close_the_session_that_calls_it) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  inner = session.get();
  CHECK_EQUAL(feed(inner, 7), int(REALIZAR_OK));
  uint32_t n = 0;
  const int status = generate(
      inner,
      [](void*, int32_t token) {
        uint32_t n = 7;
        int32_t chosen;
        CHECK_EQUAL(generate(inner, nullptr, &n), int(REALIZAR_BUSY));
        CHECK_HAS(realizar_last_error(), "callbacks may not use the session that calls them");
        CHECK_EQUAL(n, 0u);
        CHECK_EQUAL(feed(inner, token), int(REALIZAR_BUSY));
        CHECK_EQUAL(realizar_session_chosen(inner, &chosen), int(REALIZAR_BUSY));
        CHECK_EQUAL(realizar_session_rewind(inner, 0), int(REALIZAR_BUSY));
        CHECK_EQUAL(realizar_session_set_sampling(inner, nullptr), int(REALIZAR_BUSY));
        CHECK_EQUAL(realizar_session_position(inner, &n), int(REALIZAR_BUSY));
        CHECK_EQUAL(realizar_session_close(inner), int(REALIZAR_BUSY));
        return 0;
      },
      &n);
  CHECK_EQUAL(status, int(REALIZAR_OK));
  CHECK_EQUAL(n, 5u);
  CHECK_EQUAL(position_of(session), 5u);
  const int32_t prompt[] = {1, 2};
  const auto fed = [](void*, uint32_t) { return realizar_session_close(inner) == REALIZAR_BUSY ? 0 : 1; };
  CHECK_EQUAL(realizar_session_prefill(inner, prompt, 2, fed, nullptr, REALIZAR_GRAPH, &n), int(REALIZAR_OK));
  CHECK_EQUAL(n, 2u);
}

TEST(a_callback_may_use_other_sessions_and_close_the_model) {
  const tiny::File file;
  static realizar_model* model;
  model = open_model(file).release();
  realizar_session* session = nullptr;
  CHECK_EQUAL(realizar_session_open(model, &session), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_step(session, 7, REALIZAR_EAGER), int(REALIZAR_OK));
  const auto on_token = [](void*, int32_t token) {
    realizar_session* other = nullptr;
    CHECK_EQUAL(realizar_session_open(model, &other), int(REALIZAR_OK));
    CHECK_EQUAL(realizar_session_step(other, token, REALIZAR_EAGER), int(REALIZAR_OK));
    CHECK_EQUAL(realizar_model_close(model), int(REALIZAR_OK));
    CHECK_EQUAL(realizar_session_close(other), int(REALIZAR_OK));
    return 1;
  };
  uint32_t n = 0;
  CHECK_EQUAL(realizar_session_generate(session, 5, nullptr, 0, on_token, nullptr, REALIZAR_EAGER, &n),
              int(REALIZAR_OK));
  CHECK_EQUAL(n, 1u);
  CHECK_EQUAL(realizar_session_close(session), int(REALIZAR_OK));
}

TEST(an_exception_out_of_a_callback_ends_the_call) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  CHECK_EQUAL(feed(session.get(), 7), int(REALIZAR_OK));
  const auto on_token = [](void*, int32_t) -> int { throw std::runtime_error("thrown in on_token"); };
  CHECK_EQUAL(generate(session.get(), on_token), int(REALIZAR_DRIVER));
  CHECK_HAS(realizar_last_error(), "thrown in on_token");
  CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
  check_decoding(session, {1, 2, 3}, REALIZAR_GRAPH);
}

TEST(threads_on_one_session_are_told_that_it_is_busy) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  inner = session.get();
  CHECK_EQUAL(feed(inner, 7), int(REALIZAR_OK));
  std::atomic<int> n_done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&] {
      for (int step = 0; step < 10; step++) {
        const int status = feed(inner, step % 10);
        CHECK(status == REALIZAR_OK || status == REALIZAR_BUSY);
        n_done += status == REALIZAR_OK;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(position_of(session), uint32_t(n_done) + 1);
}

TEST(tokens_that_are_all_banned_are_an_error) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  realizar_logit_bias bans[tiny::n_vocab];
  for (int32_t i = 0; i < int32_t(tiny::n_vocab); i++) bans[i] = {i, -INFINITY};
  realizar_sampling sampling = realizar_default_sampling();
  sampling.logit_bias = bans;
  sampling.n_logit_bias = tiny::n_vocab;
  CHECK_EQUAL(realizar_session_set_sampling(session.get(), &sampling), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "all 10 tokens have a logit bias of -infinity");
  // Biases that only the sum makes infinite: the device says so, greedy or drawn.
  for (realizar_logit_bias& ban : bans) ban.bias = -3e38f;
  sampling.presence_penalty = 3e38f;
  sampling.repeat_last_n = -1;
  for (const float temperature : {0.f, 1.f}) {
    sampling.temperature = temperature;
    CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
    CHECK_EQUAL(realizar_session_set_sampling(session.get(), &sampling), int(REALIZAR_OK));
    for (int32_t token = 0; token < int32_t(tiny::n_vocab); token++)
      CHECK_EQUAL(feed(session.get(), token), int(REALIZAR_OK));
    int32_t token;
    CHECK_EQUAL(realizar_session_chosen(session.get(), &token), int(REALIZAR_NOT_A_NUMBER));
    CHECK_HAS(realizar_last_error(), "is a number that can be chosen");
  }
}

TEST(a_process_may_exit_while_a_session_is_in_a_call) {
  const tiny::File file;
  static realizar_session* session;
  static std::atomic<int> n_heard = 0;
  realizar_model* model = open_model(file).release();
  CHECK_EQUAL(realizar_session_open(model, &session), int(REALIZAR_OK));
  std::thread([] {
    const auto heard = [](void*, int32_t) { return int(n_heard++ < 0); };
    for (;;) {
      realizar_session_rewind(session, 0);
      realizar_session_step(session, 7, REALIZAR_EAGER);
      realizar_session_generate(session, 90, nullptr, 0, heard, nullptr, REALIZAR_EAGER, nullptr);
    }
  }).detach();
  while (n_heard < 20) std::this_thread::yield();
  remove(file.path());  // exit does not unwind
  exit_in_calls();
}
