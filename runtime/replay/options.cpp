#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <span>
#include <string_view>

#include "output_file.h"
#include "replay.h"

namespace replay {
namespace {

using std::string;
using std::string_view;

// Throws UsageError that has the range.
template <typename T>
T parse_number(string_view text, const string& flag, T least) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    throw UsageError(flag + " takes a whole number from " + std::to_string(least) + " to " +
                     std::to_string(std::numeric_limits<T>::max()) + ", not \"" + string(text) + "\"");
  return value;
}

// Whether the option has such a value is for the library to say.
float parse_real(string_view text, const string& flag) {
  float value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range)
    throw UsageError(flag + " takes a number within a float's range, not \"" + string(text) + "\"");
  if (error != std::errc() || end != text.data() + text.size())
    throw UsageError(flag + " takes a number, not \"" + string(text) + "\"");
  return value;
}

std::vector<int32_t> parse_numbers(string_view text, const string& flag, int32_t least) {
  std::vector<int32_t> numbers;
  for (;;) {
    const size_t comma = text.find(',');
    numbers.push_back(parse_number<int32_t>(text.substr(0, comma), flag, least));
    if (comma == text.npos) return numbers;
    text.remove_prefix(comma + 1);
  }
}

// Bytes, or units of 1024, 1024^2 or 1024^3 of them.
uint64_t parse_bytes(string_view text, const string& flag) {
  const size_t unit = text.empty() ? text.npos : string_view("KMG").find(text.back());
  if (unit != text.npos) text.remove_suffix(1);
  const uint64_t n = parse_number<uint64_t>(text, flag, 1);
  const uint32_t shift = unit == text.npos ? 0 : uint32_t(10 * (unit + 1));
  if (n > std::numeric_limits<uint64_t>::max() >> shift) throw UsageError(flag + " is more bytes than there can be");
  return n << shift;
}

realizar_mode parse_mode(string_view text) {
  if (text == "graph") return REALIZAR_GRAPH;
  if (text == "eager") return REALIZAR_EAGER;
  throw UsageError("--mode is graph or eager, not \"" + string(text) + "\"");
}

bool set_switch(Options& options, const string& flag) {
  if (flag == "--help" || flag == "-h") return options.help = true;
  if (flag == "--dump-nodes") return options.dump_nodes = true;
  if (flag == "--bench") return options.bench = true;
  if (flag == "--profile") return options.profile = true;
  if (flag == "--times") return options.times = true;
  if (flag == "--verbose") return options.verbose = true;
  if (flag == "--json") return options.json = true;
  if (flag == "--poison") return options.poison = true;
  if (flag == "--deterministic") return options.deterministic = true;
  return false;
}

constexpr string_view sampling_flags[] = {"--temperature",
                                          "--top-k",
                                          "--top-p",
                                          "--min-p",
                                          "--seed",
                                          "--repeat-penalty",
                                          "--repeat-last-n",
                                          "--presence-penalty",
                                          "--frequency-penalty"};
constexpr string_view value_flags[] = {"--model",      "--tokens",  "--logits",    "--generate", "--stop",
                                       "--mode",       "--steps",   "--depth",     "--repeat",   "--device",
                                       "--order-seed", "--program", "--chunk",     "--prompt",   "--sequences",
                                       "--requests",   "--trace",   "--kv-memory", "--context"};

bool is_one_of(std::span<const string_view> flags, const string& flag) {
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

void set_sampling(realizar_sampling& sampling, const string& flag, const string& value) {
  if (flag == "--temperature")
    sampling.temperature = parse_real(value, flag);
  else if (flag == "--top-k")
    sampling.top_k = parse_number<int32_t>(value, flag, 0);
  else if (flag == "--top-p")
    sampling.top_p = parse_real(value, flag);
  else if (flag == "--min-p")
    sampling.min_p = parse_real(value, flag);
  else if (flag == "--seed")
    sampling.seed = parse_number<uint64_t>(value, flag, 0);
  else if (flag == "--repeat-penalty")
    sampling.repeat_penalty = parse_real(value, flag);
  else if (flag == "--repeat-last-n")
    sampling.repeat_last_n = parse_number<int32_t>(value, flag, -1);
  else if (flag == "--presence-penalty")
    sampling.presence_penalty = parse_real(value, flag);
  else
    sampling.frequency_penalty = parse_real(value, flag);
}

void set_value(Options& options, const string& flag, const string& value) {
  if (flag == "--model")
    options.model = value;
  else if (flag == "--tokens")
    options.tokens = parse_numbers(value, flag, 0);
  else if (flag == "--generate")
    options.generate = parse_number<uint32_t>(value, flag, 1);
  else if (flag == "--stop")
    options.stop = parse_numbers(value, flag, 0);
  else if (flag == "--logits")
    options.logits = value;
  else if (flag == "--mode")
    options.mode = parse_mode(value);
  else if (flag == "--steps")
    options.steps = parse_number<uint32_t>(value, flag, 1);
  else if (flag == "--depth")
    options.depth = parse_number<uint32_t>(value, flag, 0);
  else if (flag == "--repeat")
    options.repeat = parse_number<uint32_t>(value, flag, 1);
  else if (flag == "--program")
    options.program = value;
  else if (flag == "--chunk")
    options.chunk = parse_number<uint32_t>(value, flag, 1);
  else if (flag == "--prompt")
    options.prompt = parse_number<uint32_t>(value, flag, 2);
  else if (flag == "--sequences")
    options.sequences = parse_numbers(value, flag, 1);
  else if (flag == "--requests")
    options.requests = value;
  else if (flag == "--trace")
    options.trace = value;
  else if (flag == "--kv-memory")
    options.kv_memory = parse_bytes(value, flag);
  else if (flag == "--context")
    options.context = parse_number<uint32_t>(value, flag, 1);
  else if (flag == "--device")
    options.device = parse_number<int32_t>(value, flag, 0);
  else
    options.order_seed = parse_number<uint32_t>(value, flag, 0);
}

void check_engine(const Options& options, const std::set<string>& given) {
  for (const char* flag : {"--trace", "--kv-memory", "--context", "--deterministic"})
    if (given.count(flag) && !uses_engine(options))
      throw UsageError(string(flag) + " is for --sequences and --requests");
  if (!uses_engine(options)) return;
  if (!options.bench) throw UsageError("--sequences and --requests are for --bench");
  for (const char* flag : {"--steps", "--depth", "--mode"})
    if (given.count(flag)) throw UsageError(string(flag) + " is for one sequence: leave it out");
  if (!options.requests.empty() && (options.prompt || options.generate || options.sequences.size() > 1))
    throw UsageError(
        "--requests says itself how long prompts and answers are: leave out --prompt and --generate; --sequences N "
        "says "
        "how many run at once at most");
  if (!options.trace.empty() && is_of_model(options.trace, options.model))
    throw UsageError("--trace would replace the model: " + options.trace + " is a file of " + options.model);
}

void check_combination(const Options& options, const std::set<string>& given) {
  const auto needs = [&](string_view flag, bool other, const char* name) {
    if (given.count(string(flag)) && !other) throw UsageError(string(flag) + " is for " + name);
  };
  if (options.model.empty()) throw UsageError("--model FILE is missing");
  const bool measures = options.bench || options.profile;
  if (options.tokens.empty() && !measures && !options.dump_nodes)
    throw UsageError("nothing to do: give --tokens, --bench, --profile or --dump-nodes");
  if (options.bench && options.profile) throw UsageError("--bench and --profile print different things: choose one");
  if (measures && !options.tokens.empty())
    throw UsageError(string(options.bench ? "--bench" : "--profile") + " chooses its own tokens: leave out --tokens");
  needs("--logits", !options.tokens.empty(), "--tokens");
  if (given.count("--logits") && options.logits.empty()) throw UsageError("--logits takes a file name");
  if (!options.logits.empty() && is_of_model(options.logits, options.model))
    throw UsageError("--logits would replace the model: " + options.logits + " is a file of " + options.model);
  needs("--generate", !options.tokens.empty() || !options.sequences.empty(), "--tokens and --sequences");
  if (options.generate && !options.logits.empty()) throw UsageError("--generate prints tokens: leave out --logits");
  const bool generates = options.generate > 0 && !options.tokens.empty();
  needs("--stop", generates, "--generate with --tokens");
  for (const string_view flag : sampling_flags) needs(flag, generates, "--generate with --tokens");
  for (const char* flag : {"--steps", "--depth", "--json"}) needs(flag, measures, "--bench and --profile");
  needs("--repeat", options.bench, "--bench");
  needs("--prompt", options.bench, "--bench");
  needs("--chunk", of_many_rows(options) && (options.profile || !options.tokens.empty()),
        "--tokens and --profile with a --program of many rows");
  check_engine(options, given);
  if (options.prompt && !uses_engine(options) && (given.count("--steps") || given.count("--depth") || options.json))
    throw UsageError("--bench --prompt times prompts from position 0: leave out --steps, --depth and --json");
  if (of_many_rows(options) && (options.bench || generates))
    throw UsageError("--program is for --tokens, --profile and --dump-nodes; --bench --prompt N times prompts");
  needs("--verbose", options.profile, "--profile");
  if (options.profile && options.mode == REALIZAR_EAGER)
    throw UsageError("--profile times graphs: leave out --mode eager");
  if (options.json && options.dump_nodes) throw UsageError("--json prints one JSON object: leave out --dump-nodes");
  if (options.order_seed && string_view(realizar_get_info()->target) != "host")
    throw UsageError("--order-seed is for libraries compiled with --target host: a GPU orders blocks itself");
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  std::set<string> given;
  for (int i = 1; i < argc; i++) {
    const string argument = argv[i];
    const size_t equals = argument.find('=');
    const string flag = argument.substr(0, equals);
    given.insert(flag);
    if (equals == string::npos && set_switch(options, flag)) continue;
    const bool samples = is_one_of(sampling_flags, flag);
    if (!samples && !is_one_of(value_flags, flag)) throw UsageError("unknown argument \"" + argument + "\"");
    if (equals == string::npos && (i + 1 == argc || string_view(argv[i + 1]).starts_with("--")))
      throw UsageError(flag + " needs a value");
    const string value = equals == string::npos ? argv[++i] : argument.substr(equals + 1);
    samples ? set_sampling(options.sampling, flag, value) : set_value(options, flag, value);
  }
  if (!options.help) check_combination(options, given);
  return options;
}

}  // namespace replay
