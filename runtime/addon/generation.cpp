#include "generation.h"

#include <system_error>

#include "task.h"

namespace addon {

Generation::Generation(Napi::Env env, std::shared_ptr<SessionHandle> handle, Request request, Napi::Function on_token)
    : handle_(std::move(handle)), request_(std::move(request)), deferred_(Napi::Promise::Deferred::New(env)) {
  handle_->stopping = false;
  // Deletes this when the thread has made its last call, or when the environment goes away.
  javascript_ = Napi::ThreadSafeFunction::New(
      env, on_token, "realizar", 0, 1, [](Napi::Env, Generation* self) { delete self; }, this);
}

Napi::Value Generation::start(Napi::Env env, std::shared_ptr<SessionHandle> handle, Request request,
                              Napi::Function on_token) {
  auto* self = new Generation(env, std::move(handle), std::move(request), on_token);
  Napi::Value promise = self->deferred_.Promise();
  try {
    self->thread_ = std::thread([self] { self->run(); });
  } catch (const std::system_error& error) {
    self->failure_ = Failure{REALIZAR_OUT_OF_MEMORY, "REALIZAR_OUT_OF_MEMORY",
                             std::string("cannot start a thread: ") + error.what()};
    self->settle(env);
    self->javascript_.Release();
  }
  return promise;
}

void Generation::run() {
  try {
    handle_->call([&](const Library& lib, realizar_session* s) {
      const int status = feed(lib, s);
      if (status != REALIZAR_OK || fed(this, 0) || request_.count == 0) return status;
      return lib.session_generate(s, request_.count, request_.stop.data(), uint32_t(request_.stop.size()), hear, this,
                                  request_.mode, nullptr);
    });
  } catch (Failure& failure) {
    failure_ = std::move(failure);
  }
  handle_ = nullptr;  // perhaps the last reference: freed here, not on the event loop
  if (closing_) return;
  if (javascript_.NonBlockingCall([this](Napi::Env env, Napi::Function) { settle(env); }) != napi_closing)
    javascript_.Release();
}

int Generation::feed(const Library& lib, realizar_session* session) {
  const std::vector<int32_t>& prompt = request_.prompt;
  if (prompt.empty()) return REALIZAR_OK;
  return lib.session_prefill(session, prompt.data(), uint32_t(prompt.size()), fed, this, request_.mode, nullptr);
}

// Nonzero where nobody waits for more.
int Generation::fed(void* user, uint32_t) {
  const auto* self = static_cast<Generation*>(user);
  return self->abandoned_ || self->handle_->stopping;
}

int Generation::hear(void* user, int32_t token) {
  auto* self = static_cast<Generation*>(user);
  const napi_status status = self->javascript_.NonBlockingCall(
      [token](Napi::Env env, Napi::Function on_token) { on_token.Call({Napi::Number::New(env, token)}); });
  self->closing_ = status == napi_closing;
  return status != napi_ok || self->handle_->stopping;
}

void Generation::settle(Napi::Env env) {
  if (failure_)
    deferred_.Reject(to_error(env, *failure_));
  else
    deferred_.Resolve(env.Undefined());
}

}  // namespace addon
