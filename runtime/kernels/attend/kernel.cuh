// One token's attention for one layer:
//   q' = rope(norm(q)) * scale, k' = rope(norm(k)); k' and v become the newest position of the KV cache
//   out[h] = sigmoid(gate) * sum_t p_t v_t,  p = softmax over seen positions t, and a sink, of cap(q'[h] k_t)
// Shapes: qkv f32 [heads + 2 kv_heads][head_size] and gates; keys and values f16 [pages][kv_heads][64][row], row =
// head_size rounded up to 16, zeros after head_size, the page of each 64 positions by page_table; out f32
// [heads][head_size]. The 16-byte pieces of a row are swizzled by its position, so that rows of a tile are in different
// banks. Its tests alone: npx vitest run
// test/runtime/sim.test.ts -t attend
//
// Parts: config.cuh (arguments, what is compile-time), variants.cuh (norms, rope, window, sinks, gates), shape.cuh
// (shared memory), load.cuh (stages of cached keys and values), heads.cuh (prologue: q, k and v of the new token),
// main_loop.cuh (scores, online softmax, weighted values), epilogue.cuh (a block's warps), combine.cuh (the splits).
//
// The context is split over blocks (flash decoding): block = (KV head, group of its query heads, split), and over a
// block's warps in chunks of 16 positions, each warp with a pipeline of C::stages chunks of its own. All of the cache
// but the newest position was written by earlier launches, as were state and page table: position, angles and the first
// chunks are loaded before grid_wait, and only q and the new k and v after it.
//
// Each block rotates its own queries. The blocks of the last split also rotate the new key and use it and the new value
// from shared memory. A query, and a position's weight, is the sum of two halves, so that tensor cores lose nothing:
// rows of the scores' tile are the queries' high halves, then their low ones.
#pragma once
#include "epilogue.cuh"
#include "heads.cuh"

namespace realizar {

template <class C>
DEVICE void attend(const AttendArgs& a) {
  using Shape = AttendShape<C>;
  grid_release();  // what the next node prefetches arrives while this one waits for its chain of small loads
  const AttendBlock<C> b = assign_block<C>(a);
  if (b.split >= b.splits || b.counter >= C::kv_heads * Shape::head_groups) {
    grid_wait();  // to keep the place: what comes into it is for every multiprocessor
    return;
  }
  const int warp = thread_index() / 32;
  if (thread_index() % 32 == 0)
    for (int i = 0; i < C::stages; i++) b.barrier(warp, i).init();
  copy_barriers_ready();
  warp_sync();
  WarpPages<C> pages;
  for (int i = 0; i < C::stages; i++) b.load(pages, warp, i);
  load_angles(b);
  load_norms(b);
  block_sync();
  grid_wait();
  float first_gate = 0;
  if (C::gates::any && thread_index() < Shape::H * C::head_size) first_gate = C::gates::load(b, thread_index());
  const int lane = thread_index() % 32;
  load_queries(b, warp, lane);
  append_newest(b, warp, lane);
  block_sync();
  Queries<C> queries(b);
  WarpHeads<C> found;
  for (int i = 0; b.chunk_first(warp, i) < b.end; i++) {
    b.wait(warp, i);
    attend_chunk(b, i, queries, found);
    warp_sync();
    b.load(pages, warp, i + C::stages);
  }
  finish_heads(b, found, first_gate);
}

}  // namespace realizar
