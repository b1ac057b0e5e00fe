// Decides what the next step computes. Sequences that decode come first, a row each; then prompts, in chunks; then
// those that wait begin, where there is room for all that they have. First come, first served, within a priority. Where
// pages run out, the last one in this order is put back to waiting, and is computed again later, with the same tokens:
// a row's bits depend on its own sequence alone. No device work. docs/engine.md has a picture.
#pragma once
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "sequence.h"
#include "sequence_memory.h"

namespace realizar {

struct SchedulerLimits {
  uint32_t slots;          // sequences that run at once
  uint32_t n_ctx;          // positions of a sequence
  uint32_t rows, outputs;  // of a step; 1: steps are of one row of one sequence, in turn
};

class Scheduler {
 public:
  using Sequences = std::deque<std::unique_ptr<Sequence>>;

  // What begins and ends is added to `events`.
  Scheduler(SequenceMemory& memory, const SchedulerLimits& limits, std::vector<EngineEvent>& events);

  void submit(Request request);
  // Its parts are valid until a sequence ends or gets a token.
  NextStep next_step();
  // Ends a sequence that runs or waits; its pages are free for the next step. Otherwise does nothing.
  void end(uint64_t id, EngineEvent event);
  void end_all(const EngineEvent& event);
  // Null where it is not known, or does not run.
  Sequence* find(uint64_t id);
  Sequence* find_running(uint64_t id);
  // Those that run, in the order in which they are served.
  const Sequences& running() const { return running_; }

  bool idle() const { return running_.empty() && waiting_.empty(); }
  // One sequence, and none that waits.
  bool alone() const { return running_.size() == 1 && waiting_.empty(); }
  uint32_t n_running() const { return uint32_t(running_.size()); }
  uint32_t n_waiting() const { return uint32_t(waiting_.size()); }
  uint64_t n_preemption() const { return n_preemption_; }
  // Of prompts that have begun, and of these, those that were there already.
  uint64_t n_prompt_token() const { return n_prompt_token_; }
  uint64_t n_hit_token() const { return n_hit_token_; }

 private:
  static Sequences::iterator place(Sequences& sequences, const Sequence& sequence);
  void move(Sequences& from, const Sequence& sequence, Sequences& to);
  bool goes_on(const Sequence& sequence) const;
  void add_one_row(NextStep& step);
  bool add_decoding(NextStep& step, Sequence& sequence);
  bool add_chunk(NextStep& step, Sequence& sequence);
  Run chunk_of(const NextStep& step, const Sequence& sequence) const;
  void admit(NextStep& step);
  Sequence& begin_first();
  bool reserve(NextStep& step, Sequence& sequence, uint32_t n_row);
  void put_back(NextStep& step, Sequence& sequence);
  void end_without_room(const Sequence& sequence);
  void leave_slot(Sequence& sequence, bool keep);

  SequenceMemory& memory_;
  const SchedulerLimits limits_;
  std::vector<EngineEvent>& events_;
  Sequences running_, waiting_;  // in the order in which they are served
  std::unordered_map<uint64_t, Sequence*> by_id_;
  std::vector<uint32_t> free_slots_;
  uint64_t last_turn_ = ~0ull;  // of steps of one row: whose was the last, by its order
  uint64_t n_submitted_ = 0, n_preemption_ = 0, n_prompt_token_ = 0, n_hit_token_ = 0;
};

}  // namespace realizar
