// Queries, keys and values of a step's rows, for attention (attend_rows):
//   q' = rope(norm(q)) * scale, k' = rope(norm(k));  k' and v become their position of the row's slot in the KV cache
// Shapes: qkv f32 [rows][qkv_cols], of a row q, k, v and what else there is; query f16 [rows][heads][row], row =
// head_size rounded up to 16, zeros after head_size, with rests [rows][heads][2][row]: the nearest halves, and then
// those of what they leave; keys and values f16 [pages][kv_heads][64][row] (kv_row.cuh). One block a row, a warp a
// head, one after the other. Its tests alone: npx vitest run test/runtime/sim.test.ts -t append
//
// C starts from AppendDefaults and states: int heads, kv_heads, head_size, qkv_cols, slot_bytes, warps; int64_t
// page_stride; float scale.
#pragma once
#include "attend/rotate.cuh"
#include "slots.cuh"

namespace realizar {

struct AppendArgs {
  const StepHeader* step;
  const Row* rows;
  const State* slots;
  const float* qkv;
  const float* query_norm;     // [head_size], or [heads * head_size]
  const float* key_norm;       // [head_size], or [kv_heads * head_size]
  const float* rope_factors;   // [rope's dims / 2]
  const uint32_t* page_table;  // the first slot's
  uint16_t* keys;
  uint16_t* values;
  uint16_t* query;
};

struct AppendDefaults {
  using query_norm = NoHeadNorm;
  using key_norm = NoHeadNorm;
  using rope = NoRope;
  static constexpr float epsilon = 0.f;             // of the head norms
  static constexpr bool norms_follow_rope = false;  // else they come before it
  static constexpr bool rests = false;              // of the queries
};

template <class C>
struct AppendShape {
  static constexpr int threads = C::warps * 32, row = KvRow<C::head_size>::row;
  // Shared memory: cos and sin of the position's angles; the mean squares that joint norms are of.
  static constexpr int means_at = C::rope::dims, shared_bytes = (4 * (means_at + 2) + 15) / 16 * 16;
  static_assert(C::qkv_cols >= (C::heads + 2 * C::kv_heads) * C::head_size);
};

// What a block works on: one row.
template <class C>
struct AppendBlock {
  using Shape = AppendShape<C>;
  const AppendArgs& args;
  float* shared;
  int row, position;
  uint32_t page;

  DEVICE const float* qkv() const { return args.qkv + (int64_t)row * C::qkv_cols; }
  DEVICE const float* keys() const { return qkv() + C::heads * C::head_size; }
  DEVICE int64_t cached(int kv_head) const { return cache_row<C>(page, kv_head, position); }
  template <class Norm>
  static DEVICE const float* norm_of(const float* norm, int head) {
    return norm + (Norm::joint ? head * C::head_size : 0);
  }

  DEVICE void load_joint_means() const {
    const int warp = thread_index() / 32;
    float mean = 0;
    if (C::query_norm::joint && warp == 0) {
      mean = mean_square(qkv(), C::heads * C::head_size);
      if (thread_index() % 32 == 0) shared[Shape::means_at] = mean;
    }
    if (C::key_norm::joint && warp == C::warps - 1) {
      mean = mean_square(keys(), C::kv_heads * C::head_size);
      if (thread_index() % 32 == 0) shared[Shape::means_at + 1] = mean;
    }
  }
  DEVICE void store_query(int head, int lane) const {
    uint16_t* to = args.query + ((int64_t)row * C::heads + head) * (C::rests ? 2 : 1) * Shape::row;
    using Norm = typename C::query_norm;
    rotate_head<C, Norm>(
        lane, qkv() + head * C::head_size, norm_of<Norm>(args.query_norm, head),
        [&] { return shared[Shape::means_at]; }, shared, C::scale,
        [&](int d, float v) {
          to[d] = float_to_half(v);
          if (C::rests) to[Shape::row + d] = float_to_half(v - half_to_float(to[d]));
        });
  }
  DEVICE void store_key(int head, int lane) const {
    uint16_t* to = args.keys + cached(head);
    using Norm = typename C::key_norm;
    rotate_head<C, Norm>(
        lane, keys() + head * C::head_size, norm_of<Norm>(args.key_norm, head),
        [&] { return shared[Shape::means_at + 1]; }, shared, 1.f,
        [&](int d, float v) { to[KvRow<C::head_size>::element(position, d)] = float_to_half(v); });
  }
  DEVICE void store_value(int head, int lane) const {
    const float* from = keys() + (C::kv_heads + head) * C::head_size;
    uint16_t* to = args.values + cached(head);
    for (int d = lane; d < Shape::row; d += 32)
      to[KvRow<C::head_size>::element(position, d)] = d < C::head_size ? float_to_half(load_global(from + d)) : 0;
  }
};

template <class C>
DEVICE void append(const AppendArgs& a) {
  const int row = block_index(), n = load_settled(&a.step->n_rows);
  grid_release();
  if (row >= n) {
    grid_wait();
    return;
  }
  const int slot = load_settled(&a.rows[row].slot);
  const int position = settled_position<C>(load_settled(&a.rows[row].position), slot, a.slots);
  const uint32_t page = page_of(of_slot<C>(a.page_table, slot), position);
  const AppendBlock<C> b = {a, (float*)shared_memory(), row, position, page};
  load_angles<C>(position, a.rope_factors, b.shared, AppendShape<C>::threads);
  grid_wait();
  b.load_joint_means();
  block_sync();
  const int lane = thread_index() % 32;
  for (int i = thread_index() / 32; i < C::heads + 2 * C::kv_heads; i += C::warps) {
    if (i < C::heads)
      b.store_query(i, lane);
    else if (i < C::heads + C::kv_heads)
      b.store_key(i - C::heads, lane);
    else
      b.store_value(i - C::heads - C::kv_heads, lane);
  }
}

}  // namespace realizar
