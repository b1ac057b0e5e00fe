// The simulated device's memory: allocations of the host's, each known by its exact size.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>

namespace realizar::sim {

class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;

  // 256-byte aligned and all 0xff, which is a NaN in every floating format; 0 if there is no memory for it.
  uint64_t allocate(size_t bytes);
  // False if no allocation starts there.
  bool release(uint64_t address);
  // Whether [p, p + bytes) is inside one allocation.
  bool contains(const void* p, size_t bytes) const;
  size_t count() const { return sizes_.size(); }

 private:
  std::map<uintptr_t, size_t> sizes_;  // by address
};

// Bytes of this machine's memory: in all, and what can be had without swapping.
struct MemoryInfo {
  std::size_t total, available;
};
MemoryInfo read_memory_info();

}  // namespace realizar::sim
