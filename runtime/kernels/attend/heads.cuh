// The prologue of attention: q and k of the new token, head by head: q' = rope(norm(q)) * scale, k' = rope(norm(k));
// k' and v are appended to the KV cache.
#pragma once
#include "load.cuh"

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

// The norms' weights of the block's heads, into shared memory.
template <class C>
DEVICE void load_norms(const AttendBlock<C>& b) {
  using Shape = AttendShape<C>;
  float* norms = b.floats(Shape::norms_at);
  const float* query = b.args.query_norm + (C::query_norm::joint ? b.first_head * C::head_size : 0);
  const float* key = b.args.key_norm + (C::key_norm::joint ? b.kv_head * C::head_size : 0);
  for (int i = thread_index(); i < Shape::query_norms; i += Shape::threads) norms[i] = query[i];
  for (int i = thread_index(); i < Shape::key_norms; i += Shape::threads) norms[Shape::query_norms + i] = key[i];
}

// Cos and sin of the position's angles, into shared memory.
template <class C>
DEVICE void load_angles(const AttendBlock<C>& b) {
  using Shape = AttendShape<C>;
  for (int i = thread_index(); i < C::rope::dims / 2; i += Shape::threads) {
    float angle = b.position * C::rope::inverse_frequency(i);
    if (C::rope::factors) angle /= b.args.rope_factors[i];
    float* at = b.floats(Shape::angle_at) + 2 * i;
    sincosf(angle, at + 1, at);
    at[0] *= C::rope::magnitude, at[1] *= C::rope::magnitude;
  }
}

// A head of q or k from the projection: norm and rope, in the variant's order, times `scale`; store(d, value) of each
// element, and of those that fill the row up. `all`: the heads that a joint norm is of, so many. One warp; a lane has
// the pairs of elements that rotate together.
template <class C, class Norm, class Store>
DEVICE void rotate_head(int lane, const float* from, const float* norm, const float* all, int heads,
                        const float* angles, float scale, const Store& store) {
  constexpr int pairs = AttendShape<C>::row / 2, each = (pairs + 31) / 32, rotating = C::rope::dims / 2;
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
    const float mean = Norm::joint ? mean_square(all, heads * C::head_size) : squares[0] / C::head_size;
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

// The queries of the block, each number as two halves. A warp a head, one after the other.
template <class C>
DEVICE void load_queries(const AttendBlock<C>& b, int warp, int lane) {
  using Shape = AttendShape<C>;
  const AttendArgs& a = b.args;
  const float* angles = b.floats(Shape::angle_at);
  for (int h = warp; h < Shape::H; h += C::warps) {
    using Norm = typename C::query_norm;
    const int at = (b.first_head + h) * C::head_size;
    rotate_head<C, Norm>(lane, a.qkv + at, b.floats(Shape::norms_at) + (Norm::joint ? h * C::head_size : 0), a.qkv,
                         C::heads, angles, C::scale, [&](int d, float v) {
                           const uint16_t high = float_to_half(v);
                           b.query(0, h)[d] = high, b.query(1, h)[d] = float_to_half(v - half_to_float(high));
                         });
  }
}

// The new key and value, where this split ends with them: to shared memory for the block's own use, and to the cache.
// The last warp.
template <class C>
DEVICE void append_newest(const AttendBlock<C>& b, int warp, int lane) {
  using Shape = AttendShape<C>;
  if (!b.has_newest() || warp != C::warps - 1) return;
  const AttendArgs& a = b.args;
  const float* angles = b.floats(Shape::angle_at);
  const bool appends = b.first_head % Shape::heads_per_kv == 0;  // one group of heads does
  const int64_t row = ((int64_t)b.kv_head * C::n_ctx + b.position) * Shape::row;
  const auto keep = [&](uint16_t* newest, uint16_t* cache, int d, float v) {
    const int at = Shape::swizzle(b.position, d / 8) * 8 + d % 8;
    newest[at] = float_to_half(v);
    if (appends) cache[row + at] = newest[at];
  };
  const int at = b.kv_head * C::head_size;
  // On its way while the key rotates.
  const float* value = a.qkv + (C::heads + C::kv_heads) * C::head_size + at;
  float values[(Shape::row + 31) / 32];
#pragma unroll
  for (int i = 0; i < (Shape::row + 31) / 32; i++)
    values[i] = lane + 32 * i < C::head_size ? load_global(value + lane + 32 * i) : 0.f;
  const float* keys = a.qkv + C::heads * C::head_size;
  rotate_head<C, typename C::key_norm>(lane, keys + at, b.floats(Shape::norms_at) + Shape::query_norms, keys,
                                       C::kv_heads, angles, 1.f,
                                       [&](int d, float v) { keep(b.newest_key(), a.keys, d, v); });
#pragma unroll
  for (int i = 0; i < (Shape::row + 31) / 32; i++)
    if (lane + 32 * i < Shape::row) keep(b.newest_value(), a.values, lane + 32 * i, values[i]);
}

}  // namespace realizar
