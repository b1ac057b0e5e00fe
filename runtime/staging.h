// What the host writes on its way to the device: pinned memory that is written again when its copies have ended.
#pragma once
#include <cstdint>
#include <vector>

#include "device.h"

namespace realizar {

class Staging {
 public:
  // most_bytes: of one copy.
  Staging(const OpenDevice& device, uint64_t most_bytes, Stream stream);

  // Where to write what send() then queues; until the next call of either.
  void* room(uint64_t bytes);
  void send(DevicePtr to, uint64_t bytes, const char* what);
  // Both.
  void send(DevicePtr to, const void* from, uint64_t bytes, const char* what);

 private:
  static constexpr uint32_t n_block = 4;
  struct Block {
    PinnedMemory memory;
    OwnedEvent sent;
    bool recorded = false;
  };
  char* at() const { return static_cast<char*>(blocks_[block_].memory.get()) + used_; }

  const OpenDevice& device_;
  const uint64_t block_bytes_;
  const Stream stream_;
  std::vector<Block> blocks_;
  uint32_t block_ = 0;
  uint64_t used_ = 0;
};

}  // namespace realizar
