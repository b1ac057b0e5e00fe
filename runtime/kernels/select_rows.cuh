// For each output of a step whose row chooses: the next token of the row's slot, by the slot's sampling parameters, the
// same that select.cuh chooses from the same logits. It is stored and handed to the host, and the slot moves on, so
// that the next step's rows can take their tokens and positions from there. A stop token, or logits of which none is a
// number, makes the slot done. Its tests alone: npx vitest run test/runtime/sim.test.ts -t select_rows
//
// C::blocks blocks an output share biases, penalties and the mask, and the search for the largest logit. The last of
// them to be ready goes on alone: greedy it has the token, else it draws (sample.cuh). Nobody waits.
//
// C: int threads, blocks, n_vocab, slot_bytes.
#pragma once
#include "adjust.cuh"
#include "slots.cuh"

namespace realizar {

struct SelectRowsArgs {
  const StepHeader* step;
  const Row* rows;
  const int32_t* output_rows;
  State* slots;
  const int32_t* fed;   // the first slot's
  const float* logits;  // [outputs][n_vocab]
  float* adjusted;      // [outputs][n_vocab], scratch
  Best* best;           // [outputs][blocks]
  uint32_t* counters;   // [outputs], zero between nodes
};

template <class C>
struct SelectRowsShape {
  static constexpr bool aligned = C::n_vocab % 4 == 0;  // every row of logits
  using Slice = SampleSlice<C::n_vocab, C::blocks, aligned>;
  // Shared memory: how often a token of the slice has been fed; then what the draw needs; and am I the last.
  static constexpr int seen_bytes = 4 * Slice::length, draw_bytes = sizeof(SampleShared<C::threads>);
  static constexpr int last_at = ((seen_bytes > draw_bytes ? seen_bytes : draw_bytes) + 7) / 8 * 8;
  static constexpr int shared_bytes = last_at + 16;
};

// What a block works on.
template <class C>
struct SelectedRow {
  using Shape = SelectRowsShape<C>;
  const SelectRowsArgs& args;
  int output, part;
  State* slot;
  const int32_t* fed;
  int position;

  DEVICE const float* logits() const { return args.logits + (int64_t)output * C::n_vocab; }
  DEVICE float* adjusted() const { return args.adjusted + (int64_t)output * C::n_vocab; }
  DEVICE SlotEnd* end() const { return (SlotEnd*)((char*)slot + slot_end_offset); }
  DEVICE bool stops_at(int token) const {
    const int32_t* stop = (const int32_t*)((const char*)slot + slot_stop_offset);
    for (int i = 0; i < (int)end()->n_stop; i++)
      if (stop[i] == token) return true;
    return false;
  }
  DEVICE bool is_last() const {
    uint32_t* last = (uint32_t*)(shared_memory() + Shape::last_at);
    block_sync();
    if (thread_index() == 0) *last = arrive(args.counters + output) == C::blocks - 1;
    block_sync();
    return *last != 0;
  }
  DEVICE void store(int token) const {
    args.counters[output] = 0;
    const uint32_t serial = slot->serial;
    if (token == no_token || stops_at(token)) end()->done = 1;
    *slot = State{token == no_token ? 0 : token, position + 1, position + 2, serial + 1};
    uint64_t* ring = *(uint64_t* const*)((const char*)slot + slot_ring_offset);
    store_to_host(ring + serial % token_ring_size, (uint64_t)serial << 32 | (uint32_t)token);
  }
};

template <class C>
DEVICE void select_row(const SelectedRow<C>& row, const Sampling& s) {
  using Shape = SelectRowsShape<C>;
  const typename Shape::Slice slice(row.part);
  auto& shared = *(SampleShared<C::threads>*)shared_memory();
  if (s.adjusts) {
    uint32_t* seen = (uint32_t*)shared_memory();
    for (int i = thread_index(); i < Shape::Slice::length; i += C::threads) seen[i] = 0;
    block_sync();
    const auto fed = [&](int at) { return load_global(row.fed + at); };
    adjust<C::threads>(s, row.slot, slice, row.logits(), row.adjusted(), row.position, fed,
                       [&](int t) { return seen + (t - slice.first); });
  }
  const float* logits = s.adjusts ? row.adjusted() : row.logits();
  Best best = {-INFINITY, 0x7fffffff};
  each_logit<C::threads>(logits, slice, [&](float v, int t) {
    best = better(best, Best{s.adjusts ? finite_logit(v) : v, t});
  });
  best = best_in_block<C::threads>(best, shared.warp_value, shared.warp_token);
  Best* bests = row.args.best + row.output * C::blocks;
  if (thread_index() == 0) bests[row.part] = best;
  if (!row.is_last()) return;
  best = best_candidate(bests, C::blocks);
  using Draw = Sampler<C::threads, C::n_vocab, 1, Shape::aligned>;
  int token = Draw(shared_memory(), logits, nullptr, 0).draw(s, row.position, best);
  if (thread_index() != 0) return;
  if (token < 0 || token >= C::n_vocab || !is_choosable(best.value)) token = no_token;
  row.store(token);
}

template <class C>
DEVICE void select_rows(const SelectRowsArgs& a) {
  const int output = block_index() / C::blocks, n = load_settled(&a.step->n_outputs);
  grid_release();
  const Row* row = output < n ? a.rows + load_settled(a.output_rows + output) : nullptr;
  if (!row || !load_settled(&row->chooses)) {
    grid_wait();
    return;
  }
  const int index = load_settled(&row->slot);
  State* slot = of_slot<C>(a.slots, index);
  const int position = settled_position<C>(load_settled(&row->position), index, a.slots);
  const SelectedRow<C> selected = {a, output, block_index() % C::blocks, slot, of_slot<C>(a.fed, index), position};
  const Sampling s = *(const Sampling*)((const char*)slot + slot_sampling_offset);
  const bool done = load_settled(&selected.end()->done);
  grid_wait();
  if (!done) select_row(selected, s);
}

}  // namespace realizar
