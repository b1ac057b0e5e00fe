#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>

#include "replay.h"

namespace replay {
namespace {

constexpr uint32_t default_steps = 128;
constexpr int32_t first_token = 1;

struct Measurement {
  uint32_t steps = 0;
  double ms_per_token = 0;
  double bytes_per_token = 0;
  double ceiling = 0;  // bytes/s

  double tokens_per_second() const { return 1e3 / ms_per_token; }
  double bytes_per_second() const { return bytes_per_token * tokens_per_second(); }
  double ratio() const { return bytes_per_second() / ceiling; }
};

// One token is fed at position `depth`; the timed steps follow it.
uint32_t choose_steps(const Options& options, uint32_t n_ctx) {
  const uint64_t least = uint64_t(options.depth) + 1 + std::max(options.steps, 1u);
  if (least > n_ctx)
    throw Failure("this needs " + std::to_string(least) + " positions (--depth, one token, --steps); the library was " +
                  "compiled for " + std::to_string(n_ctx) + ": compile it with a larger --context");
  return options.steps ? options.steps : std::min(default_steps, n_ctx - options.depth - 1);
}

void wait(realizar_session* session) {
  int32_t token;
  check(realizar_session_greedy(session, &token));
}

double time_run(const Options& options, realizar_session* session, int32_t token, uint32_t steps) {
  check(realizar_session_rewind(session, options.depth));
  check(realizar_session_step(session, token, options.mode));
  wait(session);
  const double start = now_ms();
  check(realizar_session_run_greedy(session, steps, nullptr, options.mode));
  wait(session);
  return (now_ms() - start) / steps;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Measurement measure(const Options& options, realizar_model* model, realizar_session* session) {
  const realizar_info& info = *realizar_get_info();
  Measurement result;
  result.steps = choose_steps(options, info.n_ctx);
  const int32_t token = std::min(first_token, int32_t(info.n_vocab) - 1);
  if (options.depth > 0) {
    check(realizar_session_step(session, token, options.mode));
    check(realizar_session_run_greedy(session, options.depth - 1, nullptr, options.mode));
  }
  std::vector<double> runs;
  for (uint32_t i = 0; i < options.repeat; i++) runs.push_back(time_run(options, session, token, result.steps));
  result.ms_per_token = median(runs);
  // Step i of 1..steps is at position depth + i and attends to depth + i + 1 positions.
  const double mean_positions = options.depth + 1 + (result.steps + 1) / 2.0;
  result.bytes_per_token = double(info.token_read_bytes) + double(info.kv_row_bytes) * mean_positions;
  check(realizar_measure_read_ceiling(model, &result.ceiling));
  return result;
}

std::string json_string(const char* text) {
  std::string quoted = "\"";
  for (const char* c = text; *c; c++) {
    char escaped[8];
    const unsigned char byte = static_cast<unsigned char>(*c);
    snprintf(escaped, sizeof escaped, byte < 0x20 ? "\\u%04x" : byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
    quoted += escaped;
  }
  return quoted + "\"";
}

const char* mode_name(const Options& options) { return options.mode == REALIZAR_GRAPH ? "graph" : "eager"; }

void print_json(const Options& options, const char* device, const Measurement& m, const SetupTimes& times) {
  const realizar_info& info = *realizar_get_info();
  printf("{\"name\":%s,\"architecture\":%s,\"target\":%s,\"device\":%s,\"mode\":\"%s\",\"n_node\":%u,",
         json_string(info.name).c_str(), json_string(info.architecture).c_str(), json_string(info.target).c_str(),
         json_string(device).c_str(), mode_name(options), info.n_node);
  printf("\"steps\":%u,\"depth\":%u,\"repeat\":%u,\"tokens_per_second\":%.6g,\"ms_per_token\":%.6g,", m.steps,
         options.depth, options.repeat, m.tokens_per_second(), m.ms_per_token);
  printf("\"bytes_per_token\":%.0f,\"gb_per_second\":%.6g,\"read_ceiling_gb_per_second\":%.6g,\"ratio\":%.4g,",
         m.bytes_per_token, m.bytes_per_second() / 1e9, m.ceiling / 1e9, m.ratio());
  printf("\"open_ms\":%.6g,\"upload_ms\":%.6g,\"session_ms\":%.6g,\"graph_build_ms\":%.6g}\n", times.open, times.upload,
         times.session, times.graph_build);
}

void print_text(const Options& options, const char* device, const Measurement& m, const SetupTimes& times) {
  const realizar_info& info = *realizar_get_info();
  printf("%s (%s) on %s: %u nodes a token, %s mode\n", info.name, info.architecture, device, info.n_node,
         mode_name(options));
  printf("  %.1f tokens/s, %.4f ms a token; median of %u runs of %u steps after %u positions\n", m.tokens_per_second(),
         m.ms_per_token, options.repeat, m.steps, options.depth + 1);
  printf("  %.4g GB/s of weights and KV cache, %.1f%% of the %.4g GB/s that this device reads at most\n",
         m.bytes_per_second() / 1e9, m.ratio() * 100, m.ceiling / 1e9);
  printf("  open %.1f ms, %.1f ms of it for the weights; session %.1f ms; graph build %.2f ms\n", times.open,
         times.upload, times.session, times.graph_build);
}

}  // namespace

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void bench(const Options& options, realizar_model* model, realizar_session* session, const SetupTimes& times) {
  const Measurement measurement = measure(options, model, session);
  const char* device = realizar_model_device_name(model);
  (options.json ? print_json : print_text)(options, device, measurement, times);
}

}  // namespace replay
