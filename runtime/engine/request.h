// What an engine is asked for, and what it answers: realizar_request and realizar_event as C++ has them.
#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "../kernels/state.h"
#include "../realizar.h"

namespace realizar {

// A list that its copies share: the sequences of a request have one prompt.
template <typename T>
class SharedList : public std::span<const T> {
 public:
  SharedList() = default;
  // Not moved: what is left would still say where the list was.
  SharedList(const SharedList&) = default;
  SharedList& operator=(const SharedList&) = default;
  SharedList(std::vector<T> values) : SharedList(std::make_shared<const std::vector<T>>(std::move(values))) {}

 private:
  explicit SharedList(std::shared_ptr<const std::vector<T>> owner)
      : std::span<const T>(*owner), owner_(std::move(owner)) {}
  std::shared_ptr<const std::vector<T>> owner_;
};

// One of a realizar_request's sequences.
struct Request {
  uint64_t id;  // the caller's, of its events
  SharedList<int32_t> tokens;
  realizar_sampling sampling;  // logit_bias is not looked at, biases are
  SharedList<realizar_logit_bias> biases = {};
  SharedList<int32_t> stop = {};
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
