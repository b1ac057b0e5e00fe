// What a prompt takes of the device.
#pragma once
#include "artifact.h"

namespace realizar {

struct PromptWork {
  double flops, bytes;  // of products; of weights and KV cache, read once a step
};
// Of n_token tokens from position 0: as realizar_session_prefill feeds them.
PromptWork prompt_work(const Artifact& artifact, uint32_t n_token);

}  // namespace realizar
