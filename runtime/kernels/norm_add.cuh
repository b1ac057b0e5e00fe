// y = norm(x) + residual, for norms that follow a projection, where a block has only some of the rows, and that the
// next projection does not take with its input (projection.cuh). One block. C: size, threads; centred (LayerNorm, else
// RMSNorm), norm_bias, add_residual, epsilon.
#pragma once
#include "block_sum.cuh"

namespace realizar {

struct NormAddArgs {
  const float* input;      // [size]
  const float* norm;       // [size]
  const float* norm_bias;  // [size]
  const float* residual;   // [size]
  float* output;           // [size]
};

template <class C>
DEVICE void norm_add(const NormAddArgs& a) {
  constexpr int each = (C::size + C::threads - 1) / C::threads, warps = C::threads / 32;
  float* partial = (float*)shared_memory();
  grid_wait();
  float x[each], residual[each];  // both under way before the first is used
#pragma unroll
  for (int j = 0; j < each; j++) {
    const int i = j * C::threads + thread_index();
    x[j] = i < C::size ? load_global(a.input + i) : 0.f;
    residual[j] = C::add_residual && i < C::size ? load_global(a.residual + i) : 0.f;
  }
  grid_release();
  float mean = 0, squares = 0;
  if (C::centred) {
#pragma unroll
    for (int j = 0; j < each; j++) mean += x[j];
    mean = block_sum<warps>(mean, partial) / C::size;
  }
#pragma unroll
  for (int j = 0; j < each; j++)
    if (j * C::threads + thread_index() < C::size) squares = fmaf(x[j] - mean, x[j] - mean, squares);
  const float scale = rsqrtf(block_sum<warps>(squares, partial) / C::size + C::epsilon);
#pragma unroll
  for (int j = 0; j < each; j++) {
    const int i = j * C::threads + thread_index();
    if (i >= C::size) continue;
    const float y = (x[j] - mean) * scale * a.norm[i];
    a.output[i] = (C::norm_bias ? y + a.norm_bias[i] : y) + residual[j];
  }
}

}  // namespace realizar
