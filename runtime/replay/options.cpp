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

std::vector<int32_t> parse_tokens(string_view text, const string& flag) {
  std::vector<int32_t> tokens;
  for (;;) {
    const size_t comma = text.find(',');
    tokens.push_back(parse_number<int32_t>(text.substr(0, comma), flag, 0));
    if (comma == text.npos) return tokens;
    text.remove_prefix(comma + 1);
  }
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
constexpr string_view value_flags[] = {"--model",      "--tokens",  "--logits", "--generate", "--stop",
                                       "--mode",       "--steps",   "--depth",  "--repeat",   "--device",
                                       "--order-seed", "--program", "--chunk",  "--prompt"};

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
    options.tokens = parse_tokens(value, flag);
  else if (flag == "--generate")
    options.generate = parse_number<uint32_t>(value, flag, 1);
  else if (flag == "--stop")
    options.stop = parse_tokens(value, flag);
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
  else if (flag == "--device")
    options.device = parse_number<int32_t>(value, flag, 0);
  else
    options.order_seed = parse_number<uint32_t>(value, flag, 0);
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
  needs("--generate", !options.tokens.empty(), "--tokens");
  if (options.generate && !options.logits.empty()) throw UsageError("--generate prints tokens: leave out --logits");
  needs("--stop", options.generate > 0, "--generate");
  for (const string_view flag : sampling_flags) needs(flag, options.generate > 0, "--generate");
  for (const char* flag : {"--steps", "--depth", "--json"}) needs(flag, measures, "--bench and --profile");
  needs("--repeat", options.bench, "--bench");
  needs("--prompt", options.bench, "--bench");
  needs("--chunk", of_many_rows(options) && (options.profile || !options.tokens.empty()),
        "--tokens and --profile with a --program of many rows");
  if (options.prompt && (given.count("--steps") || given.count("--depth") || options.json))
    throw UsageError("--bench --prompt times prompts from position 0: leave out --steps, --depth and --json");
  if (of_many_rows(options) && (options.bench || options.generate > 0))
    throw UsageError("--program is for --tokens, --profile and --dump-nodes; --bench --prompt N times prompts");
  needs("--verbose", options.profile, "--profile");
  if (options.profile && options.mode == REALIZAR_EAGER)
    throw UsageError("--profile times graphs: leave out --mode eager");
  if (options.json && options.dump_nodes) throw UsageError("--json prints one JSON object: leave out --dump-nodes");
  if (options.order_seed && string_view(realizar_get_info()->target) != "host")
    throw UsageError("--order-seed is for libraries compiled with --target host: a GPU orders blocks itself");
}

}  // namespace

const char* help_text() {
  return R"(replay: decode with the compiled model beside this program.

  replay --model FILE --tokens 1,2,3 [--logits OUT.f32]   feed token ids from position 0
  replay --model FILE --tokens 1,2,3 --generate N         then let the model go on
  replay --model FILE --bench [--json]                    time greedy decoding
  replay --model FILE --bench --prompt N                  time prompts of N tokens
  replay --model FILE --profile [--json]                  where the time of a token goes
  replay --model FILE --dump-nodes                        print every kernel of one token

FILE is the GGUF file that the library was compiled from.

  --tokens IDS      comma-separated; prints the greedy token after each of them, on one line
  --logits OUT.f32  instead writes the logits after each: n_tokens x n_vocab little-endian float32
  --generate N      instead prints the tokens that follow, on one line, each as soon as it is there: at most N, to the first
                    of the stop tokens, or until the context is full
  --stop IDS        comma-separated stop tokens
  --temperature T   0: the most probable token (default); above, tokens are drawn from these:
    --top-k K         the K most probable (0: all)
    --top-p P         of them the fewest that together have probability P (1)
    --min-p P         of them those at least P times as probable as the most probable (0)
    --seed S          of the generator: the same seed gives the same tokens (0)
  --repeat-penalty R      divides (negative ones: multiplies) the logits of tokens that were fed lately (1)
  --presence-penalty P    subtracted from them (0)
  --frequency-penalty P   subtracted as often as they were fed (0)
  --repeat-last-n N       lately: the last N tokens (64; -1: all)
  --mode MODE       graph (one CUDA graph launch a token; default), or eager (the same kernels one by one)
  --program NAME    compute the rows of --tokens by this program: token (default), or one of many rows ("prompt_512"), which
                    gives the same bits whatever the chunk; with --profile and --dump-nodes, that program's nodes
  --chunk N         tokens a step of that program (as many as it has rows)
  --dump-nodes      name, kernel, grid, block, shared memory, edges and argument addresses, one line a node
  --bench           tokens/s, bytes read against this device's measured read ceiling, and times to get ready
  --prompt N        with --bench: time prompts of N tokens instead, from position 0; of its products and of what it reads, the
                    share of what the device does at most
  --profile         time of each kind of kernel, and how much of it reading its weights and KV cache at the measured read
                    ceiling does not explain: graphs of the first 1, 2, 3 ... nodes are timed, a node is the difference;
                    of the host target the times mean nothing, and what a node reads is what is of use
  --verbose         with --profile: every node too
  --times           times to get ready, up to the first token, on stderr
  --steps N         tokens to time (128, or as many as fit into the context); with --profile launches of each graph (50)
  --depth N         positions filled before the timing starts (0)
  --repeat N        runs, of which the median is printed (5)
  --json            print the measurements as one JSON object
  --device N        which device, counted from 0 (0)
  --poison          fill scratch memory with NaN before every token, so that reading what nobody wrote shows
  --order-seed N    host target: run blocks and independent kernels in another order, which must change nothing (0: as written)
  --help            this text

Exit code: 0, 1 if something failed (stderr says what), 2 for a wrong command line.
)";
}

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
