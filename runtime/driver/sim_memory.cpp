#include "sim_memory.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace realizar::sim {

DeviceMemory::~DeviceMemory() {
  for (const auto& [address, bytes] : sizes_) free((void*)address);
}

uint64_t DeviceMemory::allocate(size_t bytes) {
  // Linux promises more memory than there is and ends the process that touches it.
  if (bytes > read_memory_info().available) return 0;
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes)) return 0;
  memset(memory, 0xff, bytes);
  sizes_[uintptr_t(memory)] = bytes;
  return uint64_t(memory);
}

bool DeviceMemory::release(uint64_t address) {
  if (!sizes_.erase(uintptr_t(address))) return false;
  free((void*)uintptr_t(address));
  return true;
}

bool DeviceMemory::contains(const void* p, size_t bytes) const {
  const uintptr_t at = uintptr_t(p);
  auto after = sizes_.upper_bound(at);
  if (after == sizes_.begin()) return false;
  const auto& [begin, size] = *--after;
  return bytes <= size && at - begin <= size - bytes;
}

MemoryInfo read_memory_info() {
  MemoryInfo info{0, 0};
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/proc/meminfo", "r"), fclose);
  char line[128];
  while (file && fgets(line, sizeof line, file.get())) {
    unsigned long long kib;
    if (sscanf(line, "MemTotal: %llu kB", &kib) == 1) info.total = size_t(kib) << 10;
    if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) info.available = size_t(kib) << 10;
  }
  return info;
}

}  // namespace realizar::sim
