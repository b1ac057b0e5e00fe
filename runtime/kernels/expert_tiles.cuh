// The rows of a step by the experts that they have chosen: a row for each choice, a pair of a row and an expert, sorted
// by expert (sort_rows.cuh). Kernels that take them row by row have their number, and those that take them tile by tile
// a list of tiles: a StepHeader {pairs, 0, tiles} and, right after it, the tiles. An expert's pairs start at a multiple
// of 8, as a tile of the operand form does (operand.cuh); what lies between is nobody's, and counts as pairs.
#pragma once
#include "device.h"
#include "step.h"

namespace realizar {

// Pairs of one expert, from `row` on.
struct alignas(16) ExpertTile {
  int32_t expert, row, n_rows, reserved;
};

// Settled: between the node that makes the list and those that read it is one that waits before it lets the next start
// (scatter_rows.cuh).
DEVICE ExpertTile load_tile(const ExpertTile* tile) {
  return {load_settled(&tile->expert), load_settled(&tile->row), load_settled(&tile->n_rows), 0};
}

}  // namespace realizar
