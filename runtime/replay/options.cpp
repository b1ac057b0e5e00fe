#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <string_view>

#include "replay.h"

namespace replay {
namespace {

using std::string;
using std::string_view;

template <typename T>
T parse_number(string_view text, const string& flag, T least) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    throw UsageError(flag + " takes a whole number from " + std::to_string(least) + " on, not \"" + string(text) +
                     "\"");
  return value;
}

std::vector<int32_t> parse_tokens(string_view text) {
  std::vector<int32_t> tokens;
  for (;;) {
    const size_t comma = text.find(',');
    tokens.push_back(parse_number<int32_t>(text.substr(0, comma), "--tokens", 0));
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
  if (flag == "--json") return options.json = true;
  if (flag == "--poison") return options.poison = true;
  return false;
}

constexpr string_view value_flags[] = {"--model", "--tokens", "--logits", "--mode",      "--steps",
                                       "--depth", "--repeat", "--device", "--order-seed"};

void set_value(Options& options, const string& flag, const string& value) {
  if (flag == "--model")
    options.model = value;
  else if (flag == "--tokens")
    options.tokens = parse_tokens(value);
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
  else if (flag == "--device")
    options.device = parse_number<int32_t>(value, flag, 0);
  else
    options.order_seed = parse_number<uint32_t>(value, flag, 0);
}

void check_combination(const Options& options, const std::set<string>& given) {
  const auto needs = [&](const char* flag, bool other, const char* name) {
    if (given.count(flag) && !other) throw UsageError(string(flag) + " is for " + name);
  };
  if (options.model.empty()) throw UsageError("--model FILE is missing");
  if (options.tokens.empty() && !options.bench && !options.dump_nodes)
    throw UsageError("nothing to do: give --tokens, --bench or --dump-nodes");
  if (options.bench && !options.tokens.empty()) throw UsageError("--bench chooses its own tokens: leave out --tokens");
  needs("--logits", !options.tokens.empty(), "--tokens");
  if (given.count("--logits") && options.logits.empty()) throw UsageError("--logits takes a file name");
  for (const char* flag : {"--steps", "--depth", "--repeat", "--json"}) needs(flag, options.bench, "--bench");
  if (options.json && options.dump_nodes) throw UsageError("--json prints one JSON object: leave out --dump-nodes");
  if (options.order_seed && string_view(realizar_get_info()->target) != "host")
    throw UsageError("--order-seed is for libraries compiled with --target host: a GPU orders blocks itself");
}

}  // namespace

const char* help_text() {
  return R"(replay: decode with the compiled model beside this program.

  replay --model FILE --tokens 1,2,3 [--logits OUT.f32]   feed token ids from position 0
  replay --model FILE --bench [--json]                    time greedy decoding
  replay --model FILE --dump-nodes                        print every kernel of one token

FILE is the GGUF file that the library was compiled from.

  --tokens IDS      comma-separated; prints the greedy token after each of them, on one line
  --logits OUT.f32  instead writes the logits after each: n_tokens x n_vocab little-endian float32
  --mode MODE       graph (one CUDA graph launch a token; default), or eager (the same kernels one by one)
  --dump-nodes      name, kernel, grid, block, shared memory, edges and argument addresses, one line a node
  --bench           tokens/s, bytes read against this device's measured read ceiling, and times to get ready
  --steps N         tokens to time (128, or as many as fit into the context)
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
    if (std::find(std::begin(value_flags), std::end(value_flags), flag) == std::end(value_flags))
      throw UsageError("unknown argument \"" + argument + "\"");
    if (equals == string::npos && (i + 1 == argc || string_view(argv[i + 1]).starts_with("--")))
      throw UsageError(flag + " needs a value");
    set_value(options, flag, equals == string::npos ? argv[++i] : argument.substr(equals + 1));
  }
  if (!options.help) check_combination(options, given);
  return options;
}

}  // namespace replay
