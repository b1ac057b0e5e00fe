// The matrices of the experts that a token chooses, streamed through shared memory; of the others nothing is read.
//   y[j] = act(W_j norm(x) + b_j), or act(gate) * up of two matrices, for each chosen expert j, one after the other
//   or, with C::combines, of an input x_j for each:
//   y = (sum_j weight_j (W_j x_j + b_j) + shared * gate) * scale + residual
// Shapes: x f32 [cols], x_j f32 [used][cols]; W [experts][rows][cols] in any format; y f32 [used][rows], or [rows];
// logits [experts], and a gate's. Products with a matrix that has a scale are multiplied with it before all else. Its
// tests alone: npx vitest run test/runtime/sim.test.ts -t experts
//
// Parts: config.cuh (arguments, what is compile-time), shape.cuh (tiles, shared memory), logits.cuh and routing.cuh
// (which experts, their weights), load.cuh, input.cuh, main_loop.cuh, epilogue.cuh (rows of each expert), combine.cuh
// (their sum).
//
// All experts' matrices lie one after another, and no group of rows belongs to two experts. What blocks share out does
// not depend on which are chosen: without a sum, runs of the groups of all chosen ones, counted through; with it, runs
// of groups of rows, each for all chosen ones. A warp takes every C::warps-th item of its block, a group of one expert.
//
// Every block chooses the experts for itself. Without a sum this stands between grid_wait and the first copy. With it,
// between the node of the logits and this one is one without a sum, which releases those after it only after its own
// grid_wait (plan/lower.ts checks that): so they are there, and the first C::prefetch_stages tiles of each warp are
// loaded before grid_wait.
#pragma once
#include "../group_run.cuh"
#include "combine.cuh"
#include "epilogue.cuh"
#include "logits.cuh"

namespace realizar {

template <class C>
DEVICE void experts(const ExpertsArgs& a) {
  using Shape = ExpertsShape<C>;
  using Input = ExpertInput<C>;
  constexpr int batch = Shape::input_batch;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  char* shared = shared_memory();
  const BlockRouting<C> routing = {shared + Shape::routing_at};
  const ExpertInput<C> x = {{shared + Shape::input_at}};

  const auto [first, end] = GroupRun(Shape::shared_out, C::blocks, block_index());
  const int groups = end - first;
  ExpertPipeline<C> weights{a.weights,
                            routing.chosen(),
                            first,
                            warp,
                            C::combines ? groups * C::used : groups,
                            shared + warp * C::stages * Shape::stage_bytes,
                            (CopyBarrier*)(shared + Shape::barriers_at) + warp * C::stages};
  if (lane == 0)
    for (int i = 0; i < C::stages; i++) weights.barriers[i].init();
  copy_barriers_ready();
  float4 norm[batch], v[batch];
  float* partial = (float*)(shared + Shape::squares_at);
  LogitLoader<C, C::combines> logits;
  const auto choose = [&](int stages) {
    logits.store(routing, partial);
    routing.take(a.selection);
    weights.start_until(stages);
  };
  const auto load_input = [&] {
#pragma unroll
    for (int j = 0; j < batch; j++) v[j] = Input::template load<false>(a.input, j * Shape::threads + thread_index());
  };
  if constexpr (C::combines) {
    logits.load(a);
    choose(C::prefetch_stages);
    if (warp == 0) routing.weigh(logits.scale(partial));
    grid_wait();
    load_input();
    weights.start_until(C::stages);
  } else {
    if (C::norm::any) {
#pragma unroll
      for (int j = 0; j < batch; j++) norm[j] = Input::template load<true>(a.norm, j * Shape::threads + thread_index());
    }
    grid_wait();
    logits.load(a);
    load_input();
    choose(C::stages);
  }
  // Not earlier: the next node's weights would be in the way; and it counts on this one having waited.
  grid_release();
  const float scale = store_input<C>(a, x, v, norm, partial);
  if constexpr (C::combines)
    sum_rows<C>(a, weights, x, routing, groups);
  else
    write_rows<C>(a, weights, x, groups, scale);
}

}  // namespace realizar
