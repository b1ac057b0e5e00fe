// Many sequences at once over one pool of pages. Each step has a row of every sequence that decodes, and chunks of
// prompts beside them: first come, first served. Where pages run out, the newest sequence is put back to waiting and
// computed again later, with the same tokens: a row's bits depend on its own sequence alone. One thread.
#pragma once
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "realizar.h"
#include "rows_program.h"

namespace realizar {

// A sequence that is wanted: realizar_request, of one of its sequences.
struct Request {
  uint64_t id;  // the caller's, of its events
  std::vector<int32_t> tokens;
  realizar_sampling sampling;  // logit_bias is not looked at
  std::vector<realizar_logit_bias> biases = {};
  std::vector<int32_t> stop = {};
  uint32_t limit;          // of tokens that are chosen
  int32_t n_logprob = -1;  // -1: no log probabilities
  bool prompt_logprobs = false;
  int32_t priority = 0;
};

// realizar_event, of the request with this id.
struct EngineEvent {
  uint64_t id;
  realizar_event_kind kind;
  int32_t token = no_token;
  float logprob = std::numeric_limits<float>::quiet_NaN();
  std::vector<realizar_token_logprob> top = {};
  realizar_end end = REALIZAR_END_NONE;
  realizar_status status = REALIZAR_OK;
  std::string message = {};
  uint32_t n_cached = 0;
};

struct EngineLimits {
  uint32_t n_ctx;  // positions of a sequence
  bool deterministic = false;
};

struct EngineStatistics {
  uint64_t steps = 0, rows = 0, preemptions = 0, prompt_tokens = 0, prefix_hit_tokens = 0, chosen_tokens = 0;
  uint32_t running = 0, waiting = 0;
};

// What steps a sequence's rows are in, for traces.
using OnStep = std::function<void(const realizar_step_info&)>;  // requests by id; index 0

class Engine {
 public:
  // No more slots than programs of many rows, where there are any, have outputs.
  Engine(std::shared_ptr<const Model> model, const EngineLimits& limits, const SlotCounts& counts, OnStep on_step = {});
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // Throws REALIZAR_INVALID_ARGUMENT and REALIZAR_CONTEXT_FULL for what cannot be computed. From any thread.
  void check_request(const Request& request) const;
  // A request that has been checked.
  void submit(Request request);
  // Ends a request; its pages are free for the next step. One that has ended already stays as it was.
  void cancel(uint64_t id);
  // Queues a step, where there is one, waits for the oldest where enough are queued, and returns what has come. Throws
  // where the device fails: nothing but fail() and the destructor may follow.
  std::vector<EngineEvent> advance();
  // Ends all requests with this error.
  std::vector<EngineEvent> fail(realizar_status status, const std::string& message);
  bool idle() const { return running_.empty() && waiting_.empty(); }
  EngineStatistics statistics() const;
  const Slots& slots() const { return *slots_; }

 private:
  struct Sequence;
  using Sequences = std::deque<std::unique_ptr<Sequence>>;
  // A token that a step will leave in a slot's ring.
  struct Awaited {
    uint64_t id;
    uint32_t slot, serial;
  };
  struct QueuedStep {
    OwnedEvent ended;
    std::vector<Awaited> tokens;
  };
  struct NextStep;

  static Sequences::iterator find(Sequences& sequences, uint64_t id);
  void admit(NextStep& step);
  void add_decoding(NextStep& step);
  void add_prompts(NextStep& step);
  bool add_chunk(NextStep& step, Sequence& sequence);
  bool reserve(NextStep& step, Sequence& sequence, uint32_t n_row);
  void preempt(Sequence& sequence);
  void leave_slot(Sequence& sequence);
  bool queue_step();
  RowsProgram& smallest_program(const NextStep& step);
  void collect();
  void take_token(const Awaited& awaited);
  End end_of(const Sequence& sequence, int32_t token) const;
  void end(Sequences& sequences, Sequences::iterator at, int32_t token, End end);

  const std::shared_ptr<const Model> model_;
  std::unique_ptr<Slots> slots_;
  std::vector<RowsProgram> programs_;  // by rows, ascending
  std::deque<QueuedStep> queued_;
  OwnedStream stream_;
  Sequences running_, waiting_;  // by when they came
  std::vector<uint32_t> free_slots_;
  std::vector<uint32_t> repeated_;  // slots of the step on the device, where all its rows take what these have
  const RowsProgram* repeats_ = nullptr;
  std::vector<EngineEvent> events_;
  uint64_t last_id_ = 0;
  EngineStatistics statistics_;
};

}  // namespace realizar
