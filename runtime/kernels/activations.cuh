// A warp's chunk of a projection's input, from global memory to the registers of the lanes that multiply with it, in
// the forms that the weight formats want (formats.cuh). Shared memory, of this warp alone, is only where lanes exchange
// it.
#pragma once
#include "projection_shape.cuh"

namespace realizar {

// Columns 4i..4i+3 of a vector; zeros past its end. Settled: of one that no node writes, so before grid_wait too.
template <class C, bool Settled>
DEVICE float4 load_columns(const float* from, int i) {
  const auto load = [](const auto* p) { return Settled ? load_settled(p) : load_global(p); };
  if (4 * i + 3 < C::cols) return load((const float4*)from + i);
  float4 v = {};
  if (C::cols % 4 && 4 * i < C::cols) {
    v.x = load(from + 4 * i);
    if (4 * i + 1 < C::cols) v.y = load(from + 4 * i + 1);
    if (4 * i + 2 < C::cols) v.z = load(from + 4 * i + 2);
  }
  return v;
}

// Four columns a step of each lane, as they come from memory.
template <class C>
struct InputColumns {
  using Shape = ProjectionShape<C>;
  float4 v[Shape::input_steps];

  // Whether the lane has columns of the chunk at a step, and the index of these four in the whole input.
  static DEVICE bool inside(int step) {
    return Shape::chunk_units % 4 == 0 || step * 32 + thread_index() % 32 < Shape::chunk_units * 8;
  }
  static DEVICE int index(int chunk, int step) {
    return chunk * Shape::chunk_units * 8 + step * 32 + thread_index() % 32;
  }
  template <bool Settled>
  DEVICE void load(const float* from, int chunk) {
#pragma unroll
    for (int step = 0; step < Shape::input_steps; step++)
      v[step] = inside(step) ? load_columns<C, Settled>(from, index(chunk, step)) : float4{};
  }
  DEVICE float squares() const {
    float sum = 0;
#pragma unroll
    for (int step = 0; step < Shape::input_steps; step++) sum = dot(v[step], v[step], sum);
    return sum;
  }
  // The lane's sum of its columns, or of the squares of their distances from a mean; nothing is past the input's end.
  DEVICE float sum_around(int chunk, float mean, bool square) const {
    float sum = 0;
#pragma unroll
    for (int step = 0; step < Shape::input_steps; step++) {
      const float four[4] = {v[step].x - mean, v[step].y - mean, v[step].z - mean, v[step].w - mean};
#pragma unroll
      for (int j = 0; j < 4; j++)
        if (inside(step) && 4 * index(chunk, step) + j < C::cols) sum += square ? four[j] * four[j] : four[j];
    }
    return sum;
  }
  DEVICE void multiply(const InputColumns& by) {
#pragma unroll
    for (int j = 0; j < Shape::input_steps; j++)
      v[j] = {v[j].x * by.v[j].x, v[j].y * by.v[j].y, v[j].z * by.v[j].z, v[j].w * by.v[j].w};
  }
  // (v - mean) * scale * by + plus.
  DEVICE void normalize(float mean, float scale, const InputColumns& by, const InputColumns& plus) {
#pragma unroll
    for (int j = 0; j < Shape::input_steps; j++)
      v[j] = {
          fmaf((v[j].x - mean) * scale, by.v[j].x, plus.v[j].x), fmaf((v[j].y - mean) * scale, by.v[j].y, plus.v[j].y),
          fmaf((v[j].z - mean) * scale, by.v[j].z, plus.v[j].z), fmaf((v[j].w - mean) * scale, by.v[j].w, plus.v[j].w)};
  }
};

// The units that a lane multiplies with: lane % lanes_k, and every 32nd from there on.
template <class C>
struct Activations {
  using Shape = ProjectionShape<C>;
  using Kinds = typename Shape::Kinds;
  IntUnit ints[Kinds::any_quant ? Shape::unit_sets : 1];
  FloatActivations floats[Kinds::any_float ? Shape::unit_sets : 1];

  // All lanes of the warp; `shared` has Shape::input_bytes.
  DEVICE void set(const InputColumns<C>& input, char* shared) {
#pragma unroll
    for (int step = 0; step < Shape::input_steps; step++) store(shared, step * 32 + thread_index() % 32, input.v[step]);
    warp_sync();
#pragma unroll
    for (int j = 0; j < Shape::unit_sets; j++) {
      const int u = thread_index() % Shape::lanes_k + 32 * j;
      if (u < Shape::chunk_units) fetch(shared, u, j);
    }
  }

 private:
  static DEVICE uint4* plane(char* shared, int i) { return (uint4*)(shared + Shape::plane_at + i * Shape::plane); }
  static DEVICE float* scales(char* shared) { return (float*)(shared + Shape::scale_at); }
  static DEVICE int* sums(char* shared) { return (int*)(shared + Shape::sums_at); }

  // Stores columns 4i..4i+3 of the chunk. Lanes 8j..8j+7 hold a unit: its scale makes the largest of it 32767. All
  // lanes.
  static DEVICE void store(char* shared, int i, const float4& v) {
    const bool inside = i < Shape::chunk_units * 8;
    if (Kinds::any_float && inside) ((float4*)shared)[i % 8 * Shape::x_stride + i / 8] = v;
    if (!Kinds::any_quant) return;
    float largest = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
#pragma unroll
    for (int mask = 1; mask < 8; mask *= 2) largest = fmaxf(largest, warp_shuffle_xor(largest, mask));
    const float by = largest > 0.f ? fast_divide(32767.f, largest) : 0.f;
    const int q[4] = {round_to_int(v.x * by), round_to_int(v.y * by), round_to_int(v.z * by), round_to_int(v.w * by)};
    int sum = q[0] + q[1] + q[2] + q[3];
    if (Kinds::any_sums) {
      sum += warp_shuffle_xor(sum, 1);
      sum += warp_shuffle_xor(sum, 2);
    }
    if (!inside) return;
    uint32_t high = 0, low = 0;
#pragma unroll
    for (int k = 0; k < 4; k++) high |= (uint32_t)(q[k] >> 8 & 255) << 8 * k, low |= (uint32_t)(q[k] & 255) << 8 * k;
    const int u = i / 8, half = i % 8 / 4, at = u * 4 + i % 4;
    ((uint32_t*)plane(shared, half))[at] = high;
    ((uint32_t*)plane(shared, 2 + half))[at] = low;
    if (i % 8 == 0) scales(shared)[u] = largest * (1.f / 32767.f);
    if (Kinds::any_sums && i % 4 == 0) sums(shared)[2 * u + half] = sum;
  }
  DEVICE void fetch(char* shared, int u, int j) {
    if constexpr (Kinds::any_float) {
#pragma unroll
      for (int k = 0; k < 8; k++) floats[j].x[k] = ((const float4*)shared)[k * Shape::x_stride + u];
    }
    if constexpr (Kinds::any_quant) {
      IntUnit& v = ints[j];
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const uint4 high = plane(shared, half)[u], low = plane(shared, 2 + half)[u];
#pragma unroll
        for (int k = 0; k < 4; k++) v.high[4 * half + k] = word(high, k), v.low[4 * half + k] = word(low, k);
      }
      v.scale = scales(shared)[u];
      if (Kinds::any_sums) v.sums[0] = sums(shared)[2 * u], v.sums[1] = sums(shared)[2 * u + 1];
    }
  }
};

}  // namespace realizar
