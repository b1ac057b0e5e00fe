// A load on an engine: requests that come at their times, and when their tokens came.
#pragma once
#include <memory>

#include "replay.h"

namespace replay {

struct CloseEngine {
  void operator()(realizar_engine* engine) const { realizar_engine_close(engine); }
};
using OpenEngine = std::unique_ptr<realizar_engine, CloseEngine>;

struct LoadRequest {
  double at_ms;  // after the load's start
  std::vector<int32_t> tokens;
  uint32_t generate;
};

// Milliseconds since the load's start.
struct Timeline {
  double submitted = 0, begun = 0, ended = 0;
  std::vector<double> tokens;
  uint32_t n_prompt = 0, n_cached = 0;

  double to_first_token() const { return tokens.front() - submitted; }
};

// Submits the requests, which are sorted by when they come, and waits for the end of all of them. Throws Failure where
// one of them ends before it has all its tokens.
std::vector<Timeline> run_load(realizar_engine* engine, const std::vector<LoadRequest>& requests);

// n random tokens, the same for the same number.
std::vector<int32_t> made_up_tokens(uint32_t n, uint32_t number);

// Tells of every step in a file, a line of JSON each, and is complete once the engine has been closed.
class StepTrace {
 public:
  explicit StepTrace(const std::string& path);  // empty: nowhere
  ~StepTrace();
  StepTrace(const StepTrace&) = delete;
  void watch(realizar_engine_options& options);
  void finish();

 private:
  static void write(void* self, const realizar_step_info* step);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// With the options' limits, for so many sequences at once.
OpenEngine open_engine(const Options& options, realizar_model* model, uint32_t n_sequence, StepTrace& trace);

}  // namespace replay
