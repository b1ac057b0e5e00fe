// Opening and closing the tiny model through the C ABI.
#pragma once
#include <memory>
#include <vector>

#include "../../runtime/realizar.h"
#include "check.h"
#include "tiny_model.h"

namespace test {

struct Close {
  void operator()(realizar_model* model) const { realizar_model_close(model); }
  void operator()(realizar_session* session) const { realizar_session_close(session); }
};
using Model = std::unique_ptr<realizar_model, Close>;
using Session = std::unique_ptr<realizar_session, Close>;

inline realizar_model_options default_options() {
  realizar_model_options options = {};
  options.struct_size = sizeof options;
  return options;
}

inline Model open_model(const tiny::File& file, const realizar_model_options& options = default_options()) {
  realizar_model* model = nullptr;
  CHECK_EQUAL(realizar_model_open(file.path(), &options, &model), int(REALIZAR_OK));
  return Model(model);
}

inline Session open_session(const Model& model) {
  realizar_session* session = nullptr;
  CHECK_EQUAL(realizar_session_open(model.get(), &session), int(REALIZAR_OK));
  return Session(session);
}

inline Session open_with_graph(const Model& model) {
  Session session = open_session(model);
  CHECK_EQUAL(realizar_graph_build(session.get(), nullptr), int(REALIZAR_OK));
  return session;
}

inline std::vector<float> read_logits(const Session& session) {
  std::vector<float> logits(tiny::n_vocab);
  CHECK_EQUAL(realizar_session_logits(session.get(), logits.data(), logits.size()), int(REALIZAR_OK));
  return logits;
}

inline int32_t read_greedy(const Session& session) {
  int32_t token = -1;
  CHECK_EQUAL(realizar_session_greedy(session.get(), &token), int(REALIZAR_OK));
  return token;
}

inline uint32_t position_of(const Session& session) {
  uint32_t position = ~0u;
  CHECK_EQUAL(realizar_session_position(session.get(), &position), int(REALIZAR_OK));
  return position;
}

// Feeds the tokens one a step and checks the logits and the greedy token after each.
inline void check_decoding(const Session& session, const std::vector<int32_t>& tokens, int mode) {
  std::vector<int32_t> fed;
  for (const int32_t token : tokens) {
    CHECK_EQUAL(realizar_session_step(session.get(), token, mode), int(REALIZAR_OK));
    fed.push_back(token);
    const std::vector<float> expected = tiny::expected_logits(fed);
    CHECK(read_logits(session) == expected);
    CHECK_EQUAL(read_greedy(session), tiny::first_largest(expected));
  }
}

}  // namespace test
