#include <algorithm>
#include <cstdio>
#include <numeric>

#include "json.h"
#include "printable.h"
#include "replay.h"
#include "statistics.h"

namespace replay {
namespace {

constexpr uint32_t default_steps = 128;

struct Measurement {
  uint32_t steps = 0;
  double ms_per_token = 0;
  double delivered_ms_per_token = 0;  // where the caller gets each token before the next
  double bytes_per_token = 0;
  double ceiling = 0;  // bytes/s

  double tokens_per_second() const { return 1e3 / ms_per_token; }
  double bytes_per_second() const { return bytes_per_token * tokens_per_second(); }
  double ratio() const { return bytes_per_second() / ceiling; }
};

// One token is fed at position `depth`; the timed steps follow it.
uint32_t choose_steps(const Options& options, uint32_t n_ctx) {
  require_context(options, 1 + std::max(options.steps, 1u));
  return options.steps ? options.steps : std::min(default_steps, n_ctx - options.depth - 1);
}

void wait(realizar_session* session) {
  int32_t token;
  check(realizar_session_greedy(session, &token));
}

double time_run(const Options& options, realizar_session* session, uint32_t steps) {
  check(realizar_session_rewind(session, options.depth));
  check(realizar_session_step(session, any_token(), options.mode));
  wait(session);
  const double start = now_ms();
  check(realizar_session_run_greedy(session, steps, nullptr, options.mode));
  wait(session);
  return (now_ms() - start) / steps;
}

double time_delivery(const Options& options, realizar_session* session, uint32_t steps) {
  check(realizar_session_rewind(session, options.depth));
  check(realizar_session_step(session, any_token(), options.mode));
  wait(session);
  const auto take = [](void*, int32_t) { return 0; };
  uint32_t n_token = 0;
  const double start = now_ms();
  check(realizar_session_generate(session, steps + 1, nullptr, 0, take, nullptr, options.mode, &n_token));
  const double ms = now_ms() - start;
  if (n_token != steps + 1)
    throw Failure(std::to_string(n_token) + " tokens were handed over, not " + std::to_string(steps + 1));
  return ms / steps;
}

// Of a step: step i of 1..steps is at position depth + i and attends to depth + i + 1 positions.
double mean_kv_bytes(const Options& options, uint32_t steps) {
  uint64_t bytes = 0;
  for (uint32_t i = 1; i <= steps; i++) bytes += realizar_kv_read_bytes(options.depth + i + 1);
  return double(bytes) / steps;
}

Measurement measure(const Options& options, realizar_model* model, realizar_session* session) {
  const realizar_info& info = *realizar_get_info();
  Measurement result;
  result.steps = choose_steps(options, info.n_ctx);
  fill_context(options, session);
  std::vector<double> runs, deliveries;
  for (uint32_t i = 0; i < options.repeat; i++) {
    runs.push_back(time_run(options, session, result.steps));
    deliveries.push_back(time_delivery(options, session, result.steps));
  }
  result.ms_per_token = median(runs);
  result.delivered_ms_per_token = median(deliveries);
  result.bytes_per_token = double(info.token_read_bytes) + mean_kv_bytes(options, result.steps);
  check(realizar_measure_read_ceiling(model, &result.ceiling));
  return result;
}

const char* mode_name(const Options& options) { return options.mode == REALIZAR_GRAPH ? "graph" : "eager"; }

void print_json(const Options& options, const char* device, const Measurement& m, const SetupTimes& times) {
  const realizar_info& info = *realizar_get_info();
  printf("{\"name\":%s,\"architecture\":%s,\"target\":%s,\"device\":%s,\"mode\":\"%s\",\"n_node\":%u,",
         json_string(info.name).c_str(), json_string(info.architecture).c_str(), json_string(info.target).c_str(),
         json_string(device).c_str(), mode_name(options), info.n_node);
  printf("\"steps\":%u,\"depth\":%u,\"repeat\":%u,\"tokens_per_second\":%.6g,\"ms_per_token\":%.6g,", m.steps,
         options.depth, options.repeat, m.tokens_per_second(), m.ms_per_token);
  printf("\"delivered_tokens_per_second\":%.6g,", 1e3 / m.delivered_ms_per_token);
  printf("\"bytes_per_token\":%.0f,\"gb_per_second\":%.6g,\"read_ceiling_gb_per_second\":%.6g,\"ratio\":%.4g,",
         m.bytes_per_token, m.bytes_per_second() / 1e9, m.ceiling / 1e9, m.ratio());
  printf("\"open_ms\":%.6g,\"driver_ms\":%.6g,\"file_ms\":%.6g,\"code_ms\":%.6g,\"memory_ms\":%.6g,", times.open_ms,
         times.of("driver").ms, times.of("file").ms, times.of("code").ms, times.of("memory").ms);
  printf("\"upload_ms\":%.6g,\"upload_gb_per_second\":%.6g,\"repack_ms\":%.6g,", times.of("weights").ms,
         times.upload_bytes_per_second() / 1e9, times.of("repack").ms);
  printf("\"session_ms\":%.6g,\"graph_build_ms\":%.6g,\"first_token_ms\":%.6g,\"to_first_token_ms\":%.6g}\n",
         times.of("session").ms, times.of("graph").ms, times.of("first_token").ms, times.to_first_token_ms);
}

void print_text(const Options& options, const char* device, const Measurement& m, const SetupTimes& times) {
  const realizar_info& info = *realizar_get_info();
  printf("%s (%s) on %s: %u nodes a token, %s mode\n", printable(info.name).c_str(),
         printable(info.architecture).c_str(), printable(device).c_str(), info.n_node, mode_name(options));
  printf("  %.1f tokens/s, %.4f ms a token; median of %u runs of %u steps after %u positions\n", m.tokens_per_second(),
         m.ms_per_token, options.repeat, m.steps, options.depth + 1);
  printf("  %.1f tokens/s where the caller gets each token as soon as it is chosen\n", 1e3 / m.delivered_ms_per_token);
  printf("  %.4g GB/s of weights and KV cache, %.1f%% of the %.4g GB/s that this device reads at most\n",
         m.bytes_per_second() / 1e9, m.ratio() * 100, m.ceiling / 1e9);
  printf("  %s\n", describe(times).c_str());
}

bool has_many_rows() {
  uint32_t n_program = 0;
  const realizar_program_info* programs = realizar_get_programs(&n_program);
  return std::any_of(programs, programs + n_program, [](const auto& program) { return program.rows > 1; });
}

void print_share(double rate, double ceiling, const char* what, const char* does) {
  printf("  %.4g %s, %.1f%% of the %.4g that this device %s at most\n", rate, what, rate / ceiling * 100, ceiling,
         does);
}

}  // namespace

int32_t any_token() { return std::min(1, int32_t(realizar_get_info()->n_vocab) - 1); }

void require_context(const Options& options, uint32_t n_step) {
  const uint64_t least = uint64_t(options.depth) + n_step;
  if (const uint32_t n_ctx = realizar_get_info()->n_ctx; least > n_ctx)
    throw Failure("this needs " + std::to_string(least) + " positions (--depth, one token, --steps); the library was " +
                  "compiled for " + std::to_string(n_ctx) + ": compile it with a larger --context");
}

void fill_context(const Options& options, realizar_session* session) {
  if (options.depth == 0) return;
  check(realizar_session_step(session, any_token(), options.mode));
  check(realizar_session_run_greedy(session, options.depth - 1, nullptr, options.mode));
}

void bench(const Options& options, realizar_model* model, realizar_session* session, const SetupTimes& times) {
  const Measurement measurement = measure(options, model, session);
  const char* device = realizar_model_device_name(model);
  (options.json ? print_json : print_text)(options, device, measurement, times);
}

void bench_prompt(const Options& options, realizar_model* model, realizar_session* session) {
  require_context(options, options.prompt);
  const realizar_info& info = *realizar_get_info();
  std::vector<int32_t> tokens(options.prompt);
  for (uint32_t i = 0; i < options.prompt; i++) tokens[i] = int32_t(i * 7919 % info.n_vocab);
  std::vector<double> runs;
  for (uint32_t i = 0; i <= options.repeat; i++) {
    check(realizar_session_rewind(session, 0));
    const double start = now_ms();
    check(realizar_session_prefill(session, tokens.data(), options.prompt, nullptr, nullptr, options.mode, nullptr));
    if (i > 0) runs.push_back(now_ms() - start);  // the first one warms up
  }
  const double ms = median(runs);
  printf("%s (%s) on %s: a prompt of %u tokens in %.3f ms, %.1f tokens/s; median of %u runs, %s mode\n",
         printable(info.name).c_str(), printable(info.architecture).c_str(),
         printable(realizar_model_device_name(model)).c_str(), options.prompt, ms, options.prompt / ms * 1e3,
         options.repeat, mode_name(options));
  double flops = 0, bytes = 0, read_ceiling = 0;
  check(realizar_get_prompt_work(options.prompt, &flops, &bytes));
  check(realizar_measure_read_ceiling(model, &read_ceiling));
  print_share(bytes / ms / 1e6, read_ceiling / 1e9, "GB/s of weights and KV cache", "reads");
  if (!has_many_rows()) return;
  double f16_ceiling = 0;
  check(realizar_measure_f16_ceiling(model, &f16_ceiling));
  print_share(flops / ms / 1e9, f16_ceiling / 1e12, "TFLOP/s of products", "makes of halves");
}

}  // namespace replay
