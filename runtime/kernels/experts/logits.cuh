// The logits that choose experts, from global memory to where Routing has them.
#pragma once
#include "routing.cuh"
#include "shape.cuh"

namespace realizar {

template <class C>
using BlockRouting = Routing<C, ByBlock<C::warps>>;

// Loaded, then stored in shared memory where experts are chosen. Settled: no node that may still run writes them.
// AccumulatedLogits ones are not divided by the root mean square for it: which are the largest does not depend on it.
template <class C, bool Settled>
class LogitLoader {
 public:
  DEVICE void load(const ExpertsArgs& a) {
    const auto get = [](const auto* p) { return Settled ? load_settled(p) : load_global(p); };
    if (has_squares) {
      const float* squares = AccumulatedLogits::squares(a.logits, C::experts);
      for (int i = thread_index(); i < C::logits::blocks; i += Shape::threads) squares_[0] += get(squares + i);
    }
#pragma unroll
    for (int j = 0; j < Shape::logits_each; j++) {
      const int i = thread_index() + j * Shape::threads;
      if (i >= Shape::logits) continue;
      if constexpr (C::logits::blocks > 0)
        values_[j] = (float)get(AccumulatedLogits::sum(a.logits, i)) * AccumulatedLogits::step;
      else
        values_[j] = get((const float*)a.logits + i);
    }
  }
  // partial: a number a warp in shared memory.
  DEVICE void store(const BlockRouting<C>& routing, float* partial) {
    if (has_squares) {
      warp_sum(squares_);
      if (thread_index() % 32 == 0) partial[thread_index() / 32] = squares_[0];
    }
#pragma unroll
    for (int j = 0; j < Shape::logits_each; j++) {
      const int i = thread_index() + j * Shape::threads;
      if (i < Shape::logits) routing.set(i, values_[j]);
    }
  }
  // What those that were stored are to be multiplied with. Of a sum, after a barrier.
  DEVICE float scale(const float* partial) const {
    if constexpr (has_squares) {
      float mean_square = 0;
#pragma unroll
      for (int w = 0; w < C::warps; w++) mean_square += partial[w];
      return rsqrtf(mean_square / C::logits::cols + C::logits::epsilon);
    }
    return 1.f;
  }

 private:
  using Shape = ExpertsShape<C>;
  static constexpr bool has_squares = C::logits::blocks > 0 && C::combines;
  float squares_[1] = {}, values_[Shape::logits_each];
};

}  // namespace realizar
