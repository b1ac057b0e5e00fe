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
  realizar_mode mode = REALIZAR_GRAPH;
  bool dump_nodes = false, bench = false, json = false, poison = false;
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

// Milliseconds that each part of getting ready took; upload is a part of open.
struct SetupTimes {
  double open = 0, upload = 0, session = 0, graph_build = 0;
};

double now_ms();

// Decodes greedily, prints what it measured.
void bench(const Options& options, realizar_model* model, realizar_session* session, const SetupTimes& times);

}  // namespace replay
