// How a library for the host target names its kernels to the host driver: `module_load_data` takes such a table.
#pragma once
namespace realizar {
struct HostKernel {
  const char* symbol;          // null ends the table
  void (*run)(void** params);  // what one thread does; params[0] points to the kernel's struct of pointers
};
}  // namespace realizar
