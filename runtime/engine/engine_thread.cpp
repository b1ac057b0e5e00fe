#include "engine/engine_thread.h"

#include <cstdio>

#include "abi.h"

namespace realizar {
namespace {

thread_local const EngineThread* engine_of_this_thread = nullptr;

OnStep with_indices(const OnStep& on_step) {
  if (!on_step) return {};
  return [on_step, runs = std::vector<realizar_step_run>()](const realizar_step_info& step) mutable {
    runs.assign(step.runs, step.runs + step.n_run);
    for (realizar_step_run& run : runs) run.index = index_of(run.request), run.request = request_of(run.request);
    realizar_step_info told = step;
    told.runs = runs.data();
    on_step(told);
  };
}

}  // namespace

EngineThread::EngineThread(std::shared_ptr<const Model> model, const EngineLimits& limits, const SlotCounts& counts,
                           const OnStep& on_step)
    : limits_(limits), engine_(std::make_unique<Engine>(std::move(model), limits, counts, with_indices(on_step))) {
  publish_statistics();
  thread_ = std::thread([this] { run(); });
}

void EngineThread::close() {
  inbox_.close();
  outbox_.close();
  if (thread_.joinable()) thread_.join();
  const std::unique_lock lock(closing_);
  engine_.reset();
}

void EngineThread::check_open() const {
  if (outbox_.closed()) throw Error(REALIZAR_CLOSED, "the engine was closed while this call was under way");
}

void EngineThread::check_not_in_step(const char* what) const {
  if (engine_of_this_thread == this)
    throw Error(REALIZAR_BUSY,
                format("%s was called in on_step, which it would wait for: call it in another thread", what));
}

uint64_t EngineThread::submit(Request request, uint32_t n_sequence) {
  const std::shared_lock lock(closing_);
  check_open();
  if (const realizar_status status = failure_.load(std::memory_order_acquire)) throw Error(status, failure_text_);
  const uint64_t number = ++n_request_;
  engine_->check_request(request);
  Message message = {.request = number, .sequences = std::vector<Request>(n_sequence, request)};
  for (uint32_t i = 0; i < n_sequence; i++) {
    Request& one = message.sequences[i];
    one.id = sequence_id(number, i);
    message.ids.insert(one.id);
    one.sampling.seed += i;
    one.prompt_logprobs = request.prompt_logprobs && i == 0;
  }
  auto envelope = inbox_.envelope();
  n_submitted_ += n_sequence;
  inbox_.push(std::move(message), std::move(envelope));
  return number;
}

void EngineThread::cancel(uint64_t request, std::optional<uint32_t> index) {
  check_open();
  inbox_.push({.request = request, .index = index});
}

void EngineThread::set_mask(uint64_t request, uint32_t index, TokenMask mask) {
  check_open();
  inbox_.push({.request = request, .index = index, .mask = std::move(mask)});
}

EngineThread::Batches EngineThread::wait(std::optional<TimePoint> until) {
  for (;;) {
    const bool in_time = outbox_.wait(until);
    check_open();
    Batches batches = outbox_.take();
    if (!batches.empty() || !in_time) return batches;  // else another thread has them
  }
}

realizar_engine_statistics EngineThread::statistics() const {
  check_open();
  const Snapshot snapshot = published_.read();
  realizar_engine_statistics now = snapshot.statistics;
  // Those, too, that the engine's thread has not seen yet.
  now.n_waiting = uint32_t(n_submitted_ - snapshot.n_ended) - now.n_running;
  return now;
}

// ------------------------------------------------------------------ the engine's thread

void EngineThread::run() {
  engine_of_this_thread = this;
  for (;;) {
    const bool failed = failure_ != REALIZAR_OK;
    if (failed ? open_.empty() : engine_->idle())
      inbox_.wait();
    else if (const std::optional<TimePoint> until = failed ? std::nullopt : engine_->sleeps_until())
      inbox_.wait(until);
    if (inbox_.closed()) return;
    const int status = guarded([&] { failed ? end_all() : step(); });
    if (status != REALIZAR_OK && !failed) fail(realizar_status(status));
  }
}

void EngineThread::step() {
  prepare();
  for (taken_ = inbox_.take(); !taken_.empty();) accept(taken_.pop());
  engine_->advance();
  publish(engine_->take_events());
}

void EngineThread::accept(Message message) {
  if (message.mask) return engine_->set_mask(sequence_id(message.request, *message.index), std::move(*message.mask));
  open_.merge(message.ids);
  for (Request& one : message.sequences) engine_->submit(std::move(one));
  if (!message.sequences.empty()) return;
  for (auto at = open_.lower_bound(sequence_id(message.request, 0));
       at != open_.end() && request_of(*at) == message.request; at++)
    if (!message.index || index_of(*at) == *message.index) engine_->cancel(*at);
}

// The engine is of no use any more. Where memory has run out in the middle of something, even what it knows is not to
// be relied on: end_all ends its sequences.
void EngineThread::fail(realizar_status status) {
  snprintf(failure_text_, sizeof failure_text_, "%s", last_error());
  failure_.store(status, std::memory_order_release);
  if (status == REALIZAR_OUT_OF_MEMORY) return;
  guarded([&] {
    prepare();
    engine_->fail(status, failure_text_);
    publish(engine_->take_events());
  });
}

// Its last events, then an end for every sequence that has none. Tried again until there is memory for it.
void EngineThread::end_all() {
  prepare();
  publish(engine_->take_events());
  while (!taken_.empty()) open_.merge(taken_.pop().ids);
  for (taken_ = inbox_.take(); !taken_.empty();) open_.merge(taken_.pop().ids);
  prepare();
  std::vector<EngineEvent> events;
  for (const uint64_t id : open_)
    events.push_back({.id = id,
                      .kind = REALIZAR_EVENT_END,
                      .end = REALIZAR_END_ERROR,
                      .status = failure_,
                      .message = failure_text_});
  publish(std::move(events));
}

// Before anything comes into being that is to be published: for want of memory nothing is lost.
void EngineThread::prepare() {
  if (!envelope_) envelope_ = outbox_.envelope();
}

// Statistics first: who has seen a sequence's end does not find it among those that run.
void EngineThread::publish(std::vector<EngineEvent> events) noexcept {
  for (const EngineEvent& event : events)
    if (event.kind == REALIZAR_EVENT_END) n_ended_ += open_.erase(event.id);
  publish_statistics();
  if (!events.empty()) outbox_.push(std::move(events), std::move(envelope_));
}

void EngineThread::publish_statistics() {
  const EngineStatistics now = engine_->statistics();
  const PagePool &pages = engine_->slots().pages(), &window = engine_->slots().window_pages();
  published_.write({{.struct_size = sizeof(realizar_engine_statistics),
                     .n_sequence = engine_->slots().size(),
                     .n_ctx = limits_.n_ctx,
                     .n_running = failure_ == REALIZAR_OK ? now.running : 0,
                     .n_waiting = now.waiting,
                     .n_page = pages.total(),
                     .n_window_page = window.total(),
                     .n_free_page = pages.available(),
                     .n_free_window_page = window.available(),
                     .n_cached_page = pages.cached(),
                     .kv_bytes = pages.total() * artifact.page_bytes + window.total() * artifact.window_page_bytes,
                     .n_step = now.steps,
                     .n_row = now.rows,
                     .n_preemption = now.preemptions,
                     .n_prompt_token = now.prompt_tokens,
                     .n_prefix_hit_token = now.prefix_hit_tokens,
                     .n_chosen_token = now.chosen_tokens},
                    n_ended_});
}

}  // namespace realizar
