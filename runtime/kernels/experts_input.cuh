// The input of a kernel of experts in shared memory, in the forms that its weight formats multiply with (formats.cuh).
#pragma once
#include "experts_shape.cuh"

namespace realizar {

template <class C>
struct ExpertInput {
  using Shape = ExpertsShape<C>;
  using Formats = typename Shape::Formats;
  char* shared;

  DEVICE FloatActivations floats(int u) const {
    FloatActivations v;
#pragma unroll
    for (int k = 0; k < 8; k++) v.x[k] = ((const float4*)(shared + Shape::float_at))[k * Shape::x_stride + u];
    return v;
  }
  DEVICE IntUnit ints(int u) const {
    IntUnit v;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const uint4 high = plane(half)[u], low = plane(2 + half)[u];
#pragma unroll
      for (int k = 0; k < 4; k++) v.high[4 * half + k] = word(high, k), v.low[4 * half + k] = word(low, k);
    }
    v.scale = scales()[u];
    if (Formats::any_sums) v.sums[0] = sums()[2 * u], v.sums[1] = sums()[2 * u + 1];
    return v;
  }

  // Columns 4i..4i+3 of a vector of C::cols for each input, each filled up to whole units with zeros. Settled: of one
  // that no node writes, so before grid_wait too.
  template <bool Settled>
  static DEVICE float4 load(const float* from, int i) {
    const auto get = [](const auto* p) { return Settled ? load_settled(p) : load_global(p); };
    if (i >= Shape::x_units * 8) return {};
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

  // Stores columns 4i..4i+3. Lanes 8j..8j+7 hold a unit: its scale makes the largest of it 32767. All lanes of a warp.
  DEVICE void store(int i, const float4& v) const {
    const bool inside = i < Shape::x_units * 8;
    if (Formats::any_float && inside) ((float4*)(shared + Shape::float_at))[i % 8 * Shape::x_stride + i / 8] = v;
    if (!Formats::any_quant) return;
    float largest = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
#pragma unroll
    for (int mask = 1; mask < 8; mask *= 2) largest = fmaxf(largest, warp_shuffle_xor(largest, mask));
    const float by = largest > 0.f ? 32767.f / largest : 0.f;
    const int q[4] = {round_to_int(v.x * by), round_to_int(v.y * by), round_to_int(v.z * by), round_to_int(v.w * by)};
    int sum = q[0] + q[1] + q[2] + q[3];
    if (Formats::any_sums) {
      sum += warp_shuffle_xor(sum, 1);
      sum += warp_shuffle_xor(sum, 2);
    }
    if (!inside) return;
    uint32_t high = 0, low = 0;
#pragma unroll
    for (int k = 0; k < 4; k++) high |= (uint32_t)(q[k] >> 8 & 255) << 8 * k, low |= (uint32_t)(q[k] & 255) << 8 * k;
    const int u = i / 8, half = i % 8 / 4, at = u * 4 + i % 4;
    ((uint32_t*)plane(half))[at] = high;
    ((uint32_t*)plane(2 + half))[at] = low;
    if (i % 8 == 0) scales()[u] = largest * (1.f / 32767.f);
    if (Formats::any_sums && i % 4 == 0) sums()[2 * u + half] = sum;
  }

 private:
  DEVICE uint4* plane(int i) const { return (uint4*)(shared + Shape::plane_at + i * Shape::plane); }
  DEVICE float* scales() const { return (float*)(shared + Shape::x_scale_at); }
  DEVICE int* sums() const { return (int*)(shared + Shape::x_sums_at); }
};

}  // namespace realizar
