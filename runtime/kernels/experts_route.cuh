// Which experts a token takes, and their weights. Every block works it out for itself from the logits.
#pragma once
#include "experts_shape.cuh"

namespace realizar {

// Orders floats as integers, NaN included: ranks by it are those of a permutation whatever the logits are.
DEVICE int sort_key(float v) {
  const int bits = (int)float_to_bits(v);
  return bits < 0 ? bits ^ 0x7fffffff : bits;
}

template <class C>
struct Routing {
  using Shape = ExpertsShape<C>;
  char* shared;

  DEVICE float* logits() const { return (float*)(shared + Shape::logits_at); }
  DEVICE int* chosen() const { return (int*)(shared + Shape::chosen_at); }
  DEVICE float* chosen_logits() const { return (float*)(shared + Shape::chosen_logits_at); }
  DEVICE float* weights() const { return (float*)(shared + Shape::weights_at); }

  // An expert's rank is how many have a larger logit, or the same and come before it; those of rank 0 to used - 1 are
  // chosen. `each` neighbouring lanes share the comparisons of one expert. All threads; barriers before and after.
  DEVICE void choose() const {
    constexpr int each = Shape::threads >= 8 * C::experts ? 8 : Shape::threads >= 2 * C::experts ? 2 : 1;
    constexpr int at_once = Shape::threads / each;
    const int part = thread_index() % each;
    for (int first = 0; first < C::experts; first += at_once) {
      const int expert = first + thread_index() / each;
      const float logit = logits()[expert < C::experts ? expert : 0];
      int rank = 0;
#pragma unroll 4
      for (int other = part; other < C::experts; other += each) {
        const int theirs = sort_key(logits()[other]), mine = sort_key(logit);
        rank += theirs > mine || (theirs == mine && other < expert);
      }
#pragma unroll
      for (int mask = 1; mask < each; mask *= 2) rank += warp_shuffle_xor(rank, mask);
      if (part == 0 && expert < C::experts && rank < C::used) chosen()[rank] = expert, chosen_logits()[rank] = logit;
    }
  }

  // Softmax of all logits or of those chosen, of which the first is the largest. The lanes of one warp.
  DEVICE void weigh() const {
    const int lane = thread_index() % 32;
    const float most = chosen_logits()[0];
    const float mine = lane < C::used ? expf(chosen_logits()[lane] - most) : 0.f;
    float sum[1] = {mine};
    if (C::over_all) {
      sum[0] = 0;
      for (int expert = lane; expert < C::experts; expert += 32) sum[0] += expf(logits()[expert] - most);
    }
    warp_sum(sum);
    if (lane < C::used) weights()[lane] = mine / sum[0];
  }

  // What the shared expert's output is multiplied with.
  DEVICE float shared_weight() const { return C::gated ? 1.f / (1.f + expf(-logits()[C::experts])) : 1.f; }
};

}  // namespace realizar
