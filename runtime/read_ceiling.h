// A kernel that only reads, over a buffer of its own: what the device can do at most, and a way to keep it busy.
#pragma once
#include "model.h"

namespace realizar {

class StreamingRead {
 public:
  StreamingRead(const Model& model, Stream stream, uint64_t bytes);
  uint64_t bytes() const { return args_.n * word_bytes; }
  // Queues a pass over the buffer.
  void launch(int blocks_per_multiprocessor) const;

 private:
  static constexpr uint64_t word_bytes = 16;
  const OpenDevice& device_;
  Stream stream_;
  Function function_ = nullptr;
  int multiprocessors_;
  DeviceMemory data_, sink_;
  ReadCeilingArgs args_;
};

// Bytes/s of such a read, over a buffer several times the L2: the best grid of a few, the best of several repetitions.
double measure_read_ceiling(const Model& model);

}  // namespace realizar
