// Load: the weights of one warp, its chunk of columns of every C::row_warps-th group of rows, through a pipeline of
// stages in shared memory that belongs to the warp alone.
#pragma once
#include "l2_prefetch.cuh"

namespace realizar {

// The tiles of one warp, in order: start() begins to copy the next one into a stage, wait() returns the next that has
// arrived, next() has its stage filled again. Bulk copies may complete in any order.
template <class C>
struct WeightPipeline {
  using Shape = ProjectionShape<C>;
  const char* weights;
  int chunk, group, end;  // group: the next to start copying; end: of the block's run
  char* stages;
  CopyBarrier* barriers;
  const char* prefetched;
  bool has_prefetched = false;
  int part = 0, stage = 0, phase = 0;  // part: the next to start; stage, phase: of the tile to be taken next
  // Of the segment that group is in: its end, the group's tile of the chunk, and from there on what lies between groups
  // and between parts; bytes of the parts' tiles.
  int segment_end = 0, group_stride = 0, part_stride = 0, bytes[2] = {};
  const char* from = nullptr;

  // Bytes of the chunk's tile of each part.
  template <class F, class... Rest>
  DEVICE void set_bytes(int i) {
    const bool last = Shape::last_units != Shape::chunk_units && chunk == Shape::chunks - 1;
    bytes[i] =
        last ? tile_content<F, C::group_rows, Shape::last_units> : tile_content<F, C::group_rows, Shape::chunk_units>;
    if constexpr (sizeof...(Rest) > 0) set_bytes<Rest...>(i + 1);
  }
  template <class S, int Rows, class F, class... Rest>
  DEVICE void enter(Segment<Rows, F, Rest...>, int in_segment, int64_t before) {
    constexpr int64_t size = Shape::template group_bytes<S>;
    from = weights + before + in_segment * size +
           (int64_t)chunk * S::template tiles_bytes<C::group_rows, Shape::chunk_units>;
    group_stride = C::row_warps * (int)size;
    // The last chunk of a group has its parts one after another too, but the first of them keeps a full one's place.
    part_stride = tile_stride<F, C::group_rows, Shape::chunk_units>;
    segment_end = group - in_segment + S::template groups<C::group_rows>;
    set_bytes<F, Rest...>(0);
  }
  DEVICE void enter_segment() {
    visit_segment<C>(
        group, [&]<int Index, class S>(int in_segment, int, int64_t before) { enter<S>(S{}, in_segment, before); });
  }

  // All lanes: starts copying the next tile into a stage, if one is left.
  DEVICE void start(int at) {
    if (group >= end) return;
    const bool second = Shape::parts == 2 && part == 1;
    copy_one(stages + at * Shape::stage_bytes, second ? from + part_stride : from, second ? bytes[1] : bytes[0],
             barriers[at]);
    if (Shape::parts == 2 && !second) {
      part = 1;
      return;
    }
    part = 0;
    group += C::row_warps;
    from += group_stride;
    if (group >= segment_end && group < end) enter_segment();
  }
  // All lanes: brings the later projection's weights into L2, once all of the warp's own are under way.
  DEVICE void prefetch_l2() {
    if constexpr (C::l2_prefetch::any) {
      if (group < end || has_prefetched) return;
      has_prefetched = true;
      for (int b = block_index(); b < C::l2_prefetch::blocks; b += C::blocks)
        C::l2_prefetch::prefetch_run(prefetched, b, thread_index() / 32, Shape::warps);
    }
  }
  DEVICE const char* wait() {
    barriers[stage].wait(phase);
    return stages + stage * Shape::stage_bytes;
  }
  // All lanes have read the tile that wait() returned.
  DEVICE void next() {
    warp_sync();
    start(stage);
    prefetch_l2();
    if (++stage == C::stages) stage = 0, phase ^= 1;
  }
};

}  // namespace realizar
