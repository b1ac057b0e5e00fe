// What the host driver has given out, and what its calls have in common.
#pragma once
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "driver.h"
#include "host_call.h"
#include "host_error.h"
#include "host_graph.h"
#include "sim_memory.h"
#include "sim_pool.h"

namespace realizar {

struct OpaqueContext {};
struct OpaqueModule {
  std::map<std::string, OpaqueFunction> functions;
};
struct OpaqueStream {};
struct OpaqueEvent {
  std::optional<std::chrono::steady_clock::time_point> recorded;
};

namespace host {

// Objects of one kind that have been created and not been destroyed.
template <typename T>
class Registry {
 public:
  explicit Registry(const char* kind) : kind_(kind) {}

  T* add(std::unique_ptr<T> object) {
    T* handle = object.get();
    objects_[handle] = std::move(object);
    return handle;
  }
  T& get(T* handle) {
    const auto found = objects_.find(handle);
    if (found == objects_.end()) fail(invalid_handle, std::string("no such ") + kind_ + ", or it has been destroyed");
    return *found->second;
  }
  void remove(T* handle) {
    get(handle);
    objects_.erase(handle);
  }
  auto begin() const { return objects_.begin(); }
  auto end() const { return objects_.end(); }
  size_t size() const { return objects_.size(); }

 private:
  const char* kind_;
  std::map<T*, std::unique_ptr<T>> objects_;
};

struct FreeMemory {
  void operator()(char* memory) const { free(memory); }
};

struct Host {
  bool initialized = false;
  OpaqueContext context;
  int n_retained = 0;
  sim::DeviceMemory memory;
  std::map<void*, std::unique_ptr<char, FreeMemory>> host_memory;
  Registry<OpaqueModule> modules{"module"};
  Registry<OpaqueStream> streams{"stream"};
  Registry<OpaqueEvent> events{"event"};
  Registry<OpaqueGraph> graphs{"graph"};
  Registry<OpaqueGraphExec> execs{"instantiated graph"};
  sim::Pool pool;
  uint32_t order_seed = 0;

  size_t live_objects() const;
};

// The one instance. Only inside run_call.
Host& host();

// Runs a driver call, alone: one at a time in the whole process. A Failure becomes the result, and its text what
// get_error_string says in this thread until its next call.
Result run_call(const std::function<void()>& call);

Result get_error_name(Result error, const char** name);
Result get_error_string(Result error, const char** text);

// ------------------------------------------------------------------ what a call needs, or Failure
template <typename T>
T& needed(T* out, const char* what) {
  if (!out) fail(invalid_value, std::string(what) + " is null");
  return *out;
}

std::string hex(DevicePtr memory);

extern thread_local Context current_context;

void check_initialized();
void check_context();  // initialised, and current_context is retained
void check_device(Device device);
void check_stream(Stream stream);  // null is the default stream
void check_device_range(DevicePtr memory, size_t bytes);
OpaqueFunction& function_of(Function function);

}  // namespace host
}  // namespace realizar
