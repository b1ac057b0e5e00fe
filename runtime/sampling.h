// realizar_sampling as kernels read it.
#pragma once
#include "kernels/state.h"
#include "realizar.h"

namespace realizar {

// In pinned memory, and from there into the state region; the biases that are used are sent with it.
struct DeviceSampling {
  Sampling sampling;
  uint64_t reserved;
  LogitBias bias[max_logit_bias];

  uint64_t used_bytes() const { return offsetof(DeviceSampling, bias) + sampling.n_bias * sizeof(LogitBias); }
};
static_assert(offsetof(DeviceSampling, bias) == state_bias_offset - state_sampling_offset);
static_assert(max_logit_bias == REALIZAR_MAX_LOGIT_BIAS);

// Throws REALIZAR_INVALID_ARGUMENT that names the field which is out of range.
void check_sampling(const realizar_sampling& sampling, uint32_t n_vocab);
// Of parameters that have been checked.
void describe_sampling(const realizar_sampling& sampling, DeviceSampling& out);

}  // namespace realizar
