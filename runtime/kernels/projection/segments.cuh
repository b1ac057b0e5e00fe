// The matrices of a projection: segments, whose rows follow each other, each one matrix or a gate and an up matrix.
#pragma once
#include <type_traits>

#include "../coded.cuh"

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
// Calls body.template operator()<F>() with the format at an index of a list: the code of a format is there once,
// however many segments and parts have it.
template <int Index = 0, class F, class... Rest, class Body>
DEVICE void with_format(int index, FormatList<F, Rest...>, Body&& body) {
  if constexpr (sizeof...(Rest) > 0)
    if (index > Index) return with_format<Index + 1>(index, FormatList<Rest...>{}, body);
  body.template operator()<F>();
}

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
  static constexpr int tiles_bytes = (tile_stride<Formats, R, Units> + ...);
  template <int R, int Units>
  static constexpr int largest_tile() {
    int most = 0;
    ((most = tile_stride<Formats, R, Units> > most ? tile_stride<Formats, R, Units> : most), ...);
    return most;
  }
  template <int R, int Units>
  static constexpr int last_tile() {
    int last = 0;
    ((last = tile_stride<Formats, R, Units>), ...);
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

}  // namespace realizar
