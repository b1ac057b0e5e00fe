#include "staging.h"

#include <cstring>

#include "error.h"

namespace realizar {
namespace {

constexpr uint64_t alignment = 16;
constexpr uint64_t rounded(uint64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

Staging::Staging(const OpenDevice& device, uint64_t most_bytes, Stream stream)
    : device_(device), block_bytes_(rounded(most_bytes)), stream_(stream) {
  for (uint32_t i = 0; i < n_block; i++)
    blocks_.push_back({allocate_pinned(device, block_bytes_, "what is sent to the device"),
                       create_event(device, event_blocking_sync | event_disable_timing)});
}

void* Staging::room(uint64_t bytes) {
  if (bytes > block_bytes_ - used_) {
    record(device_, blocks_[block_].sent.get(), stream_, "copies to the device");
    blocks_[block_].recorded = true;
    block_ = (block_ + 1) % n_block;
    used_ = 0;
    if (blocks_[block_].recorded)
      check(*device_.driver, device_.driver->event_synchronize(blocks_[block_].sent.get()), "cuEventSynchronize",
            "copies to the device");
  }
  return at();
}

void Staging::send(DevicePtr to, uint64_t bytes, const char* what) {
  check(*device_.driver, device_.driver->memcpy_htod_async(to, at(), bytes, stream_), "cuMemcpyHtoDAsync", what);
  used_ += rounded(bytes);
}

void Staging::send(DevicePtr to, const void* from, uint64_t bytes, const char* what) {
  memcpy(room(bytes), from, bytes);
  send(to, bytes, what);
}

}  // namespace realizar
