// Weights: from the model file through pinned memory to the device, into the layout that the kernels stream.
#pragma once
#include <vector>

#include "device.h"
#include "model_file.h"

namespace realizar {

// Called after each piece with bytes of the file; first with 0.
struct Progress {
  void (*call)(void* user, const char* phase, uint64_t done, uint64_t total) = nullptr;
  void* user = nullptr;
};

constexpr uint64_t default_piece_bytes = 64 << 20;

// Returns the weights region. `functions` are the artifact's kernels, in its order. A piece is at most piece_bytes, but
// always whole groups of rows.
DeviceMemory load_weights(const OpenDevice& device, const Artifact& artifact, const std::vector<Function>& functions,
                          const ModelFile& file, Progress progress, uint64_t piece_bytes = default_piece_bytes);

}  // namespace realizar
