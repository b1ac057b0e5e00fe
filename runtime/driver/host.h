// How a library for the host target names its kernels to the host driver: `module_load_data` takes such a table.
#pragma once
#include <cstddef>
#include <cstdint>

namespace realizar {
struct HostKernel {
  const char* symbol;          // null ends the table
  void (*run)(void** params);  // what one thread does; params[0] points to the kernel's struct of pointers
  uint32_t params_bytes;       // of that struct: the driver copies it when a node is added or a kernel launched
};

// A row of that table; a kernel and its argument struct.
#define REALIZAR_HOST_KERNEL(symbol, Args) \
  {                                        \
#symbol, symbol, sizeof(Args)          \
  }

// For tests: what the host driver has given out and not got back. Allocations, modules, streams, events, graphs,
// instantiated graphs, and retained contexts.
size_t host_live_objects();
}  // namespace realizar
