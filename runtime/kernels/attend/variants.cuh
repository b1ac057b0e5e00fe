// In what attentions differ, each a small type that the kernel calls; a model's kernels.cu names those that it has.
#pragma once
#include "../activation.cuh"

namespace realizar {

template <class C>
struct AttendBlock;

// ------------------------------------------------------------------ RMSNorms of queries or keys
// weights: that a block keeps, of so many heads; first: of the first of them; elements: that a mean square is of.
struct NoHeadNorm {
  static constexpr bool any = false, joint = false;
  static constexpr int weights(int, int) { return 0; }
};
// Each head by itself, all with the same weights.
struct HeadNorm {
  static constexpr bool any = true, joint = false;
  static constexpr int weights(int, int head_size) { return head_size; }
};
// All heads together.
struct JointNorm {
  static constexpr bool any = true, joint = true;
  static constexpr int weights(int heads, int head_size) { return heads * head_size; }
};

// ------------------------------------------------------------------ rope: pairs of elements rotate
enum class RopePairs { halves, adjacent };  // element i with i + dims / 2, or 2 i with 2 i + 1

template <int Dims, RopePairs Pairs>
struct Rope {
  static constexpr int dims = Dims;  // of a head: the first ones
  static constexpr bool adjacent = Pairs == RopePairs::adjacent;
  static constexpr bool factors = false;   // angles are divided by AttendArgs::rope_factors
  static constexpr float magnitude = 1.f;  // of cos and sin
};
struct NoRope : Rope<0, RopePairs::halves> {
  static DEVICE float inverse_frequency(int) { return 0; }
};

// ------------------------------------------------------------------ which positions are seen
struct AllPositions {
  static DEVICE int hidden(int) { return 0; }
};
// The newest ones.
template <int Newest>
struct Window {
  static DEVICE int hidden(int seq_len) { return seq_len > Newest ? seq_len - Newest : 0; }
};

// ------------------------------------------------------------------ sinks: a score of each head, without a value
// share: what it adds to the sum of exponentials relative to a largest score.
struct NoSinks {
  static DEVICE float share(const float*, int, float) { return 0.f; }
};
struct Sinks {
  static DEVICE float share(const float* sinks, int head, float largest) { return fast_exp(sinks[head] - largest); }
};

// ------------------------------------------------------------------ gates: out *= sigmoid(gate)
// The projection leaves them after v. load: that of element i of what the block's heads give; factor: what the element
// is multiplied with, where `first` is the gate of the thread's first one, loaded long before.
struct NoGates {
  static constexpr bool any = false;
  template <class C>
  static DEVICE float weight(const float*, int) {
    return 1.f;
  }
  template <class C>
  static DEVICE float load(const AttendBlock<C>&, int) {
    return 0.f;
  }
  template <class C>
  static DEVICE float factor(const AttendBlock<C>&, int, float) {
    return 1.f;
  }
};
template <bool AHead>
struct Gates {
  static constexpr bool any = true;
  // What an element of the output is multiplied with.
  template <class C>
  static DEVICE float weight(const float* qkv, int element) {
    return sigmoid(at<C>(qkv, element));
  }
  template <class C>
  static DEVICE float at(const float* qkv, int element) {
    const float* gates = qkv + (C::heads + 2 * C::kv_heads) * C::head_size;
    return load_global(gates + (AHead ? element / C::head_size : element));
  }
  template <class C>
  static DEVICE float load(const AttendBlock<C>& b, int i) {
    return at<C>(b.args.qkv, b.first_head * C::head_size + i);
  }
  template <class C>
  static DEVICE float factor(const AttendBlock<C>& b, int i, float first) {
    return sigmoid(i == thread_index() ? first : load(b, i));
  }
};
using HeadGates = Gates<true>;
using ElementGates = Gates<false>;

}  // namespace realizar
