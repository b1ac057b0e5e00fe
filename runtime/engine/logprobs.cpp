#include "logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace realizar {
namespace {

constexpr float impossible = -std::numeric_limits<float>::infinity();

}  // namespace

LogProbabilities::LogProbabilities(std::span<const float> logits) : logits_(logits) {
  float largest = impossible;
  for (const float logit : logits) largest = logit > largest ? logit : largest;
  double total = 0;
  for (const float logit : logits)
    if (logit > impossible) total += std::exp(double(logit) - largest);
  log_total_ = double(largest) + std::log(total);
}

float LogProbabilities::of(int32_t token) const {
  const float logit = logits_[size_t(token)];
  return logit > impossible ? float(double(logit) - log_total_) : impossible;
}

std::vector<realizar_token_logprob> LogProbabilities::top(uint32_t n) const {
  std::vector<int32_t> best;
  const auto comes_before = [&](int32_t a, int32_t b) { return logits_[size_t(a)] > logits_[size_t(b)]; };
  for (int32_t token = 0; n > 0 && token < int32_t(logits_.size()); token++) {
    const bool is_full = best.size() == n;
    if (!(logits_[size_t(token)] > (is_full ? logits_[size_t(best.back())] : impossible))) continue;
    if (is_full) best.pop_back();
    best.insert(std::upper_bound(best.begin(), best.end(), token, comes_before), token);
  }
  // Fewer are possible than were asked for.
  for (int32_t token = 0; best.size() < std::min<size_t>(n, logits_.size()); token++)
    if (!(logits_[size_t(token)] > impossible)) best.push_back(token);
  std::vector<realizar_token_logprob> top;
  for (const int32_t token : best) top.push_back({token, of(token)});
  return top;
}

}  // namespace realizar
