// What a prompt takes of the device.
#pragma once
#include "artifact.h"

namespace realizar {

struct PromptWork {
  double flops, bytes;  // of products; of weights and KV cache, read once a step
};
// Of n_token tokens from position 0: all but the last by the largest program, that one by the token program.
PromptWork prompt_work(const Artifact& artifact, uint32_t n_token);

}  // namespace realizar
