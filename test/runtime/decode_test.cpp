// What a session computes, against the tiny model's formula.
#include <thread>

#include "open.h"

using namespace test;

static const std::vector<int32_t> tokens = {3, 1, 4, 1, 5, 9, 2, 6};

TEST(decodes_with_the_graph) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_session(model);
  uint32_t n_node = 0;
  CHECK_EQUAL(realizar_graph_build(session.get(), &n_node), int(REALIZAR_OK));
  CHECK_EQUAL(n_node, 4u);
  check_decoding(session, tokens, REALIZAR_GRAPH);
}

TEST(decodes_eagerly_without_a_graph) {
  const tiny::File file;
  const Model model = open_model(file);
  check_decoding(open_session(model), tokens, REALIZAR_EAGER);
}

TEST(changes_mode_between_steps) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  std::vector<int32_t> fed;
  for (const int32_t token : tokens) {
    CHECK_EQUAL(realizar_session_step(session.get(), token, int(fed.size() % 2)), int(REALIZAR_OK));
    fed.push_back(token);
    CHECK(read_logits(session) == tiny::expected_logits(fed));
  }
}

TEST(poison_and_another_order_change_nothing) {
  const tiny::File file;
  realizar_model_options options = default_options();
  options.poison = 1;
  options.order_seed = 12345;
  const Model model = open_model(file, options);
  check_decoding(open_with_graph(model), tokens, REALIZAR_GRAPH);
  check_decoding(open_session(model), tokens, REALIZAR_EAGER);
}

TEST(runs_greedily_on_the_device) {
  const tiny::File file;
  const Model model = open_model(file);
  for (const int mode : {REALIZAR_GRAPH, REALIZAR_EAGER}) {
    const Session session = open_with_graph(model);
    CHECK_EQUAL(realizar_session_step(session.get(), 7, mode), int(REALIZAR_OK));
    std::vector<int32_t> fed(20);
    CHECK_EQUAL(realizar_session_run_greedy(session.get(), 20, fed.data(), mode), int(REALIZAR_OK));
    CHECK(fed == tiny::expected_continuation({7}, 20));
    CHECK_EQUAL(position_of(session), 21u);
    // The device's state goes on where the host left it, and the other way round.
    std::vector<int32_t> all = {7};
    all.insert(all.end(), fed.begin(), fed.end());
    CHECK(read_logits(session) == tiny::expected_logits(all));
    CHECK_EQUAL(realizar_session_step(session.get(), 2, mode), int(REALIZAR_OK));
    all.push_back(2);
    CHECK(read_logits(session) == tiny::expected_logits(all));
    CHECK_EQUAL(realizar_session_run_greedy(session.get(), 3, nullptr, mode), int(REALIZAR_OK));
    const std::vector<int32_t> more = tiny::expected_continuation(all, 4);
    CHECK_EQUAL(read_greedy(session), more[3]);
  }
}

TEST(runs_greedily_only_after_a_step) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  int32_t token;
  CHECK_EQUAL(realizar_session_run_greedy(session.get(), 1, &token, REALIZAR_GRAPH), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "call realizar_session_step first");
  CHECK_EQUAL(realizar_session_greedy(session.get(), &token), int(REALIZAR_INVALID_ARGUMENT));
  float logits[tiny::n_vocab];
  CHECK_EQUAL(realizar_session_logits(session.get(), logits, tiny::n_vocab), int(REALIZAR_INVALID_ARGUMENT));
}

// More steps than there are pinned slots for states, without a wait between them.
TEST(queues_many_steps) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  std::vector<int32_t> fed;
  for (int i = 0; i < tiny::n_ctx; i++) {
    fed.push_back(i * 3 % tiny::n_vocab);
    CHECK_EQUAL(realizar_session_step(session.get(), fed.back(), REALIZAR_GRAPH), int(REALIZAR_OK));
  }
  CHECK(read_logits(session) == tiny::expected_logits(fed));
}

TEST(refuses_more_positions_than_the_context_has) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  CHECK_EQUAL(realizar_session_step(session.get(), 0, REALIZAR_GRAPH), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_run_greedy(session.get(), 100, nullptr, REALIZAR_GRAPH), int(REALIZAR_CONTEXT_FULL));
  CHECK_HAS(realizar_last_error(), "1 of 100 positions are used and 100 more are needed");
  CHECK_EQUAL(position_of(session), 1u);
  CHECK_EQUAL(realizar_session_run_greedy(session.get(), 99, nullptr, REALIZAR_GRAPH), int(REALIZAR_OK));
  for (const int mode : {REALIZAR_GRAPH, REALIZAR_EAGER}) {
    CHECK_EQUAL(realizar_session_step(session.get(), 0, mode), int(REALIZAR_CONTEXT_FULL));
    CHECK_HAS(realizar_last_error(), "100 of 100 positions");
    CHECK_HAS(realizar_last_error(), "--context");
  }
  CHECK_EQUAL(read_greedy(session), tiny::expected_continuation({0}, 100)[99]);
}

TEST(refuses_tokens_outside_the_vocabulary) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  for (const int32_t token : {-1, tiny::n_vocab, INT32_MAX, INT32_MIN}) {
    CHECK_EQUAL(realizar_session_step(session.get(), token, REALIZAR_GRAPH), int(REALIZAR_INVALID_ARGUMENT));
    CHECK_HAS(realizar_last_error(), "token " + std::to_string(token) + " is outside the vocabulary of 10 tokens");
  }
  CHECK_EQUAL(position_of(session), 0u);
  check_decoding(session, tokens, REALIZAR_GRAPH);
}

TEST(rewinds) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  check_decoding(session, tokens, REALIZAR_GRAPH);
  CHECK_EQUAL(realizar_session_rewind(session.get(), 9), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "cannot rewind to position 9: only 8 are used");
  CHECK_EQUAL(realizar_session_rewind(session.get(), 8), int(REALIZAR_OK));
  CHECK_EQUAL(read_greedy(session), tiny::first_largest(tiny::expected_logits(tokens)));

  CHECK_EQUAL(realizar_session_rewind(session.get(), 2), int(REALIZAR_OK));
  CHECK_EQUAL(position_of(session), 2u);
  int32_t token;
  CHECK_EQUAL(realizar_session_greedy(session.get(), &token), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_run_greedy(session.get(), 1, nullptr, REALIZAR_GRAPH), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_step(session.get(), 8, REALIZAR_GRAPH), int(REALIZAR_OK));
  CHECK(read_logits(session) == tiny::expected_logits({3, 1, 8}));
  CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
  check_decoding(session, tokens, REALIZAR_GRAPH);
}

TEST(a_graph_step_needs_a_graph) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_session(model);
  CHECK_EQUAL(realizar_session_step(session.get(), 1, REALIZAR_GRAPH), int(REALIZAR_NO_GRAPH));
  CHECK_HAS(realizar_last_error(), "realizar_graph_build");
  CHECK_EQUAL(position_of(session), 0u);
  CHECK_EQUAL(realizar_graph_build(session.get(), nullptr), int(REALIZAR_OK));
  check_decoding(session, tokens, REALIZAR_GRAPH);
  CHECK_EQUAL(realizar_graph_build(session.get(), nullptr), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
  check_decoding(session, tokens, REALIZAR_GRAPH);
}

TEST(two_sessions_decode_in_two_threads) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session sessions[] = {open_with_graph(model), open_with_graph(model)};
  std::thread threads[2];
  for (int i = 0; i < 2; i++)
    threads[i] = std::thread([&, i] {
      std::vector<int32_t> fed;
      for (int n = 0; n < 30; n++) fed.push_back((n * (i + 3) + i) % tiny::n_vocab);
      check_decoding(sessions[i], fed, i == 0 ? REALIZAR_GRAPH : REALIZAR_EAGER);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(errors_belong_to_their_thread) {
  CHECK_EQUAL(realizar_session_step(nullptr, 0, REALIZAR_GRAPH), int(REALIZAR_INVALID_ARGUMENT));
  std::thread([] { CHECK_EQUAL(std::string(realizar_last_error()), ""); }).join();
  CHECK_EQUAL(std::string(realizar_last_error()), "session is null");
}
