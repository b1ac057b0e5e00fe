// Each row of a step: x = the embedding of its token, from the device layout of formats.cuh; and the token becomes the
// one that its slot was fed at its position. One block a row, one thread a unit (32 columns). Shapes: output f32
// [rows][cols]. Its tests alone: npx vitest run test/runtime/sim.test.ts -t embed_rows
//
// C: int rows (blocks), slot_bytes; cols, group_rows, chunk_cols; format; int64_t group_bytes; float scale: as in
// embed.cuh.
#pragma once
#include "embed.cuh"
#include "slots.cuh"

namespace realizar {

struct EmbedRowsArgs {
  const StepHeader* step;
  const Row* rows;
  const State* slots;
  int32_t* fed;  // the first slot's
  const char* weights;
  float* output;
};

template <class C>
DEVICE void embed_rows(const EmbedRowsArgs& a) {
  const int row = block_index(), n = load_settled(&a.step->n_rows);
  grid_release();
  const int token = row < n ? row_token<C>(a.rows + row, a.slots) : 0;
  grid_wait();
  if (row >= n) return;
  if (thread_index() == 0) {
    const int slot = load_settled(&a.rows[row].slot);
    of_slot<C>(a.fed, slot)[settled_position<C>(load_settled(&a.rows[row].position), slot, a.slots)] = token;
  }
  for (int unit = thread_index(); unit < (C::cols + 31) / 32; unit += block_threads())
    embed_token_unit<C>(a.weights, token, unit, a.output + (int64_t)row * C::cols);
}

}  // namespace realizar
