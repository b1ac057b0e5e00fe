// y = cap(act(W norm(x) + b) * scale) + residual for one token, W streamed through shared memory.
// Shapes: x f32 [cols]; W of one or more segments (q, k and v of a layer) [rows][cols] each, in any format, or of a
// gate and an up matrix, whose rows are combined, act(gate) * up; y f32 [rows of all segments]. Its tests alone: npx
// vitest run test/runtime/sim.test.ts -t projection
//
// Parts: config.cuh (arguments, what is compile-time), segments.cuh, shape.cuh (who has which rows and columns; shared
// memory), load.cuh (a warp's pipeline of weights), input.cuh, input_sum.cuh and input_norm.cuh (x, in registers),
// main_loop.cuh (products), epilogue.cuh (what follows row by row), router_share.cuh, l2_prefetch.cuh.
//
// Rows are cut into groups of C::group_rows, numbered through all segments; each block owns a run of groups. Columns
// are cut into chunks, one a warp. A tile is a group's part of a chunk: a group's tiles lie one after another in
// memory, for each chunk one tile of each of the segment's matrices.
//
// So a warp needs only its chunk of the input, and has it in registers: it begins as soon as that has come, without a
// barrier, and all warps of a block have the same to do, however few its rows are. C::row_warps groups are under way
// together where one chunk a warp leaves warps over. The chunks' sums of an epilogue pass meet in shared memory, where
// a thread a row adds them up.
//
// Weights depend on nothing, so the first C::prefetch_at_once tiles of each warp, and the norm's weights, are loaded
// before grid_wait. Not more of them at once: what comes after the wait, the input, would queue behind, and so would
// what the nodes before this one wait for. Up to C::prefetch_stages follow before grid_wait, each when an earlier one
// has come; the other stages are filled once the input is on its way.
#pragma once
#include "epilogue.cuh"
#include "input_norm.cuh"
#include "input_sum.cuh"

namespace realizar {

template <class C>
DEVICE void projection(const ProjectionArgs& a) {
  using Shape = ProjectionShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  const int chunk = warp % Shape::chunks, row_warp = warp / Shape::chunks;
  char* shared = shared_memory();
  float* partial = (float*)(shared + Shape::partial_at);
  float* squares = (float*)(shared + Shape::squares_at);

  const GroupRun run(Shape::groups, C::blocks, block_index());
  const auto [first, end] = run;
  WeightPipeline<C> weights{a.weights,
                            chunk,
                            first + row_warp,
                            end,
                            shared + warp * C::stages * Shape::stage_bytes,
                            (CopyBarrier*)(shared + Shape::barriers_at) + warp * C::stages,
                            a.prefetched};
  if (C::holds_all) grid_release();
  if (lane == 0)
    for (int i = 0; i < C::stages; i++) weights.barriers[i].init();
  copy_barriers_ready();
  warp_sync();
  if (weights.group < end) weights.enter_segment();
  for (int i = 0; i < C::prefetch_at_once; i++) weights.start(i);
  const RouterShare<C> share(a.router, a.router_norm, run, shared + Shape::rows_at);
  InputSum<C> sum;
  InputNorm<C> norm;
  sum.load_norm(a, chunk);
  norm.load(a, chunk);
  for (int i = C::prefetch_at_once; i < C::prefetch_stages; i++) {
    if (weights.group < end) weights.barriers[i - C::prefetch_at_once].wait(0);
    weights.start(i);
  }
  grid_wait();

  InputColumns<C> input;
  input.template load<false>(a.input, chunk);
  sum.load_residual(a, chunk);
  RowTerms terms = load_terms<C>(a, first, end, thread_index());
  for (int i = C::prefetch_stages; i < C::stages; i++) weights.start(i);
  weights.prefetch_l2();
  // Not earlier: the next node's weights would be in the way of this one's input.
  if (!C::holds_all) grid_release();
  // What is at best_at is used at the end only.
  sum.apply(a, weights, first + row_warp, row_warp, (float*)(shared + Shape::best_at), input);
  norm.apply(a, chunk, row_warp, lane, squares, input);
  Activations<C> x;
  x.set(input, shared + Shape::input_at + warp * Shape::input_bytes);

  typename C::best best;
  float scale = 1.f;
  for (int pass = 0; pass < Shape::passes; pass++) {
    const int from = first + pass * C::pass_groups;
    float* sums = chunk_sums<C>(partial, pass);
    if (pass > 0) terms = load_terms<C>(a, from, end, thread_index());
    for (int g = row_warp; g < C::pass_groups && from + g < end; g += C::row_warps)
      accumulate_group(weights, from + g, x, sums + g * C::group_rows);
    block_sync();
    if (pass == 0) scale = norm.scale(squares);
    finish_row<C>(a, from, end, thread_index(), sums, scale, terms, best, share);
    for (int row = thread_index() + Shape::threads; row < Shape::pass_rows; row += Shape::threads)
      finish_row<C>(a, from, end, row, sums, scale, load_terms<C>(a, from, end, row), best, share);
  }
  share.add(a.logits);
  best.template store<C>(a, shared);
}

}  // namespace realizar
