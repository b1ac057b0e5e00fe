// The C ABI as calls in any order, with handles of every state, on the tiny model: no call does anything but what
// realizar.h says, and all that was opened can be closed.
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "../../../runtime/realizar.h"
#include "../tiny_model.h"
#include "bytes.h"

namespace {

constexpr int n_models = 3, n_sessions = 4, n_engines = 2, deepest = 2;
constexpr uint32_t most_calls = 60;

// An engine, and its sequences that have no end yet.
struct Engine {
  realizar_engine* handle = nullptr;
  std::set<std::pair<uint64_t, uint32_t>> open = {};
};

// As a caller keeps them; nothing of a closed one is forgotten, so that it is used again.
struct Program {
  Bytes& input;
  realizar_model* models[n_models] = {};
  realizar_session* sessions[n_sessions] = {};
  Engine engines[n_engines] = {};
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

std::vector<realizar_logit_bias> biases_of(Bytes& input, const auto& real) {
  std::vector<realizar_logit_bias> biases(input.below(2 + tiny::n_vocab));
  for (size_t i = 0; i < biases.size(); i++)
    biases[i] = {input.below(4) ? int32_t(i) : input.number(tiny::n_vocab), input.below(2) ? -INFINITY : real()};
  return biases;
}

// The biases live as long as what points to them.
realizar_sampling any_sampling(Bytes& input, std::vector<realizar_logit_bias>& biases) {
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
  biases = biases_of(input, real);
  sampling.logit_bias = biases.data(), sampling.n_logit_bias = uint32_t(biases.size());
  return sampling;
}

void set_sampling(Program& program, realizar_session* session) {
  std::vector<realizar_logit_bias> biases;
  const realizar_sampling sampling = any_sampling(program.input, biases);
  known(realizar_session_set_sampling(session, program.input.below(8) ? &sampling : nullptr));
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

// ------------------------------------------------------------------ engines

void open_engine(Program& program, Engine& place) {
  Bytes& input = program.input;
  realizar_engine_options options = {};
  options.struct_size = input.below(16) ? sizeof options : input.take<uint32_t>();
  options.n_sequence = uint32_t(input.number(5));
  options.n_ctx = input.below(2) ? uint32_t(input.number(tiny::n_ctx)) : 0;
  options.deterministic = input.below(2);
  options.kv_bytes = input.below(2) ? input.take<uint16_t>() : 0;
  realizar_engine* opened = nullptr;
  const int status = known(realizar_engine_open(program.model(), input.below(4) ? &options : nullptr, &opened));
  REQUIRE((status == REALIZAR_OK) == (opened != nullptr));
  if (!opened) return;
  known(realizar_engine_close(place.handle));
  place = {opened, {}};
}

void submit(Program& program, Engine& engine) {
  Bytes& input = program.input;
  std::vector<int32_t> tokens(input.below(24)), stop(input.below(4));
  for (std::vector<int32_t>* some : {&tokens, &stop})
    for (int32_t& token : *some) token = input.number(tiny::n_vocab);
  std::vector<realizar_logit_bias> biases;
  realizar_request request = {};
  request.struct_size = input.below(16) ? sizeof request : input.take<uint32_t>();
  request.tokens = tokens.data(), request.n_token = uint32_t(tokens.size());
  request.max_tokens = uint32_t(input.number(20));
  request.n_sequence = 1 + input.below(3);
  request.sampling = input.below(2) ? realizar_default_sampling() : any_sampling(input, biases);
  request.stop = stop.data(), request.n_stop = uint32_t(stop.size());
  request.n_logprob = input.below(8) ? int32_t(input.below(4)) - 1 : input.take<int32_t>();
  request.prompt_logprobs = input.below(2);
  request.priority = input.number(3);
  uint64_t id = 0;
  if (known(realizar_engine_submit(engine.handle, &request, &id)) != REALIZAR_OK) return;
  for (uint32_t i = 0; i < request.n_sequence; i++) REQUIRE(engine.open.insert({id, i}).second);
}

void take_events(Engine& engine, int milliseconds) {
  realizar_events* events = nullptr;
  known(realizar_engine_wait(engine.handle, milliseconds, &events));
  for (uint32_t i = 0; events && i < events->n_event; i++) {
    const realizar_event& event = events->events[i];
    REQUIRE(engine.open.count({event.request, event.index}));
    REQUIRE(event.token >= -1 && event.token < tiny::n_vocab);
    REQUIRE((event.kind == REALIZAR_EVENT_END) == (event.end != REALIZAR_END_NONE));
    if (event.kind == REALIZAR_EVENT_END) engine.open.erase({event.request, event.index});
  }
  realizar_events_free(events);
}

void use_engine(Program& program) {
  Bytes& input = program.input;
  Engine& engine = program.engines[input.below(n_engines)];
  switch (input.below(8)) {
    case 0:
      open_engine(program, engine);
      break;
    case 1:
      known(realizar_engine_cancel(engine.handle, uint64_t(input.number(20))));
      break;
    case 2: {
      realizar_engine_statistics now = {};
      now.struct_size = input.below(16) ? sizeof now : input.take<uint32_t>();
      if (known(realizar_engine_get_statistics(engine.handle, &now)) != REALIZAR_OK) break;
      REQUIRE(now.n_running <= now.n_sequence && now.n_free_page <= now.n_page);
      REQUIRE(now.n_running + now.n_waiting <= engine.open.size());
      break;
    }
    case 3:
      if (input.below(4) == 0) known(realizar_engine_close(engine.handle)), engine.open.clear();
      break;
    case 4:
    case 5:
      take_events(engine, input.number(2) % 3);
      break;
    default:
      submit(program, engine);
  }
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
    case 12:
      use_engine(*this);
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
  // What was asked for ends, if the model is still good for it.
  for (Engine& engine : program.engines) {
    for (int i = 0; i < 2000 && !engine.open.empty(); i++) take_events(engine, 100);
    REQUIRE(engine.open.empty());
    known(realizar_engine_close(engine.handle));
  }
  for (realizar_session* session : program.sessions) known(realizar_session_close(session));
  for (realizar_model* model : program.models) known(realizar_model_close(model));
  return 0;
}
