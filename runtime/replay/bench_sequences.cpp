#include <algorithm>
#include <cstdio>
#include <utility>

#include "json.h"
#include "load.h"
#include "statistics.h"

namespace replay {
namespace {

constexpr uint32_t default_tokens = 128;

// Of n sequences at once, by the words of llama-batched-bench.
struct Measurement {
  uint32_t n;
  double prompt_s, generate_s;                    // until each has its first token; from there to the end
  double prompt_per_second, generate_per_second;  // tokens of all sequences together
  double to_first_token_ms;                       // the median sequence's
};

uint32_t prompt_tokens(const Options& options) { return options.prompt ? options.prompt : default_tokens; }
uint32_t generated_tokens(const Options& options) { return options.generate ? options.generate : default_tokens; }

// Of random tokens, so that no prompt, or hardly any of it, is in the KV cache from an earlier run.
std::vector<LoadRequest> make_requests(const Options& options, uint32_t n, uint32_t& n_made) {
  std::vector<LoadRequest> requests;
  for (uint32_t i = 0; i < n; i++)
    requests.push_back({0, made_up_tokens(prompt_tokens(options), n_made++), generated_tokens(options)});
  return requests;
}

Measurement of_run(const Options& options, const std::vector<Timeline>& timelines) {
  std::vector<double> first_tokens;
  double begun = 0, ended = 0;
  for (const Timeline& timeline : timelines) {
    first_tokens.push_back(timeline.to_first_token());
    begun = std::max(begun, timeline.tokens.front()), ended = std::max(ended, timeline.ended);
  }
  uint64_t n_after = 0;  // some have had more than one by then
  for (const Timeline& timeline : timelines)
    n_after += uint64_t(std::ranges::count_if(timeline.tokens, [&](double ms) { return ms > begun; }));
  const double prompt_s = begun / 1e3, generate_s = (ended - begun) / 1e3;
  return {.n = uint32_t(timelines.size()),
          .prompt_s = prompt_s,
          .generate_s = generate_s,
          .prompt_per_second = double(timelines.size()) * prompt_tokens(options) / prompt_s,
          .generate_per_second = n_after ? double(n_after) / generate_s : 0,
          .to_first_token_ms = median(first_tokens)};
}

Measurement measure(const Options& options, realizar_engine* engine, uint32_t n, uint32_t& n_made) {
  std::vector<Measurement> runs;
  for (uint32_t i = 0; i <= options.repeat; i++) {
    const Measurement run = of_run(options, run_load(engine, make_requests(options, n, n_made)));
    if (i > 0) runs.push_back(run);  // the first one warms up
  }
  const auto middle = [&](double Measurement::*field) {
    std::vector<double> values;
    for (const Measurement& run : runs) values.push_back(run.*field);
    return median(values);
  };
  return {.n = n,
          .prompt_s = middle(&Measurement::prompt_s),
          .generate_s = middle(&Measurement::generate_s),
          .prompt_per_second = middle(&Measurement::prompt_per_second),
          .generate_per_second = middle(&Measurement::generate_per_second),
          .to_first_token_ms = middle(&Measurement::to_first_token_ms)};
}

void print_text(const Options& options, const Measurement& m) {
  const uint32_t pp = prompt_tokens(options), tg = generated_tokens(options);
  const double seconds = m.prompt_s + m.generate_s;
  printf("|%6u | %6u | %4u | %6u | %8.3f | %8.2f | %8.3f | %8.2f | %8.3f | %8.2f | %8.2f |\n", pp, tg, m.n,
         m.n * (pp + tg), m.prompt_s, m.prompt_per_second, m.generate_s, m.generate_per_second, seconds,
         m.n * (pp + tg) / seconds, m.to_first_token_ms);
  fflush(stdout);
}

void print_json(const Options& options, const Measurement& m, const char* separator) {
  const uint32_t pp = prompt_tokens(options), tg = generated_tokens(options);
  const double seconds = m.prompt_s + m.generate_s;
  printf(
      "%s{\"pp\":%u,\"tg\":%u,\"pl\":%u,\"n_kv\":%u,\"t_pp\":%.6g,\"speed_pp\":%.6g,\"t_tg\":%.6g,\"speed_tg\":%.6g,"
      "\"t\":%.6g,\"speed\":%.6g,\"to_first_token_ms\":%.6g}",
      separator, pp, tg, m.n, m.n * (pp + tg), m.prompt_s, m.prompt_per_second, m.generate_s, m.generate_per_second,
      seconds, m.n * (pp + tg) / seconds, m.to_first_token_ms);
}

}  // namespace

void bench_sequences(const Options& options, realizar_model* model) {
  const realizar_info& info = *realizar_get_info();
  const char* device = realizar_model_device_name(model);
  StepTrace trace(options.trace);
  OpenEngine engine = open_engine(options, model, std::ranges::max(options.sequences), trace);
  if (options.json) {
    printf("{\"name\":%s,\"architecture\":%s,\"device\":%s,\"model_size\":%llu,\"repeat\":%u,\"results\":[",
           json_string(info.name).c_str(), json_string(info.architecture).c_str(), json_string(device).c_str(),
           (unsigned long long)info.weights_bytes, options.repeat);
  } else {
    printf("%s (%s) on %s; medians of %u runs; TTFT: of the median sequence\n\n", printable(info.name).c_str(),
           printable(info.architecture).c_str(), printable(device).c_str(), options.repeat);
    puts(
        "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |  TTFT ms "
        "|\n"
        "|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|----------"
        "|");
  }
  uint32_t n_made = 0;
  const char* separator = "";
  for (const int32_t n : options.sequences) {
    const Measurement measurement = measure(options, engine.get(), uint32_t(n), n_made);
    if (options.json)
      print_json(options, measurement, std::exchange(separator, ","));
    else
      print_text(options, measurement);
  }
  if (options.json) puts("]}");
  engine.reset();
  trace.finish();
}

}  // namespace replay
