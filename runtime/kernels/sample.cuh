// Draws a token: top-k, top-p, min-p, temperature, in this order. By several blocks, each with a slice of the
// vocabulary.
//
// Tokens stand in one order, by descending logit, equal ones by ascending token. "The first tokens whose weights
// together reach T" answers everything: top-k with weights of 1 and T = k, top-p with probabilities and T = p of their
// sum, and the draw with tempered probabilities and T = a random part of their sum; there the last of those tokens is
// the one drawn. Weights are integers, multiples of 2^-44 of the largest probability, and their exponential is made of
// fma alone: sums do not depend on an order, and a GPU and the simulator draw the same tokens from the same logits.
//
// The search is a radix descent. A level sorts the tokens under the bin that the level above chose into 2048 bins:
// first by their distance to the largest logit, evenly, then by the bits of the logit, last by the token. Each block
// sorts its slice, the bins are added up in device memory, the blocks meet, and each takes the sums and chooses the
// bin, all the same one. The search ends where that bin holds one token, mostly at the second level. As soon as few
// tokens are left they move to the first block's shared memory, and it goes on alone.
#pragma once
#include "best.cuh"
#include "numbers.h"
#include "philox.cuh"
#include "state.h"

namespace realizar {

constexpr int sample_bins = 2048, sample_list = 2048, sample_groups = 32, sample_max_vocab = (1 << 20) - 1;
constexpr int sample_rounds = 4, sample_max_blocks = 64;

template <int threads>
struct SampleShared {
  // Of each bin: weight as low + high * 2^32, tokens, and one of them.
  uint32_t low[sample_bins], high[sample_bins], count[sample_bins];
  int token[sample_bins];
  // The tokens that are left, once few are.
  float list_value[sample_list];
  int list_token[sample_list];
  // Sums over a thread's bins, and over a group of threads.
  uint64_t part_weight[threads], group_weight[sample_groups];
  uint32_t part_count[threads], group_count[sample_groups];
  // What a level found.
  uint64_t rest;                // the weight that is still to be reached inside the chosen bin
  int bin;                      // -1: all weights together do not reach it
  uint32_t n_in_bin, n_so_far;  // tokens in the bin, and with those before it
  uint32_t n_list;
  int list_from;  // of the list in device memory: where this block's tokens go
  int reserved;
  float warp_value[32];
  int warp_token[32];
};

// What the blocks tell each other, in device memory; all zero before the first token.
struct SampleMeeting {
  // Arrivals at meetings, of all tokens, modulo 2^32: meeting i is over when there are (i + 1) * blocks. The number of
  // blocks is a power of two, so meetings are counted modulo one, too.
  uint32_t arrivals;
  uint32_t n_list;  // zero between nodes
  uint32_t reserved[2];
  Best best[sample_max_blocks];  // of a block's slice
  float list_value[sample_list];
  int list_token[sample_list];
  // Sums of all blocks' low, high, count and token. Meeting i is for bins[i % 4], which is zero until then: after
  // meeting i nobody needs the bins of meeting i - 1, and they are made zero.
  uint32_t bins[sample_rounds][4][sample_bins];
};

// The tokens [first, end) of a block; first is a multiple of 4. is_aligned: to 16 bytes, as logits must be for that.
template <int n_vocab, int blocks, bool is_aligned = true>
struct SampleSlice {
  static constexpr bool aligned = is_aligned;
  static constexpr int length = ((n_vocab + 3) / 4 + blocks - 1) / blocks * 4;
  int first, end;
  DEVICE explicit SampleSlice(int block) {
    first = block * length < n_vocab ? block * length : n_vocab;
    end = first + length < n_vocab ? first + length : n_vocab;
  }
  DEVICE bool has(int token) const { return token >= first && token < end; }
};

// The upper half of a 64 x 64-bit product.
DEVICE uint64_t multiply_high(uint64_t a, uint64_t b) {
  const uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
  const uint64_t middle = ah * bl + (al * bl >> 32);
  return ah * bh + (middle >> 32) + ((al * bh + (uint32_t)middle) >> 32);
}

// 2^-(distance * decay) in units of 2^-44, for finite factors >= 0; exact for 0, else with a relative error below 3e-7
// as far as the unit allows.
DEVICE uint64_t sample_weight(float distance, float decay) {
  const float x = distance * decay;
  if (!(x < 45.f)) return 0;
  const int whole = (int)x;
  const float f = fmaf(distance, decay, -(float)whole);
  float p = 1.14980845e-4f;
  p = fmaf(p, f, -1.29178935e-3f);
  p = fmaf(p, f, 9.59716924e-3f);
  p = fmaf(p, f, -5.5499278e-2f);
  p = fmaf(p, f, 0.240226105f);
  p = fmaf(p, f, -0.693147182f);
  p = fmaf(p, f, 1.f);
  return (uint64_t)(p * 17592186044416.f) >> whole;
}

// Order of floats as unsigned numbers.
DEVICE uint32_t ordered_bits(float v) {
  const uint32_t bits = float_to_bits(v);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

constexpr float largest_float = 3.40282347e38f;
// Infinity counts as the largest number; -0 as 0, which is equal to it.
DEVICE float finite_logit(float v) { return v > largest_float ? largest_float : v + 0.f; }
// Neither NaN nor -infinity, which nothing chooses.
DEVICE bool is_choosable(float v) { return v >= -largest_float; }

// The best of n candidates, in every lane. One warp.
DEVICE Best best_candidate(const Best* candidates, int n) {
  Best best = {-INFINITY, 0x7fffffff};
  for (int i = thread_index() % 32; i < n; i += 32)
    best = better(best, Best{load_global(&candidates[i].value), load_global(&candidates[i].row)});
  return warp_better(best);
}

// f(logit, token) of all tokens of a slice; threads share them out.
template <int threads, class Slice, class F>
DEVICE void each_logit(const float* logits, const Slice& slice, F f) {
  constexpr int ahead = 4;  // loads in flight
  const int whole = Slice::aligned ? slice.end / 4 : 0;
  for (int base = slice.first / 4 + thread_index(); base < whole; base += ahead * threads) {
    float4 v[ahead];
#pragma unroll
    for (int i = 0; i < ahead; i++)
      if (base + i * threads < whole) v[i] = load_global((const float4*)logits + base + i * threads);
#pragma unroll
    for (int i = 0; i < ahead; i++) {
      const int token = 4 * (base + i * threads);
      if (token >= 4 * whole) continue;
      f(v[i].x, token);
      f(v[i].y, token + 1);
      f(v[i].z, token + 2);
      f(v[i].w, token + 3);
    }
  }
  const int rest = 4 * whole > slice.first ? 4 * whole : slice.first;
  for (int token = rest + thread_index(); token < slice.end; token += threads) f(load_global(logits + token), token);
}

// The best of all threads', in each of them. A number and a token a warp of shared memory.
template <int threads>
DEVICE Best best_in_block(Best best, float* warp_value, int* warp_token) {
  best = warp_better(best);
  const int warp = thread_index() / 32;
  if (thread_index() % 32 == 0) warp_value[warp] = best.value, warp_token[warp] = best.row;
  block_sync();
  for (int w = 0; w < threads / 32; w++) best = better(best, Best{warp_value[w], warp_token[w]});
  return best;
}

template <int threads, int n_vocab, int blocks, bool aligned = true>
struct Sampler {
  static_assert(n_vocab <= sample_max_vocab, "sums of weights must fit in 64 bits");
  static_assert(sample_bins % threads == 0 && threads % sample_groups == 0);
  static_assert((blocks & (blocks - 1)) == 0 && blocks <= sample_max_blocks);
  using Shared = SampleShared<threads>;

  Shared& shared;
  const float* logits;     // [n_vocab]
  SampleMeeting* meeting;  // null for one block
  const SampleSlice<n_vocab, blocks, aligned> slice;
  uint32_t n_met = 0;  // meetings until now
  float largest = 0;
  float farthest = INFINITY;   // distance that is kept
  uint64_t last_rank = ~0ull;  // the last token in order that is kept
  int last_token = 0x7fffffff;
  bool listed = false;  // only the first block has work
  bool left = false;    // this block is not it

  // block: which of those that share the vocabulary.
  DEVICE Sampler(char* memory, const float* logits, SampleMeeting* meeting, int block)
      : shared(*(Shared*)memory), logits(logits), meeting(meeting), slice(block) {
    if constexpr (blocks > 1) n_met = load_count(&meeting->arrivals) / blocks;  // no meeting is over without this block
  }

  // All blocks' threads; what each wrote before is there for all after it.
  DEVICE void meet() {
    block_sync();
    if (thread_index() == 0) wait_for_count(&meeting->arrivals, (arrive(&meeting->arrivals) / blocks + 1) * blocks);
    block_sync();
    constexpr int share = 4 * sample_bins / blocks;
    uint32_t* old = &meeting->bins[(n_met - 1) % sample_rounds][0][0] + block_index() * share;
    for (int i = thread_index(); i < share; i += threads) old[i] = 0;
    n_met++;
  }

  // 54 bits, smaller for larger logits: 22 for the distance, evenly, and 32 to tell apart what that takes as equal.
  // Beyond 32 a distance tells nothing: such a token's weight is 0, but at temperatures above 1.
  DEVICE uint64_t rank(float v) const {
    const float distance = (largest - v) * 131072.f;
    const uint32_t coarse = distance < 4194303.f ? (uint32_t)distance : 4194303u;
    return (uint64_t)coarse << 32 | (uint32_t)~ordered_bits(v);
  }

  // f(value, token) of all tokens of the slice, or of the list; threads share them out.
  template <class F>
  DEVICE void each(F f) const {
    if (listed) {
      for (int i = thread_index(); i < (int)shared.n_list; i += threads) f(shared.list_value[i], shared.list_token[i]);
      return;
    }
    each_logit<threads>(logits, slice, [&](float v, int token) { f(finite_logit(v), token); });
  }

  // The largest logit and its first token, in every thread; the token is none if no logit is a number.
  DEVICE Best best_of_all() {
    Best best = {-INFINITY, 0x7fffffff};
    each([&](float v, int t) { best = better(best, Best{v, t}); });
    best = best_in_block<threads>(best, shared.warp_value, shared.warp_token);
    if constexpr (blocks > 1) {
      if (thread_index() == 0) meeting->best[block_index()] = best;
      meet();
      best = best_candidate(meeting->best, blocks);
    }
    return best;
  }

  DEVICE bool kept(float v, uint64_t order, int token) const {
    return largest - v <= farthest && (order < last_rank || (order == last_rank && token <= last_token));
  }

  // The token at which the weights of those kept, 2^(-decay * distance) each, together reach target(their sum). -1:
  // none, or this block has nothing to do with it.
  template <class Target>
  DEVICE int reach(float decay, Target target) {
    if (left) return -1;
    uint64_t prefix = 0;  // of the rank, as far as levels have chosen it
    int token_prefix = 0;
    for (int level = 0;; level++) {
      const int shift = level < 4 ? 43 - 11 * level : level == 5 ? 11 : 0, bits = level == 4 ? 10 : 11;
      for (int b = thread_index(); b < sample_bins; b += threads) shared.low[b] = shared.high[b] = shared.count[b] = 0;
      block_sync();
      each([&](float v, int token) {
        if (!is_choosable(v)) return;
        const uint64_t order = rank(v);
        if (!kept(v, order, token)) return;
        int bin;
        if (level < 5) {
          if (level > 0 && order >> (shift + bits) != prefix) return;
          bin = (int)(order >> shift) & ((1 << bits) - 1);
        } else {
          if (order != prefix || (level == 6 && token >> 11 != token_prefix)) return;
          bin = token >> shift & (sample_bins - 1);
        }
        add(bin, sample_weight(fminf(largest - v, largest_float), decay), token);
      });
      block_sync();
      if constexpr (blocks > 1)
        if (!listed) add_up_bins();
      choose_bin(level, target);
      if (shared.bin < 0) return -1;
      const int found = shared.token[shared.bin];
      if (shared.n_in_bin == 1) return found;
      if (level < 5)
        prefix = prefix << bits | (uint64_t)shared.bin;
      else
        token_prefix = shared.bin;
      if (level == 0 && !listed && shared.n_so_far <= sample_list) move_to_list(shift, (int)prefix);
      if (left) return -1;
    }
  }

  // Bins get the same sums in any order of additions: carries go from low to high one by one.
  DEVICE void add(int bin, uint64_t weight, int token) const {
    const uint32_t low = (uint32_t)weight;
    uint32_t high = (uint32_t)(weight >> 32);
    if (low && block_add(&shared.low[bin], low) > 0xffffffffu - low) high++;
    if (high) block_add(&shared.high[bin], high);
    block_add(&shared.count[bin], 1);
    block_exchange((uint32_t*)&shared.token[bin], (uint32_t)token);  // of several any one; asked for where there is one
  }

  // Of all blocks. A bin's tokens are added up too: one is asked for where it is the only one.
  DEVICE void add_up_bins() {
    uint32_t(*all)[sample_bins] = meeting->bins[n_met % sample_rounds];
    for (int b = thread_index(); b < sample_bins; b += threads) {
      if (shared.count[b] == 0) continue;
      const uint32_t low = shared.low[b];
      uint32_t high = shared.high[b];
      if (low && node_add(&all[0][b], low) > 0xffffffffu - low) high++;
      if (high) node_add(&all[1][b], high);
      node_add(&all[2][b], shared.count[b]);
      node_add(&all[3][b], (uint32_t)shared.token[b]);
    }
    meet();
    for (int b = thread_index(); b < sample_bins; b += threads) {
      shared.low[b] = load_global(&all[0][b]);
      shared.high[b] = load_global(&all[1][b]);
      shared.count[b] = load_global(&all[2][b]);
      shared.token[b] = (int)load_global(&all[3][b]);
    }
    block_sync();
  }

  DEVICE uint64_t bin_weight(int bin) const { return ((uint64_t)shared.high[bin] << 32) + shared.low[bin]; }

  template <class Target>
  DEVICE void choose_bin(int level, Target target) {
    constexpr int bins = sample_bins / threads, parts = threads / sample_groups;  // of a thread, of a group
    const int t = thread_index();
    uint64_t weight = 0;
    uint32_t count = 0;
    for (int b = t * bins; b < (t + 1) * bins; b++) weight += bin_weight(b), count += shared.count[b];
    shared.part_weight[t] = weight;
    shared.part_count[t] = count;
    block_sync();
    if (t < sample_groups) {
      weight = count = 0;
      for (int p = t * parts; p < (t + 1) * parts; p++) weight += shared.part_weight[p], count += shared.part_count[p];
      shared.group_weight[t] = weight;
      shared.group_count[t] = count;
    }
    block_sync();
    if (t == 0) {
      uint64_t all = 0;
      for (int g = 0; g < sample_groups; g++) all += shared.group_weight[g];
      uint64_t rest = level == 0 ? target(all) : shared.rest;
      shared.bin = -1;
      if (rest <= all) {
        uint32_t n = 0;
        int g = 0;
        for (; rest > shared.group_weight[g]; g++) rest -= shared.group_weight[g], n += shared.group_count[g];
        int p = g * parts;
        for (; rest > shared.part_weight[p]; p++) rest -= shared.part_weight[p], n += shared.part_count[p];
        int b = p * bins;
        for (; rest > bin_weight(b); b++) rest -= bin_weight(b), n += shared.count[b];
        shared.rest = rest;
        shared.bin = b;
        shared.n_in_bin = shared.count[b];
        shared.n_so_far = n + shared.count[b];
        if (!listed) shared.n_list = 0;
      }
    }
    block_sync();
  }

  // Tokens whose rank starts with at most this. Their order in the list is any; nothing depends on it.
  DEVICE void move_to_list(int shift, int most) {
    each([&](float v, int token) {
      if (!is_choosable(v)) return;
      const uint64_t order = rank(v);
      if (!kept(v, order, token) || (int)(order >> shift) > most) return;
      const uint32_t at = block_add(&shared.n_list, 1);
      shared.list_value[at] = v;
      shared.list_token[at] = token;
    });
    if constexpr (blocks > 1) gather_lists();
    listed = true;
  }

  // In the first block, which goes on alone.
  DEVICE void gather_lists() {
    block_sync();
    const int n = (int)shared.n_list;
    if (thread_index() == 0 && n > 0) shared.list_from = (int)node_add(&meeting->n_list, (uint32_t)n);
    block_sync();
    for (int i = thread_index(); i < n; i += threads) {
      meeting->list_value[shared.list_from + i] = shared.list_value[i];
      meeting->list_token[shared.list_from + i] = shared.list_token[i];
    }
    meet();
    left = block_index() != 0;
    if (left) return;
    const int all = (int)load_global(&meeting->n_list);
    for (int i = thread_index(); i < all; i += threads) {
      shared.list_value[i] = load_global(meeting->list_value + i);
      shared.list_token[i] = load_global(meeting->list_token + i);
    }
    block_sync();
    if (thread_index() == 0) shared.n_list = (uint32_t)all, meeting->n_list = 0;
  }

  DEVICE void keep_through(int token) {
    if (token < 0) return;
    last_rank = rank(finite_logit(load_global(logits + token)));
    last_token = token;
  }

  // best: the largest logit. The token, in the first block.
  DEVICE int draw(const Sampling& s, int position, Best best) {
    constexpr float log2_e = 1.44269504f;
    largest = finite_logit(best.value);
    if (!s.draws || !is_choosable(largest)) return best.row;
    if (s.top_k > 0 && s.top_k < n_vocab) keep_through(reach(0.f, [&](uint64_t) { return (uint64_t)s.top_k << 44; }));
    if (s.top_p < 1.f)
      keep_through(reach(log2_e, [&](uint64_t all) {
        const uint64_t part = (uint64_t)ceil((double)s.top_p * (double)all);
        return part > 0 ? part : 1;
      }));
    farthest = -s.log_min_p;
    const uint4 random = philox(uint4{(uint32_t)position, 0, 0, 0}, uint2{(uint32_t)s.seed, (uint32_t)(s.seed >> 32)});
    return reach(log2_e * s.inverse_temperature,
                 [&](uint64_t all) { return multiply_high((uint64_t)random.x << 32 | random.y, all) + 1; });
  }
};

}  // namespace realizar
