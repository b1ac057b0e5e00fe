// Memory of the host driver.
#include <cstring>

#include "host_calls.h"
#include "host_state.h"

namespace realizar::host {

void mem_get_info(size_t* free, size_t* total) {
  check_context();
  const sim::MemoryInfo info = sim::read_memory_info();
  needed(free, "free") = info.available;
  needed(total, "total") = info.total;
}
void mem_alloc(DevicePtr* memory, size_t bytes) {
  check_context();
  DevicePtr& out = needed(memory, "memory");
  if (!bytes) fail(invalid_value, "an allocation of 0 bytes");
  const DevicePtr address = host().memory.allocate(bytes);
  if (!address) fail(out_of_memory, "this machine has no " + std::to_string(bytes) + " bytes of memory left");
  out = address;
}
void mem_free(DevicePtr memory) {
  check_context();
  if (memory && !host().memory.release(memory))
    fail(invalid_value, "no allocation of device memory starts at " + hex(memory));
}
void mem_alloc_host(void** memory, size_t bytes) {
  check_context();
  void*& out = needed(memory, "memory");
  if (!bytes) fail(invalid_value, "an allocation of 0 bytes");
  void* address = nullptr;
  if (bytes > sim::read_memory_info().available || posix_memalign(&address, 4096, bytes))
    fail(out_of_memory, "this machine has no " + std::to_string(bytes) + " bytes of memory left");
  host().host_memory[address].reset((char*)address);
  out = address;
}
void mem_free_host(void* memory) {
  check_context();
  if (!host().host_memory.erase(memory)) fail(invalid_value, "not an allocation of host memory");
}
void memcpy_htod_async(DevicePtr to, const void* from, size_t bytes, Stream stream) {
  check_stream(stream);
  check_device_range(to, bytes);
  if (bytes) memcpy((void*)to, &needed((const char*)from, "the source"), bytes);
}
void memcpy_dtoh_async(void* to, DevicePtr from, size_t bytes, Stream stream) {
  check_stream(stream);
  check_device_range(from, bytes);
  if (bytes) memcpy(&needed((char*)to, "the target"), (const void*)from, bytes);
}
void memcpy_dtod_async(DevicePtr to, DevicePtr from, size_t bytes, Stream stream) {
  check_stream(stream);
  check_device_range(to, bytes);
  check_device_range(from, bytes);
  if (to < from + bytes && from < to + bytes)
    fail(invalid_value,
         "a copy of " + std::to_string(bytes) + " bytes from " + hex(from) + " to " + hex(to) + ", which overlap");
  memcpy((void*)to, (const void*)from, bytes);
}
void memset_d8_async(DevicePtr to, unsigned char value, size_t bytes, Stream stream) {
  check_stream(stream);
  check_device_range(to, bytes);
  if (bytes) memset((void*)to, value, bytes);
}

}  // namespace realizar::host
