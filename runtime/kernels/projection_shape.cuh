// What follows from a projection's compile-time shape C (projection.cuh): how its rows and columns are cut into groups
// and slots, and where everything lies in shared memory. compiler/plan/kernels.ts computes the same; the emitted
// kernels.cu asserts that the two agree.
#pragma once
#include "best.cuh"
#include "formats.cuh"

namespace realizar {

template <int Rows, class... Formats>
struct Segment {
  static constexpr int rows = Rows, parts = sizeof...(Formats);
  template <int GroupRows>
  static constexpr int groups = (Rows + GroupRows - 1) / GroupRows;
  template <int R, int Units>
  static constexpr int slots_bytes = (Formats::template bytes<R, Units> + ...);
  template <int R, int Units>
  static constexpr int largest_slot() {
    int most = 0;
    ((most = Formats::template bytes<R, Units> > most ? Formats::template bytes<R, Units> : most), ...);
    return most;
  }
  template <int R, int Units>
  static constexpr int last_slot() {
    int last = 0;
    ((last = Formats::template bytes<R, Units>), ...);
    return last;
  }
  static constexpr bool any_quant = (is_quant<Formats> || ...);
  static constexpr bool any_float = (!is_quant<Formats> || ...);
  static constexpr bool any_sums = (needs_sums<Formats> || ...);
};
template <class... S>
struct Segments {
  static constexpr bool any_quant = (S::any_quant || ...);
  static constexpr bool any_float = (S::any_float || ...);
  static constexpr bool any_sums = (S::any_sums || ...);
};

// Shapes that follow from C.
template <class C>
struct ProjectionShape {
  static constexpr int threads = C::warps * 32;
  static constexpr int units = (C::cols + 31) / 32;
  static constexpr int chunk_units = C::chunk_cols / 32;
  static constexpr int chunks = (units + chunk_units - 1) / chunk_units;
  static constexpr int last_units = units - (chunks - 1) * chunk_units;
  // Four columns of the input at a time for each thread, so many times; all loads of a batch are under way together.
  static constexpr int input_steps = (units * 8 + threads - 1) / threads,
                       input_batch = input_steps < 4 ? input_steps : 4;
  // Slots keep their places in a chunk, also in a shorter last one; only the last slot of a group is cut short.
  template <class S>
  static constexpr int64_t group_bytes =
      (int64_t)chunks * S::template slots_bytes<C::group_rows, chunk_units> -
      S::template last_slot<C::group_rows, chunk_units>() + S::template last_slot<C::group_rows, last_units>();
  template <class... S>
  static constexpr int largest_slot(Segments<S...>) {
    int most = 0;
    ((most = S::template largest_slot<C::group_rows, chunk_units>() > most
                 ? S::template largest_slot<C::group_rows, chunk_units>()
                 : most),
     ...);
    return most;
  }
  template <class... S>
  static constexpr int total_groups(Segments<S...>) {
    return (S::template groups<C::group_rows> + ...);
  }
  static constexpr int slot_bytes = largest_slot(typename C::segments{});
  static constexpr int groups = total_groups(typename C::segments{});
  // Shared memory: the rings; x for float formats, [8][x_stride] of four columns, odd so that a unit's columns lie in
  // different banks; x for quants, planes of [units] 16 bytes: both halves' high bytes, then low bytes, and a scale and
  // the halves' sums a unit; the barriers of the rings; the best of each warp; a number a warp.
  using Kinds = typename C::segments;
  static constexpr int x_stride = units | 1, plane = units * 16 + 64;
  static constexpr int float_at = C::warps * C::ring * slot_bytes;
  static constexpr int plane_at = float_at + (Kinds::any_float ? 8 * x_stride * 16 : 0);
  static constexpr int sums_at = plane_at + (Kinds::any_quant ? 4 * plane : 0);
  static constexpr int scale_at = sums_at + (Kinds::any_sums ? units * 8 : 0);
  static constexpr int barriers_at = round_up(scale_at + (Kinds::any_quant ? units * 4 : 0), 16);
  static constexpr int best_at = barriers_at + C::warps * C::ring * 16;
  static constexpr int partial_at = best_at + C::warps * (int)sizeof(Best);
  static constexpr int shared_bytes = round_up(partial_at + C::warps * 4, 16);
  static_assert(sizeof(CopyBarrier) <= 16 && C::group_rows <= 32 && C::chunk_cols % 32 == 0);
};

}  // namespace realizar
