// Rows of logits on their way to the host: pinned memory for each queued step that wants some, used again.
#pragma once
#include <span>
#include <vector>

#include "../device.h"

namespace realizar {

// f32[rows][n_vocab].
struct LogitsBuffer {
  PinnedMemory memory;
  uint32_t rows = 0;
  float* row(uint32_t i) const { return static_cast<float*>(memory.get()) + uint64_t(i) * artifact.n_vocab; }
  std::span<const float> logits(uint32_t i) const { return {row(i), artifact.n_vocab}; }
};

class LogitsBuffers {
 public:
  explicit LogitsBuffers(const OpenDevice& device) : device_(device) {}
  LogitsBuffer take(uint32_t rows);
  void give_back(LogitsBuffer buffer);

 private:
  const OpenDevice& device_;
  std::vector<LogitsBuffer> spare_;
};

}  // namespace realizar
