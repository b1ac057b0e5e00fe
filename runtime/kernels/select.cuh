// Chooses the next token, stores it, hands it to the host and moves the state on by one token, so that the next launch
// needs no word from the host. Greedy without biases and penalties: the best of each block of the output projection, by
// one warp of the first block. Else each block shares in biases and penalties (as llama.cpp's) on a copy of the logits,
// and then in sample.cuh.
// C: threads, blocks, candidates (blocks of the output projection), n_vocab.
#pragma once
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

// This block's share of the copy of the logits that biases and penalties have changed.
template <class C>
DEVICE void adjust(const SelectArgs& a, const Sampling& s, int token, int position) {
  const SampleSlice<C::n_vocab, C::blocks> slice(block_index());
  for (int t = slice.first + thread_index(); t < slice.end; t += C::threads) a.adjusted[t] = load_global(a.logits + t);
  block_sync();
  const LogitBias* bias = (const LogitBias*)((const char*)a.state + state_bias_offset);
  for (int i = thread_index(); i < (int)s.n_bias; i += C::threads)
    if (slice.has(bias[i].token)) a.adjusted[bias[i].token] += bias[i].bias;
  // Each token of the window is counted; whoever takes its count away changes its logit.
  const int first = s.last_n > position ? 0 : position + 1 - s.last_n;
  const auto fed = [&](int at) { return at == position ? token : load_global(a.fed + at); };
  for (int at = first + thread_index(); at <= position; at += C::threads) {
    const int t = fed(at);
    if (slice.has(t)) block_add(&a.seen[t], 1);
  }
  block_sync();
  for (int at = first + thread_index(); at <= position; at += C::threads) {
    const int t = fed(at);
    if (!slice.has(t)) continue;
    const uint32_t times = block_exchange(&a.seen[t], 0);
    if (times == 0) continue;
    float logit = a.adjusted[t];
    logit = logit > 0 ? logit / s.repeat_penalty : logit * s.repeat_penalty;
    a.adjusted[t] = logit - fmaf((float)times, s.frequency_penalty, s.presence_penalty);
  }
  block_sync();
}

template <class C>
DEVICE void select(const SelectArgs& a) {
  // Nobody but this node writes these during a launch; the first block only after all that read them have met it.
  const Sampling s = *(const Sampling*)((const char*)a.state + state_sampling_offset);
  const int fed_token = load_settled(&a.state->token), position = load_settled(&a.state->position);
  grid_release();
  grid_wait();
  int token;
  Best best;
  if (s.adjusts || s.draws) {
    if (s.adjusts) adjust<C>(a, s, fed_token, position);
    Sampler<C::threads, C::n_vocab, C::blocks> sampler(shared_memory(), s.adjusts ? a.adjusted : a.logits, a.meeting);
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
  uint64_t* ring = *(uint64_t* const*)((const char*)a.state + state_ring_offset);
  store_to_host(ring + serial % token_ring_size, (uint64_t)serial << 32 | (uint32_t)token);
}

}  // namespace realizar
