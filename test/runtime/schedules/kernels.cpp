#include "kernels.h"

#include "../../../runtime/kernels/kv_row.cuh"

namespace schedules {
namespace {

using namespace realizar;

// Where a slot's positions are.
struct Cache {
  const uint32_t* page_table;
  const uint32_t* window_table;
  uint32_t* pages;
  uint32_t* window_pages;

  Cache of(int slot) const {
    return {of_slot<Shape>(page_table, slot), of_slot<Shape>(window_table, slot), pages, window_pages};
  }
  static uint32_t* at(uint32_t* pages, const uint32_t* table, int position) {
    return pages + page_of(table, position) * kv_page_positions + uint32_t(position) % kv_page_positions;
  }
  void keep(int position, int token) const {
    *at(pages, page_table, position) = kept(token);
    *at(window_pages, window_table, position) = kept_in_window(token);
  }
  // By all threads of a block; all get it.
  uint32_t key(int position) const {
    uint32_t* sums = (uint32_t*)shared_memory();
    uint32_t sum = 0;
    for (int q = thread_index(); q <= position; q += block_threads()) {
      sum += part(*at(pages, page_table, q), q);
      if (q > position - window) sum += part(*at(window_pages, window_table, q), q);
    }
    sums[thread_index()] = sum;
    block_sync();
    for (sum = 0; const uint32_t other : std::span(sums, size_t(block_threads()))) sum += other;
    block_sync();
    return sum;
  }
};

struct KeepTokenArgs {
  const State* state;
  Cache cache;
};
void keep_token(const KeepTokenArgs& a) {
  grid_wait();
  if (thread_index() == 0) a.cache.keep(a.state->position, a.state->token);
}

struct TokenLogitsArgs {
  const State* state;
  Cache cache;
  float* logits;
  Best* best;
};
void token_logits(const TokenLogitsArgs& a) {
  grid_wait();
  const uint32_t key = a.cache.key(a.state->position);
  for (int v = thread_index(); v < n_vocab; v += block_threads())
    a.logits[v] = logit(key, v), a.best[v] = {finite_logit(logit(key, v)), v};
}

struct KeepRowsArgs {
  const StepHeader* step;
  const Row* rows;
  const State* slots;
  int32_t* fed;
  Cache cache;
};
void keep_rows(const KeepRowsArgs& a) {
  grid_wait();
  for (int i = thread_index(); i < a.step->n_rows; i += block_threads()) {
    const Row& row = a.rows[i];
    const int token = row_token<Shape>(&row, a.slots);
    const int position = settled_position<Shape>(row.position, row.slot, a.slots);
    of_slot<Shape>(a.fed, row.slot)[position] = token;
    a.cache.of(row.slot).keep(position, token);
  }
}

struct RowsLogitsArgs {
  const StepHeader* step;
  const Row* rows;
  const State* slots;
  const int32_t* output_rows;
  Cache cache;
  float* logits;
};
void rows_logits(const RowsLogitsArgs& a) {
  grid_wait();
  for (int output = 0; output < a.step->n_outputs; output++) {
    const Row& row = a.rows[a.output_rows[output]];
    const uint32_t key = a.cache.of(row.slot).key(settled_position<Shape>(row.position, row.slot, a.slots));
    for (int v = thread_index(); v < n_vocab; v += block_threads()) a.logits[output * n_vocab + v] = logit(key, v);
  }
}

template <typename Args, void (*Body)(const Args&)>
void run(void** params) {
  Body(*(const Args*)params[0]);
}

}  // namespace

const HostKernel kernels[] = {
    {"keep_token", run<KeepTokenArgs, keep_token>, sizeof(KeepTokenArgs)},
    {"token_logits", run<TokenLogitsArgs, token_logits>, sizeof(TokenLogitsArgs)},
    {"select", run<SelectArgs, select<Shape>>, sizeof(SelectArgs)},
    {"keep_rows", run<KeepRowsArgs, keep_rows>, sizeof(KeepRowsArgs)},
    {"rows_logits", run<RowsLogitsArgs, rows_logits>, sizeof(RowsLogitsArgs)},
    {"select_rows", run<SelectRowsArgs, select_rows<Shape>>, sizeof(SelectRowsArgs)},
    {nullptr, nullptr, 0},
};

std::vector<float> logits_after(std::span<const int32_t> tokens) {
  const int last = int(tokens.size()) - 1;
  uint32_t key = 0;
  for (int q = 0; q <= last; q++) {
    key += part(kept(tokens[size_t(q)]), q);
    if (q > last - window) key += part(kept_in_window(tokens[size_t(q)]), q);
  }
  std::vector<float> logits;
  for (int v = 0; v < n_vocab; v++) logits.push_back(logit(key, v));
  return logits;
}

}  // namespace schedules
