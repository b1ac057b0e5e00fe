// Which experts a token takes, the `used` with the largest scores, and their weights, from the logits. By the threads
// of a block, where every block works it out for itself, or by a warp for each row of a step (../route_rows/).
#pragma once
#include "routing_shape.cuh"

namespace realizar {

// Orders floats as integers, NaN included: ranks by it are those of a permutation whatever the logits are. More than
// the least integer, so that one less is there, too. And back.
DEVICE int sort_key(float v) {
  const int bits = (int)float_to_bits(v), key = bits < 0 ? bits ^ 0x7fffffff : bits;
  return key == INT32_MIN ? INT32_MIN + 1 : key;
}
DEVICE float sorted_value(int key) { return bits_to_float((uint32_t)(key < 0 ? key ^ 0x7fffffff : key)); }

// Who chooses: all threads of a block, or those of a warp.
template <int Warps>
struct ByBlock {
  static constexpr int warps = Warps, threads = 32 * warps;
  static DEVICE int thread() { return thread_index(); }
  static DEVICE void sync() { block_sync(); }
};
struct ByWarp {
  static constexpr int warps = 1, threads = 32;
  static DEVICE int thread() { return thread_index() % 32; }
  static DEVICE void sync() { warp_sync(); }
};

template <class C, class By>
struct Routing {
  using Shape = RoutingShape<C>;
  char* shared;  // Shape::bytes

  DEVICE int* keys() const { return (int*)(shared + Shape::keys_at); }          // of what chooses
  DEVICE float* logits() const { return (float*)(shared + Shape::logits_at); }  // where that is something else
  DEVICE float logit(int i) const { return C::selection::scored ? logits()[i] : sorted_value(keys()[i]); }
  DEVICE int* candidate_keys() const { return (int*)(shared + Shape::candidate_keys_at); }
  DEVICE int* candidates() const { return (int*)(shared + Shape::candidates_at); }
  DEVICE int* chosen() const { return (int*)(shared + Shape::chosen_at); }
  DEVICE float* chosen_logits() const { return (float*)(shared + Shape::chosen_logits_at); }
  DEVICE float* weights() const { return (float*)(shared + Shape::weights_at); }
  DEVICE int* group_keys() const { return (int*)(shared + Shape::group_keys_at); }

  DEVICE void set(int i, float logit) const {
    if (C::selection::scored)
      logits()[i] = logit;
    else
      keys()[i] = sort_key(logit);
  }

  // From the logits that have been set to the experts chosen. All threads.
  DEVICE void take(const float* selection) const {
    By::sync();
    if constexpr (C::selection::scored) {
      score(selection);
      By::sync();
    }
    if constexpr (C::selection::groups > 1) {
      sum_groups();
      By::sync();
      drop_groups();
      By::sync();
    }
    choose();
    By::sync();
  }

  // Probabilities choose experts, not logits, where something is added to them or experts are in groups. All threads;
  // barriers before and after.
  DEVICE void score(const float* selection) const {
    const int lane = thread_index() % 32;
    float most[1] = {-INFINITY}, sum[1] = {};
    if (!C::weights::sigmoid) {
      for (int i = lane; i < C::experts; i += 32) most[0] = fmaxf(most[0], logits()[i]);
      warp_max(most);
      for (int i = lane; i < C::experts; i += 32) sum[0] += expf(logits()[i] - most[0]);
      warp_sum(sum);
    }
    for (int i = By::thread(); i < C::experts; i += By::threads) {
      const float mine = C::weights::sigmoid ? sigmoid(logits()[i]) : expf(logits()[i] - most[0]) / sum[0];
      keys()[i] = sort_key(C::selection::biased ? mine + selection[i] : mine);
    }
  }

  // Only the experts of some groups can be chosen, of those with the largest sums of their two best scores: first the
  // sums, a group a warp, then all others get the least score. All threads; barriers before, between and after.
  DEVICE void sum_groups() const {
    constexpr int size = C::experts / C::selection::groups;
    const int lane = thread_index() % 32;
    for (int group = By::thread() / 32; group < C::selection::groups; group += By::warps) {
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
    constexpr int size = C::experts / C::selection::groups;
    for (int i = By::thread(); i < C::experts; i += By::threads) {
      const int group = i / size, mine = group_keys()[group];
      int rank = 0;
      for (int other = 0; other < C::selection::groups; other++)
        rank += group_keys()[other] > (other < group ? mine - 1 : mine);
      if (rank >= C::selection::groups_used) keys()[i] = sort_key(-INFINITY);
    }
  }

  // An expert's rank is how many have a larger logit, or the same and come before it; those of rank 0 to used - 1 are
  // chosen. Where experts are many, first the ranks among each 32, and then those of the candidates that are left:
  // every block of the grid does this while memory waits. All threads; barriers before and after.
  DEVICE void choose() const {
    const auto take = [&](int rank, int expert, int key) {
      if (rank >= C::used) return;
      chosen()[rank] = expert;
      chosen_logits()[rank] = C::selection::scored ? logits()[expert] : sorted_value(key);
    };
    if constexpr (Shape::candidates > 0) {
      rank<C::experts, 32>(keys(), [&](int rank, int expert, int key) {
        if (rank >= C::used) return;
        const int at = expert / 32 * C::used + rank;
        candidate_keys()[at] = key, candidates()[at] = expert;
      });
      By::sync();
      // Of equal ones those of lower numbers come first here, too.
      rank<Shape::candidates, Shape::candidates>(candidate_keys(),
                                                 [&](int rank, int at, int key) { take(rank, candidates()[at], key); });
    } else {
      rank<C::experts, C::experts>(keys(), take);
    }
  }

  // Softmax of all logits or of those chosen, of which the first is the largest where they alone choose; or sigmoids,
  // as they are or divided by their sum. `by`: what logits are multiplied with. The lanes of one warp.
  DEVICE void weigh(float by) const {
    const int lane = thread_index() % 32;
    if (C::weights::sigmoid) {
      const float mine = lane < C::used ? sigmoid(chosen_logits()[lane] * by) : 0.f;
      float sum[1] = {mine};
      warp_sum(sum);
      if (lane < C::used)
        weights()[lane] = (C::weights::over_all ? mine : mine / fmaxf(sum[0], 1.f / 16384.f)) * C::weights_scale;
      return;
    }
    float largest[1] = {-INFINITY};
    if (C::selection::scored) {
      for (int i = lane; i < C::experts; i += 32) largest[0] = fmaxf(largest[0], logits()[i]);
      warp_max(largest);
    }
    const float most = C::selection::scored ? largest[0] : chosen_logits()[0];
    const float mine = lane < C::used ? expf((chosen_logits()[lane] - most) * by) : 0.f;
    float sum[1] = {mine};
    if (C::weights::over_all) {
      sum[0] = 0;
      for (int expert = lane; expert < C::experts; expert += 32) sum[0] += expf((logit(expert) - most) * by);
    }
    warp_sum(sum);
    if (lane < C::used) weights()[lane] = mine / sum[0] * C::weights_scale;
  }

  // What the shared expert's output is multiplied with.
  DEVICE float shared_weight() const { return C::gated ? sigmoid(logit(C::experts)) : 1.f; }

 private:
  // Calls found(rank, i, key) for each of Count keys, with its rank among the aligned Among that it is one of.
  // Neighbouring lanes share the comparisons of one key, four at a time, so that all have theirs at once where there
  // are threads enough.
  template <int Count, int Among>
  struct Ranks {
    static constexpr int fours = (Among + 3) / 4, share = round_down_to_power_of_two(By::threads / Count);
    static constexpr int each = share < fours ? share : round_down_to_power_of_two(fours);
  };
  template <int Count, int Among, class F>
  DEVICE void rank(const int* keys, F&& found) const {
    constexpr int fours = Ranks<Count, Among>::fours, each = Ranks<Count, Among>::each;
    constexpr int steps = (fours + each - 1) / each, at_once = By::threads / each;
    const int part = By::thread() % each;
    for (int first = 0; first < Count; first += at_once) {
      const int i = first + By::thread() / each, at = i < Count ? i : 0, begin = at / Among * Among;
      const int mine = keys[at];
      int rank = 0;
#pragma unroll 8
      for (int step = 0; step < steps; step++) {
        const int other = begin + 4 * (part + step * each);
        if (fours % each && other >= begin + Among) break;
        // One that comes later must be larger.
        const int least = other + 3 < at ? mine - 1 : mine;
        const uint4 theirs = *(const uint4*)(keys + other);
        const int four[4] = {(int)theirs.x, (int)theirs.y, (int)theirs.z, (int)theirs.w};
#pragma unroll
        for (int k = 0; k < 4; k++)
          if (Among % 4 == 0 || other + k < begin + Among) rank += four[k] > least;
      }
#pragma unroll
      for (int mask = 1; mask < each; mask *= 2) rank += warp_shuffle_xor(rank, mask);
      // Of its own four, the same before it.
      const uint4 own = *(const uint4*)(keys + at / 4 * 4);
      rank +=
          (at % 4 > 0 && (int)own.x == mine) + (at % 4 > 1 && (int)own.y == mine) + (at % 4 > 2 && (int)own.z == mine);
      if (part == 0 && i < Count) found(rank, i, mine);
    }
  }
};

}  // namespace realizar
