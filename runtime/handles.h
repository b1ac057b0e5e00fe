// Owners of what the driver hands out: each frees its thing with the table that made it.
#pragma once
#include <type_traits>
#include <utility>

#include "driver/driver.h"

namespace realizar {

template <typename T, auto Destroy>
class Handle {
 public:
  Handle() = default;
  Handle(const Driver& driver, T value) : driver_(&driver), value_(value) {}
  Handle(Handle&& other) noexcept
      : driver_(std::exchange(other.driver_, nullptr)), value_(std::exchange(other.value_, T{})) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(driver_, other.driver_);
    std::swap(value_, other.value_);
    return *this;
  }
  // A failure to free cannot be reported: the call that the user made has already succeeded or failed.
  ~Handle() {
    if (!driver_) return;
    // Queued work may still use memory; owners of both declare the stream last, so that it is destroyed first.
    if constexpr (std::is_same_v<T, Stream>) driver_->stream_synchronize(value_);
    (driver_->*Destroy)(value_);
  }
  T get() const { return value_; }
  explicit operator bool() const { return driver_ != nullptr; }

 private:
  const Driver* driver_ = nullptr;  // null: owns nothing
  T value_{};
};

using RetainedContext = Handle<Device, &Driver::device_primary_ctx_release>;
using DeviceMemory = Handle<DevicePtr, &Driver::mem_free>;
using PinnedMemory = Handle<void*, &Driver::mem_free_host>;
using OwnedStream = Handle<Stream, &Driver::stream_destroy>;
using OwnedEvent = Handle<Event, &Driver::event_destroy>;
using OwnedModule = Handle<Module, &Driver::module_unload>;
using OwnedGraph = Handle<Graph, &Driver::graph_destroy>;
using OwnedGraphExec = Handle<GraphExec, &Driver::graph_exec_destroy>;

}  // namespace realizar
