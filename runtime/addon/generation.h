// A prompt and a generation after it: on a thread of its own, because both may take minutes and libuv's pool has few
// threads.
#pragma once
#include <napi.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "owners.h"

namespace addon {

class Generation {
 public:
  struct Request {
    std::vector<int32_t> prompt;
    uint32_t count;
    std::vector<int32_t> stop;
    int32_t mode;
  };
  // A promise of nothing, which settles after the last call of on_token.
  static Napi::Value start(Napi::Env env, std::shared_ptr<SessionHandle> handle, Request request,
                           Napi::Function on_token);

 private:
  Generation(Napi::Env env, std::shared_ptr<SessionHandle> handle, Request request, Napi::Function on_token);
  ~Generation() {
    abandoned_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void run();
  int feed(const Library& lib, realizar_session* session);
  void settle(Napi::Env env);
  static int hear(void* self, int32_t token);
  static int fed(void* self, uint32_t n_fed);

  std::shared_ptr<SessionHandle> handle_;
  const Request request_;
  std::optional<Failure> failure_;
  Napi::Promise::Deferred deferred_;
  Napi::ThreadSafeFunction javascript_;
  std::atomic<bool> abandoned_ = false;
  bool closing_ = false;  // the environment is going away: javascript_ must not be used again
  std::thread thread_;
};

}  // namespace addon
