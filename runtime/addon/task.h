// Work off the event loop: a function on a pool thread, then a promise settled on the JavaScript thread.
#pragma once
#include <napi.h>

#include <functional>
#include <optional>

#include "library.h"

namespace addon {

// JavaScript: Error with the properties status and statusName.
Napi::Value to_error(Napi::Env env, const Failure& failure);

class Task : public Napi::AsyncWorker {
 public:
  using Work = std::function<void()>;                    // on a pool thread; throws Failure
  using Result = std::function<Napi::Value(Napi::Env)>;  // on the JavaScript thread, after work; throws Failure
  static Napi::Value start(Napi::Env env, Work work, Result result);
  static Napi::Value start(Napi::Env env, Work work);  // resolves with undefined

 private:
  Task(Napi::Env env, Work work, Result result);
  void Execute() override;
  void OnOK() override;
  void OnError(const Napi::Error& error) override;

  Work work_;
  Result result_;
  std::optional<Failure> failure_;
  Napi::Promise::Deferred deferred_;
};

// A promise already rejected.
Napi::Value reject(Napi::Env env, const Failure& failure);

}  // namespace addon
