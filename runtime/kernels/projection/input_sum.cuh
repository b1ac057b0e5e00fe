// An input that is a sum, RMSNorm(input) + residual, of what an earlier projection made. Each block works it out for
// itself: cheaper than a node. It needs a mean square before the rest, so a barrier. One block stores the sum for later
// nodes.
#pragma once
#include "input_norm.cuh"
#include "load.cuh"

namespace realizar {

// load_norm: before grid_wait; load_residual, apply: after it.
template <class C, class Input = typename C::input>
struct InputSum {
  DEVICE void load_norm(const ProjectionArgs&, int) {}
  DEVICE void load_residual(const ProjectionArgs&, int) {}
  DEVICE void apply(const ProjectionArgs&, WeightPipeline<C>&, int, int, float*, InputColumns<C>&) const {}
};

template <class C, float Epsilon, bool Stored>
struct InputSum<C, SummedInput<Epsilon, Stored>> {
  using Shape = ProjectionShape<C>;
  InputColumns<C> norm, residual;

  DEVICE void load_norm(const ProjectionArgs& a, int chunk) { norm.template load<true>(a.sum_norm, chunk); }
  DEVICE void load_residual(const ProjectionArgs& a, int chunk) {
    residual.template load<false>(a.sum_residual, chunk);
  }
  // first_group: of the warp.
  DEVICE void apply(const ProjectionArgs& a, WeightPipeline<C>& weights, int first_group, int row_warp, float* partial,
                    InputColumns<C>& input) const {
    // What has been prefetched is behind each lane's wait before the block's barriers: racecheck takes a barrier as the
    // end of what it knows of a copy.
    for (int i = 0; i < C::prefetch_at_once; i++)
      if (first_group + i / Shape::parts * C::row_warps < weights.end) weights.barriers[i].wait(0);
    const float squares = input.squares();
    input.multiply(norm);
    const float mean_square = sum_of_chunks<C, false>(squares, partial) / C::cols;
    input.scale_add(rsqrtf(mean_square + Epsilon), residual);
    // The last block has the least to do.
    if (Stored && block_index() == C::blocks - 1 && row_warp == 0) input.store(a.sum, weights.chunk);
  }
};

}  // namespace realizar
