// What the handles of the C ABI stand for. A handle is a number that is given out once, so one that was closed, or that
// another library made, is known to be no handle of ours; the object lives until the last call on it has returned.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "error.h"

namespace realizar {

template <typename Handle, typename Object>
class HandleTable {
 public:
  explicit HandleTable(const char* kind) : kind_(kind) {}

  Handle* add(std::shared_ptr<Object> object) {
    const std::lock_guard lock(mutex_);
    // The table's address tells libraries of one process apart, and kinds of handles.
    const uintptr_t handle = (uintptr_t(this) >> 3) << 32 | ++n_given_;
    objects_.emplace(handle, std::move(object));
    return reinterpret_cast<Handle*>(handle);
  }
  // Throws REALIZAR_INVALID_ARGUMENT for null, REALIZAR_CLOSED for what is no open handle.
  std::shared_ptr<Object> get(const Handle* handle) const {
    const std::lock_guard lock(mutex_);
    return find(handle)->second;
  }
  void remove(const Handle* handle) {
    std::shared_ptr<Object> removed;  // declared first, so freed after the lock is
    const std::lock_guard lock(mutex_);
    removed = find(handle)->second;
    objects_.erase(reinterpret_cast<uintptr_t>(handle));
  }

 private:
  using Objects = std::unordered_map<uintptr_t, std::shared_ptr<Object>>;

  typename Objects::const_iterator find(const Handle* handle) const {
    if (!handle) throw Error(REALIZAR_INVALID_ARGUMENT, format("%s is null", kind_));
    const auto found = objects_.find(reinterpret_cast<uintptr_t>(handle));
    if (found != objects_.end()) return found;
    throw Error(REALIZAR_CLOSED, format("this is no open %s of this library: it was closed, or never opened", kind_));
  }

  const char* kind_;
  mutable std::mutex mutex_;
  Objects objects_;
  uint32_t n_given_ = 0;
};

}  // namespace realizar
