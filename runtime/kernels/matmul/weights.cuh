// Weights of a lane: units of its two matrix rows, from device memory to registers, as a of products.
//
// A step is 128 columns: lane t of four has unit t, 32 columns, of row g and of the row of g + 8 (a gate's and an up
// matrix's row where there are two parts). So its columns of product j = 0..7 of the step are 4 j to 4 j + 3 of its
// unit, which is a word of quants, and activations lie in that order too (operand.cuh).
#pragma once
#include "../operand.cuh"
#include "tiles.cuh"

namespace realizar {

template <class F>
DEVICE constexpr int middle_of() {
  if constexpr (F::has_min)
    return F::middle;
  else
    return 0;
}

// Weights of this format are not the halves that are nearest to them: there is a product more, with what is left. Of
// others what is left is nothing, or of the size of the quants' own error.
template <class F>
constexpr bool has_rest = std::is_same_v<F, F32>;

// Weights 4 k..4 k + 3 of a unit as two pairs of halves, times what the unit's scales were multiplied with.
template <class F>
struct UnitHalves {
  QuantUnit unit;
  uint32_t scale[2], middles[2];

  DEVICE UnitHalves(const QuantUnit& v, float by) : unit(v) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const float scaled = v.scale[h] * by, by_quant = is_raised<F> && h == 1 ? scaled * (1.f / 16) : scaled;
      scale[h] = pack_halves(by_quant, by_quant);
      // Weights whose quants are the middle, small where the least is far from 0: fine as a half.
      const float middle = scaled * middle_of<F>() - v.min[h] * by;
      middles[h] = pack_halves(middle, middle);
    }
  }
  DEVICE void pairs(int k, uint32_t& first, uint32_t& second) const {
    // Bytes as the last bits of 1024 + byte, which are whole as halves; signed ones with 128 added.
    const uint32_t bytes = has_signed_quants<F> ? unit.q[k] ^ 0x80808080u : unit.q[k];
    const int zero_quant = F::has_min ? middle_of<F>() : F::offset;
    const int offset = has_signed_quants<F> ? 128 + zero_quant : is_raised<F> && k > 3 ? 16 * zero_quant : zero_quant;
    const uint32_t zero = 0x6400 + offset, zeros = zero << 16 | zero;
    const auto weight = [&](uint32_t digits) {
      const uint32_t q = pair_subtract(select_bytes(bytes, 0x64646464u, digits), zeros);
      return F::has_min ? pair_fma(q, scale[k / 4], middles[k / 4]) : pair_multiply(q, scale[k / 4]);
    };
    first = weight(0x4140), second = weight(0x4342);
  }
};
template <class F>
  requires(!is_quant<F>)
struct UnitHalves<F> {
  FloatUnit unit;
  float by;

  DEVICE UnitHalves(const FloatUnit& v, float by) : unit(v), by(by) {}
  DEVICE void pairs(int k, uint32_t& first, uint32_t& second) const {
    const float4 w = unit.w[k];
    first = pack_halves(w.x * by, w.y * by), second = pack_halves(w.z * by, w.w * by);
  }
  // What they leave of the weights, as halves again.
  DEVICE void rests(int k, uint32_t& first, uint32_t& second) const {
    const float4 w = unit.w[k];
    first = rest_of(w.x * by, w.y * by), second = rest_of(w.z * by, w.w * by);
  }
  static DEVICE uint32_t rest_of(float a, float b) {
    const uint32_t halves = pack_halves(a, b);
    return pack_halves(a - half_to_float(halves & 0xffff), b - half_to_float(halves >> 16));
  }
};

// The power of two that the weights of one of the lane's rows' matrices are multiplied with, so that the largest is a
// half of about 2^13: scales, which may be far smaller than a half can be, stay exact enough.
template <class C>
DEVICE float weight_scale(const MatmulArgs& a, const OutputTileOf<C>& tile, int which) {
  return 1.f / operand_scale(float_to_bits(a.largest[tile.of_matrix(which)]));
}

// A row of a matrix of format F.
template <class C, class F>
struct MatrixRow {
  using Shape = MatmulShape<C>;
  const char* tiles;  // of the row's group, those of the matrix
  int chunk_bytes, in_group;

  // `part_bytes`: of the tiles of a chunk before this matrix's.
  DEVICE MatrixRow(const MatmulArgs& a, const OutputTileOf<C>& tile, int row, int part_bytes)
      : tiles(a.weights + tile.bytes_before + (int64_t)(row / C::group_rows) * tile.group_bytes + part_bytes),
        chunk_bytes(tile.chunk_bytes),
        in_group(row % C::group_rows) {}

  // f.template operator()<Units>(tile, i, s) with the tile that has unit u, and the unit's indices in it.
  template <class Body>
  DEVICE void find(int u, Body&& f) const {
    const int chunk = u / Shape::chunk_units, in_chunk = u % Shape::chunk_units;
    const char* tile = tiles + (int64_t)chunk * chunk_bytes;
    const auto in = [&]<int Units>() {
      f.template operator()<Units>(tile, in_group * Units + in_chunk, in_group * super_units<Units> + in_chunk / 8);
    };
    if (Shape::last_units == Shape::chunk_units || chunk < Shape::chunks - 1)
      in.template operator()<Shape::chunk_units>();
    else
      in.template operator()<Shape::last_units>();
  }
  // f(address) of what is read in a step, once for each piece that lies together.
  template <class Visitor>
  DEVICE void visit(int step, Visitor&& f) const {
    find(step * Shape::step_units,
         [&]<int Units>(const char* tile, int i, int s) { F::template visit<C::group_rows, Units>(tile, i, s, f); });
  }
};

// The lane's units of a row, C::depth steps ahead.
template <class C, class F>
struct RowWeights {
  using Shape = MatmulShape<C>;
  using Stored = typename F::Stored;
  MatrixRow<C, F> row;
  float by;
  Stored stored[C::depth];

  // Rows beyond the segment are its last one again.
  DEVICE RowWeights(const MatmulArgs& a, const OutputTileOf<C>& tile, int which, int part_bytes)
      : row(a, tile, tile.inside(tile.row(which)), part_bytes), by(weight_scale(a, tile, which)) {}
  // Brings the lane's unit of a step, zeros beyond the row's end.
  DEVICE void load(int slot, int step) {
    const int u = step * Shape::step_units + thread_index() % 4;
    stored[slot] = Stored{};
    if (Shape::units % Shape::step_units != 0 && u >= Shape::units) return;
    row.find(u, [&]<int Units>(const char* tile, int i, int s) {
      stored[slot] = F::template load<C::group_rows, Units>(tile, i, s);
    });
  }
  DEVICE UnitHalves<F> take(int slot) const { return {F::decode(stored[slot]), by}; }
};

// The lane's two rows of a tile, and the formats that they are in.
template <class C, class First, class Second>
struct TileWeights {
  RowWeights<C, First> first;
  RowWeights<C, Second> second;

  DEVICE TileWeights(const MatmulArgs& a, const OutputTileOf<C>& tile)
      : first(a, tile, 0, 0),
        second(a, tile, 1,
               MatmulShape<C>::parts == 2 ? tile_stride<First, C::group_rows, MatmulShape<C>::chunk_units> : 0) {}
  DEVICE void load(int slot, int step) { first.load(slot, step), second.load(slot, step); }
};

}  // namespace realizar
