// A kernel with everything that it is launched with, checked by CUDA's rules.
#pragma once
#include <memory>

#include "driver.h"
#include "host.h"
#include "sim.h"

namespace realizar {

struct OpaqueFunction {
  const HostKernel* kernel;
  unsigned max_shared_bytes;  // that a launch may ask for
};

namespace host {

constexpr unsigned default_shared_bytes = 48 << 10;
constexpr unsigned max_shared_bytes = 227 << 10;  // after func_set_max_dynamic_shared

struct KernelCall {
  // Copies the kernel's parameters. Throws Failure.
  KernelCall(const OpaqueFunction& function, Dim3 grid, Dim3 block, unsigned shared_bytes, void** params);

  std::string describe() const { return std::string("kernel ") + kernel->symbol; }
  sim::Launch launch(const sim::DeviceMemory& memory, std::string name, bool must_wait, uint32_t seed) const;

  const HostKernel* kernel;
  Dim3 grid, block;
  unsigned shared_bytes;
  std::unique_ptr<char[]> params_copy;
  std::unique_ptr<void*> params;  // what the kernel gets: points to params_copy
};

}  // namespace host
}  // namespace realizar
