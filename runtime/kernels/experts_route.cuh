// Which experts a token takes, and their weights. Every block works it out for itself from the logits.
#pragma once
#include "experts_shape.cuh"

namespace realizar {

// Orders floats as integers, NaN included: ranks by it are those of a permutation whatever the logits are. More than
// the least integer, so that one less is there, too. And back.
DEVICE int sort_key(float v) {
  const int bits = (int)float_to_bits(v), key = bits < 0 ? bits ^ 0x7fffffff : bits;
  return key == INT32_MIN ? INT32_MIN + 1 : key;
}
DEVICE float sorted_value(int key) { return bits_to_float((uint32_t)(key < 0 ? key ^ 0x7fffffff : key)); }

// 1 to 32.
constexpr int round_down_to_power_of_two(int n) {
  return n < 2 ? 1 : n >= 32 ? 32 : 2 * round_down_to_power_of_two(n / 2);
}

DEVICE float sigmoid(float v) { return 1.f / (1.f + expf(-v)); }

template <class C>
struct Routing {
  using Shape = ExpertsShape<C>;
  static constexpr int each = round_down_to_power_of_two(Shape::threads / C::experts);  // lanes for an expert's rank
  char* shared;

  DEVICE int* keys() const { return (int*)(shared + Shape::keys_at); }          // of what chooses
  DEVICE float* logits() const { return (float*)(shared + Shape::logits_at); }  // where that is something else
  DEVICE float logit(int i) const { return C::scored ? logits()[i] : sorted_value(keys()[i]); }
  DEVICE int* chosen() const { return (int*)(shared + Shape::chosen_at); }
  DEVICE float* chosen_logits() const { return (float*)(shared + Shape::chosen_logits_at); }
  DEVICE float* weights() const { return (float*)(shared + Shape::weights_at); }
  DEVICE int* group_keys() const { return (int*)(shared + Shape::group_keys_at); }

  DEVICE void set(int i, float logit) const {
    if (C::scored)
      logits()[i] = logit;
    else
      keys()[i] = sort_key(logit);
  }

  // Probabilities choose experts, not logits, where something is added to them or experts are in groups. All threads;
  // barriers before and after.
  DEVICE void score(const float* selection) const {
    const int lane = thread_index() % 32;
    float most[1] = {-INFINITY}, sum[1] = {};
    if (!C::sigmoid) {
      for (int i = lane; i < C::experts; i += 32) most[0] = fmaxf(most[0], logits()[i]);
      warp_max(most);
      for (int i = lane; i < C::experts; i += 32) sum[0] += expf(logits()[i] - most[0]);
      warp_sum(sum);
    }
    for (int i = thread_index(); i < C::experts; i += Shape::threads) {
      const float mine = C::sigmoid ? sigmoid(logits()[i]) : expf(logits()[i] - most[0]) / sum[0];
      keys()[i] = sort_key(C::biased ? mine + selection[i] : mine);
    }
  }

  // Only the experts of some groups can be chosen, of those with the largest sums of their two best scores: first the
  // sums, a group a warp, then all others get the least score. All threads; barriers before, between and after.
  DEVICE void sum_groups() const {
    constexpr int size = C::experts / C::expert_groups;
    const int lane = thread_index() % 32;
    for (int group = thread_index() / 32; group < C::expert_groups; group += C::warps) {
      float best = -INFINITY, second = -INFINITY;
      for (int i = lane; i < size; i += 32) {
        const float score = sorted_value(keys()[group * size + i]);
        second = fmaxf(second, fminf(best, score)), best = fmaxf(best, score);
      }
#pragma unroll
      for (int mask = 1; mask < 32; mask *= 2) {
        const float other = warp_shuffle_xor(best, mask), other_second = warp_shuffle_xor(second, mask);
        second = fmaxf(fminf(best, other), fmaxf(second, other_second)), best = fmaxf(best, other);
      }
      if (lane == 0) group_keys()[group] = sort_key(best + second);
    }
  }
  DEVICE void drop_groups() const {
    constexpr int size = C::experts / C::expert_groups;
    for (int i = thread_index(); i < C::experts; i += Shape::threads) {
      const int group = i / size, mine = group_keys()[group];
      int rank = 0;
      for (int other = 0; other < C::expert_groups; other++)
        rank += group_keys()[other] > (other < group ? mine - 1 : mine);
      if (rank >= C::expert_groups_used) keys()[i] = sort_key(-INFINITY);
    }
  }

  // An expert's rank is how many have a larger logit, or the same and come before it; those of rank 0 to used - 1 are
  // chosen. `each` neighbouring lanes share the comparisons of one expert, four at a time, so that all experts have
  // theirs at once where there are threads enough. All threads; barriers before and after.
  DEVICE void choose() const {
    constexpr int fours = (C::experts + 3) / 4;
    constexpr int at_once = Shape::threads / each;
    const int part = thread_index() % each;
    for (int first = 0; first < C::experts; first += at_once) {
      const int expert = first + thread_index() / each, mine = keys()[expert < C::experts ? expert : 0];
      int rank = 0;
#pragma unroll 4
      for (int i = part; i < fours; i += each) {
        const uint4 theirs = ((const uint4*)keys())[i];
        const int four[4] = {(int)theirs.x, (int)theirs.y, (int)theirs.z, (int)theirs.w};
#pragma unroll
        for (int k = 0; k < 4; k++) {
          const int other = 4 * i + k;
          if (C::experts % 4 == 0 || other < C::experts) rank += four[k] > (other < expert ? mine - 1 : mine);
        }
      }
#pragma unroll
      for (int mask = 1; mask < each; mask *= 2) rank += warp_shuffle_xor(rank, mask);
      if (part == 0 && expert < C::experts && rank < C::used)
        chosen()[rank] = expert, chosen_logits()[rank] = C::scored ? logits()[expert] : sorted_value(mine);
    }
  }

  // Softmax of all logits or of those chosen, of which the first is the largest where they alone choose; or sigmoids,
  // as they are or divided by their sum. The lanes of one warp.
  DEVICE void weigh() const {
    const int lane = thread_index() % 32;
    if (C::sigmoid) {
      const float mine = lane < C::used ? sigmoid(chosen_logits()[lane]) : 0.f;
      float sum[1] = {mine};
      warp_sum(sum);
      if (lane < C::used)
        weights()[lane] = (C::over_all ? mine : mine / fmaxf(sum[0], 1.f / 16384.f)) * C::weights_scale;
      return;
    }
    float largest[1] = {-INFINITY};
    if (C::scored) {
      for (int i = lane; i < C::experts; i += 32) largest[0] = fmaxf(largest[0], logits()[i]);
      warp_max(largest);
    }
    const float most = C::scored ? largest[0] : chosen_logits()[0];
    const float mine = lane < C::used ? expf(chosen_logits()[lane] - most) : 0.f;
    float sum[1] = {mine};
    if (C::over_all) {
      sum[0] = 0;
      for (int expert = lane; expert < C::experts; expert += 32) sum[0] += expf(logit(expert) - most);
    }
    warp_sum(sum);
    if (lane < C::used) weights()[lane] = mine / sum[0] * C::weights_scale;
  }

  // What the shared expert's output is multiplied with.
  DEVICE float shared_weight() const { return C::gated ? sigmoid(logit(C::experts)) : 1.f; }
};

}  // namespace realizar
