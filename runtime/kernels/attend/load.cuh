// Load: what a block of attention works on, and its pipeline of cached keys and values through shared memory.
//
// A chunk's copies start when its page is known, and that is a load of its own: so a warp's lanes hold the pages of its
// next 32 chunks. A chunk may be in two pages only where a window's start is no multiple of 16.
#pragma once
#include "shape.cuh"

namespace realizar {

// The pages of a warp's chunks, of 32 at a time: lane l has those of the l-th.
template <class C>
struct WarpPages {
  int end = 0;  // the first chunk that it has no more
  uint32_t at_first = 0, at_last = 0;

  // Before first or last of a chunk, which come in order. Neither is of a chunk that has no position.
  DEVICE void reach(const AttendBlock<C>& b, int warp, int i) {
    if (i < end) return;
    const int from = b.chunk_first(warp, end + thread_index() % 32);
    if (from < b.end) {
      const int last = from + AttendShape<C>::chunk < b.end ? from + AttendShape<C>::chunk : b.end;
      at_first = page_of(b.args.page_table, from);
      if (AttendShape<C>::crosses_pages) at_last = page_of(b.args.page_table, last - 1);
    }
    end += 32;
  }
  DEVICE uint32_t first(int i) const { return warp_shuffle(at_first, i % 32); }
  DEVICE uint32_t last(int i) const { return warp_shuffle(at_last, i % 32); }
};

template <class C>
struct AttendBlock {
  using Shape = AttendShape<C>;
  const AttendArgs& args;
  char* shared;
  int split, kv_head, first_head, counter;
  int position, splits, first, end;  // first, end: this split's share of positions, the newest included
  uint32_t newest_page;

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
  DEVICE void load(WarpPages<C>& pages, int warp, int i) const {
    const int from = chunk_first(warp, i), n = cached(from);
    if (n <= 0) return;
    pages.reach(*this, warp, i);
    CopyBarrier& done = barrier(warp, i);
    begin_copies(done, 2 * n * Shape::row * 2);
    const int in_first = kv_page_positions - from % kv_page_positions;
    if (!Shape::crosses_pages || n <= in_first) {
      copy(warp, i, 0, n, cache_row<C>(pages.first(i), kv_head, from), done);
    } else {
      copy(warp, i, 0, in_first, cache_row<C>(pages.first(i), kv_head, from), done);
      copy(warp, i, in_first, n - in_first, cache_row<C>(pages.last(i), kv_head, from + in_first), done);
    }
    end_copies(done);
  }
  DEVICE void copy(int warp, int i, int to, int n, int64_t row, CopyBarrier& done) const {
    char* keys = chunk_keys(warp, i) + to * Shape::row * 2;
    copy_to_shared(keys, args.keys + row, n * Shape::row * 2, done);
    copy_to_shared(keys + Shape::half_chunk, args.values + row, n * Shape::row * 2, done);
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
          split == splits - 1 ? seq_len : hidden + (split + 1) * share,
          page_of(a.page_table, position)};
}

}  // namespace realizar
