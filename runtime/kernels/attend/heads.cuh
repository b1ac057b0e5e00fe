// The prologue of attention: q and k of the new token, head by head: q' = rope(norm(q)) * scale, k' = rope(norm(k));
// k' and v are appended to the KV cache.
#pragma once
#include "load.cuh"
#include "rotate.cuh"

namespace realizar {

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
  load_angles<C>(b.position, b.args.rope_factors, b.floats(AttendShape<C>::angle_at), AttendShape<C>::threads);
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
    const auto mean = [&] { return mean_square(a.qkv, C::heads * C::head_size); };
    rotate_head<C, Norm>(lane, a.qkv + at, b.floats(Shape::norms_at) + (Norm::joint ? h * C::head_size : 0), mean,
                         angles, C::scale, [&](int d, float v) {
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
  const int64_t row = cache_row<C>(b.newest_page, b.kv_head, b.position);
  const auto keep = [&](uint16_t* newest, uint16_t* cache, int d, float v) {
    const int at = Shape::Row::element(b.position, d);
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
  const auto mean = [&] { return mean_square(keys, C::kv_heads * C::head_size); };
  rotate_head<C, typename C::key_norm>(lane, keys + at, b.floats(Shape::norms_at) + Shape::query_norms, mean, angles,
                                       1.f, [&](int d, float v) { keep(b.newest_key(), a.keys, d, v); });
#pragma unroll
  for (int i = 0; i < (Shape::row + 31) / 32; i++)
    if (lane + 32 * i < Shape::row) keep(b.newest_value(), a.values, lane + 32 * i, values[i]);
}

}  // namespace realizar
