#include "engine/engine.h"

#include <algorithm>

#include "error.h"

namespace realizar {
namespace {

// Steps on their way: so that the device has the next one while the host looks at what the last one left.
constexpr size_t most_queued = 3;
// Rows of a step while others decode, so that they do not wait long.
constexpr uint32_t most_rows_beside = 512;

}  // namespace

struct Engine::Sequence {
  uint64_t id;
  std::vector<int32_t> tokens;  // the prompt, and what has been chosen and seen
  size_t n_prompt;
  realizar_sampling sampling;
  std::vector<realizar_logit_bias> biases;
  std::vector<int32_t> stop;
  uint32_t limit;
  // While it runs:
  uint32_t slot = 0, computed = 0;  // positions that queued steps compute
  uint32_t ahead = 0;               // tokens that queued steps choose and that have not been seen
  uint32_t serial = 0;              // of the next that will be chosen
  bool decodes = false;             // its next row takes what the slot has

  uint32_t chosen() const { return uint32_t(tokens.size() - n_prompt) + ahead; }
  bool goes_on() const { return chosen() < limit && computed < artifact.n_ctx; }
};

// A step in the making.
struct Engine::NextStep {
  std::vector<Run> runs;
  std::vector<Awaited> awaited;
  uint32_t rows_left, outputs_left;

  void add(const Run& run, Sequence& sequence) {
    runs.push_back(run);
    rows_left -= run.n_row(), outputs_left -= run.n_output;
    sequence.computed += run.n_row();
    if (!run.chooses) return;
    awaited.push_back({sequence.id, sequence.slot, sequence.serial++});
    sequence.ahead++, sequence.decodes = true;
  }
  bool has(const Sequence& sequence) const {
    return std::ranges::any_of(runs, [&](const Run& run) { return run.slot == sequence.slot; });
  }
};

Engine::Engine(std::shared_ptr<const Model> model, const SlotCounts& counts) : model_(std::move(model)) {
  model_->device.make_current();
  stream_ = create_stream(model_->device);
  slots_ = std::make_unique<Slots>(*model_, counts, stream_.get());
  for (const Program& program : artifact.programs)
    if (has_rows(program)) programs_.emplace_back(*model_, program, *slots_, stream_.get());
  for (RowsProgram& program : programs_) program.build();
  for (uint32_t i = counts.slots; i > 0; i--) free_slots_.push_back(i - 1);
}

Engine::~Engine() { model_->device.driver->ctx_set_current(model_->device.context); }

uint64_t Engine::submit(const Request& request) {
  if (request.tokens.empty()) throw Error(REALIZAR_INVALID_ARGUMENT, "the request has no tokens");
  if (request.limit == 0) throw Error(REALIZAR_INVALID_ARGUMENT, "the request's limit is 0: no token would be chosen");
  if (request.tokens.size() > artifact.n_ctx)
    throw Error(REALIZAR_CONTEXT_FULL, format("the request has %zu tokens; the context has %u positions",
                                              request.tokens.size(), artifact.n_ctx));
  for (const int32_t token : request.tokens)
    if (token < 0 || uint32_t(token) >= artifact.n_vocab)
      throw Error(REALIZAR_INVALID_ARGUMENT,
                  format("token %d is outside the vocabulary of %u tokens", token, artifact.n_vocab));
  check_sampling(request.sampling, artifact.n_vocab);
  const auto& s = request.sampling;
  waiting_.push_back(std::unique_ptr<Sequence>(new Sequence{.id = ++last_id_,
                                                            .tokens = request.tokens,
                                                            .n_prompt = request.tokens.size(),
                                                            .sampling = s,
                                                            .biases = {s.logit_bias, s.logit_bias + s.n_logit_bias},
                                                            .stop = request.stop,
                                                            .limit = request.limit}));
  waiting_.back()->sampling.logit_bias = waiting_.back()->biases.data();
  return last_id_;
}

Engine::Sequences::iterator Engine::find(Sequences& sequences, uint64_t id) {
  return std::ranges::find_if(sequences, [&](const auto& sequence) { return sequence->id == id; });
}

void Engine::cancel(uint64_t id) {
  for (Sequences* sequences : {&running_, &waiting_})
    if (const auto at = find(*sequences, id); at != sequences->end())
      return end(*sequences, at, no_token, End::cancelled);
}

EngineStatistics Engine::statistics() const {
  EngineStatistics now = statistics_;
  now.running = uint32_t(running_.size()), now.waiting = uint32_t(waiting_.size());
  return now;
}

std::vector<EngineEvent> Engine::advance() {
  model_->device.make_current();
  const bool queued = queue_step();
  if (!queued_.empty() && (!queued || queued_.size() >= most_queued)) collect();
  return std::exchange(events_, {});
}

// ------------------------------------------------------------------ steps

bool Engine::queue_step() {
  const Program& largest = programs_.back().program();
  NextStep step{{}, {}, largest.rows, largest.outputs};
  add_decoding(step);
  if (!step.runs.empty()) step.rows_left = std::min(step.rows_left, most_rows_beside);
  add_prompts(step);
  admit(step);
  if (step.runs.empty()) return false;
  RowsProgram& program = smallest_program(step);
  std::vector<uint32_t> slots;
  for (const Run& run : step.runs) slots.push_back(run.slot);
  const bool takes_all = std::ranges::all_of(step.runs, [](const Run& run) { return run.tokens.empty(); });
  if (!takes_all || slots != repeated_ || repeats_ != &program) program.write_step(step.runs);
  repeated_ = takes_all ? slots : std::vector<uint32_t>();
  repeats_ = &program;
  program.launch(REALIZAR_GRAPH);
  queued_.push_back(
      {create_event(model_->device, event_blocking_sync | event_disable_timing), std::move(step.awaited)});
  record(model_->device, queued_.back().ended.get(), stream_.get(), "a step");
  statistics_.steps++;
  for (const Run& run : step.runs) statistics_.rows += run.n_row();
  return true;
}

RowsProgram& Engine::smallest_program(const NextStep& step) {
  const Program& largest = programs_.back().program();
  uint32_t rows = 0, outputs = 0;
  for (const Run& run : step.runs) rows += run.n_row(), outputs += run.n_output;
  for (RowsProgram& program : programs_)
    if (program.program().rows >= rows && program.program().outputs >= outputs) return program;
  throw Error(REALIZAR_DRIVER,
              format("a step of %u rows, more than program %s has", rows, program_label(largest).c_str()));
}

// From the oldest on; those that are put back are newer than who needs their pages.
void Engine::add_decoding(NextStep& step) {
  for (size_t i = 0; i < running_.size();) {
    Sequence& sequence = *running_[i];
    const bool wants = sequence.decodes && sequence.goes_on() && step.rows_left > 0 && step.outputs_left > 0;
    if (wants && reserve(step, sequence, 1))
      step.add({.slot = sequence.slot, .n_output = 1, .chooses = true, .n_seen = sequence.computed + 1}, sequence);
    if (i < running_.size() && running_[i].get() == &sequence) i++;  // it is still there
  }
}

void Engine::add_prompts(NextStep& step) {
  for (size_t i = 0; i < running_.size();) {
    Sequence& sequence = *running_[i];
    if (!sequence.decodes) add_chunk(step, sequence);
    if (i < running_.size() && running_[i].get() == &sequence) i++;
  }
}

bool Engine::add_chunk(NextStep& step, Sequence& sequence) {
  const uint32_t left = uint32_t(sequence.tokens.size()) - sequence.computed, n = std::min(left, step.rows_left);
  if (n == 0 || step.outputs_left == 0 || !reserve(step, sequence, n)) return false;
  const bool last = n == left;
  step.add({.slot = sequence.slot,
            .position = int32_t(sequence.computed),
            .tokens = {&sequence.tokens[sequence.computed], n},
            .first_output = last ? n - 1 : 0,
            .n_output = last,
            .chooses = last},
           sequence);
  return true;
}

// Those that wait, in order, while there is room for all that they have.
void Engine::admit(NextStep& step) {
  const auto has_room = [&](const Sequence& sequence) {
    const uint64_t n = kv_pages(std::min<uint64_t>(sequence.tokens.size() + 1, artifact.n_ctx));
    const uint64_t in_window = std::min(n, kv_pages(uint64_t(artifact.window) + step.rows_left) + 1);
    return (!artifact.page_bytes || n <= slots_->pages().free()) &&
           (!artifact.window_page_bytes || in_window <= slots_->window_pages().free());
  };
  while (!waiting_.empty() && !free_slots_.empty() && step.rows_left > 0 && step.outputs_left > 0) {
    // Alone, it tries: whether it fits shows.
    if (!running_.empty() && !has_room(*waiting_.front())) return;
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    Sequence& sequence = *running_.back();
    sequence.slot = free_slots_.back();
    free_slots_.pop_back();
    const std::span<const int32_t> stop(sequence.stop);
    sequence.serial = slots_->start(sequence.slot, 0, 0, sequence.sampling,
                                    stop.first(std::min<size_t>(stop.size(), max_stop_tokens)));
    if (!add_chunk(step, sequence)) return;
  }
}

// ------------------------------------------------------------------ pages

// Pages for the sequence's next rows. Newer ones that are not in the step give theirs, the newest first; else it waits
// itself, or ends where it has all pages and these are too few.
bool Engine::reserve(NextStep& step, Sequence& sequence, uint32_t n_row) {
  while (!slots_->reserve(sequence.slot, sequence.computed, sequence.computed + n_row)) {
    Sequence& newest = *running_.back();
    if (running_.size() == 1) {
      end(running_, running_.begin(), no_token, End::no_pages);
      return false;
    }
    if (step.has(newest)) return false;  // the next step has one row less
    preempt(newest);
    if (&newest == &sequence) return false;
  }
  return true;
}

void Engine::preempt(Sequence& sequence) {
  leave_slot(sequence);
  sequence.computed = sequence.ahead = 0;
  sequence.decodes = false;
  statistics_.preemptions++;
  const auto at = find(running_, sequence.id);
  waiting_.push_front(std::move(*at));
  running_.erase(at);
}

// Steps that are queued may still use its pages; what is queued later comes after them.
void Engine::leave_slot(Sequence& sequence) {
  slots_->release(sequence.slot);
  free_slots_.push_back(sequence.slot);
  repeated_.clear();
}

// ------------------------------------------------------------------ tokens

void Engine::collect() {
  const QueuedStep step = std::move(queued_.front());
  queued_.pop_front();
  check(*model_->device.driver, model_->device.driver->event_synchronize(step.ended.get()), "cuEventSynchronize",
        "a step");
  for (const Awaited& awaited : step.tokens) take_token(awaited);
}

// Of a sequence that has ended, or has begun again since, it is nobody's.
void Engine::take_token(const Awaited& awaited) {
  const auto at = find(running_, awaited.id);
  if (at == running_.end()) return;
  Sequence& sequence = **at;
  if (sequence.slot != awaited.slot || sequence.serial - sequence.ahead != awaited.serial) return;
  const uint64_t entry =
      __atomic_load_n(slots_->ring(awaited.slot) + awaited.serial % token_ring_size, __ATOMIC_ACQUIRE);
  if (uint32_t(entry >> 32) != awaited.serial)
    throw Error(REALIZAR_DRIVER,
                format("a step has ended and left no token %u in slot %u", awaited.serial, awaited.slot));
  const int32_t token = int32_t(entry);
  sequence.ahead--;
  if (token != no_token) sequence.tokens.push_back(token);
  if (const End why = end_of(sequence, token); why != End::none)
    end(running_, at, token, why);
  else
    events_.push_back({sequence.id, token, End::none});
}

End Engine::end_of(const Sequence& sequence, int32_t token) const {
  if (token == no_token) return End::not_a_number;
  if (std::ranges::find(sequence.stop, token) != sequence.stop.end()) return End::stop;
  if (sequence.tokens.size() - sequence.n_prompt == sequence.limit) return End::limit;
  return sequence.tokens.size() > artifact.n_ctx ? End::context : End::none;
}

void Engine::end(Sequences& sequences, Sequences::iterator at, int32_t token, End end) {
  if (&sequences == &running_) leave_slot(**at);
  events_.push_back({(*at)->id, token, end});
  sequences.erase(at);
}

}  // namespace realizar
