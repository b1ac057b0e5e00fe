#include "host_state.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <new>
#include <system_error>

namespace realizar::host {
namespace {

thread_local Failure last_failure{success, {}};

struct ErrorName {
  Result code;
  const char *name, *text;
};
constexpr ErrorName error_names[] = {
    {success, "CUDA_SUCCESS", "no error"},
    {invalid_value, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {out_of_memory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {not_initialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {invalid_device, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {invalid_image, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {invalid_context, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {invalid_handle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {not_found, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {launch_failed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {unknown, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const ErrorName* find_error(Result error) {
  const auto found = std::ranges::find(error_names, error, &ErrorName::code);
  return found == std::end(error_names) ? nullptr : &*found;
}

}  // namespace

Result get_error_name(Result error, const char** name) {
  const ErrorName* found = find_error(error);
  if (!name) return invalid_value;
  *name = found ? found->name : nullptr;
  return found ? success : invalid_value;
}

// The text of this thread's last failure where that is the error asked about: it says what was wrong.
Result get_error_string(Result error, const char** text) {
  const ErrorName* found = find_error(error);
  if (!text) return invalid_value;
  *text = found ? found->text : nullptr;
  if (found && error != success && error == last_failure.code) *text = last_failure.text.c_str();
  return found ? success : invalid_value;
}

Result run_call(const std::function<void()>& call) {
  static std::mutex& mutex = *new std::mutex;  // never destroyed, as the host below
  const std::lock_guard lock(mutex);
  try {
    call();
    last_failure = {success, {}};
  } catch (Failure& failure) {
    last_failure = std::move(failure);
  } catch (const std::bad_alloc&) {
    last_failure = {out_of_memory, "this machine has no memory left"};
  } catch (const std::system_error& error) {
    last_failure = {unknown, std::string("cannot start a thread: ") + error.what()};
  }
  return last_failure.code;
}

// Never destroyed: a process may exit while another thread runs kernels, which use its memory and its threads.
Host& host() {
  static Host& instance = *new Host;
  return instance;
}

size_t Host::live_objects() const {
  return size_t(n_retained) + memory.count() + host_memory.size() + modules.size() + streams.size() + events.size() +
         graphs.size() + execs.size();
}

thread_local Context current_context = nullptr;

std::string hex(DevicePtr memory) {
  char text[20];
  snprintf(text, sizeof text, "0x%llx", (unsigned long long)memory);
  return text;
}

void check_initialized() {
  if (!host().initialized) fail(not_initialized, "init has not been called");
}

void check_context() {
  check_initialized();
  if (!current_context || !host().n_retained)
    fail(invalid_context, "no context is current in this thread: retain the primary one and call ctx_set_current");
}

void check_device(Device device) {
  check_initialized();
  if (device != 0) fail(invalid_device, "device " + std::to_string(device) + ": the host target has device 0 only");
}

void check_stream(Stream stream) {
  check_context();
  if (stream) host().streams.get(stream);
}

void check_device_range(DevicePtr memory, size_t bytes) {
  if (bytes && !host().memory.contains((const void*)memory, bytes))
    fail(invalid_value,
         std::to_string(bytes) + " bytes at " + hex(memory) + " are not inside one allocation of device memory");
}

OpaqueFunction& function_of(Function function) {
  for (const auto& [handle, module] : host().modules)
    for (auto& [name, own] : module->functions)
      if (&own == function) return own;
  fail(invalid_handle, "no such function, or its module has been unloaded");
}

}  // namespace realizar::host
