// A block's share of the copy of the logits that biases and penalties have changed, as llama.cpp's do. Tokens that a
// mask forbids have -infinity there, whatever is added.
#pragma once
#include "sample.cuh"

namespace realizar {

DEVICE const LogitBias* biases_of(const State* slot) {
  return (const LogitBias*)((const char*)slot + slot_bias_offset);
}

// state.h's, or null.
DEVICE const uint32_t* mask_of(const State* slot) {
  return *(const uint32_t* const*)((const char*)slot + slot_mask_offset);
}
DEVICE bool allows(const uint32_t* mask, int token) {
  return !mask || (load_global(mask + token / 32) >> token % 32 & 1);
}

// fed(position): the token fed there. seen(token): how often, of the slice's tokens; zero before and after.
template <int threads, class Slice, class Fed, class Seen>
DEVICE void adjust(const Sampling& s, const State* slot, const Slice& slice, const float* logits, float* adjusted,
                   int position, const Fed& fed, const Seen& seen) {
  const LogitBias* bias = biases_of(slot);
  const uint32_t* mask = mask_of(slot);
  for (int t = slice.first + thread_index(); t < slice.end; t += threads)
    adjusted[t] = allows(mask, t) ? load_global(logits + t) : -INFINITY;
  block_sync();
  for (int i = thread_index(); i < (int)s.n_bias; i += threads)
    if (slice.has(bias[i].token)) adjusted[bias[i].token] += bias[i].bias;
  // Each token of the window is counted; whoever takes its count away changes its logit.
  const int first = s.last_n > position ? 0 : position + 1 - s.last_n;
  for (int at = first + thread_index(); at <= position; at += threads) {
    const int t = fed(at);
    if (slice.has(t)) block_add(seen(t), 1);
  }
  block_sync();
  for (int at = first + thread_index(); at <= position; at += threads) {
    const int t = fed(at);
    if (!slice.has(t)) continue;
    const uint32_t times = block_exchange(seen(t), 0);
    if (times == 0) continue;
    float logit = adjusted[t];
    logit = logit > 0 ? logit / s.repeat_penalty : logit * s.repeat_penalty;
    adjusted[t] = logit - fmaf((float)times, s.frequency_penalty, s.presence_penalty);
  }
  block_sync();
}

}  // namespace realizar
