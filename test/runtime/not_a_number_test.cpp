// Models whose logits are no numbers: who asks for a token is told, whatever way it is asked for.
#include <algorithm>
#include <cmath>

#include "open.h"

using namespace test;
using Tokens = std::vector<int32_t>;

namespace {

const int modes[] = {REALIZAR_GRAPH, REALIZAR_EAGER};
constexpr int32_t damaged = 4;  // the token whose embedding is damaged

void damage(const tiny::File& file) {
  const uint64_t at = 64 + damaged * tiny::n_cols * sizeof(float);
  file.overwrite(at + 2, char(0xc0));
  file.overwrite(at + 3, char(0x7f));
}

void feed(const Session& session, const Tokens& tokens, int mode) {
  for (const int32_t token : tokens) CHECK_EQUAL(realizar_session_step(session.get(), token, mode), int(REALIZAR_OK));
}

void check_refusal(int status, uint32_t position) {
  CHECK_EQUAL(status, int(REALIZAR_NOT_A_NUMBER));
  CHECK_HAS(realizar_last_error(),
            "not one of the 10 logits after position " + std::to_string(position) + " is a number");
}

}  // namespace

TEST(a_token_chosen_from_no_numbers_is_refused) {
  const tiny::File file;
  damage(file);
  const Model model = open_model(file);
  realizar_sampling drawn = realizar_default_sampling(), adjusted = drawn;
  drawn.temperature = 1;
  adjusted.presence_penalty = 1;
  for (const int mode : modes)
    for (const realizar_sampling& sampling : {realizar_default_sampling(), drawn, adjusted}) {
      const Session session = open_with_graph(model);
      CHECK_EQUAL(realizar_session_set_sampling(session.get(), &sampling), int(REALIZAR_OK));
      feed(session, {7, damaged}, mode);
      int32_t token = -7;
      check_refusal(realizar_session_chosen(session.get(), &token), 1);
      for (const float logit : read_logits(session)) CHECK(std::isnan(logit));
      uint32_t n_generated = ~0u;
      check_refusal(realizar_session_generate(session.get(), 50, nullptr, 0, nullptr, nullptr, mode, &n_generated), 1);
      CHECK_EQUAL(n_generated, 0u);
      CHECK_EQUAL(position_of(session), 2u);
      // What was fed before it is still there.
      CHECK_EQUAL(realizar_session_rewind(session.get(), 1), int(REALIZAR_OK));
      feed(session, {2}, mode);
      CHECK(read_logits(session) == tiny::expected_logits({7, 2}));
      CHECK_EQUAL(realizar_session_chosen(session.get(), &token), int(REALIZAR_OK));
    }
}

TEST(a_prompt_without_numbers_is_refused_where_that_begins) {
  const tiny::File file;
  damage(file);
  const Model model = open_model(file);
  for (const int mode : modes) {
    const Session session = open_with_graph(model);
    const Tokens prompt = {7, 2, damaged, 1, 1, 1};
    uint32_t n_fed = ~0u;
    check_refusal(
        realizar_session_prefill(session.get(), prompt.data(), uint32_t(prompt.size()), nullptr, nullptr, mode, &n_fed),
        2);
    CHECK_EQUAL(n_fed, 2u);
    CHECK_EQUAL(position_of(session), 2u);
    feed(session, {5}, mode);
    CHECK(read_logits(session) == tiny::expected_logits({7, 2, 5}));
  }
}

TEST(tokens_before_the_one_without_numbers_are_handed_over) {
  const tiny::File file;
  damage(file);
  const Model model = open_model(file);
  int tried = 0;
  for (int32_t start = 0; start < tiny::n_vocab; start++) {
    const Tokens expected = tiny::expected_continuation({start}, 30);
    const auto first = std::find(expected.begin(), expected.end(), damaged);
    if (start == damaged || first == expected.end()) continue;
    tried++;
    const uint32_t n = uint32_t(first - expected.begin());  // tokens before it
    for (const int mode : modes) {
      const Session session = open_with_graph(model);
      feed(session, {start}, mode);
      Tokens heard;
      const auto hear = [](void* tokens, int32_t token) {
        static_cast<Tokens*>(tokens)->push_back(token);
        return 0;
      };
      check_refusal(realizar_session_generate(session.get(), 60, nullptr, 0, hear, &heard, mode, nullptr), n + 1);
      CHECK(heard == Tokens(expected.begin(), first + 1));
      CHECK_EQUAL(position_of(session), n + 1);

      CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
      feed(session, {start}, mode);
      Tokens fed(60);
      check_refusal(realizar_session_run_greedy(session.get(), 60, fed.data(), mode), n + 1);
      CHECK(Tokens(fed.begin(), fed.begin() + n + 1) == heard);
      CHECK_EQUAL(position_of(session), n + 2);
    }
  }
  CHECK(tried > 0);
}
