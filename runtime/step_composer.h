// Composes a step of a program of many rows: rows of any sequences, in any order.
#pragma once
#include <cstdint>
#include <span>

#include "artifact.h"
#include "kernels/step.h"

namespace realizar {

// Rows of one slot, at consecutive positions. A step has a slot once.
struct Run {
  uint32_t slot = 0;
  int32_t position = take_slots;            // of the first row
  std::span<const int32_t> tokens = {};     // a row each; none: one row, of the slot's next token
  uint32_t first_output = 0, n_output = 0;  // rows whose logits are wanted
  bool chooses = false;                     // the slot's next token, by the last row, which is the last output
  uint32_t n_seen = 0;  // where the position is the slot's: about how many the row sees, to begin with what takes long

  uint32_t n_row() const { return tokens.empty() ? 1 : uint32_t(tokens.size()); }
};

// Writes the step as it lies in the state, step_bytes(artifact). Rows, and outputs, stand in the order of the runs; all
// together are no more than the program has.
void compose_step(const Program& program, std::span<const Run> runs, void* step);

}  // namespace realizar
