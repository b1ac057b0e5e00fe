// Many sequences at once over one pool of pages: queues the scheduler's steps a few ahead of what the device has done,
// and hands over what they leave. One thread.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "../rows_program.h"
#include "../token_program.h"
#include "logits_buffers.h"
#include "scheduler.h"

namespace realizar {

struct EngineLimits {
  uint32_t n_ctx;  // positions of a sequence
  bool deterministic = false;
};

struct EngineStatistics {
  uint64_t steps = 0, rows = 0, preemptions = 0, prompt_tokens = 0, prefix_hit_tokens = 0, chosen_tokens = 0;
  uint32_t running = 0, waiting = 0;
};

// Hears of every step as it is queued; its requests are ids, with index 0.
using OnStep = std::function<void(const realizar_step_info&)>;

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
  void submit(Request request) { scheduler_->submit(std::move(request)); }
  // Ends a request; its pages are free for the next step. One that has ended already stays as it was.
  void cancel(uint64_t id);
  // Of a sequence that has been submitted as constrained, for its next token, of which it has none; else it ends with
  // an error. One that has ended stays as it was.
  void set_mask(uint64_t id, TokenMask mask);
  // Queues a step, where there is one, waits for the oldest where enough are queued, so that there are new events.
  // Throws where the device fails: nothing but fail(), take_events() and the destructor may follow.
  void advance();
  // Ends all requests with this error; their events are the next that are taken.
  void fail(realizar_status status, const std::string& message);
  std::vector<EngineEvent> take_events() noexcept { return std::exchange(events_, {}); }
  bool idle() const { return scheduler_->idle() && events_.empty(); }
  // advance() had nothing to do, since all that run lack a mask: when the first of them is overdue.
  std::optional<TimePoint> sleeps_until() const;
  EngineStatistics statistics() const;
  const Slots& slots() const { return *slots_; }

 private:
  // What a queued step will leave for a sequence.
  struct Awaited {
    uint64_t id;
    uint32_t begun;             // of the sequence: what it wanted before it was put back is nobody's
    uint32_t slot, serial;      // of the token in the slot's ring
    bool chooses;               // there is such a token
    uint32_t position;          // of the first row whose logits are wanted
    uint32_t n_row, n_logits;   // from there on, and of these in the buffer
    uint32_t first_logits = 0;  // there
  };
  struct QueuedStep {
    OwnedEvent ended;
    std::vector<Awaited> awaited;
    LogitsBuffer logits;
  };

  bool queue_step();
  RowsProgram& smallest_program(const NextStep& step);
  void end_overdue();
  void end_with_error(uint64_t id, realizar_status status, std::string message);
  void start(Sequence& sequence);
  const Program& launch_token(const StepPart& part);
  const Program& launch_rows(const NextStep& step);
  void copy_logits(QueuedStep& queued, const NextStep& step, DevicePtr from);
  void describe_step(const NextStep& step, const Program& program);
  void collect();
  void take(const QueuedStep& step, const Awaited& awaited);
  void take_prompt(const QueuedStep& step, const Awaited& awaited, Sequence& sequence);
  void take_token(const QueuedStep& step, const Awaited& awaited, Sequence& sequence);
  int32_t token_of(const Awaited& awaited) const;

  const std::shared_ptr<const Model> model_;
  const EngineLimits limits_;
  const OnStep on_step_;
  std::unique_ptr<Slots> slots_;
  std::vector<RowsProgram> programs_;                       // by rows, ascending
  std::vector<std::unique_ptr<TokenProgram>> token_steps_;  // by slot; null until it is used
  std::vector<EngineEvent> events_;
  std::optional<Scheduler> scheduler_;
  LogitsBuffers buffers_;
  std::deque<QueuedStep> queued_;
  OwnedStream stream_;
  std::vector<uint32_t> repeated_;  // slots of the step on the device, where all its rows take what these have
  const RowsProgram* repeats_ = nullptr;
  bool stalled_ = false;  // nothing is queued, and nothing could be
  EngineStatistics statistics_;
};

}  // namespace realizar
