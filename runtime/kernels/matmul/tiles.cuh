// Which tiles a block takes; and of a tile's outputs, which segment they are in, and which of its rows a lane has.
#pragma once
#include "../expert_tiles.cuh"
#include "shape.cuh"

namespace realizar {

// What a block takes, one after another: tiles, or splits of them where splits are apart. Splits of a tile follow each
// other, and so do tiles of the same outputs.
template <class C>
class StepTiles {
 public:
  using Shape = MatmulShape<C>;
  DEVICE explicit StepTiles(const StepHeader* step)
      : n_rows_(load_settled(C::of_outputs ? &step->n_outputs : &step->n_rows)),
        row_tiles_((n_rows_ + C::tile_rows - 1) / C::tile_rows) {}
  DEVICE bool more() const { return item_ < Shape::output_tiles * row_tiles_ * Shape::split_blocks; }
  DEVICE void advance() { item_ += grid_blocks(); }
  DEVICE int tile() const { return item_ / Shape::split_blocks; }
  DEVICE int split() const { return item_ % Shape::split_blocks; }
  DEVICE int output_tile() const { return tile() / row_tiles_; }
  DEVICE int expert() const { return 0; }
  DEVICE int first_row() const { return tile() % row_tiles_ * C::tile_rows; }
  DEVICE int end_row() const { return n_rows_; }
  // Rows to load; those beyond the program's end are not there.
  DEVICE int load_rows() const {
    const int left = C::rows - first_row();
    return left < C::tile_rows ? left : C::tile_rows;
  }
  DEVICE int first_step() const { return split() * Shape::split_steps; }
  DEVICE int end_step() const { return C::apart ? Shape::split_end(split()) : Shape::steps; }

 private:
  const int n_rows_, row_tiles_;
  int item_ = block_index();
};

// Of experts: tiles of the rows that chose one (../sort_rows.cuh), those of the same rows one after another, so that
// they find these in L2. The next item's rows are asked for when this one's are known.
template <class C>
class ExpertTiles {
 public:
  using Shape = MatmulShape<C>;
  static_assert(Shape::split_blocks == 1);
  DEVICE explicit ExpertTiles(const StepHeader* step)
      : list_((const ExpertTile*)(step + 1)), items_(Shape::output_tiles * load_settled(&step->n_tiles)) {
    ask(item_);
    now_ = next_;
    ask(item_ + grid_blocks());
  }
  DEVICE bool more() const { return item_ < items_; }
  DEVICE void advance() {
    item_ += grid_blocks();
    now_ = next_;
    ask(item_ + grid_blocks());
  }
  DEVICE int tile() const { return item_; }
  DEVICE int split() const { return 0; }
  DEVICE int output_tile() const { return item_ % Shape::output_tiles; }
  DEVICE int expert() const { return now_.expert; }
  DEVICE int first_row() const { return now_.row; }
  DEVICE int end_row() const { return now_.row + now_.n_rows; }
  DEVICE int load_rows() const { return (now_.n_rows + 7) / 8 * 8; }
  DEVICE int first_step() const { return 0; }
  DEVICE int end_step() const { return Shape::steps; }

 private:
  DEVICE void ask(int item) {
    if (item < items_) next_ = load_tile(list_ + item / Shape::output_tiles);
  }

  const ExpertTile* list_;
  const int items_;
  int item_ = block_index();
  ExpertTile now_ = {}, next_ = {};
};
template <class C>
using TilesOf = std::conditional_t<(C::experts > 0), ExpertTiles<C>, StepTiles<C>>;

template <class C>
struct OutputTileOf {
  using Shape = MatmulShape<C>;
  int first, rows;               // of the tile, in its segment; of the segment
  int index, format;             // of the segment; its first part's, in the list of formats
  int outputs_before;            // of the segments before
  int64_t bytes_before;          // likewise
  int group_bytes, chunk_bytes;  // of the segment
  int expert;

  // Number `which`, 0 or 1, of the lane's two matrix rows: rows g and g + 8 of a warp's 16, or row g of a gate and of
  // an up matrix. May lie beyond the segment.
  DEVICE int row(int which) const {
    const int g = thread_index() % 32 / 4, warp = thread_index() / 32;
    return first + warp * (16 / Shape::parts) + g + (Shape::parts == 1 ? 8 * which : 0);
  }
  DEVICE int inside(int row) const { return row < rows ? row : rows - 1; }
  DEVICE int matrix(int which) const { return Shape::parts == 1 ? index : which; }
  // Of what each expert's matrix has one, or a row; by experts within matrices.
  DEVICE int of_matrix(int which) const { return C::experts > 0 ? matrix(which) * C::experts + expert : matrix(which); }
};

template <class C, int Index, class S, class... Rest>
DEVICE OutputTileOf<C> find_output_tile(int tile, int expert, int outputs, int64_t bytes, Segments<S, Rest...>) {
  using Shape = MatmulShape<C>;
  constexpr int64_t group = Shape::template group_bytes<S>;
  if constexpr (sizeof...(Rest) > 0)
    if (tile >= Shape::template tiles_of<S>)
      return find_output_tile<C, Index + 1>(tile - Shape::template tiles_of<S>, expert, outputs + S::rows,
                                            bytes + S::template groups<C::group_rows> * group, Segments<Rest...>{});
  return {tile * Shape::tile_outputs,
          S::rows,
          Index,
          S::template first_format<typename C::segments::formats>,
          outputs,
          bytes,
          (int)group,
          Shape::template chunk_bytes<S>,
          expert};
}
// Experts' matrices lie one after another.
template <class C>
DEVICE OutputTileOf<C> output_tile(const TilesOf<C>& at) {
  return find_output_tile<C, 0>(at.output_tile(), at.expert(), 0, at.expert() * MatmulShape<C>::expert_bytes,
                                typename C::segments{});
}

}  // namespace realizar
