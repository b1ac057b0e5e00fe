#include "sampling.h"

#include <cmath>
#include <limits>
#include <set>

#include "error.h"

namespace realizar {
namespace {

constexpr float largest = std::numeric_limits<float>::max();

void check_range(const char* name, float value, float least, float most, const char* range) {
  if (!(value >= least && value <= most))
    throw Error(REALIZAR_INVALID_ARGUMENT, format("%s is %g; it must be %s", name, double(value), range));
}

void check_count(const char* name, int32_t value, int32_t least, const char* meaning) {
  if (value < least)
    throw Error(REALIZAR_INVALID_ARGUMENT, format("%s is %d; it must be at least %d, %s", name, value, least, meaning));
}

void check_biases(const realizar_sampling& s, uint32_t n_vocab) {
  if (s.n_logit_bias > max_logit_bias)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("there are %u logit biases; at most %u are possible", s.n_logit_bias, max_logit_bias));
  if (s.n_logit_bias && !s.logit_bias) throw Error(REALIZAR_INVALID_ARGUMENT, "logit_bias is null");
  std::set<int32_t> tokens;
  uint32_t n_banned = 0;
  for (uint32_t i = 0; i < s.n_logit_bias; i++) {
    const auto [token, bias] = s.logit_bias[i];
    if (token < 0 || uint32_t(token) >= n_vocab)
      throw Error(REALIZAR_INVALID_ARGUMENT, format("logit bias %u is for token %d, which is outside the vocabulary of "
                                                    "%u tokens",
                                                    i, token, n_vocab));
    if (!(bias <= largest))
      throw Error(REALIZAR_INVALID_ARGUMENT,
                  format("the logit bias of token %d is %g; it must be a number, or -infinity", token, double(bias)));
    if (!tokens.insert(token).second)
      throw Error(REALIZAR_INVALID_ARGUMENT, format("token %d has two logit biases", token));
    n_banned += bias < -largest;
  }
  if (n_banned == n_vocab)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("all %u tokens have a logit bias of -infinity, so that none could be chosen", n_vocab));
}

bool has_penalties(const realizar_sampling& s) {
  return s.repeat_last_n != 0 && (s.repeat_penalty != 1 || s.presence_penalty != 0 || s.frequency_penalty != 0);
}

}  // namespace

void check_sampling(const realizar_sampling& s, uint32_t n_vocab) {
  check_range("temperature", s.temperature, 0, largest, "a number from 0 on");
  check_count("top_k", s.top_k, 0, "which means all tokens");
  check_range("top_p", s.top_p, 0, 1, "from 0 to 1");
  check_range("min_p", s.min_p, 0, 1, "from 0 to 1");
  check_count("repeat_last_n", s.repeat_last_n, -1, "which means all tokens");
  check_range("repeat_penalty", s.repeat_penalty, std::numeric_limits<float>::min(), largest, "a number above 0");
  check_range("presence_penalty", s.presence_penalty, -largest, largest, "a number");
  check_range("frequency_penalty", s.frequency_penalty, -largest, largest, "a number");
  check_biases(s, n_vocab);
}

void describe_sampling(const realizar_sampling& s, DeviceSampling& out) {
  const bool penalties = has_penalties(s);
  out.sampling = {.adjusts = penalties || s.n_logit_bias > 0,
                  .draws = s.temperature > 0,
                  .inverse_temperature = s.temperature > 0 ? float(std::fmin(1 / double(s.temperature), largest)) : 0,
                  .top_k = s.top_k,
                  .top_p = s.top_p,
                  .log_min_p = float(std::log(double(s.min_p))),
                  .last_n = !penalties            ? 0
                            : s.repeat_last_n < 0 ? INT32_MAX
                                                  : s.repeat_last_n,
                  .repeat_penalty = s.repeat_penalty,
                  .presence_penalty = s.presence_penalty,
                  .frequency_penalty = s.frequency_penalty,
                  .n_bias = s.n_logit_bias,
                  .reserved = 0,
                  .seed = s.seed};
  for (uint32_t i = 0; i < s.n_logit_bias; i++) out.bias[i] = {s.logit_bias[i].token, s.logit_bias[i].bias};
}

}  // namespace realizar
