// The main loop of a projection: a warp multiplies its chunk of the input with the tiles that its pipeline brings; the
// chunks' sums of an epilogue pass meet in shared memory.
#pragma once
#include "input.cuh"
#include "load.cuh"

namespace realizar {

// What the warps leave for each other: [part][chunk][row of the pass].
template <class C>
DEVICE float* chunk_sums(float* partial, int pass) {
  return partial + (ProjectionShape<C>::passes > 1 ? pass % 2 * ProjectionShape<C>::sums_size : 0);
}

// sums[step] = the lane's row of a tile times the warp's chunk of x.
template <class F, int Units, class C>
DEVICE void dot_tile(const char* tile, const Activations<C>& x, float (&sums)[ProjectionShape<C>::steps]) {
  using Shape = ProjectionShape<C>;
  constexpr int R = C::group_rows;
  const int lane = thread_index() % 32, k = lane % Shape::lanes_k;
#pragma unroll
  for (int step = 0; step < Shape::steps; step++) {
    const int row = step * Shape::lanes_r + lane / Shape::lanes_k;
    sums[step] = 0;
    if (R % Shape::lanes_r && row >= R) continue;
#pragma unroll
    for (int j = 0; j < Shape::unit_sets; j++) {
      const int u = k + 32 * j;
      if (Shape::lanes_k + 32 * (Shape::unit_sets - 1) > Units && u >= Units) continue;
      const auto unit = load_unit<F, R, Units>(tile, row * Units + u, row * super_units<Units> + u / 8);
      if constexpr (is_quant<F>)
        sums[step] += dot<F>(unit, x.ints[j]);
      else
        sums[step] += dot<F>(unit, x.floats[j]);
    }
  }
}

// One group of rows of the warp: the sums of its chunk go to sums[part][chunk][row..].
template <class C>
DEVICE void accumulate_group(WeightPipeline<C>& weights, int group, const Activations<C>& x, float* to) {
  using Shape = ProjectionShape<C>;
  using Formats = typename C::segments::formats;
  const int lane = thread_index() % 32, k = lane % Shape::lanes_k;
#pragma unroll 1
  for (int part = 0; part < Shape::parts; part++) {
    int format = 0;
    visit_segment<C>(group, [&]<int Index, class S>(int, int, int64_t) {
      format = part == 0 ? S::template first_format<Formats> : S::template last_format<Formats>;
    });
    float sums[Shape::steps];
    const char* tile = weights.wait();
    with_format(format, Formats{}, [&]<class F>() {
      if (Shape::last_units == Shape::chunk_units || weights.chunk < Shape::chunks - 1)
        dot_tile<F, Shape::chunk_units>(tile, x, sums);
      else
        dot_tile<F, Shape::last_units>(tile, x, sums);
    });
    weights.next();
    const float sum = warp_sums<Shape::lanes_k>(sums);
    constexpr int sharers = Shape::lanes_k / Shape::steps;
    const int row = k / sharers * Shape::lanes_r + lane / Shape::lanes_k;
    if (k % sharers == 0 && row < C::group_rows)
      to[(part * Shape::chunks + weights.chunk) * Shape::pass_rows + row] = sum;
  }
}

}  // namespace realizar
