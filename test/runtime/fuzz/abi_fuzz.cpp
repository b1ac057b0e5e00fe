// The C ABI as calls in any order, with handles of every state, on the tiny model: no call does anything but what
// realizar.h says, and all that was opened can be closed.
#include <cmath>
#include <string>
#include <vector>

#include "../../../runtime/realizar.h"
#include "../tiny_model.h"
#include "bytes.h"

namespace {

constexpr int n_models = 3, n_sessions = 4, deepest = 2;
constexpr uint32_t most_calls = 60;

// As a caller keeps them; nothing of a closed one is forgotten, so that it is used again.
struct Program {
  Bytes& input;
  realizar_model* models[n_models] = {};
  realizar_session* sessions[n_sessions] = {};
  int depth = 0;

  realizar_model*& model() { return models[input.below(n_models)]; }
  realizar_session*& session() { return sessions[input.below(n_sessions)]; }
  int mode() { return input.number(2); }
  void call();
};

int known(int status) {
  REQUIRE(std::string(realizar_status_name(status)) != realizar_status_name(-1));
  if (status != REALIZAR_OK) REQUIRE(*realizar_last_error() != 0);
  return status;
}

const tiny::File& model_file() {
  static const tiny::File file;
  return file;
}

void progress(void* user, const char* phase, uint64_t done, uint64_t total) {
  REQUIRE(*phase != 0 && done <= total);
  auto& program = *static_cast<Program*>(user);
  if (program.input.below(16) == 1) program.call();
}

void open_model(Program& program) {
  realizar_model_options options = {};
  options.struct_size = program.input.below(16) ? sizeof options : program.input.take<uint32_t>();
  options.device = program.input.below(8) ? 0 : program.input.take<int32_t>();
  options.order_seed = program.input.below(3);
  options.poison = program.input.below(2);
  options.progress = program.input.below(2) ? progress : nullptr;
  options.user = &program;
  const char* const paths[] = {model_file().path(), model_file().path(), model_file().path(), "/", "", nullptr};
  realizar_model* opened = nullptr;
  const int status =
      known(realizar_model_open(paths[program.input.below(6)], program.input.below(4) ? &options : nullptr,
                                program.input.below(16) ? &opened : nullptr));
  REQUIRE((status == REALIZAR_OK) == (opened != nullptr));
  if (!opened) return;
  realizar_model*& place = program.model();
  known(realizar_model_close(place));
  place = opened;
}

void open_session(Program& program) {
  realizar_session* opened = nullptr;
  if (known(realizar_session_open(program.model(), &opened)) != REALIZAR_OK) return;
  realizar_session*& place = program.session();
  const int status = known(realizar_session_close(place));
  if (status == REALIZAR_BUSY)  // its own callback is running: it stays
    REQUIRE(realizar_session_close(opened) == REALIZAR_OK);
  else
    place = opened;
}

int between(void* user, uint32_t) {
  auto& program = *static_cast<Program*>(user);
  if (program.depth < deepest && program.input.below(4) == 0) program.call();
  return program.input.below(16) == 1;
}
int on_token(void* user, int32_t token) {
  REQUIRE(token >= 0 && token < tiny::n_vocab);
  return between(user, 0);
}

uint32_t position(realizar_session* session) {
  uint32_t at = 0;
  if (realizar_session_position(session, &at) != REALIZAR_OK) return 0;
  REQUIRE(at <= tiny::n_ctx);
  return at;
}

void set_sampling(Program& program, realizar_session* session) {
  Bytes& input = program.input;
  realizar_sampling sampling = realizar_default_sampling();
  const auto real = [&] { return input.below(4) ? float(input.below(20)) / 10 : input.take<float>(); };
  if (input.below(2)) sampling.temperature = real();
  if (input.below(2)) sampling.top_k = input.number(12);
  if (input.below(2)) sampling.top_p = real();
  if (input.below(2)) sampling.min_p = real();
  sampling.seed = input.take<uint64_t>();
  if (input.below(2)) sampling.repeat_last_n = input.number(100);
  if (input.below(2)) sampling.repeat_penalty = real();
  if (input.below(2)) sampling.presence_penalty = real();
  if (input.below(2)) sampling.frequency_penalty = real();
  if (input.below(16) == 1) sampling.struct_size = input.take<uint32_t>();
  std::vector<realizar_logit_bias> biases(input.below(2 + tiny::n_vocab));
  for (size_t i = 0; i < biases.size(); i++)
    biases[i] = {input.below(4) ? int32_t(i) : input.number(tiny::n_vocab), input.below(2) ? -INFINITY : real()};
  sampling.logit_bias = biases.data(), sampling.n_logit_bias = uint32_t(biases.size());
  known(realizar_session_set_sampling(session, input.below(8) ? &sampling : nullptr));
}

void prefill(Program& program, realizar_session* session) {
  std::vector<int32_t> tokens(program.input.below(24));
  for (int32_t& token : tokens) token = program.input.number(tiny::n_vocab);
  const uint32_t before = position(session);
  uint32_t n_fed = ~0u;
  const int status = known(realizar_session_prefill(session, tokens.data(), uint32_t(tokens.size()), between, &program,
                                                    program.mode(), &n_fed));
  REQUIRE(n_fed <= tokens.size());
  if (status == REALIZAR_OK && program.depth == 1) REQUIRE(position(session) == before + n_fed);
}

void generate(Program& program, realizar_session* session) {
  std::vector<int32_t> stop(program.input.below(4));
  for (int32_t& token : stop) token = program.input.number(tiny::n_vocab);
  const uint32_t n = uint32_t(program.input.number(20));
  uint32_t n_generated = ~0u;
  known(realizar_session_generate(session, n, stop.data(), uint32_t(stop.size()),
                                  program.input.below(4) ? on_token : nullptr, &program, program.mode(), &n_generated));
  REQUIRE(n_generated <= n && n_generated <= tiny::n_ctx + 1);
}

void run_greedy(Program& program, realizar_session* session) {
  const uint32_t n = uint32_t(program.input.number(20));
  std::vector<int32_t> tokens(n <= 2 * tiny::n_ctx ? n : 0);
  const int status =
      known(realizar_session_run_greedy(session, n, tokens.empty() ? nullptr : tokens.data(), program.mode()));
  for (const int32_t token : tokens) REQUIRE(status != REALIZAR_OK || (token >= 0 && token < tiny::n_vocab));
}

void read(Program& program, realizar_session* session) {
  int32_t token = -1;
  const int status = known(program.input.below(2) ? realizar_session_chosen(session, &token)
                                                  : realizar_session_greedy(session, &token));
  if (status == REALIZAR_OK) REQUIRE(token >= 0 && token < tiny::n_vocab);
  std::vector<float> logits(tiny::n_vocab);
  const size_t n = program.input.below(4) ? logits.size() : program.input.below(tiny::n_vocab);
  known(realizar_session_logits(session, logits.data(), n));
}

void describe(Program& program, realizar_session* session) {
  char* text = nullptr;
  if (known(realizar_session_dump_nodes(session, &text)) == REALIZAR_OK) REQUIRE(strlen(text) > 0);
  realizar_free(text);
  realizar_node_profile nodes[8];
  const size_t n = program.input.below(4) ? realizar_get_info()->n_node : program.input.below(9);
  known(realizar_session_profile(session, program.input.number(tiny::n_vocab), program.input.below(3), nodes, n));
  int32_t size;
  known(realizar_model_device_size(program.model(), &size, &size, &size));
  REQUIRE(realizar_model_device_name(program.model()) != nullptr);
  realizar_kv_read_bytes(program.input.take<uint32_t>());
}

void Program::call() {
  depth++;
  realizar_session* const used =
      input.below(32) ? session() : reinterpret_cast<realizar_session*>(input.take<uint64_t>());
  switch (input.below(14)) {
    case 0:
      open_model(*this);
      break;
    case 1:
      open_session(*this);
      break;
    case 2:
      known(realizar_model_close(model()));
      break;
    case 3:
      known(realizar_session_close(used));
      break;
    case 4:
      known(realizar_graph_build(used, nullptr));
      break;
    case 5:
      prefill(*this, used);
      break;
    case 6:
      generate(*this, used);
      break;
    case 7:
      run_greedy(*this, used);
      break;
    case 8:
      set_sampling(*this, used);
      break;
    case 9:
      read(*this, used);
      break;
    case 10:
      known(realizar_session_rewind(used, uint32_t(input.number(tiny::n_ctx))));
      break;
    case 11:
      describe(*this, used);
      break;
    default:
      known(realizar_session_step(used, input.number(tiny::n_vocab), mode()));
  }
  position(used);
  depth--;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes input(data, size);
  Program program{input};
  // Most calls need these.
  REQUIRE(realizar_model_open(model_file().path(), nullptr, &program.models[0]) == REALIZAR_OK);
  REQUIRE(realizar_session_open(program.models[0], &program.sessions[0]) == REALIZAR_OK);
  REQUIRE(realizar_graph_build(program.sessions[0], nullptr) == REALIZAR_OK);
  for (uint32_t calls = 0; calls < most_calls && !input.empty(); calls++) program.call();
  for (realizar_session* session : program.sessions) known(realizar_session_close(session));
  for (realizar_model* model : program.models) known(realizar_model_close(model));
  return 0;
}
