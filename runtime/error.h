// Failures inside the runtime: one exception type, which realizar.cpp turns into a status and a text. Never crosses the
// C ABI.
#pragma once
#include <stdexcept>
#include <string>

#include "driver/driver.h"
#include "realizar.h"

namespace realizar {

// what() says what was found, what was needed and what to do.
class Error : public std::runtime_error {
 public:
  Error(realizar_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  realizar_status status() const noexcept { return status_; }

 private:
  realizar_status status_;
};

// The calling thread's last error. Stored in fixed memory, cut where it does not fit, so that setting it cannot fail.
void set_last_error(const char* text) noexcept;
const char* last_error() noexcept;

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

// "CUDA_ERROR_INVALID_VALUE, invalid argument", or "error 1" where the driver does not know it.
std::string describe(const Driver& driver, Result result);

// Throws "cuGraphAddKernelNode failed for node blk.3.attn_qkv (17): CUDA_ERROR_INVALID_VALUE, invalid argument".
[[noreturn]] void fail_call(const Driver& driver, Result result, const char* call, const std::string& subject);

inline void check(const Driver& driver, Result result, const char* call, const char* subject) {
  if (result != 0) fail_call(driver, result, call, subject);
}

}  // namespace realizar
