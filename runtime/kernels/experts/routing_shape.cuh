// Where everything that a choice of experts needs (routing.cuh) lies in shared memory, from a multiple of 16 bytes on:
// keys of the logits, or of what chooses, and then the logits; keys and numbers of candidates; numbers, logits and
// weights of those chosen; sums of their groups.
#pragma once
#include "config.cuh"

namespace realizar {

template <class C>
struct RoutingShape {
  static constexpr int logits = C::experts + (C::gated ? 1 : 0);
  static constexpr int keys_at = 0;
  static constexpr int logits_at = keys_at + round_up(logits, 4) * 4;
  // Of many experts, the first ones of each 32 (Routing::choose).
  static constexpr int candidates =
      C::experts % 32 == 0 && C::experts > 32 && C::used <= 16 ? C::experts / 32 * C::used : 0;
  static constexpr int candidate_keys_at = logits_at + (C::selection::scored ? round_up(logits, 4) * 4 : 0);
  static constexpr int candidates_at = candidate_keys_at + round_up(candidates, 4) * 4;
  static constexpr int chosen_at = candidates_at + round_up(candidates, 4) * 4;
  static constexpr int chosen_logits_at = chosen_at + C::used * 4, weights_at = chosen_logits_at + C::used * 4;
  static constexpr int group_keys_at = weights_at + C::used * 4;
  static constexpr int bytes = group_keys_at + (C::selection::groups > 1 ? C::selection::groups * 4 : 0);
  static_assert(C::experts % C::selection::groups == 0 && (C::selection::groups == 1 || C::selection::scored));
  static_assert(C::used <= 32 && C::used <= C::experts);
};

}  // namespace realizar
