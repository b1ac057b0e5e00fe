// The replay program: feeds token ids to the library beside it, or times it. Knows the library only by its C ABI.
#pragma once
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../realizar.h"

namespace replay {

struct Options {
  bool help = false;
  std::string model;
  std::vector<int32_t> tokens;
  std::string logits;  // path; empty: print the greedy tokens
  std::string program = "token";
  uint32_t chunk = 0;              // tokens a step of a program of many rows; 0: as many as it has
  uint32_t prompt = 0;             // tokens of the prompts that are timed; 0: decoding is
  std::vector<int32_t> sequences;  // at once, in an engine; a benchmark each
  std::string requests, trace;     // paths
  uint64_t kv_memory = 0;          // bytes; 0: the engine's choice
  uint32_t context = 0;            // positions of a sequence; 0: those compiled for
  bool deterministic = false;
  realizar_mode mode = REALIZAR_GRAPH;
  bool dump_nodes = false, bench = false, profile = false, json = false, verbose = false, times = false, poison = false;
  uint32_t generate = 0;  // tokens after the prompt; 0: none
  std::vector<int32_t> stop;
  realizar_sampling sampling = realizar_default_sampling();
  uint32_t steps = 0;  // 0: 128, or as many as the context has room for
  uint32_t depth = 0, repeat = 5, order_seed = 0;
  int32_t device = 0;
};

// The command line is wrong: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// Something else is: exit code 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const char* help_text();
Options parse_options(int argc, char** argv);

// Throws Failure with the library's last error unless status is REALIZAR_OK.
void check(int status);

struct Close {
  void operator()(realizar_model* model) const { realizar_model_close(model); }
  void operator()(realizar_session* session) const { realizar_session_close(session); }
};
using OpenModel = std::unique_ptr<realizar_model, Close>;
using OpenSession = std::unique_ptr<realizar_session, Close>;

struct Phase {
  std::string name;
  double ms = 0;
  uint64_t total = 0;  // of what realizar_model_options.progress counts
};
// How long getting ready took: the phases of realizar_model_options.progress, session, graph, first_token.
struct SetupTimes {
  double start = 0;  // now_ms() when main began
  double open_ms = 0, to_first_token_ms = 0;
  std::vector<Phase> phases;

  const Phase& of(const char* name) const;  // 0 ms where there was no such phase
  double upload_bytes_per_second() const;
};
std::string describe(const SetupTimes& times);  // one line

double now_ms();
int32_t any_token();

OpenModel open_model(const Options& options, SetupTimes& times);
OpenSession open_session(const Options& options, realizar_model* model, SetupTimes& times);
// At position 0, to which it rewinds.
void time_first_token(const Options& options, realizar_session* session, SetupTimes& times);

// Decodes greedily, prints what it measured.
void bench(const Options& options, realizar_model* model, realizar_session* session, const SetupTimes& times);
// Times prompts of --prompt tokens.
void bench_prompt(const Options& options, realizar_model* model, realizar_session* session);
// Times many sequences at once in an engine: as many as each of --sequences says, or those of --requests.
void bench_sequences(const Options& options, realizar_model* model);
void bench_requests(const Options& options, realizar_model* model);
inline bool uses_engine(const Options& options) { return !options.sequences.empty() || !options.requests.empty(); }
// Prints what each node takes at position --depth.
void profile(const Options& options, realizar_model* model, realizar_session* session);

inline bool of_many_rows(const Options& options) { return options.program != "token"; }
// The program's description; throws Failure where there is none of this name.
const realizar_program_info& program_info(const Options& options);

// Throws unless --depth and n_step more positions fit into the context.
void require_context(const Options& options, uint32_t n_step);
// Fills the --depth positions before the one that is measured.
void fill_context(const Options& options, realizar_session* session);

}  // namespace replay
