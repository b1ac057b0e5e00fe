// Progress of opening a model, for the caller of the C ABI.
#pragma once
#include <cstdint>

namespace realizar {

struct Progress {
  void (*call)(void* user, const char* phase, uint64_t done, uint64_t total) = nullptr;
  void* user = nullptr;

  void report(const char* phase, uint64_t done, uint64_t total) const {
    if (call) call(user, phase, done, total);
  }
  // A phase that has no parts to count.
  template <typename Body>
  void phase(const char* name, Body&& body) const {
    report(name, 0, 1);
    body();
    report(name, 1, 1);
  }
};

}  // namespace realizar
