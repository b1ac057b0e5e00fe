// The main loop of experts: a warp multiplies the tiles of a group of rows of one expert with that expert's input.
#pragma once
#include "input.cuh"
#include "load.cuh"

namespace realizar {

// sums[part * R + r] += rows of a chunk of each matrix times x from unit `first` on; lane l takes units l, l + 32, ....
template <class C, int Units, class... F>
DEVICE void dot_experts(const char* tile, ExpertFormats<F...>, const ExpertInput<C>& x, int first, float* sums) {
  using Shape = ExpertsShape<C>;
  constexpr int R = C::group_rows;
  [[maybe_unused]] constexpr int at_once = R * Shape::parts > 2 ? 1 : 2;  // an unroll count, which only nvcc reads
#pragma unroll at_once
  for (int u = thread_index() % 32; u < Units; u += 32) {
    IntUnit ints;
    FloatActivations floats;
    if constexpr (Shape::Formats::any_quant) ints = x.ints(first + u);
    if constexpr (Shape::Formats::any_float) floats = x.floats(first + u);
    int at = 0, part = 0;
    const auto one = [&]<class G>(G) {
#pragma unroll
      for (int r = 0; r < R; r++) {
        const auto unit = load_unit<G, R, Units>(tile + at, r * Units + u, r * super_units<Units> + u / 8);
        if constexpr (is_quant<G>)
          sums[part * R + r] += dot<G>(unit, ints);
        else
          sums[part * R + r] += dot<G>(unit, floats);
      }
      at += tile_stride<G, R, Shape::chunk_units>;
      part++;
    };
    (one(F{}), ...);
  }
}

// One of the sums of an item, part by part and row by row: of Shape::sum_lanes neighbours each.
template <class C>
DEVICE float dot_item(ExpertPipeline<C>& weights, const ExpertInput<C>& x, int chosen) {
  using Shape = ExpertsShape<C>;
  const int first = C::combines ? chosen * Shape::units : 0;
  float sums[Shape::parts * C::group_rows] = {};
  for (int chunk = 0; chunk < Shape::chunks - 1; chunk++) {
    dot_experts<C, Shape::chunk_units>(weights.wait(), typename C::formats{}, x, first + chunk * Shape::chunk_units,
                                       sums);
    weights.next();
  }
  dot_experts<C, Shape::last_units>(weights.wait(), typename C::formats{}, x,
                                    first + (Shape::chunks - 1) * Shape::chunk_units, sums);
  weights.next();
  return warp_sums<32>(sums);
}

}  // namespace realizar
