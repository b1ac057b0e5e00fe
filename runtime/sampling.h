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
// A slot's first part, for a sequence that begins.
struct SlotHead {
  State state;
  uint64_t ring;
  SlotEnd end;
  uint64_t mask;
  char reserved[slot_stop_offset - slot_mask_offset - sizeof(uint64_t)];
  int32_t stop[max_stop_tokens];
  DeviceSampling sampling;

  uint64_t used_bytes() const { return offsetof(SlotHead, sampling) + sampling.used_bytes(); }
};
static_assert(offsetof(SlotHead, ring) == slot_ring_offset && offsetof(SlotHead, end) == slot_end_offset &&
              offsetof(SlotHead, mask) == slot_mask_offset && offsetof(SlotHead, stop) == slot_stop_offset &&
              offsetof(SlotHead, sampling) == slot_sampling_offset);
static_assert(offsetof(DeviceSampling, bias) == slot_bias_offset - slot_sampling_offset);
static_assert(max_logit_bias == REALIZAR_MAX_LOGIT_BIAS);

// Throws REALIZAR_INVALID_ARGUMENT that names the field which is out of range.
void check_sampling(const realizar_sampling& sampling, uint32_t n_vocab);
// Of parameters that have been checked.
void describe_sampling(const realizar_sampling& sampling, DeviceSampling& out);

}  // namespace realizar
