// Results of the host driver, numbered and named as the CUDA driver's.
#pragma once
#include <string>
#include <utility>

#include "driver.h"

namespace realizar::host {

enum : Result {
  success = 0,
  invalid_value = 1,
  out_of_memory = 2,
  not_initialized = 3,
  invalid_device = 101,
  invalid_image = 200,
  invalid_context = 201,
  invalid_handle = 400,
  not_found = 500,
  launch_failed = 719,
  unknown = 999,
};

// Thrown by what implements a driver call, and returned by it as `code`.
struct Failure {
  Result code;
  std::string text;
};

[[noreturn]] inline void fail(Result code, std::string text) { throw Failure{code, std::move(text)}; }

}  // namespace realizar::host
