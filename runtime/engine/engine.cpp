#include "engine.h"

#include <algorithm>

#include "../error.h"
#include "logprobs.h"

namespace realizar {
namespace {

// Steps on their way: so that the device has the next one while the host looks at what the last one left.
// Fewer while a constrained sequence runs: its next step is behind those that are queued when its mask comes.
constexpr size_t most_queued = 3, most_queued_beside_constrained = 2;

uint32_t n_logits_of(const StepPart& part) {
  const Request& request = part.sequence->request;
  return request.n_logprob >= 0 || part.sequence->wants_prompt() ? part.run.n_output : 0;
}

SchedulerLimits limits_of(const EngineLimits& limits, uint32_t n_slot) {
  const Program& largest = *largest_program(artifact);
  return has_rows(largest) ? SchedulerLimits{n_slot, limits.n_ctx, largest.rows, largest.outputs}
                           : SchedulerLimits{n_slot, limits.n_ctx, 1, 1};
}

}  // namespace

Engine::Engine(std::shared_ptr<const Model> model, const EngineLimits& limits, const SlotCounts& counts, OnStep on_step)
    : model_(std::move(model)),
      limits_(limits),
      on_step_(std::move(on_step)),
      token_steps_(counts.slots),
      buffers_(model_->device) {
  model_->device.make_current();
  stream_ = create_stream(model_->device);
  slots_ = std::make_unique<Slots>(*model_, counts, stream_.get());
  for (const Program& program : artifact.programs)
    if (has_rows(program)) programs_.emplace_back(*model_, program, *slots_, stream_.get());
  for (RowsProgram& program : programs_) program.build();
  scheduler_.emplace(*slots_, limits_of(limits, counts.slots), events_);
}

Engine::~Engine() { model_->device.driver->ctx_set_current(model_->device.context); }

void Engine::check_request(const Request& request) const {
  if (request.tokens.empty()) throw Error(REALIZAR_INVALID_ARGUMENT, "the request has no tokens");
  if (request.limit == 0 && !(request.prompt_logprobs && request.tokens.size() > 1))
    throw Error(REALIZAR_INVALID_ARGUMENT,
                "the request's limit is 0, so nothing would be computed: ask for a token, or for the log probabilities "
                "of a prompt of two tokens or more");
  if (request.tokens.size() > limits_.n_ctx)
    throw Error(REALIZAR_CONTEXT_FULL, format("the request has %zu tokens; a sequence has %u positions",
                                              request.tokens.size(), limits_.n_ctx));
  if (const PagePool& pages = slots_->pages(); artifact.page_bytes && kv_pages(request.tokens.size()) > pages.total())
    throw Error(REALIZAR_CONTEXT_FULL, format("the request has %zu tokens; the pool has pages for %u positions",
                                              request.tokens.size(), pages.total() * kv_page_positions));
  for (const std::span<const int32_t>& tokens : {request.tokens, request.stop})
    for (const int32_t token : tokens)
      if (token < 0 || uint32_t(token) >= artifact.n_vocab)
        throw Error(REALIZAR_INVALID_ARGUMENT,
                    format("token %d is outside the vocabulary of %u tokens", token, artifact.n_vocab));
  if (request.n_logprob < -1 || request.n_logprob > REALIZAR_MAX_LOGPROBS)
    throw Error(REALIZAR_INVALID_ARGUMENT, format("n_logprob is %d; it must be from -1, which means none, to %d",
                                                  request.n_logprob, REALIZAR_MAX_LOGPROBS));
  realizar_sampling sampling = request.sampling;
  sampling.logit_bias = request.biases.data();
  sampling.n_logit_bias = uint32_t(request.biases.size());
  check_sampling(sampling, artifact.n_vocab);
}

void Engine::cancel(uint64_t id) {
  scheduler_->end(id, {.id = id, .kind = REALIZAR_EVENT_END, .end = REALIZAR_END_CANCELLED});
}

void Engine::end_with_error(uint64_t id, realizar_status status, std::string message) {
  scheduler_->end(id, {.id = id,
                       .kind = REALIZAR_EVENT_END,
                       .end = REALIZAR_END_ERROR,
                       .status = status,
                       .message = std::move(message)});
}

void Engine::set_mask(uint64_t id, TokenMask mask) {
  Sequence* sequence = scheduler_->find(id);
  if (!sequence) return;
  if (!sequence->request.constrained)
    return end_with_error(id, REALIZAR_INVALID_ARGUMENT,
                          "a mask came for a sequence that was not submitted as constrained");
  if (!sequence->mask.empty() || mask.n_chosen != sequence->n_seen())
    return end_with_error(
        id, REALIZAR_INVALID_ARGUMENT,
        format("a mask came for chosen token %u; wanted is one for token %u, after the event of the one before it",
               mask.n_chosen, sequence->n_seen() + !sequence->mask.empty()));
  sequence->mask = std::move(mask.words);
  sequence->overdue.reset();
}

void Engine::end_overdue() {
  const TimePoint now = TimePoint::clock::now();
  std::vector<const Sequence*> late;
  for (const auto& sequence : scheduler_->running()) {
    if (!sequence->lacks_mask()) continue;
    if (!sequence->overdue)
      sequence->overdue = now + std::chrono::milliseconds(sequence->request.mask_milliseconds);
    else if (*sequence->overdue <= now)
      late.push_back(sequence.get());
  }
  for (const Sequence* sequence : late)
    end_with_error(sequence->request.id, REALIZAR_NO_MASK,
                   format("no mask came for chosen token %u within %u milliseconds", sequence->n_seen(),
                          sequence->request.mask_milliseconds));
}

std::optional<TimePoint> Engine::sleeps_until() const {
  std::optional<TimePoint> first;
  if (!stalled_) return first;
  for (const auto& sequence : scheduler_->running())
    if (sequence->lacks_mask() && sequence->overdue && (!first || *sequence->overdue < *first))
      first = sequence->overdue;
  return first;
}

void Engine::fail(realizar_status status, const std::string& message) {
  scheduler_->end_all(
      {.id = 0, .kind = REALIZAR_EVENT_END, .end = REALIZAR_END_ERROR, .status = status, .message = message});
}

EngineStatistics Engine::statistics() const {
  EngineStatistics now = statistics_;
  now.running = scheduler_->n_running(), now.waiting = scheduler_->n_waiting();
  now.preemptions = scheduler_->n_preemption();
  now.prompt_tokens = scheduler_->n_prompt_token(), now.prefix_hit_tokens = scheduler_->n_hit_token();
  return now;
}

void Engine::advance() {
  model_->device.make_current();
  const bool queued = queue_step();
  end_overdue();
  stalled_ = queued_.empty() && events_.empty();
  const bool constrained =
      std::ranges::any_of(scheduler_->running(), [](const auto& one) { return one->request.constrained; });
  const size_t most = constrained ? most_queued_beside_constrained : most_queued;
  if (!queued_.empty() && (!queued || queued_.size() >= most)) collect();
}

// ------------------------------------------------------------------ steps

bool Engine::queue_step() {
  const NextStep step = scheduler_->next_step();
  if (step.parts.empty()) return false;
  const bool is_row = step.parts.size() == 1 && step.n_row() == 1;
  const bool by_token = programs_.empty() || (is_row && !limits_.deterministic && scheduler_->alone());
  QueuedStep queued = {create_event(model_->device, event_blocking_sync | event_disable_timing), {}, {}};
  for (const StepPart& part : step.parts) {
    Sequence& sequence = *part.sequence;
    if (sequence.started != sequence.begun) start(sequence);
    if (sequence.request.constrained && part.run.chooses) slots_->set_mask(sequence.slot, sequence.mask);
    queued.awaited.push_back({.id = sequence.request.id,
                              .begun = sequence.begun,
                              .slot = sequence.slot,
                              .serial = sequence.serial,
                              .chooses = part.run.chooses,
                              .position = part.position + part.run.first_output,
                              .n_row = part.run.n_output,
                              .n_logits = n_logits_of(part)});
  }
  const Program& program = by_token ? launch_token(step.parts.front()) : launch_rows(step);
  for (const StepPart& part : step.parts) part.sequence->serial += part.run.chooses || by_token;
  copy_logits(queued, step, slots_->bases().arena + (by_token ? artifact.logits_offset : program.logits_offset));
  slots_->launched();
  record(model_->device, queued.ended.get(), stream_.get(), "a step");
  queued_.push_back(std::move(queued));
  if (on_step_) describe_step(step, program);
  statistics_.steps++;
  statistics_.rows += step.n_row();
  return true;
}

// In the slot that it got when it began, this time.
void Engine::start(Sequence& sequence) {
  const std::span<const int32_t> stop(sequence.request.stop);
  sequence.serial =
      slots_->start(sequence.slot, 0, 0, sequence.request.sampling,
                    stop.first(std::min<size_t>(stop.size(), max_stop_tokens)), sequence.request.constrained);
  sequence.started = sequence.begun;
}

// A graph of its own for each slot, made when it is first used.
const Program& Engine::launch_token(const StepPart& part) {
  const uint32_t slot = part.run.slot;
  auto& steps = token_steps_[slot];
  if (!steps) {
    auto made = std::make_unique<TokenProgram>(*model_, *slots_, slot, stream_.get());
    made->build();
    steps = std::move(made);
  }
  if (!part.run.tokens.empty()) slots_->feed(slot, part.run.tokens[0], part.position, part.sequence->serial);
  repeated_.clear();
  steps->launch(part.position, REALIZAR_GRAPH);
  return *steps->resolved().program;
}

const Program& Engine::launch_rows(const NextStep& step) {
  RowsProgram& program = smallest_program(step);
  std::vector<Run> runs;
  std::vector<uint32_t> slots;
  for (const StepPart& part : step.parts) runs.push_back(part.run), slots.push_back(part.run.slot);
  const bool takes_all = std::ranges::all_of(runs, [](const Run& run) { return run.tokens.empty(); });
  if (!takes_all || slots != repeated_ || repeats_ != &program) program.write_step(runs);
  repeated_ = takes_all ? std::move(slots) : std::vector<uint32_t>();
  repeats_ = &program;
  program.launch(REALIZAR_GRAPH);
  return program.program();
}

RowsProgram& Engine::smallest_program(const NextStep& step) {
  const uint32_t rows = step.n_row(), outputs = step.n_output();
  for (RowsProgram& program : programs_)
    if (program.program().rows >= rows && program.program().outputs >= outputs) return program;
  throw Error(REALIZAR_DRIVER, format("a step of %u rows, more than program %s has", rows,
                                      program_label(programs_.back().program()).c_str()));
}

// Rows that somebody wants, before the next step writes over them.
void Engine::copy_logits(QueuedStep& queued, const NextStep& step, DevicePtr from) {
  uint32_t n = 0;
  for (const Awaited& awaited : queued.awaited) n += awaited.n_logits;
  if (n == 0) return;
  queued.logits = buffers_.take(n);
  const uint64_t row_bytes = artifact.n_vocab * sizeof(float);
  uint32_t output = 0, next = 0;
  for (size_t i = 0; i < step.parts.size(); i++) {
    Awaited& awaited = queued.awaited[i];
    awaited.first_logits = next;
    if (awaited.n_logits > 0)
      check(*model_->device.driver,
            model_->device.driver->memcpy_dtoh_async(queued.logits.row(next), from + output * row_bytes,
                                                     awaited.n_logits * row_bytes, stream_.get()),
            "cuMemcpyDtoHAsync", "rows of logits");
    next += awaited.n_logits;
    output += step.parts[i].run.n_output;
  }
}

void Engine::describe_step(const NextStep& step, const Program& program) {
  std::vector<realizar_step_run> runs;
  for (const StepPart& part : step.parts)
    runs.push_back({part.sequence->request.id, 0, part.position, part.run.n_row(), part.run.chooses});
  const std::string label = program_label(program);
  on_step_({.step = statistics_.steps,
            .program = label.c_str(),
            .n_run = uint32_t(runs.size()),
            .n_row = step.n_row(),
            .runs = runs.data(),
            .n_running = scheduler_->n_running(),
            .n_waiting = scheduler_->n_waiting(),
            .n_free_page = slots_->pages().available(),
            .n_free_window_page = slots_->window_pages().available(),
            .n_preemption = scheduler_->n_preemption()});
}

// ------------------------------------------------------------------ what steps leave

void Engine::collect() {
  QueuedStep step = std::move(queued_.front());
  queued_.pop_front();
  check(*model_->device.driver, model_->device.driver->event_synchronize(step.ended.get()), "cuEventSynchronize",
        "a step");
  for (const Awaited& awaited : step.awaited) take(step, awaited);
  buffers_.give_back(std::move(step.logits));
}

void Engine::take(const QueuedStep& step, const Awaited& awaited) {
  Sequence* sequence = scheduler_->find_running(awaited.id);
  if (!sequence || sequence->begun != awaited.begun) return;
  if (sequence->wants_prompt() && awaited.n_row > 0) take_prompt(step, awaited, *sequence);
  if (awaited.chooses) return take_token(step, awaited, *sequence);
  if (sequence->request.limit == 0 && !sequence->wants_prompt())
    scheduler_->end(awaited.id, {.id = awaited.id, .kind = REALIZAR_EVENT_END, .end = REALIZAR_END_LENGTH});
}

void Engine::take_prompt(const QueuedStep& step, const Awaited& awaited, Sequence& sequence) {
  const Request& request = sequence.request;
  const uint32_t n_top = uint32_t(std::max(request.n_logprob, 0));
  if (sequence.n_prompt_seen == 0)
    events_.push_back({.id = request.id, .kind = REALIZAR_EVENT_PROMPT, .token = request.tokens[0]});
  sequence.n_prompt_seen = std::max(sequence.n_prompt_seen, 1u);
  for (uint32_t i = 0; i < awaited.n_row && sequence.wants_prompt(); i++) {
    const int32_t token = request.tokens[awaited.position + i + 1];
    const LogProbabilities probabilities(step.logits.logits(awaited.first_logits + i));
    events_.push_back({.id = request.id,
                       .kind = REALIZAR_EVENT_PROMPT,
                       .token = token,
                       .logprob = probabilities.of(token),
                       .top = probabilities.top(n_top)});
    sequence.n_prompt_seen++;
  }
}

void Engine::take_token(const QueuedStep& step, const Awaited& awaited, Sequence& sequence) {
  const Request& request = sequence.request;
  const int32_t token = token_of(awaited);
  sequence.ahead--;
  if (token == no_token)
    return end_with_error(
        request.id, REALIZAR_NOT_A_NUMBER,
        format("not one of the %u logits after position %zu is a number that can be chosen (each is NaN, "
               "or -infinity with its logit bias, or forbidden by a mask), so there is no token",
               artifact.n_vocab, sequence.tokens().size() - 1));
  sequence.append(token);
  sequence.mask.clear();
  EngineEvent event = {.id = request.id, .kind = REALIZAR_EVENT_TOKEN, .token = token};
  if (request.n_logprob >= 0) {
    const LogProbabilities probabilities(step.logits.logits(awaited.first_logits + awaited.n_logits - 1));
    event.logprob = probabilities.of(token);
    event.top = probabilities.top(uint32_t(request.n_logprob));
  }
  events_.push_back(std::move(event));
  statistics_.chosen_tokens++;
  const realizar_end end = std::ranges::find(request.stop, token) != request.stop.end()      ? REALIZAR_END_STOP
                           : sequence.tokens().size() - sequence.n_prompt() == request.limit ? REALIZAR_END_LENGTH
                           : sequence.tokens().size() > limits_.n_ctx                        ? REALIZAR_END_CONTEXT
                                                                                             : REALIZAR_END_NONE;
  if (end != REALIZAR_END_NONE) scheduler_->end(request.id, {.id = request.id, .kind = REALIZAR_EVENT_END, .end = end});
}

int32_t Engine::token_of(const Awaited& awaited) const {
  const uint64_t* at = slots_->ring(awaited.slot) + awaited.serial % token_ring_size;
  const uint64_t entry = __atomic_load_n(at, __ATOMIC_ACQUIRE);
  if (uint32_t(entry >> 32) != awaited.serial)
    throw Error(REALIZAR_DRIVER,
                format("a step has ended and left no token %u in slot %u", awaited.serial, awaited.slot));
  return int32_t(entry);
}

}  // namespace realizar
