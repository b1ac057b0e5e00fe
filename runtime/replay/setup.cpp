// Getting ready, each phase timed.
#include <chrono>
#include <cstdio>
#include <cstring>

#include "replay.h"

namespace replay {
namespace {

struct PhaseClock {
  std::vector<Phase>& phases;
  double start = 0;

  static void tick(void* user, const char* phase, uint64_t done, uint64_t total) {
    auto& [phases, start] = *static_cast<PhaseClock*>(user);
    if (done == 0) start = now_ms();
    if (done == total) phases.push_back({phase, now_ms() - start, total});
  }
};

template <typename Body>
void time_phase(SetupTimes& times, const char* name, Body&& body) {
  const double start = now_ms();
  body();
  times.phases.push_back({name, now_ms() - start, 1});
}

}  // namespace

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const Phase& SetupTimes::of(const char* name) const {
  static const Phase none;
  for (const Phase& phase : phases)
    if (phase.name == name) return phase;
  return none;
}

double SetupTimes::upload_bytes_per_second() const {
  const Phase& weights = of("weights");
  return weights.ms > 0 ? double(weights.total) / weights.ms * 1e3 : 0;
}

OpenModel open_model(const Options& options, SetupTimes& times) {
  PhaseClock clock{times.phases};
  realizar_model_options model_options = {};
  model_options.struct_size = sizeof model_options;
  model_options.device = options.device;
  model_options.order_seed = options.order_seed;
  model_options.poison = options.poison;
  model_options.progress = PhaseClock::tick;
  model_options.user = &clock;
  realizar_model* model = nullptr;
  const double start = now_ms();
  check(realizar_model_open(options.model.c_str(), &model_options, &model));
  times.open_ms = now_ms() - start;
  return OpenModel(model);
}

OpenSession open_session(const Options& options, realizar_model* model, SetupTimes& times) {
  realizar_session* opened = nullptr;
  time_phase(times, "session", [&] { check(realizar_session_open(model, &opened)); });
  OpenSession session(opened);
  if (options.mode == REALIZAR_GRAPH) time_phase(times, "graph", [&] { check(realizar_graph_build(opened, nullptr)); });
  return session;
}

void time_first_token(const Options& options, realizar_session* session, SetupTimes& times) {
  const int32_t token = options.tokens.empty() ? any_token() : options.tokens[0];
  time_phase(times, "first_token", [&] {
    int32_t chosen;
    check(realizar_session_step(session, token, options.mode));
    check(realizar_session_greedy(session, &chosen));
  });
  times.to_first_token_ms = now_ms() - times.start;
  check(realizar_session_rewind(session, 0));
}

std::string describe(const SetupTimes& times) {
  std::string text;
  char part[160];
  for (const Phase& phase : times.phases) {
    snprintf(part, sizeof part, "%s%s %.1f ms", text.empty() ? "" : ", ", phase.name.c_str(), phase.ms);
    text += part;
    if (phase.name != "weights") continue;
    snprintf(part, sizeof part, " (%.4g GB, %.4g GB/s)", double(phase.total) / 1e9,
             times.upload_bytes_per_second() / 1e9);
    text += part;
  }
  snprintf(part, sizeof part, "; %.1f ms from the start to the first token", times.to_first_token_ms);
  return text + part;
}

}  // namespace replay
