// Greedy choice from the best of each block of the output projection; stores it and moves the state on by one token,
// so that the next launch needs no word from the host. One block.
// C: threads, candidates (blocks of the output projection), n_vocab.
#pragma once
#include "../artifact.h"
#include "best.cuh"

namespace realizar {

struct SelectArgs {
  const Best* best;  // [candidates]
  State* state;
  int32_t* history;  // [n_ctx]: the token chosen after each position
};

template <class C>
DEVICE void select(const SelectArgs& a) {
  const int lane = thread_index() % 32, warp = thread_index() / 32;
  Best* warp_best = (Best*)shared_memory();
  grid_release();
  grid_wait();
  Best best = {-INFINITY, 0x7fffffff};
  for (int i = thread_index(); i < C::candidates; i += C::threads)
    best = better(best, Best{load_global(&a.best[i].value), load_global(&a.best[i].row)});
  best = warp_better(best);
  if (lane == 0) warp_best[warp] = best;
  block_sync();
  if (thread_index() != 0) return;
  for (int w = 1; w < C::threads / 32; w++) best = better(best, warp_best[w]);
  const int token = best.row < C::n_vocab ? best.row : 0;  // no logit is a number: any token is as good
  const int position = load_global(&a.state->position);
  a.history[position] = token;
  a.state->token = token;
  a.state->position = position + 1;
  a.state->seq_len = load_global(&a.state->seq_len) + 1;
}

}  // namespace realizar
