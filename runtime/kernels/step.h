// What a step of a program of many rows works on: data that the runtime writes before a launch, so that kernels may
// read it before grid_wait. A program has room for so many rows, tiles and outputs; StepHeader says how many there are.
#pragma once
#include <cstdint>

namespace realizar {

struct StepHeader {
  int32_t n_rows, n_outputs, n_tiles, reserved;
};
// In place of a token or a position: the slot's, which the step before has left there.
constexpr int32_t take_slots = -1;
// One token of one sequence. Rows of one slot stand next to each other, at consecutive ascending positions.
struct Row {
  int32_t token, position, slot;
  int32_t chooses;  // its logits are wanted, the slot's next token is chosen by them, and the slot moves on
};
// Work of attention: n_rows rows of one slot from `row` on, the first at `position`. Those that take longest come
// first.
struct Tile {
  int32_t row, n_rows, position, slot;
};
static_assert(sizeof(StepHeader) == 16 && sizeof(Row) == 16 && sizeof(Tile) == 16);

}  // namespace realizar
