// What an engine is asked for, and what it answers: realizar_request and realizar_event as C++ has them.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../kernels/state.h"
#include "../realizar.h"

namespace realizar {

// One of a realizar_request's sequences.
struct Request {
  uint64_t id;  // the caller's, of its events
  std::vector<int32_t> tokens;
  realizar_sampling sampling;  // logit_bias is not looked at, biases are
  std::vector<realizar_logit_bias> biases = {};
  std::vector<int32_t> stop = {};
  uint32_t limit;          // of tokens that are chosen
  int32_t n_logprob = -1;  // -1: no log probabilities
  bool prompt_logprobs = false;
  int32_t priority = 0;
  bool constrained = false;        // each token needs a mask, which comes when those before it are known
  uint32_t mask_milliseconds = 0;  // that a mask may take
};

// Which tokens may come next, for a constrained sequence that has so many chosen ones.
struct TokenMask {
  uint32_t n_chosen;
  std::vector<uint32_t> words;  // kernels/state.h
};

// A realizar_event, of the request with this id.
struct EngineEvent {
  uint64_t id;
  realizar_event_kind kind;
  int32_t token = no_token;
  float logprob = std::numeric_limits<float>::quiet_NaN();
  std::vector<realizar_token_logprob> top = {};
  realizar_end end = REALIZAR_END_NONE;
  realizar_status status = REALIZAR_OK;
  std::string message = {};
  uint32_t n_cached = 0;
};

}  // namespace realizar
