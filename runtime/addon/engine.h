// An engine, and the thread that waits for its events: it hands what a step brought to JavaScript by one call.
#pragma once
#include <napi.h>

#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "owners.h"

namespace addon {

// What one wait brought: events, or why there will be none any more.
struct EventBatch {
  std::unique_ptr<realizar_events, decltype(&realizar_events_free)> events;
  std::optional<Failure> failure;
};

// Held by the JavaScript object and by the thread's function. Whoever closes it first ends the thread, which lets go.
class EngineHandle : public std::enable_shared_from_this<EngineHandle> {
 public:
  EngineHandle(std::shared_ptr<ModelHandle> model, realizar_engine* engine)
      : library_(model->library), engine_(engine), model_(std::move(model)) {}
  EngineHandle(const EngineHandle&) = delete;
  ~EngineHandle() { close(); }

  const Library& library() const { return library_; }
  // After close() every call with it returns REALIZAR_CLOSED.
  realizar_engine* get() const { return engine_; }
  // Ends what runs, without events. From any thread, and again.
  void close();

  // The rest on the JavaScript thread. on_events(numbers, top tokens, top log probabilities, messages): as native.ts
  // has them. Throws Failure where no thread can be started.
  void listen(Napi::Env env, Napi::Function on_events);
  // So many more sequences will end; as long as there are any, Node stays alive.
  void await_ends(Napi::Env env, uint32_t n_sequence);
  void await_nothing(Napi::Env env);

 private:
  static void deliver(Napi::Env env, Napi::Function on_events, EngineHandle* self, EventBatch* batch);
  using JavaScript = Napi::TypedThreadSafeFunction<EngineHandle, EventBatch, deliver>;
  void run();
  bool send(realizar_events* events, std::optional<Failure> failure);
  void heard_ends(Napi::Env env, const realizar_events& events);

  const Library& library_;
  realizar_engine* const engine_;
  std::mutex closing_;
  std::shared_ptr<ModelHandle> model_;  // null once closed
  JavaScript javascript_;
  std::thread thread_;
  uint64_t awaited_ = 0;    // sequences that have not ended
  bool listening_ = false;  // javascript_ may be used
};

}  // namespace addon
