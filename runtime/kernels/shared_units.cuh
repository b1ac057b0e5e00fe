// Activations in shared memory, in the forms that weight formats multiply with (formats.cuh): threads store them four
// columns at a time and read units of 32. For float formats [8][stride] of four columns, the stride odd so that a
// unit's columns lie in different banks; for quants, planes of [Units] 16 bytes: both halves' high bytes, then low
// bytes, and the halves' sums and a scale a unit.
#pragma once
#include "formats.cuh"

namespace realizar {

// Formats: any_float, any_quant, any_sums. compiler/kernels/formats.ts computes the same bytes.
template <class Formats, int Units>
struct SharedUnits {
  static constexpr int stride = Units | 1, plane_bytes = Units * 16;
  static constexpr int plane_at = Formats::any_float ? 8 * stride * 16 : 0;
  static constexpr int sums_at = plane_at + (Formats::any_quant ? 4 * plane_bytes : 0);
  static constexpr int scale_at = sums_at + (Formats::any_sums ? Units * 8 : 0);
  static constexpr int bytes = round_up(scale_at + (Formats::any_quant ? Units * 4 : 0), 16);
  char* shared;

  // Stores columns 4i..4i+3. Lanes 8j..8j+7 hold a unit: its scale makes the largest of it 32767, and is no number
  // where one of them is none. All lanes of a warp.
  DEVICE void store(int i, const float4& v) const {
    const bool inside = i < Units * 8;
    if (Formats::any_float && inside) ((float4*)shared)[i % 8 * stride + i / 8] = v;
    if (!Formats::any_quant) return;
    float largest = maximum(maximum(fabsf(v.x), fabsf(v.y)), maximum(fabsf(v.z), fabsf(v.w)));
#pragma unroll
    for (int mask = 1; mask < 8; mask *= 2) largest = maximum(largest, warp_shuffle_xor(largest, mask));
    const float by = largest > 0.f ? fast_divide(32767.f, largest) : 0.f;
    const uint32_t q[4] = {fixed_point(v.x * by), fixed_point(v.y * by), fixed_point(v.z * by), fixed_point(v.w * by)};
    int sum = (int)(q[0] + q[1] + q[2] + q[3] - 4 * fixed_point_zero);
    if (Formats::any_sums) {
      sum += warp_shuffle_xor(sum, 1);
      sum += warp_shuffle_xor(sum, 2);
    }
    if (!inside) return;
    const uint32_t high = four_bytes<1>(q[0], q[1], q[2], q[3]), low = four_bytes<0>(q[0], q[1], q[2], q[3]);
    const int u = i / 8, half = i % 8 / 4, at = u * 4 + i % 4;
    ((uint32_t*)plane(half))[at] = high;
    ((uint32_t*)plane(2 + half))[at] = low;
    if (i % 8 == 0) scales()[u] = largest * (1.f / 32767.f);
    if (Formats::any_sums && i % 4 == 0) sums()[2 * u + half] = sum;
  }
  DEVICE FloatActivations floats(int u) const {
    FloatActivations v;
#pragma unroll
    for (int k = 0; k < 8; k++) v.x[k] = ((const float4*)shared)[k * stride + u];
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

 private:
  DEVICE uint4* plane(int i) const { return (uint4*)(shared + plane_at + i * plane_bytes); }
  DEVICE float* scales() const { return (float*)(shared + scale_at); }
  DEVICE int* sums() const { return (int*)(shared + sums_at); }
};

}  // namespace realizar
