// Load: what a block works on, one piece of work after the other, and its pipeline of keys and values through shared
// memory, which goes on from one piece to the next.
#pragma once
#include "shape.cuh"

namespace realizar {

// A tile's rows and the query heads of one KV head: so many queries, those of a row next to each other.
template <class C>
struct Work {
  using Shape = AttendRowsShape<C>;
  Tile tile;
  int kv_head = 0;
  int first = 0, end = 0;  // chunks of positions that some row sees; none: there is no more work

  DEVICE int queries() const { return tile.n_rows * Shape::heads_per_kv; }
  // Of a query: its row in the step, its position, its head.
  DEVICE int row(int query) const { return tile.row + query / Shape::heads_per_kv; }
  DEVICE int position(int query) const { return tile.position + query / Shape::heads_per_kv; }
  DEVICE int head(int query) const { return kv_head * Shape::heads_per_kv + query % Shape::heads_per_kv; }
  DEVICE int end_position() const { return tile.position + tile.n_rows; }
};

// A block's n-th piece of work: tiles come in order, the longest first, and blocks take turns forth and back.
template <class C>
DEVICE Work<C> nth_work(const AttendRowsArgs& a, int n_tiles, int n) {
  const int blocks = grid_blocks(), block = n % 2 ? blocks - 1 - block_index() : block_index();
  const int item = n * blocks + block;
  if (item >= n_tiles * C::kv_heads) return {};
  const Tile* tile = a.tiles + item / C::kv_heads;
  const int slot = load_settled(&tile->slot);
  Work<C> work;
  work.tile = {load_settled(&tile->row), load_settled(&tile->n_rows),
               settled_position<C>(load_settled(&tile->position), slot, a.slots), slot};
  work.kv_head = item % C::kv_heads;
  work.first = C::window::hidden(work.tile.position + 1) / AttendRowsShape<C>::chunk;
  work.end = (work.end_position() + AttendRowsShape<C>::chunk - 1) / AttendRowsShape<C>::chunk;
  return work;
}

// Each warp has a quarter of a chunk copied. All threads of the block call these together.
template <class C>
class PagePipeline {
 public:
  using Shape = AttendRowsShape<C>;

  DEVICE PagePipeline(const AttendRowsArgs& a, int n_tiles) : a_(a), n_tiles_(n_tiles) {
    if (thread_index() == 0)
      for (int i = 0; i < C::stages; i++) barrier(i).init(Shape::warps);
    copy_barriers_ready();
    block_sync();
    begin(nth_work<C>(a, n_tiles, 0));
  }
  // Before the first next. Settled, before grid_wait: only chunks of positions that earlier steps have computed. This
  // step's rows of the slot are `row` rows before the tile's first one at most.
  template <bool Settled>
  DEVICE void fill() {
    while (n_loaded_ < C::stages - 1 && chunk_ < work_.end) {
      if (Settled && (chunk_ + 1) * Shape::chunk > work_.tile.position - work_.tile.row) return;
      load();
    }
  }
  // The next chunk's keys, with its values behind them; what was there before it goes. Until the next call.
  DEVICE const uint16_t* next() {
    block_sync();  // all warps are done with the chunk that the load replaces
    load();
    barrier(n_used_).wait(n_used_ / C::stages & 1);
    return stage(n_used_++);
  }

 private:
  DEVICE CopyBarrier& barrier(int i) const {
    return ((CopyBarrier*)(shared_memory() + Shape::barrier_at))[i % C::stages];
  }
  DEVICE uint16_t* stage(int i) const { return (uint16_t*)(shared_memory() + i % C::stages * 2 * Shape::chunk_bytes); }
  DEVICE void begin(const Work<C>& work) {
    work_ = work, chunk_ = work.first;
    find_page();
  }
  // The page of the next chunk is known when its turn comes.
  DEVICE void find_page() {
    if (chunk_ < work_.end) page_ = page_of(of_slot<C>(a_.page_table, work_.tile.slot), chunk_ * Shape::chunk);
  }
  DEVICE void load() {
    if (chunk_ >= work_.end) return;
    constexpr int share = Shape::chunk / Shape::warps, bytes = share * Shape::row * 2;
    const int in_chunk = thread_index() / 32 * share;
    const int64_t from = cache_row<C>(page_, work_.kv_head, chunk_ * Shape::chunk + in_chunk);
    uint16_t* to = stage(n_loaded_) + in_chunk * Shape::row;
    CopyBarrier& done = barrier(n_loaded_++);
    begin_copies(done, 2 * bytes);
    copy_to_shared(to, a_.keys + from, bytes, done);
    copy_to_shared(to + Shape::chunk * Shape::row, a_.values + from, bytes, done);
    end_copies(done);
    if (++chunk_ < work_.end)
      find_page();
    else
      begin(nth_work<C>(a_, n_tiles_, ++n_work_));
  }

  const AttendRowsArgs& a_;
  int n_tiles_, n_work_ = 0, n_loaded_ = 0, n_used_ = 0;
  Work<C> work_;  // that the next load is for
  int chunk_;
  uint32_t page_ = 0;
};

}  // namespace realizar
