// Natural log probabilities of tokens, from one row of logits.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "../realizar.h"

namespace realizar {

class LogProbabilities {
 public:
  // f32[n_vocab]. What is no number is impossible.
  explicit LogProbabilities(std::span<const float> logits);
  float of(int32_t token) const;
  // The most probable ones, most probable first; of equals the smaller token first.
  std::vector<realizar_token_logprob> top(uint32_t n) const;

 private:
  std::span<const float> logits_;
  double log_total_;
};

}  // namespace realizar
