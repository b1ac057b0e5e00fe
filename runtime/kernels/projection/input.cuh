// A warp's chunk of a projection's input, from global memory to the registers of the lanes that multiply with it, in
// the forms that the weight formats want (formats.cuh). Shared memory, of this warp alone, is only where lanes exchange
// it.
#pragma once
#include "shape.cuh"

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

template <class C>
DEVICE void store_columns(float* to, int i, const float4& v) {
  if (4 * i + 3 < C::cols) {
    ((float4*)to)[i] = v;
  } else if (C::cols % 4 && 4 * i < C::cols) {
    to[4 * i] = v.x;
    if (4 * i + 1 < C::cols) to[4 * i + 1] = v.y;
    if (4 * i + 2 < C::cols) to[4 * i + 2] = v.z;
  }
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
  DEVICE void store(float* to, int chunk) const {
#pragma unroll
    for (int step = 0; step < Shape::input_steps; step++)
      if (inside(step)) store_columns<C>(to, index(chunk, step), v[step]);
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
  // v * scale + plus.
  DEVICE void scale_add(float scale, const InputColumns& plus) {
#pragma unroll
    for (int j = 0; j < Shape::input_steps; j++)
      v[j] = {fmaf(v[j].x, scale, plus.v[j].x), fmaf(v[j].y, scale, plus.v[j].y), fmaf(v[j].z, scale, plus.v[j].z),
              fmaf(v[j].w, scale, plus.v[j].w)};
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
    const SharedUnits<Kinds, Shape::chunk_units> units = {shared};
#pragma unroll
    for (int step = 0; step < Shape::input_steps; step++) units.store(step * 32 + thread_index() % 32, input.v[step]);
    warp_sync();
#pragma unroll
    for (int j = 0; j < Shape::unit_sets; j++) {
      const int u = thread_index() % Shape::lanes_k + 32 * j;
      if (u >= Shape::chunk_units) continue;
      if constexpr (Kinds::any_float) floats[j] = units.floats(u);
      if constexpr (Kinds::any_quant) ints[j] = units.ints(u);
    }
  }
};

}  // namespace realizar
