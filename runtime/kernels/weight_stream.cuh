// The weights of one warp, its chunk of columns of every C::row_warps-th group of rows, streamed through a ring of
// slots in shared memory that belongs to the warp alone.
#pragma once
#include "ahead.cuh"

namespace realizar {

// The slots of one warp, in order: start() begins to copy the next one into a place of the ring, wait() returns the
// next that has arrived, next() has its place filled again.
template <class C>
struct Stream {
  using Shape = ProjectionShape<C>;
  const char* weights;
  int chunk, group, end;  // group: the next to start copying; end: of the block's run
  char* ring;
  CopyBarrier* barriers;
  const char* ahead;
  bool looked_ahead = false;
  int part = 0, place = 0, phase = 0;  // part: the next to start; place, phase: of the slot to be taken next
  // Of the segment that group is in: its end, the group's slot of the chunk, and from there on what lies between groups
  // and between parts; bytes of the parts' slots.
  int segment_end = 0, group_stride = 0, part_stride = 0, bytes[2] = {};
  const char* from = nullptr;

  // Visits the segment that holds a group: f.template operator()<Index, S>(group in segment, rows before, bytes
  // before).
  template <class F>
  static DEVICE void visit(int group, F&& f) {
    visit_from<0>(group, 0, 0, f, typename C::segments{});
  }
  template <int Index, class F, class S, class... Rest>
  static DEVICE void visit_from(int group, int rows, int64_t bytes, F& f, Segments<S, Rest...>) {
    constexpr int groups = S::template groups<C::group_rows>;
    if constexpr (sizeof...(Rest) > 0) {
      if (group >= groups) {
        visit_from<Index + 1>(group - groups, rows + S::rows, bytes + groups * Shape::template group_bytes<S>, f,
                              Segments<Rest...>{});
        return;
      }
    }
    f.template operator()<Index, S>(group, rows, bytes);
  }

  // Bytes of the chunk's slot of each part.
  template <class F, class... Rest>
  DEVICE void set_bytes(int i) {
    const bool last = Shape::last_units != Shape::chunk_units && chunk == Shape::chunks - 1;
    bytes[i] =
        last ? slot_content<F, C::group_rows, Shape::last_units> : slot_content<F, C::group_rows, Shape::chunk_units>;
    if constexpr (sizeof...(Rest) > 0) set_bytes<Rest...>(i + 1);
  }
  template <class S, int Rows, class F, class... Rest>
  DEVICE void enter(Segment<Rows, F, Rest...>, int in_segment, int64_t before) {
    constexpr int64_t size = Shape::template group_bytes<S>;
    from = weights + before + in_segment * size +
           (int64_t)chunk * S::template slots_bytes<C::group_rows, Shape::chunk_units>;
    group_stride = C::row_warps * (int)size;
    // The last chunk of a group has its parts one after another too, but the first of them keeps a whole one's place.
    part_stride = slot_stride<F, C::group_rows, Shape::chunk_units>;
    segment_end = group - in_segment + S::template groups<C::group_rows>;
    set_bytes<F, Rest...>(0);
  }
  DEVICE void enter_segment() {
    visit(group, [&]<int Index, class S>(int in_segment, int, int64_t before) { enter<S>(S{}, in_segment, before); });
  }

  // All lanes: starts copying the next slot, if one is left.
  DEVICE void start(int at) {
    if (group >= end) return;
    const bool second = Shape::parts == 2 && part == 1;
    copy_one(ring + at * Shape::slot_bytes, second ? from + part_stride : from, second ? bytes[1] : bytes[0],
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
  // All lanes: asks for the later projection's weights, once all of the warp's own are under way.
  DEVICE void look_ahead() {
    if constexpr (C::ahead::any) {
      if (group < end || looked_ahead) return;
      looked_ahead = true;
      for (int b = block_index(); b < C::ahead::blocks; b += C::blocks)
        C::ahead::prefetch_run(ahead, b, thread_index() / 32, Shape::warps);
    }
  }
  DEVICE const char* wait() {
    barriers[place].wait(phase);
    return ring + place * Shape::slot_bytes;
  }
  // All lanes have read the slot that wait() returned.
  DEVICE void next() {
    warp_sync();
    start(place);
    look_ahead();
    if (++place == C::ring) place = 0, phase ^= 1;
  }
};

}  // namespace realizar
