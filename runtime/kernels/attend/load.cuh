// Load: what a block of attention works on, and its pipeline of cached keys and values through shared memory.
#pragma once
#include "shape.cuh"

namespace realizar {

template <class C>
struct AttendBlock {
  using Shape = AttendShape<C>;
  const AttendArgs& args;
  char* shared;
  int split, kv_head, first_head, counter;
  int position, splits, first, end;  // first, end: this split's share of positions, the newest included

  DEVICE float* floats(int at) const { return (float*)(shared + at); }
  DEVICE bool is_idle() const { return split >= splits || counter >= C::kv_heads * Shape::head_groups; }
  DEVICE bool has_newest() const { return split == splits - 1; }
  // The high halves of query h of the block, or the low ones: both add up to it.
  DEVICE uint16_t* query(int low, int h) const {
    return (uint16_t*)(shared + Shape::query_at) + (low * Shape::H + h) * Shape::query_row;
  }
  DEVICE uint16_t* newest_key() const { return (uint16_t*)(shared + Shape::newest_at); }
  DEVICE uint16_t* newest_value() const { return newest_key() + Shape::row; }

  // A warp's chunks are every C::warps-th; i counts them.
  DEVICE int chunk_first(int warp, int i) const { return first + (i * C::warps + warp) * Shape::chunk; }
  DEVICE char* stages(int warp) const { return shared + warp * Shape::warp_stages_bytes; }
  DEVICE char* chunk_keys(int warp, int i) const { return stages(warp) + i % C::stages * 2 * Shape::half_chunk; }
  DEVICE CopyBarrier& barrier(int warp, int i) const {
    return ((CopyBarrier*)(shared + Shape::barrier_at))[warp * C::stages + i % C::stages];
  }
  // Of a chunk, what earlier launches have written.
  DEVICE int cached(int from) const {
    const int left = (has_newest() ? position : end) - from;
    return left < Shape::chunk ? left : Shape::chunk;
  }
  // Starts copying the cached positions of a chunk. One warp.
  DEVICE void load(int warp, int i) const {
    const int from = chunk_first(warp, i), n = cached(from);
    if (n <= 0) return;
    const int64_t row = ((int64_t)kv_head * C::n_ctx + from) * Shape::row;
    const int bytes = n * Shape::row * 2;
    CopyBarrier& done = barrier(warp, i);
    begin_copies(done, 2 * bytes);
    copy_to_shared(chunk_keys(warp, i), args.keys + row, bytes, done);
    copy_to_shared(chunk_keys(warp, i) + Shape::half_chunk, args.values + row, bytes, done);
    end_copies(done);
  }
  DEVICE void wait(int warp, int i) const {
    if (cached(chunk_first(warp, i)) > 0) barrier(warp, i).wait(i / C::stages & 1);
  }
};

// The block's heads, and its share of the context: equal shares of what is seen for as many splits as are worth it; the
// last one holds the newest position.
template <class C>
DEVICE AttendBlock<C> assign_block(const AttendArgs& a) {
  using Shape = AttendShape<C>;
  const int heads_index = block_index() / C::splits, kv_head = heads_index / Shape::head_groups;
  const int first_head = kv_head * Shape::heads_per_kv + heads_index % Shape::head_groups * Shape::H;
  const int position = load_settled(&a.state->position), seq_len = load_settled(&a.state->seq_len);
  const int hidden = C::window::hidden(seq_len), seen = seq_len - hidden;
  int splits = seen <= C::unsplit ? 1 : (seen + C::min_split - 1) / C::min_split;
  if (splits > C::splits) splits = C::splits;
  const int share = ((seen + splits - 1) / splits + Shape::chunk - 1) / Shape::chunk * Shape::chunk;
  splits = (seen + share - 1) / share;
  const int split = block_index() % C::splits;
  return {a,
          shared_memory(),
          split,
          kv_head,
          first_head,
          heads_index,
          position,
          splits,
          hidden + split * share,
          split == splits - 1 ? seq_len : hidden + (split + 1) * share};
}

}  // namespace realizar
