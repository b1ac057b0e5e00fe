// What follows from a projection's compile-time shape C (projection.cuh): how its rows and columns are shared out over
// warps and lanes, and where everything lies in shared memory. compiler/kernels/projection/config.ts computes the same;
// the emitted kernels.cu asserts that the two agree.
#pragma once
#include <type_traits>

#include "best.cuh"
#include "group_run.cuh"
#include "shared_units.cuh"

namespace realizar {

// The distinct formats of a projection, in the order in which they first occur.
template <class... F>
struct FormatList {
  template <class G>
  static constexpr bool has = (std::is_same_v<F, G> || ...);
  template <class G>
  using with = std::conditional_t<has<G>, FormatList, FormatList<F..., G>>;
  template <class G>
  static constexpr int index() {
    int i = 0, found = -1;
    ((found = std::is_same_v<F, G> ? i : found, i++), ...);
    return found;
  }
};
template <class List, class... Segments>
struct DistinctFormats {
  using type = List;
};

template <int Rows, class... Formats>
struct Segment {
  static constexpr int rows = Rows, parts = sizeof...(Formats);
  template <int GroupRows>
  static constexpr int groups = (Rows + GroupRows - 1) / GroupRows;
  template <int R, int Units>
  static constexpr int slots_bytes = (slot_stride<Formats, R, Units> + ...);
  template <int R, int Units>
  static constexpr int largest_slot() {
    int most = 0;
    ((most = slot_stride<Formats, R, Units> > most ? slot_stride<Formats, R, Units> : most), ...);
    return most;
  }
  template <int R, int Units>
  static constexpr int last_slot() {
    int last = 0;
    ((last = slot_stride<Formats, R, Units>), ...);
    return last;
  }
  // The index in a list of formats of that of the first and the last part.
  template <class List>
  static constexpr int find_format(bool last) {
    int found = -1;
    ((found = found < 0 || last ? List::template index<Formats>() : found), ...);
    return found;
  }
  template <class List>
  static constexpr int first_format = find_format<List>(false);
  template <class List>
  static constexpr int last_format = find_format<List>(true);
  static constexpr bool any_quant = (is_quant<Formats> || ...);
  static constexpr bool any_float = (!is_quant<Formats> || ...);
  static constexpr bool any_sums = (needs_sums<Formats> || ...);
};
template <class List, int Rows, class... More>
struct DistinctFormats<List, Segment<Rows>, More...> : DistinctFormats<List, More...> {};
template <class List, int Rows, class F, class... Formats, class... More>
struct DistinctFormats<List, Segment<Rows, F, Formats...>, More...>
    : DistinctFormats<typename List::template with<F>, Segment<Rows, Formats...>, More...> {};

template <class... S>
struct Segments {
  using formats = typename DistinctFormats<FormatList<>, S...>::type;
  static_assert(sizeof...(S) == 1 || (... && (S::parts == 1)));  // gate and up have no other beside them
  static constexpr bool any_quant = (S::any_quant || ...);
  static constexpr bool any_float = (S::any_float || ...);
  static constexpr bool any_sums = (S::any_sums || ...);
  static constexpr int parts() {
    int most = 0;
    ((most = S::parts > most ? S::parts : most), ...);
    return most;
  }
};

// Shapes that follow from C.
template <class C>
struct ProjectionShape {
  static constexpr int units = (C::cols + 31) / 32;
  static constexpr int chunk_units = C::chunk_cols / 32;
  static constexpr int chunks = (units + chunk_units - 1) / chunk_units;
  static constexpr int last_units = units - (chunks - 1) * chunk_units;
  // A warp has one chunk of columns, so `chunks` warps share a group of rows; C::row_warps groups are under way
  // together.
  static constexpr int warps = chunks * C::row_warps, threads = warps * 32;
  // A warp's lanes: lanes_k of them share a row of the slot, each with unit_sets units of it, 32 columns apart from
  // each other's; lanes_r rows at a time, so that a slot takes so many steps.
  static constexpr int lanes_k = chunk_units < 32 ? round_up_to_power_of_two(chunk_units) : 32;
  static constexpr int lanes_r = 32 / lanes_k, unit_sets = (chunk_units + 31) / 32;
  static constexpr int steps = (C::group_rows + lanes_r - 1) / lanes_r, parts = C::segments::parts();
  // Four columns of its chunk at a time for each lane.
  static constexpr int input_steps = (chunk_units * 8 + 31) / 32;
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
  // Rounds of round_rows rows: their sums over the chunks meet in shared memory, in two buffers by turns.
  static constexpr int block_groups = (groups + C::blocks - 1) / C::blocks;
  static constexpr int round_rows = C::round_groups * C::group_rows;
  static constexpr int rounds = (block_groups + C::round_groups - 1) / C::round_groups;
  static constexpr int sums_size = parts * chunks * round_rows;
  // Shared memory: the rings; each warp's input; barriers; sums; squares a chunk, and two numbers a warp.
  using Kinds = typename C::segments;
  static constexpr int input_bytes = SharedUnits<Kinds, chunk_units>::bytes;
  static constexpr int input_at = warps * C::ring * slot_bytes;
  static constexpr int barriers_at = input_at + warps * input_bytes;
  static constexpr int partial_at = barriers_at + warps * C::ring * 16;
  static constexpr int squares_at = partial_at + (rounds > 1 ? 2 : 1) * sums_size * 4;
  static constexpr int best_at = squares_at + round_up(chunks * 4, 8);
  // And of a router's share: the block's rows, and a flag.
  static constexpr int rows_at = best_at + warps * (int)sizeof(Best);
  static constexpr int rows_bytes = C::routes > 0 ? 4 * (block_groups * C::group_rows + 1) : 0;
  static constexpr int shared_bytes = round_up(rows_at + rows_bytes, 16);
  static_assert(sizeof(CopyBarrier) <= 16 && C::group_rows <= 32 && C::chunk_cols % 32 == 0);
  static_assert(C::round_groups % C::row_warps == 0 && C::early <= C::paced && C::paced <= C::ring);
};

}  // namespace realizar
