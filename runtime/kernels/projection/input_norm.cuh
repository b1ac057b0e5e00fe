// The norm of a projection's input: what a warp does to its chunk of it. RMSNorm needs the whole input's mean square,
// so the chunk is multiplied with the norm's weights here, and the factor follows in the epilogue, after the dot
// product. LayerNorm needs the mean first, and the sums of all chunks need barriers.
#pragma once
#include "input.cuh"

namespace realizar {

// The sum of what one lane of each warp has, of the warps with the first groups of rows. Used: `partial` may still be
// read.
template <class C, bool Used = true>
DEVICE float sum_of_chunks(float mine, float* partial) {
  float sum[1] = {mine};
  warp_sum(sum);
  const int warp = thread_index() / 32;
  if (Used) block_sync();
  if (thread_index() % 32 == 0 && warp < ProjectionShape<C>::chunks) partial[warp] = sum[0];
  block_sync();
  float all = 0;
  for (int chunk = 0; chunk < ProjectionShape<C>::chunks; chunk++) all += partial[chunk];
  return all;
}

// load: before grid_wait; apply: to the warp's chunk of the input; scale: what products are multiplied with, when all
// warps have left their squares.
template <class C, class Norm = typename C::norm>
struct InputNorm {
  DEVICE void load(const ProjectionArgs&, int) {}
  DEVICE void apply(const ProjectionArgs&, int, int, int, float*, InputColumns<C>&) const {}
  DEVICE float scale(const float*) const { return 1.f; }
};

template <class C, float Epsilon>
struct InputNorm<C, RmsNorm<Epsilon>> {
  InputColumns<C> weight;

  DEVICE void load(const ProjectionArgs& a, int chunk) { weight.template load<true>(a.norm, chunk); }
  DEVICE void apply(const ProjectionArgs&, int chunk, int row_warp, int lane, float* squares,
                    InputColumns<C>& input) const {
    float sum[1] = {input.squares()};
    warp_sum(sum);
    if (lane == 0 && row_warp == 0) squares[chunk] = sum[0];
    input.multiply(weight);
  }
  DEVICE float scale(const float* squares) const {
    float mean_square = 0;
#pragma unroll
    for (int i = 0; i < ProjectionShape<C>::chunks; i++) mean_square += squares[i];
    return rsqrtf(mean_square / C::cols + Epsilon);
  }
};

template <class C, float Epsilon, bool Bias>
struct InputNorm<C, LayerNorm<Epsilon, Bias>> {
  InputColumns<C> weight;

  DEVICE void load(const ProjectionArgs& a, int chunk) { weight.template load<true>(a.norm, chunk); }
  DEVICE void apply(const ProjectionArgs& a, int chunk, int, int, float* partial, InputColumns<C>& input) const {
    InputColumns<C> plus = {};
    if constexpr (Bias) plus.template load<true>(a.norm_bias, chunk);
    const float mean = sum_of_chunks<C>(input.sum_around(chunk, 0.f, false), partial) / C::cols;
    const float variance = sum_of_chunks<C>(input.sum_around(chunk, mean, true), partial) / C::cols;
    // Weights past the input's end are 0, so the columns there stay 0.
    input.normalize(mean, rsqrtf(variance + Epsilon), weight, plus);
  }
  DEVICE float scale(const float*) const { return 1.f; }
};

}  // namespace realizar
