#include "host_call.h"

#include <climits>

#include "host_error.h"

namespace realizar::host {
namespace {

constexpr unsigned max_threads = 1024;

void check_shape(const std::string& name, const char* what, Dim3 dim, unsigned max) {
  if (dim.x == 0 || dim.y == 0 || dim.z == 0) fail(invalid_value, name + ": its " + what + " is empty");
  if (dim.x > max)
    fail(invalid_value,
         name + ": a " + what + " of " + std::to_string(dim.x) + ", at most " + std::to_string(max) + " are allowed");
  if (dim.y != 1 || dim.z != 1)
    fail(invalid_value, name + ": the host target runs one-dimensional grids and blocks only");
}

}  // namespace

KernelCall::KernelCall(const OpaqueFunction& function, Dim3 grid, Dim3 block, unsigned shared_bytes, void** params)
    : kernel(function.kernel), grid(grid), block(block), shared_bytes(shared_bytes) {
  check_shape(describe(), "grid", grid, INT_MAX);
  check_shape(describe(), "block", block, max_threads);
  if (shared_bytes > function.max_shared_bytes)
    fail(invalid_value, describe() + ": " + std::to_string(shared_bytes) + " bytes of shared memory, but only " +
                            std::to_string(function.max_shared_bytes) + " were allowed for it");
  if (kernel->params_bytes && !(params && params[0])) fail(invalid_value, describe() + ": no parameters");
  params_copy = std::make_unique_for_overwrite<char[]>(kernel->params_bytes);
  if (kernel->params_bytes) memcpy(params_copy.get(), params[0], kernel->params_bytes);
  this->params = std::make_unique<void*>(params_copy.get());
}

sim::Launch KernelCall::launch(const sim::DeviceMemory& memory, std::string name, bool must_wait, uint32_t seed) const {
  return {.name = std::move(name),
          .run = kernel->run,
          .params = params.get(),
          .blocks = int(grid.x),
          .threads = int(block.x),
          .shared_bytes = shared_bytes,
          .must_wait = must_wait,
          .seed = seed,
          .memory = &memory};
}

}  // namespace realizar::host
