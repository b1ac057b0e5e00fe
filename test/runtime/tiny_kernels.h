// The tiny model's kernels, for the host driver. The last one is that of real models.
#pragma once
#include "../../runtime/driver/host.h"
#include "../../runtime/kernels/select.cuh"
#include "tiny_model.h"

namespace tiny {
struct SelectShape {
  static constexpr int threads = 32, blocks = 1, candidates = tiny::n_vocab, n_vocab = tiny::n_vocab;
};
extern const realizar::HostKernel kernels[];
}  // namespace tiny
