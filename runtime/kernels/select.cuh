// Chooses the next token, stores it, hands it to the host and moves the state on by one token, so that the next launch
// needs no word from the host. Greedy without biases, penalties and a mask: the best of each block of the output
// projection, by one warp of the first block. Else each block shares in these (adjust.cuh), and then in sample.cuh.
// C: threads, blocks, candidates (blocks of the output projection), n_vocab.
#pragma once
#include "adjust.cuh"
#include "sample.cuh"

namespace realizar {

struct SelectArgs {
  const Best* best;     // [candidates]
  const float* logits;  // [n_vocab]
  float* adjusted;      // [n_vocab], scratch
  State* state;
  int32_t* history;        // [n_ctx]: the token chosen after each position
  int32_t* fed;            // [n_ctx]: the token fed at each position
  uint32_t* seen;          // [n_vocab]: zero between nodes
  SampleMeeting* meeting;  // null for one block
};

template <class C>
constexpr int select_shared_bytes = sizeof(SampleShared<C::threads>);

template <class C>
DEVICE void select(const SelectArgs& a) {
  // Nobody but this node writes these during a launch; the first block only after all that read them have met it.
  const Sampling s = *(const Sampling*)((const char*)a.state + slot_sampling_offset);
  const int fed_token = load_settled(&a.state->token), position = load_settled(&a.state->position);
  grid_release();
  grid_wait();
  int token;
  Best best;
  if (s.adjusts || s.draws) {
    if (s.adjusts) {
      const auto fed = [&](int at) { return at == position ? fed_token : load_global(a.fed + at); };
      const SampleSlice<C::n_vocab, C::blocks> slice(block_index());
      adjust<C::threads>(s, a.state, slice, a.logits, a.adjusted, position, fed, [&](int t) { return a.seen + t; });
    }
    Sampler<C::threads, C::n_vocab, C::blocks> sampler(shared_memory(), s.adjusts ? a.adjusted : a.logits, a.meeting,
                                                       block_index());
    best = s.adjusts ? sampler.best_of_all() : best_candidate(a.best, C::candidates);
    token = sampler.draw(s, position, best);
  } else {
    if (thread_index() >= 32) return;
    best = best_candidate(a.best, C::candidates);
    token = best.row;
  }
  if (block_index() != 0 || thread_index() != 0) return;
  // No logit is a number, or all that are have been banned.
  if (token < 0 || token >= C::n_vocab || !is_choosable(best.value)) token = no_token;
  a.history[position] = token;
  a.fed[position] = fed_token;
  const uint32_t serial = a.state->serial;
  // Steps that are queued already feed some token, which nobody will see.
  *a.state = State{token == no_token ? 0 : token, position + 1, a.state->seq_len + 1, serial + 1};
  uint64_t* ring = *(uint64_t* const*)((const char*)a.state + slot_ring_offset);
  store_to_host(ring + serial % token_ring_size, (uint64_t)serial << 32 | (uint32_t)token);
}

}  // namespace realizar
