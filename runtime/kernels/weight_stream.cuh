// The weights of one warp's row groups, streamed through a ring of slots in shared memory that belongs to the warp
// alone.
#pragma once
#include "projection_shape.cuh"

namespace realizar {

// The slots of one warp, in order: start(t) begins to copy the t-th one, wait(t) returns it when it has arrived.
template <class C>
struct Stream {
  using Shape = ProjectionShape<C>;
  const char* weights;
  int group, end;  // the next group to start copying, and the end of the block's run
  char* ring;
  CopyBarrier* barriers;
  int slot = 0, issued = 0, taken = 0;  // slot: of that group

  // Visits the segment that holds a group: f.template operator()<S>(segment index, group in segment, rows before, bytes
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

  template <class F, class... Rest>
  static DEVICE void slot_place(int part, int chunk, int64_t before, int& bytes, int64_t& offset) {
    constexpr int mine = F::template bytes<C::group_rows, Shape::chunk_units>;
    if constexpr (sizeof...(Rest) > 0) {
      if (part > 0) {
        slot_place<Rest...>(part - 1, chunk, before + mine, bytes, offset);
        return;
      }
    }
    bytes = chunk < Shape::chunks - 1 ? mine : F::template bytes<C::group_rows, Shape::last_units>;
    offset = before;
  }
  template <int Rows, class... Formats>
  static DEVICE void slot_place(Segment<Rows, Formats...>, int slot, int& bytes, int64_t& offset) {
    constexpr int parts = sizeof...(Formats);
    using S = Segment<Rows, Formats...>;
    const int chunk = slot / parts;
    slot_place<Formats...>(slot % parts, chunk,
                           (int64_t)chunk * S::template slots_bytes<C::group_rows, Shape::chunk_units>, bytes, offset);
  }

  // All lanes: starts copying the next slot, if there is one left.
  DEVICE void start() {
    if (group >= end) return;
    const int at = issued % C::ring;
    int slots = 0;
    visit(group, [&]<int Index, class S>(int in_segment, int, int64_t before) {
      int bytes;
      int64_t offset;
      slot_place(S{}, slot, bytes, offset);
      copy_one(ring + at * Shape::slot_bytes, weights + before + in_segment * Shape::template group_bytes<S> + offset,
               bytes, barriers[at]);
      slots = Shape::chunks * S::parts;
    });
    issued++;
    if (++slot == slots) slot = 0, group += C::warps;
  }
  DEVICE const char* wait() {
    const int at = taken % C::ring;
    barriers[at].wait(taken / C::ring & 1);
    return ring + at * Shape::slot_bytes;
  }
  // All lanes have read the slot that wait() returned.
  DEVICE void next() {
    warp_sync();
    taken++;
    start();
  }
};

}  // namespace realizar
