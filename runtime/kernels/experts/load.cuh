// Load: the tiles of one warp, of chosen experts alone, through a pipeline of stages in shared memory of its own.
#pragma once
#include "shape.cuh"

namespace realizar {

// A group of rows of a chosen expert.
struct ExpertItem {
  int chosen, group;
};

// The tiles of one warp, in order, those of all matrices together: start() begins to copy the next one, wait() returns
// the next that has arrived.
template <class C>
struct ExpertPipeline {
  using Shape = ExpertsShape<C>;
  const char* weights;
  const int* chosen;
  int first, item, end;  // of the block's run; the next to start copying; one past the block's last
  char* stages;
  CopyBarrier* barriers;
  int chunk = 0, issued = 0, taken = 0;  // chunk: of that item

  static DEVICE ExpertItem at(int first, int item) {
    if (C::combines) return {item % C::used, first + item / C::used};
    return {(first + item) / Shape::groups, (first + item) % Shape::groups};
  }
  // All lanes: starts copies until so many have been started in all, or none is left.
  DEVICE void start_until(int n) {
    while (issued < n && item < end) {
      const auto [j, group] = at(first, item);
      const int64_t group_index = (int64_t)chosen[j] * Shape::groups + group;
      const int stage = issued % C::stages;
      copy_one(stages + stage * Shape::stage_bytes,
               weights + group_index * Shape::group_bytes + (int64_t)chunk * Shape::stage_bytes,
               chunk < Shape::chunks - 1 ? Shape::stage_bytes : Shape::last_bytes, barriers[stage]);
      issued++;
      if (++chunk == Shape::chunks) chunk = 0, item += C::warps;
    }
  }
  DEVICE const char* wait() {
    const int stage = taken % C::stages;
    barriers[stage].wait(taken / C::stages & 1);
    return stages + stage * Shape::stage_bytes;
  }
  // All lanes have read the tile that wait() returned; its stage is filled again.
  DEVICE void next() {
    warp_sync();
    taken++;
    start_until(taken + C::stages);
  }
};

}  // namespace realizar
