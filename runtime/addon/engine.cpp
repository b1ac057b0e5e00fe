#include "engine.h"

#include <system_error>

#include "event_arrays.h"

namespace addon {

void EngineHandle::close() {
  std::lock_guard lock(closing_);
  if (!model_) return;
  library_.engine_close(engine_);
  model_ = nullptr;
}

void EngineHandle::listen(Napi::Env env, Napi::Function on_events) {
  // Called when the thread has let go of it, or when the environment goes away.
  const auto finalize = [](Napi::Env, std::shared_ptr<EngineHandle>* owner, EngineHandle* self) {
    self->listening_ = false;
    self->close();
    if (self->thread_.joinable()) self->thread_.join();
    delete owner;
  };
  javascript_ = JavaScript::New(env, on_events, "realizar", 0, 1, this, finalize,
                                new std::shared_ptr<EngineHandle>(shared_from_this()));
  javascript_.Unref(env);
  listening_ = true;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    javascript_.Release();
    throw Failure{REALIZAR_OUT_OF_MEMORY, "REALIZAR_OUT_OF_MEMORY",
                  std::string("cannot start a thread: ") + error.what()};
  }
}

void EngineHandle::run() {
  for (;;) {
    realizar_events* events = nullptr;
    const int status = library_.engine_wait(engine_, -1, &events);
    if (status == REALIZAR_CLOSED) break;
    if (status != REALIZAR_OK) {
      if (!send(nullptr, Failure{status, library_.status_name(status), library_.last_error()})) return;
      break;
    }
    if (events && !send(events, {})) return;
  }
  javascript_.Release();
}

// False where the environment is going away: javascript_ must not be used again.
bool EngineHandle::send(realizar_events* events, std::optional<Failure> failure) {
  auto batch = std::make_unique<EventBatch>(EventBatch{{events, library_.events_free}, std::move(failure)});
  const napi_status status = javascript_.NonBlockingCall(batch.get());
  if (status == napi_ok) batch.release();
  return status != napi_closing;
}

// Without an environment, which has gone away then, self may be gone too.
void EngineHandle::deliver(Napi::Env env, Napi::Function on_events, EngineHandle* self, EventBatch* batch) {
  const std::unique_ptr<EventBatch> owner(batch);
  if (static_cast<napi_env>(env) == nullptr) return;
  if (batch->failure)
    self->await_nothing(env);
  else
    self->heard_ends(env, *batch->events);
  on_events.Call(event_arguments(env, *batch, self->library_));
}

void EngineHandle::await_ends(Napi::Env env, uint32_t n_sequence) {
  if (awaited_ == 0 && listening_) javascript_.Ref(env);
  awaited_ += n_sequence;
}

void EngineHandle::await_nothing(Napi::Env env) {
  if (awaited_ > 0 && listening_) javascript_.Unref(env);
  awaited_ = 0;
}

void EngineHandle::heard_ends(Napi::Env env, const realizar_events& events) {
  uint64_t ended = 0;
  for (uint32_t i = 0; i < events.n_event; i++) ended += events.events[i].kind == REALIZAR_EVENT_END;
  if (ended >= awaited_)
    await_nothing(env);
  else
    awaited_ -= ended;
}

}  // namespace addon
