// Attention of a step's rows for one layer, when append has left its queries, keys and values:
//   out[h] = sigmoid(gate) * sum_t p_t v_t,  p = softmax over seen positions t, and a sink, of cap(q'[h] k_t)
// Shapes: query f16 [rows][heads][row]; keys and values f16 [pages][kv_heads][64][row] (kv_row.cuh); out in operand
// form (operand.cuh) of [rows][heads * head_size]. Its tests alone: npx vitest run test/runtime/sim.test.ts -t
// attend_rows
//
// Parts: config.cuh (arguments, what is compile-time), attend/variants.cuh (window, sinks, gates), shape.cuh (tiles,
// shared memory), load.cuh (work, and the pages' way to shared memory), queries.cuh, main_loop.cuh (scores, online
// softmax, weighted values), fold.cuh (splits of a long context), epilogue.cuh.
//
// A piece of work is a tile, up to 64 queries: rows of one slot at consecutive positions times the query heads of one
// KV head. Four warps have 16 queries each and share the chunks of keys and values that come through the pipeline, in
// order of positions. Blocks stay, and take one piece of work after the other.
//
// What a query gives depends on itself, its position and its keys and values alone, bit for bit: chunks and splits
// begin at fixed positions, and a chunk of which it sees nothing, as of a window's earlier pages or of later rows of
// its tile, changes nothing. Keys and values that it sees none of must be numbers where they are of its own sequence.
#pragma once
#include "epilogue.cuh"
#include "fold.cuh"

namespace realizar {

template <class C>
DEVICE void attend_work(const AttendRowsArgs& a, const Work<C>& work, PagePipeline<C>& pages) {
  using Shape = AttendRowsShape<C>;
  TileQueries<C> queries(a, work);
  Found<C> found;
  Fold<C> fold(a);
  // Of the warp: positions that all of its queries see, and those that some see.
  const int oldest = C::window::hidden(work.position(queries.first_index()) + 1);
  const int newest = work.position(queries.last_index());
  const int all_from = C::window::hidden(newest + 1), all_to = work.position(queries.first_index());
  for (int chunk = work.first; chunk < work.end; chunk++) {
    const uint16_t* keys = pages.next();
    const int from = chunk * Shape::chunk, last = from + Shape::chunk - 1;
    if (queries.any() && from <= newest && last >= oldest) {
      if (from >= all_from && last <= all_to)
        attend_chunk<C, false>(work, from, keys, queries, found);
      else
        attend_chunk<C, true>(work, from, keys, queries, found);
    }
    if (Shape::folds && (chunk + 1) % Shape::split_chunks == 0 && chunk + 1 < work.end) fold.keep(found);
  }
  fold.finish(found);
  store_queries(a, work, queries, found);
  store_rest(a, work);
}

template <class C>
DEVICE void attend_rows(const AttendRowsArgs& a) {
  const int n_tiles = load_settled(&a.step->n_tiles);
  grid_release();
  PagePipeline<C> pages(a, n_tiles);
  pages.template fill<true>();
  grid_wait();
  pages.template fill<false>();
  for (int n = 0;; n++) {
    const Work<C> work = nth_work<C>(a, n_tiles, n);
    if (work.end == 0) return;
    attend_work(a, work, pages);
  }
}

}  // namespace realizar
