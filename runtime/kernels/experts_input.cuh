// The input of a kernel of experts: from global memory to shared memory.
#pragma once
#include "experts_shape.cuh"

namespace realizar {

template <class C>
struct ExpertInput : ExpertsShape<C>::Input {
  using Shape = ExpertsShape<C>;

  // Columns 4i..4i+3 of a vector of C::cols for each input, each filled up to whole units with zeros. Settled: of one
  // that no node writes, so before grid_wait too.
  template <bool Settled>
  static DEVICE float4 load(const float* from, int i) {
    const auto get = [](const auto* p) { return Settled ? load_settled(p) : load_global(p); };
    if (i >= Shape::x_units * 8) return {};
    if (C::cols % 32 == 0) return get((const float4*)from + i);
    const int input = i / (Shape::units * 8), col = i % (Shape::units * 8) * 4;
    const float* at = from + (int64_t)input * C::cols + col;
    if (C::cols % 4 == 0 || (Shape::inputs == 1 && col + 3 < C::cols))
      return col < C::cols ? get((const float4*)at) : float4{};
    float4 v = {};
    if (col < C::cols) v.x = get(at);
    if (col + 1 < C::cols) v.y = get(at + 1);
    if (col + 2 < C::cols) v.z = get(at + 2);
    if (col + 3 < C::cols) v.w = get(at + 3);
    return v;
  }
};

}  // namespace realizar
