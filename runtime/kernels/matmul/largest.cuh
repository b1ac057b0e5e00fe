// largest_m = max |w| over the finite weights of each matrix m of a product of many rows, found once when weights have
// been loaded: what they are scaled by so that they are halves (weights.cuh). A warp a matrix row. Its tests alone: npx
// vitest run test/runtime/sim.test.ts -t largest
#pragma once
#include "../matrix_tiling.cuh"

namespace realizar {

struct LargestArgs {
  const char* weights;
  uint32_t* largest;  // [matrices][experts], the bits of f32; zeros before
};

constexpr int largest_warps = 8;

// C: segments, cols, group_rows, chunk_cols, as the product's; experts: 1, or of how many matrices a segment's rows
// are, one after another.
template <class C>
class LargestOfRow {
 public:
  using Tiling = MatrixTiling<C>;

  DEVICE LargestOfRow(const LargestArgs& a, int row) : a_(a) { in_segment<0>(row, 0, typename C::segments{}); }

 private:
  template <int Matrix, class S, class... Rest>
  DEVICE void in_segment(int row, int64_t bytes, Segments<S, Rest...>) {
    constexpr int64_t group = Tiling::template group_bytes<S>;
    constexpr int all = S::rows * S::parts;
    if (row < all) return in_part<Matrix, S>(row / S::rows, row % S::rows, bytes, S{});
    if constexpr (sizeof...(Rest) > 0)
      in_segment<Matrix + S::parts>(row - all, bytes + S::template groups<C::group_rows> * group, Segments<Rest...>{});
  }
  template <int Matrix, class S, int Rows, class F, class... More>
  DEVICE void in_part(int part, int row, int64_t bytes, Segment<Rows, F, More...>) {
    if (part == 0) return in_row<Matrix, S, F>(row, bytes);
    if constexpr (sizeof...(More) > 0)
      in_part<Matrix + 1, S>(part - 1, row, bytes + tile_stride<F, C::group_rows, Tiling::chunk_units>,
                             Segment<Rows, More...>{});
  }
  template <int Matrix, class S, class F>
  DEVICE void in_row(int row, int64_t bytes) {
    constexpr int R = C::group_rows;
    const char* tiles = a_.weights + bytes + row / R * Tiling::template group_bytes<S>;
    float largest[1] = {};
    for (int u = thread_index() % 32; u < Tiling::units; u += 32) {
      const int chunk = u / Tiling::chunk_units, i = u % Tiling::chunk_units;
      const char* tile = tiles + (int64_t)chunk * Tiling::template chunk_bytes<S>;
      float4 w[8];
      const auto expand_in = [&]<int Units>() {
        expand<F>(load_unit<F, R, Units>(tile, row % R * Units + i, row % R * super_units<Units> + i / 8), w);
      };
      if (chunk < Tiling::chunks - 1)
        expand_in.template operator()<Tiling::chunk_units>();
      else
        expand_in.template operator()<Tiling::last_units>();
#pragma unroll
      for (int k = 0; k < 8; k++)
        for (const float v : {w[k].x, w[k].y, w[k].z, w[k].w})
          if (fabsf(v) < INFINITY) largest[0] = fmaxf(largest[0], fabsf(v));
    }
    warp_max(largest);
    uint32_t* found = a_.largest + Matrix * C::experts + row / (S::rows / C::experts);
    if (thread_index() % 32 == 0) node_max(found, float_to_bits(largest[0]));
  }

  const LargestArgs& a_;
};

// Of all matrices.
template <class Segments>
struct MatrixRows;
template <class... S>
struct MatrixRows<Segments<S...>> {
  static constexpr int value = (... + (S::rows * S::parts));
};

template <class C>
DEVICE void find_largest(const LargestArgs& a) {
  grid_release();
  grid_wait();
  const int row = block_index() * largest_warps + thread_index() / 32;
  if (row < MatrixRows<typename C::segments>::value) LargestOfRow<C>(a, row);
}

}  // namespace realizar
