// In which order blocks take tiles; and of a tile's outputs, which segment they are in, and which of its rows a lane
// has.
#pragma once
#include "shape.cuh"

namespace realizar {

// What a block takes, one after another: tiles, or splits of them where splits are apart. Splits of a tile follow each
// other, and so do tiles of the same outputs.
template <class C>
struct TileOrder {
  using Shape = MatmulShape<C>;
  int n_rows, row_tiles, items;

  DEVICE explicit TileOrder(const StepHeader* step)
      : n_rows(load_settled(C::of_outputs ? &step->n_outputs : &step->n_rows)),
        row_tiles((n_rows + C::tile_rows - 1) / C::tile_rows),
        items(Shape::output_tiles * row_tiles * Shape::split_blocks) {}
  DEVICE int split(int item) const { return item % Shape::split_blocks; }
  DEVICE int tile(int item) const { return item / Shape::split_blocks; }
  DEVICE int first_row(int item) const { return tile(item) % row_tiles * C::tile_rows; }
  DEVICE int first_step(int item) const { return split(item) * Shape::split_steps; }
  DEVICE int end_step(int item) const { return C::apart ? Shape::split_end(split(item)) : Shape::steps; }
};

template <class C>
struct OutputTileOf {
  using Shape = MatmulShape<C>;
  int first, rows;               // of the tile, in its segment; of the segment
  int index, format;             // of the segment; its first part's, in the list of formats
  int outputs_before;            // of the segments before
  int64_t bytes_before;          // likewise
  int group_bytes, chunk_bytes;  // of the segment

  // Number `which`, 0 or 1, of the lane's two matrix rows: rows g and g + 8 of a warp's 16, or row g of a gate and of
  // an up matrix. May lie beyond the segment.
  DEVICE int row(int which) const {
    const int g = thread_index() % 32 / 4, warp = thread_index() / 32;
    return first + warp * (16 / Shape::parts) + g + (Shape::parts == 1 ? 8 * which : 0);
  }
  DEVICE int inside(int row) const { return row < rows ? row : rows - 1; }
  DEVICE int matrix(int which) const { return Shape::parts == 1 ? index : which; }
};

template <class C, int Index, class S, class... Rest>
DEVICE OutputTileOf<C> find_output_tile(int tile, int outputs, int64_t bytes, Segments<S, Rest...>) {
  using Shape = MatmulShape<C>;
  constexpr int64_t group = Shape::template group_bytes<S>;
  if constexpr (sizeof...(Rest) > 0)
    if (tile >= Shape::template tiles_of<S>)
      return find_output_tile<C, Index + 1>(tile - Shape::template tiles_of<S>, outputs + S::rows,
                                            bytes + S::template groups<C::group_rows> * group, Segments<Rest...>{});
  return {tile * Shape::tile_outputs,
          S::rows,
          Index,
          S::template first_format<typename C::segments::formats>,
          outputs,
          bytes,
          (int)group,
          Shape::template chunk_bytes<S>};
}
template <class C>
DEVICE OutputTileOf<C> output_tile(int tile) {
  return find_output_tile<C, 0>(tile, 0, 0, typename C::segments{});
}

}  // namespace realizar
