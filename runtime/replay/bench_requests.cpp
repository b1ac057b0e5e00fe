// A load that a file describes: who asks when, for how much, and which prompts begin alike.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "json.h"
#include "load.h"
#include "statistics.h"

namespace replay {
namespace {

[[noreturn]] void refuse(const Options& options, size_t line, const std::string& what) {
  throw Failure(
      options.requests + ", line " + std::to_string(line) + ": " + what +
      "; a line is: milliseconds of arrival, tokens of the prompt, tokens to generate, and, for a prompt that "
      "begins as others do, a number of the beginning and its tokens");
}

// Prompts of one beginning share its first tokens; everything else of a prompt is its own.
LoadRequest parse_line(const Options& options, size_t number, const std::string& line, uint32_t index) {
  std::istringstream in(line);
  double at_ms;
  uint32_t prompt, generate, beginning = 0, shared = 0;
  if (!(in >> at_ms >> prompt >> generate)) refuse(options, number, "found \"" + line + "\"");
  const bool begins_alike = bool(in >> beginning);
  if (begins_alike && !(in >> shared)) refuse(options, number, "a beginning without its number of tokens");
  if (std::string rest; (in.clear(), in >> rest)) refuse(options, number, "found \"" + rest + "\" after it");
  if (!(at_ms >= 0) || prompt == 0 || generate == 0) refuse(options, number, "a time below 0, or no tokens");
  if (shared > prompt) refuse(options, number, "a beginning longer than its prompt");
  std::vector<int32_t> tokens = made_up_tokens(shared, 1'000'000 + beginning);
  const std::vector<int32_t> own = made_up_tokens(prompt - shared, index);
  tokens.insert(tokens.end(), own.begin(), own.end());
  return {at_ms, std::move(tokens), generate};
}

std::vector<LoadRequest> read_requests(const Options& options) {
  std::ifstream file(options.requests);
  if (!file) throw Failure("cannot read " + options.requests);
  std::vector<LoadRequest> requests;
  std::string line;
  for (size_t number = 1; std::getline(file, line); number++) {
    line.erase(std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    requests.push_back(parse_line(options, number, line, uint32_t(requests.size())));
  }
  if (requests.empty()) throw Failure(options.requests + " has no requests");
  std::ranges::stable_sort(requests, {}, &LoadRequest::at_ms);
  return requests;
}

struct Distribution {
  const char* name;
  const char* what;
  std::vector<double> ms;
};

struct Measurement {
  double seconds = 0;
  uint64_t n_prompt = 0, n_cached = 0, n_generated = 0;
  std::vector<Distribution> distributions;
};

Measurement of_load(const std::vector<Timeline>& timelines) {
  Measurement m;
  std::vector<double> first, between, whole, waited;
  for (const Timeline& timeline : timelines) {
    m.seconds = std::max(m.seconds, timeline.ended / 1e3);
    m.n_prompt += timeline.n_prompt, m.n_cached += timeline.n_cached, m.n_generated += timeline.tokens.size();
    waited.push_back(timeline.begun - timeline.submitted);
    first.push_back(timeline.to_first_token());
    whole.push_back(timeline.ended - timeline.submitted);
    for (size_t i = 1; i < timeline.tokens.size(); i++) between.push_back(timeline.tokens[i] - timeline.tokens[i - 1]);
  }
  m.distributions = {{"queue", "waiting", std::move(waited)},
                     {"ttft", "to the first token", std::move(first)},
                     {"itl", "between tokens", std::move(between)},
                     {"e2el", "the whole request", std::move(whole)}};
  return m;
}

void print_text(const Measurement& m, size_t n, const realizar_engine_statistics& statistics) {
  printf("%zu requests in %.3f s: %.2f requests/s, %.1f prompt tokens/s, %.1f generated tokens/s\n", n, m.seconds,
         double(n) / m.seconds, double(m.n_prompt) / m.seconds, double(m.n_generated) / m.seconds);
  printf("%llu steps, %.2f rows a step; %.1f%% of the prompts' tokens were in the KV cache; %llu preemptions\n\n",
         (unsigned long long)statistics.n_step,
         double(statistics.n_row) / double(std::max<uint64_t>(statistics.n_step, 1)),
         100 * double(m.n_cached) / double(m.n_prompt), (unsigned long long)statistics.n_preemption);
  printf("%-20s %10s %10s %10s %10s\n", "ms", "mean", "p50", "p90", "p99");
  for (const Distribution& d : m.distributions)
    printf("%-20s %10.3f %10.3f %10.3f %10.3f\n", d.what, mean(d.ms), percentile(d.ms, 50), percentile(d.ms, 90),
           percentile(d.ms, 99));
}

void print_json(const Measurement& m, size_t n, const realizar_engine_statistics& statistics, const char* device) {
  printf("{\"name\":%s,\"device\":%s,\"requests\":%zu,\"duration_s\":%.6g,\"request_throughput\":%.6g,",
         json_string(realizar_get_info()->name).c_str(), json_string(device).c_str(), n, m.seconds,
         double(n) / m.seconds);
  printf("\"input_throughput\":%.6g,\"output_throughput\":%.6g,\"cached_tokens\":%llu,\"prompt_tokens\":%llu,",
         double(m.n_prompt) / m.seconds, double(m.n_generated) / m.seconds, (unsigned long long)m.n_cached,
         (unsigned long long)m.n_prompt);
  printf("\"steps\":%llu,\"rows\":%llu,\"preemptions\":%llu", (unsigned long long)statistics.n_step,
         (unsigned long long)statistics.n_row, (unsigned long long)statistics.n_preemption);
  for (const Distribution& d : m.distributions)
    printf(",\"mean_%s_ms\":%.6g,\"p50_%s_ms\":%.6g,\"p90_%s_ms\":%.6g,\"p99_%s_ms\":%.6g", d.name, mean(d.ms), d.name,
           percentile(d.ms, 50), d.name, percentile(d.ms, 90), d.name, percentile(d.ms, 99));
  puts("}");
}

}  // namespace

void bench_requests(const Options& options, realizar_model* model) {
  const std::vector<LoadRequest> requests = read_requests(options);
  StepTrace trace(options.trace);
  OpenEngine engine =
      open_engine(options, model, options.sequences.empty() ? 0 : uint32_t(options.sequences[0]), trace);
  const Measurement measurement = of_load(run_load(engine.get(), requests));
  realizar_engine_statistics statistics = {};
  statistics.struct_size = sizeof statistics;
  check(realizar_engine_get_statistics(engine.get(), &statistics));
  if (options.json)
    print_json(measurement, requests.size(), statistics, realizar_model_device_name(model));
  else
    print_text(measurement, requests.size(), statistics);
  engine.reset();
  trace.finish();
}

}  // namespace replay
