// The main loop: sums of a tile over the columns of one split. Weights of the next steps are on their way to registers
// while products of this one are made; half a step's weights become halves while the other half's products run.
#pragma once
#include "load.cuh"
#include "weights.cuh"

namespace realizar {

template <class F>
DEVICE void rests_of(const UnitHalves<F>& unit, int k, uint32_t& first, uint32_t& second) {
  if constexpr (has_rest<F>)
    unit.rests(k, first, second);
  else
    first = second = 0;
}

template <class C, class First, class Second>
DEVICE void accumulate_tile(TileWeights<C, First, Second>& weights, ActivationPipeline<C>& input, int begin, int end,
                            int load_end, float (&sums)[MatmulShape<C>::sums]) {
  constexpr bool rests = has_rest<First> || has_rest<Second>;
  WarpgroupProducts<C::tile_rows> products;
  uint32_t a[2][4][4], rest[2][rests ? 4 : 1][4];
#pragma unroll
  for (int i = 0; i < MatmulShape<C>::sums; i++) sums[i] = 0;
  for (int from = begin; from < end; from += C::depth) {
#pragma unroll
    for (int slot = 0; slot < C::depth; slot++) {
      const int step = from + slot;
      if (C::depth > 1 && step >= end) break;
      const UnitHalves<First> first = weights.first.take(slot);
      const UnitHalves<Second> second = weights.second.take(slot);
      if (step + C::depth < load_end) weights.load(slot, step + C::depth);
#pragma unroll
      for (int half = 0; half < 2; half++) {
        uint32_t(&fragments)[4][4] = a[half];
#pragma unroll
        for (int j = 0; j < 4; j++) {
          first.pairs(4 * half + j, fragments[j][0], fragments[j][2]);
          second.pairs(4 * half + j, fragments[j][1], fragments[j][3]);
          if constexpr (rests) {
            rests_of(first, 4 * half + j, rest[half][j][0], rest[half][j][2]);
            rests_of(second, 4 * half + j, rest[half][j][1], rest[half][j][3]);
          }
        }
        if (half == 0) input.wait();
        products.open();
#pragma unroll
        for (int j = 0; j < 4; j++) {
          products.add(sums, fragments[j], input.half(half), j);
          if constexpr (rests) products.add(sums, rest[half][j], input.half(half), j);
        }
        products.close();
        // All but these are done, so the other fragments are free, and so are earlier steps' activations.
        products.template wait<1>();
        if (half == 0) input.release_last();
      }
      input.advance();
    }
  }
  products.template wait<0>();
}

}  // namespace realizar
