#include "error.h"

#include <cstdarg>
#include <cstdio>

namespace realizar {
namespace {

thread_local char last_error_text[2048];

// The CUresult values that say more than "a call failed" to a caller of the C ABI.
realizar_status status_of(Result result) {
  switch (result) {
    case 2:  // CUDA_ERROR_OUT_OF_MEMORY
      return REALIZAR_OUT_OF_MEMORY;
    case 34:   // CUDA_ERROR_STUB_LIBRARY
    case 803:  // CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
      return REALIZAR_NO_DRIVER;
    case 100:  // CUDA_ERROR_NO_DEVICE
    case 101:  // CUDA_ERROR_INVALID_DEVICE
      return REALIZAR_NO_DEVICE;
    case 209:  // CUDA_ERROR_NO_BINARY_FOR_GPU
      return REALIZAR_WRONG_ARCHITECTURE;
    default:
      return REALIZAR_DRIVER;
  }
}

}  // namespace

void set_last_error(const char* text) noexcept { snprintf(last_error_text, sizeof last_error_text, "%s", text); }

const char* last_error() noexcept { return last_error_text; }

std::string format(const char* pattern, ...) {
  va_list args, again;
  va_start(args, pattern);
  va_copy(again, args);
  const int length = vsnprintf(nullptr, 0, pattern, args);
  va_end(args);
  std::string text(length > 0 ? length : 0, '\0');
  vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

std::string describe(const Driver& driver, Result result) {
  const char* name = nullptr;
  const char* text = nullptr;
  if (driver.get_error_name(result, &name) != 0 || !name) return format("error %d", result);
  if (driver.get_error_string(result, &text) != 0 || !text) return name;
  return format("%s, %s", name, text);
}

void fail_call(const Driver& driver, Result result, const char* call, const std::string& subject) {
  throw Error(status_of(result),
              format("%s failed for %s: %s", call, subject.c_str(), describe(driver, result).c_str()));
}

}  // namespace realizar
