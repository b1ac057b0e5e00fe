// Owners of the C ABI's handles; engine.h has one more. A session keeps its model alive, so they are freed in the right
// order whatever JavaScript forgets, closes twice or collects first.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "library.h"

namespace addon {

struct ModelHandle {
  const Library& library;
  realizar_model* model;

  ModelHandle(const Library& library, realizar_model* model) : library(library), model(model) {}
  ModelHandle(const ModelHandle&) = delete;
  ~ModelHandle() { library.model_close(model); }
};

class SessionHandle {
 public:
  SessionHandle(std::shared_ptr<ModelHandle> model, realizar_session* session)
      : model_(std::move(model)), session_(session) {}
  SessionHandle(const SessionHandle&) = delete;
  ~SessionHandle() { library().session_close(session_); }

  const Library& library() const { return model_->library; }
  uint32_t position() const { return position_; }  // after the last call that has ended

  // A generation under way ends with its next token.
  std::atomic<bool> stopping = false;

  // Throws Failure unless function(library, session) returns REALIZAR_OK. One call at a time, from any thread.
  template <typename F>
  void call(F function) {
    std::lock_guard lock(mutex_);
    const int status = function(library(), session_);
    uint32_t position;  // a call that fails may have moved it; its error text stays, since this one does not fail
    if (library().session_position(session_, &position) == REALIZAR_OK) position_ = position;
    library().check(status);
  }

 private:
  std::shared_ptr<ModelHandle> model_;
  realizar_session* session_;
  std::mutex mutex_;
  std::atomic<uint32_t> position_ = 0;
};

}  // namespace addon
