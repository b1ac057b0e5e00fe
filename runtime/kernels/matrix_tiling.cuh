// How a matrix lies on the device: groups of C::group_rows rows, each cut into chunks of C::chunk_cols columns; a tile
// is a group's part of a chunk (formats.cuh). A group's tiles lie one after another, for each chunk one tile of each
// part (matrix) of the segment. Tiles keep their places in a chunk, also in a shorter last one; only the last tile of a
// group is cut short.
#pragma once
#include "projection/segments.cuh"

namespace realizar {

template <class C>
struct MatrixTiling {
  static constexpr int units = (C::cols + 31) / 32;
  static constexpr int chunk_units = C::chunk_cols / 32;
  static constexpr int chunks = (units + chunk_units - 1) / chunk_units;
  static constexpr int last_units = units - (chunks - 1) * chunk_units;
  template <class S>
  static constexpr int chunk_bytes = S::template tiles_bytes<C::group_rows, chunk_units>;
  template <class S>
  static constexpr int64_t group_bytes =
      (int64_t)chunks * chunk_bytes<S> - S::template last_tile<C::group_rows, chunk_units>() +
      S::template last_tile<C::group_rows, last_units>();
};

}  // namespace realizar
