#include "scheduler.h"

#include <algorithm>

#include "../error.h"

namespace realizar {
namespace {

// Rows of a step in which some decode, so that they do not wait long.
constexpr uint32_t most_rows_beside = 512;

}  // namespace

Scheduler::Scheduler(SequenceMemory& memory, const SchedulerLimits& limits, std::vector<EngineEvent>& events)
    : memory_(memory), limits_(limits), events_(events) {
  for (uint32_t i = limits.slots; i > 0; i--) free_slots_.push_back(i - 1);
}

void Scheduler::submit(Request request) {
  auto sequence = std::make_unique<Sequence>(std::move(request));
  sequence->order = n_submitted_++;
  by_id_.emplace(sequence->request.id, sequence.get());
  waiting_.insert(place(waiting_, *sequence), std::move(sequence));
}

// Of a sequence, or where it would be. They are in the order in which they are served, which no two share.
Scheduler::Sequences::iterator Scheduler::place(Sequences& sequences, const Sequence& sequence) {
  return std::ranges::partition_point(sequences, [&](const auto& other) { return other->is_before(sequence); });
}

void Scheduler::move(Sequences& from, const Sequence& sequence, Sequences& to) {
  const auto at = place(from, sequence);
  to.insert(place(to, sequence), std::move(*at));
  from.erase(at);
}

Sequence* Scheduler::find(uint64_t id) {
  const auto at = by_id_.find(id);
  return at != by_id_.end() ? at->second : nullptr;
}

Sequence* Scheduler::find_running(uint64_t id) {
  Sequence* sequence = find(id);
  return sequence && sequence->runs ? sequence : nullptr;
}

void Scheduler::end(uint64_t id, EngineEvent event) {
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) return;
  Sequence& sequence = *known->second;
  Sequences& sequences = sequence.runs ? running_ : waiting_;
  if (sequence.runs) leave_slot(sequence, event.status == REALIZAR_OK);
  event.id = id, event.kind = REALIZAR_EVENT_END;
  events_.push_back(std::move(event));
  by_id_.erase(known);
  sequences.erase(place(sequences, sequence));
}

void Scheduler::end_all(const EngineEvent& event) {
  while (!running_.empty()) end(running_.front()->request.id, event);
  while (!waiting_.empty()) end(waiting_.front()->request.id, event);
}

bool Scheduler::goes_on(const Sequence& sequence) const {
  return sequence.n_chosen() < sequence.request.limit && sequence.computed < limits_.n_ctx;
}

// ------------------------------------------------------------------ steps

NextStep Scheduler::next_step() {
  NextStep step{{}, limits_.rows, limits_.outputs};
  if (limits_.rows == 1) {
    admit(step);
    add_one_row(step);
    return step;
  }
  // What runs out of pages takes them from the last one: the loops see that there are fewer.
  for (size_t i = 0; i < running_.size(); i++)
    if (running_[i]->decodes) add_decoding(step, *running_[i]);
  if (const uint32_t n = step.n_row(); n > 0)
    step.rows_left = std::min(step.rows_left, most_rows_beside - std::min(n, most_rows_beside));
  for (size_t i = 0; i < running_.size(); i++)
    if (!running_[i]->decodes) add_chunk(step, *running_[i]);
  for (const StepPart& part : step.parts) memory_.computed(part.sequence->slot, part.sequence->computed_tokens());
  admit(step);
  return step;
}

// Of whose turn it is: who came next after the one before; the first one after the last.
void Scheduler::add_one_row(NextStep& step) {
  std::vector<Sequence*> turns;
  for (const auto& sequence : running_) turns.push_back(sequence.get());
  std::ranges::sort(turns, {}, [&](const Sequence* one) { return std::pair(one->order <= last_turn_, one->order); });
  for (Sequence* sequence : turns) {
    if (!sequence->runs) continue;  // it has given its pages to one before it
    if (!(sequence->decodes ? add_decoding(step, *sequence) : add_chunk(step, *sequence))) continue;
    memory_.computed(sequence->slot, sequence->computed_tokens());
    last_turn_ = sequence->order;
    return;
  }
}

bool Scheduler::add_decoding(NextStep& step, Sequence& sequence) {
  if (!goes_on(sequence) || !sequence.may_choose() || !step.has_room() || !reserve(step, sequence, 1)) return false;
  step.add(sequence, {.slot = sequence.slot, .n_output = 1, .chooses = true, .n_seen = sequence.computed + 1});
  return true;
}

bool Scheduler::add_chunk(NextStep& step, Sequence& sequence) {
  const Run run = chunk_of(step, sequence);
  if (run.tokens.empty() || !reserve(step, sequence, run.n_row())) return false;
  step.add(sequence, run);
  return true;
}

// Of what is known and not computed, as much as the step has room for. Empty: nothing.
Run Scheduler::chunk_of(const NextStep& step, const Sequence& sequence) const {
  const uint32_t left = sequence.n_known() - std::min(sequence.computed, sequence.n_known());
  if (left == 0 || !step.has_room()) return {};
  uint32_t n = std::min(left, step.rows_left);
  // Of a prompt whose tokens' log probabilities are wanted: the rows from the first on whose next token has none yet.
  const uint32_t first_wanted = std::max({sequence.n_prompt_seen, sequence.computed + 1, 1u}) - 1;
  if (sequence.wants_prompt()) n = std::min(n, first_wanted - sequence.computed + step.outputs_left);
  bool chooses = n == left && sequence.request.limit > 0;
  if (chooses && !sequence.may_choose()) chooses = false, n--;  // the last row waits
  const uint32_t before = std::min(first_wanted - sequence.computed, n);
  Run run = {.slot = sequence.slot,
             .position = int32_t(sequence.computed),
             .tokens = sequence.tokens().subspan(sequence.computed, n),
             .chooses = chooses};
  if (sequence.wants_prompt())
    run.first_output = before, run.n_output = n - before;
  else if (chooses)
    run.first_output = n - 1, run.n_output = 1;
  return run;
}

// Those that wait, in order, while there is room for all that they have.
void Scheduler::admit(NextStep& step) {
  while (!waiting_.empty() && !free_slots_.empty() && step.has_room()) {
    const std::span<const int32_t> tokens = waiting_.front()->tokens();
    const uint32_t rows = std::min(step.rows_left, uint32_t(tokens.size()));
    // Alone, it tries: whether it fits shows.
    if (!running_.empty() && !memory_.has_room(tokens, rows)) return;
    Sequence& sequence = begin_first();
    if (limits_.rows == 1) continue;
    const Run run = chunk_of(step, sequence);
    if (run.tokens.empty()) continue;  // it has one token, and waits for a mask
    if (!memory_.reserve(sequence.slot, sequence.computed, sequence.computed + run.n_row())) {
      if (running_.size() > 1) return put_back(step, sequence);
      return end_without_room(sequence);
    }
    step.add(sequence, run);
    memory_.computed(sequence.slot, sequence.computed_tokens());
  }
}

Sequence& Scheduler::begin_first() {
  Sequence& sequence = *waiting_.front();
  sequence.slot = free_slots_.back();
  free_slots_.pop_back();
  if (!sequence.wants_prompt()) sequence.computed = memory_.adopt(sequence.slot, sequence.tokens());
  if (sequence.begun++ == 0) {
    n_prompt_token_ += sequence.n_prompt(), n_hit_token_ += sequence.computed;
    events_.push_back({.id = sequence.request.id, .kind = REALIZAR_EVENT_BEGUN, .n_cached = sequence.computed});
  }
  sequence.runs = true;
  move(waiting_, sequence, running_);
  return sequence;
}

// ------------------------------------------------------------------ pages

// Pages for the sequence's next rows. Those after it give theirs, the last one first; else it waits itself, or ends
// where it has all pages and these are too few.
bool Scheduler::reserve(NextStep& step, Sequence& sequence, uint32_t n_row) {
  while (!memory_.reserve(sequence.slot, sequence.computed, sequence.computed + n_row)) {
    if (running_.size() == 1) return end_without_room(sequence), false;
    Sequence& last = *running_.back();
    put_back(step, last);
    if (&last == &sequence) return false;
  }
  return true;
}

void Scheduler::put_back(NextStep& step, Sequence& sequence) {
  step.remove(sequence);
  leave_slot(sequence, true);
  n_preemption_++;
  move(running_, sequence, waiting_);
}

void Scheduler::end_without_room(const Sequence& sequence) {
  end(sequence.request.id,
      {.id = 0,
       .kind = REALIZAR_EVENT_END,
       .end = REALIZAR_END_ERROR,
       .status = REALIZAR_OUT_OF_MEMORY,
       .message = format("the pool has no pages for position %u of a sequence that is alone: open the engine with more "
                         "memory for KV cache, or with a shorter context",
                         sequence.computed)});
}

void Scheduler::leave_slot(Sequence& sequence, bool keep) {
  memory_.release(sequence.slot, keep ? sequence.computed_tokens() : std::span<const int32_t>());
  free_slots_.push_back(sequence.slot);
  sequence.computed = sequence.ahead = 0;
  sequence.decodes = sequence.runs = false;
  sequence.overdue.reset();
}

}  // namespace realizar
