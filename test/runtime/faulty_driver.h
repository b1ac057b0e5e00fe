// The host driver with every call counted, and one of them made to fail.
#pragma once
#include <string>
#include <vector>

#include "../../runtime/driver/driver.h"

namespace test {

constexpr realizar::Result invalid_value = 1, out_of_memory = 2;

// Calls of the driver that this thread is in.
extern thread_local int in_driver;

// Puts itself in the runtime's place of the driver while it lives; one at a time.
class FaultyDriver {
 public:
  FaultyDriver();
  FaultyDriver(const FaultyDriver&) = delete;
  ~FaultyDriver();

  // Forgets the calls so far; the n-th from now on (from 0) fails, or none if n is negative.
  void arm(int n, realizar::Result result = invalid_value);
  const std::vector<std::string>& calls() const;
  int count(const std::string& call) const;
  // The name of the call that was made to fail, empty if it has not come yet.
  std::string failed() const;
};

}  // namespace test
