// A head of q or k as attention wants it: rope(norm(head)) * scale.
#pragma once
#include "../kv_row.cuh"
#include "variants.cuh"

namespace realizar {

// The mean square of `size` numbers, in every lane. One warp.
DEVICE float mean_square(const float* from, int size) {
  float squares[1] = {};
#pragma unroll 8
  for (int i = thread_index() % 32; i < size; i += 32) {
    const float v = load_global(from + i);
    squares[0] = fmaf(v, v, squares[0]);
  }
  warp_sum(squares);
  return squares[0] / size;
}

// Cos and sin of a position's angles, by so many threads.
template <class C>
DEVICE void load_angles(int position, const float* rope_factors, float* angles, int threads) {
  for (int i = thread_index(); i < C::rope::dims / 2; i += threads) {
    float angle = position * C::rope::inverse_frequency(i);
    if (C::rope::factors) angle /= rope_factors[i];
    float* at = angles + 2 * i;
    sincosf(angle, at + 1, at);
    at[0] *= C::rope::magnitude, at[1] *= C::rope::magnitude;
  }
}

// A head of q or k from the projection: norm and rope, in the variant's order, times `scale`; store(d, value) of each
// element, and of those that fill the row up. `joint_mean()`: the mean square of all heads that a joint norm is of. One
// warp; a lane has the pairs of elements that rotate together.
template <class C, class Norm, class Mean, class Store>
DEVICE void rotate_head(int lane, const float* from, const float* norm, const Mean& joint_mean, const float* angles,
                        float scale, const Store& store) {
  constexpr int pairs = KvRow<C::head_size>::row / 2, each = (pairs + 31) / 32, rotating = C::rope::dims / 2;
  const auto first = [](int i) { return i < rotating && !C::rope::adjacent ? i : 2 * i; };
  const auto second = [](int i) { return i < rotating && !C::rope::adjacent ? i + rotating : 2 * i + 1; };
  const auto load = [&](int i, int d) { return i < pairs && d < C::head_size ? load_global(from + d) : 0.f; };
  float x[each], y[each];
#pragma unroll
  for (int j = 0; j < each; j++) {
    const int i = lane + 32 * j;
    x[j] = load(i, first(i)), y[j] = load(i, second(i));
  }
  const auto cosine = [&](int i) { return i < rotating ? angles[2 * i] : 1.f; };
  const auto sine = [&](int i) { return i < rotating ? angles[2 * i + 1] : 0.f; };
  if constexpr (C::norms_follow_rope) {
#pragma unroll
    for (int j = 0; j < each; j++) {
      const int i = lane + 32 * j;
      const float rotated = x[j] * cosine(i) - y[j] * sine(i);
      y[j] = x[j] * sine(i) + y[j] * cosine(i), x[j] = rotated;
    }
  }
  if constexpr (Norm::any) {
    float squares[1] = {};
#pragma unroll
    for (int j = 0; j < each; j++) squares[0] = fmaf(x[j], x[j], fmaf(y[j], y[j], squares[0]));
    warp_sum(squares);
    const float mean = Norm::joint ? joint_mean() : squares[0] / C::head_size;
    const float by = rsqrtf(mean + C::epsilon);
#pragma unroll
    for (int j = 0; j < each; j++) {
      const int i = lane + 32 * j;
      if (i < pairs && first(i) < C::head_size) x[j] *= by * norm[first(i)];
      if (i < pairs && second(i) < C::head_size) y[j] *= by * norm[second(i)];
    }
  }
#pragma unroll
  for (int j = 0; j < each; j++) {
    const int i = lane + 32 * j;
    if (i >= pairs) continue;
    const float c = C::norms_follow_rope ? 1.f : cosine(i), s = C::norms_follow_rope ? 0.f : sine(i);
    store(first(i), (x[j] * c - y[j] * s) * scale);
    store(second(i), (x[j] * s + y[j] * c) * scale);
  }
}

}  // namespace realizar
