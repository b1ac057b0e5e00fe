#include "task.h"

#include <utility>

namespace addon {

Napi::Value to_error(Napi::Env env, const Failure& failure) {
  Napi::Object error = Napi::Error::New(env, failure.message).Value();
  error.Set("status", failure.status);
  error.Set("statusName", failure.status_name);
  return error;
}

Napi::Value reject(Napi::Env env, const Failure& failure) {
  auto deferred = Napi::Promise::Deferred::New(env);
  deferred.Reject(to_error(env, failure));
  return deferred.Promise();
}

Task::Task(Napi::Env env, Work work, Result result)
    : AsyncWorker(env, "realizar"),
      work_(std::move(work)),
      result_(std::move(result)),
      deferred_(Napi::Promise::Deferred::New(env)) {}

Napi::Value Task::start(Napi::Env env, Work work, Result result) {
  auto* task = new Task(env, std::move(work), std::move(result));  // deletes itself when done
  Napi::Value promise = task->deferred_.Promise();
  task->Queue();
  return promise;
}

Napi::Value Task::start(Napi::Env env, Work work) {
  return start(env, std::move(work), [](Napi::Env env) { return env.Undefined(); });
}

void Task::Execute() {
  try {
    work_();
  } catch (Failure& failure) {
    failure_ = std::move(failure);
  }
  work_ = nullptr;  // what it holds may be the last reference to a session: freed here, not on the event loop
}

void Task::OnOK() {
  try {
    if (failure_) throw *failure_;
    deferred_.Resolve(result_(Env()));
  } catch (const Failure& failure) {
    deferred_.Reject(to_error(Env(), failure));
  }
}

void Task::OnError(const Napi::Error& error) { deferred_.Reject(error.Value()); }

}  // namespace addon
