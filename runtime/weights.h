// Weights: from the model file through pinned memory to the device, into the layout that the kernels stream.
#pragma once
#include <vector>

#include "device.h"
#include "model_file.h"
#include "progress.h"

namespace realizar {

constexpr uint64_t default_piece_bytes = 8 << 20;

// Returns the weights region. `functions` are the artifact's kernels, in its order. A piece is at most piece_bytes, but
// always whole groups of rows. Reports, in the calling thread, "memory"; "weights" in bytes of the file, with each
// piece that has reached the device; "repack", what is left to do then.
DeviceMemory load_weights(const OpenDevice& device, const Artifact& artifact, const std::vector<Function>& functions,
                          const ModelFile& file, Progress progress, uint64_t piece_bytes = default_piece_bytes);

}  // namespace realizar
