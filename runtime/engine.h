// Many sequences at once over one pool of pages. Each step has a row of every sequence that decodes, and chunks of
// prompts beside them: first come, first served. Where pages run out, the newest sequence is put back to waiting and
// computed again later, with the same tokens: a row's bits depend on its own sequence alone. One thread.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "realizar.h"
#include "rows_program.h"

namespace realizar {

struct Request {
  std::vector<int32_t> tokens;
  realizar_sampling sampling;
  std::vector<int32_t> stop;
  uint32_t limit;  // of tokens that are chosen
};

enum class End { none, stop, limit, context, cancelled, not_a_number, no_pages };

// A token of a request, or its end, or both. Without a token: no_token.
struct EngineEvent {
  uint64_t id;
  int32_t token;
  End end;
};

struct EngineStatistics {
  uint64_t steps = 0, rows = 0, preemptions = 0;
  uint32_t running = 0, waiting = 0;
};

class Engine {
 public:
  // The artifact has programs of many rows; no more slots than these have outputs.
  Engine(std::shared_ptr<const Model> model, const SlotCounts& counts);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // Throws REALIZAR_INVALID_ARGUMENT and REALIZAR_CONTEXT_FULL for what cannot be computed.
  uint64_t submit(const Request& request);
  // Ends a request; its pages are free for the next step. One that has ended already stays as it was.
  void cancel(uint64_t id);
  // Queues a step, where there is one, waits for the oldest where enough are queued, and returns what has come.
  std::vector<EngineEvent> advance();
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
