// The input of a kernel of experts, from global memory to shared memory, times the norm's weights: the factor of the
// mean square follows after the dot product.
#pragma once
#include "shape.cuh"

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

// The rest of an input of more than a batch, x to shared memory, and the scale of the norm.
template <class C>
DEVICE float store_input(const ExpertsArgs& a, const ExpertInput<C>& x, float4 (&v)[ExpertsShape<C>::input_batch],
                         float4 (&norm)[ExpertsShape<C>::input_batch], float* partial) {
  using Shape = ExpertsShape<C>;
  using Input = ExpertInput<C>;
  constexpr int batch = Shape::input_batch;
  const int warp = thread_index() / 32;
  float squares[1] = {};
  for (int step = 0; step < Shape::input_steps; step += batch) {
    const auto index = [&](int j) { return (step + j) * Shape::threads + thread_index(); };
    if (step > 0) {
#pragma unroll
      for (int j = 0; j < batch; j++) v[j] = Input::template load<false>(a.input, index(j));
      if (C::norm::any) {
#pragma unroll
        for (int j = 0; j < batch; j++) norm[j] = Input::template load<true>(a.norm, index(j));
      }
    }
#pragma unroll
    for (int j = 0; j < batch; j++) {
      if (C::norm::any) {
        squares[0] = dot(v[j], v[j], squares[0]);
        v[j] = {v[j].x * norm[j].x, v[j].y * norm[j].y, v[j].z * norm[j].z, v[j].w * norm[j].w};
      }
      if ((step + j) * Shape::threads + warp * 32 < Shape::x_units * 8) x.store(index(j), v[j]);
    }
  }
  if (C::norm::any) {
    warp_sum(squares);
    if (thread_index() % 32 == 0) partial[warp] = squares[0];
  }
  block_sync();
  if constexpr (C::norm::any) {
    float mean_square = 0;
#pragma unroll
    for (int w = 0; w < C::warps; w++) mean_square += partial[w];
    return rsqrtf(mean_square / C::cols + C::norm::epsilon);
  }
  return 1.f;
}

}  // namespace realizar
