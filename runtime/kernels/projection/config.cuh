// What a projection is compiled for, C: a struct that starts from ProjectionDefaults and states what a node has.
//   segments                         Segments<Segment<rows, Format...>...> (segments.cuh)
//   int cols, group_rows, chunk_cols how matrices are cut: rows of a group, columns of a warp's chunk
//   int row_warps, blocks            groups of rows under way together in a block
//   int pass_groups                  groups whose sums meet in shared memory in one pass of the epilogue
//   int stages                       of a warp's pipeline, each a tile
//   int prefetch_at_once             of these, loaded at once before grid_wait
//   int prefetch_stages              and so many in all before it, the others each when an earlier one has come
#pragma once
#include "../activation.cuh"
#include "../best.cuh"
#include "../norm.cuh"
#include "segments.cuh"

namespace realizar {

struct ProjectionArgs {
  const char* weights;
  const float* input;      // [cols]
  const float* norm;       // [cols]
  const float* norm_bias;  // [cols]
  const float* residual;   // [rows of all segments]
  float* output;           // [rows of all segments]
  Best* best;              // [blocks]: the largest of the block's outputs
  const float* bias[3];
  const char* prefetched;        // weights of a later projection
  const float* matrix_scale[3];  // [1]: what the products of a matrix are multiplied with
  const float* sum_norm;         // [cols]
  const float* sum_residual;     // [cols]
  float* sum;                    // [cols]
  const float* router;           // [logits][rows]
  const float* router_norm;      // [rows]
  char* logits;                  // AccumulatedLogits: sums, and [blocks] squares
};

// ------------------------------------------------------------------ names of variants
struct NoRouter {
  static constexpr int logits = 0;
};
template <int Logits>
struct Router {
  static constexpr int logits = Logits;
};
struct NoPrefetch {
  static constexpr bool any = false;
};
struct NoBest {
  DEVICE void keep(int, float) {}
  template <class C>
  DEVICE void store(const ProjectionArgs&, char*) {}
};
struct LargestRow;

// Variants, none of which a plain product has.
struct ProjectionDefaults {
  using input = PlainInput;        // or SummedInput (input_sum.cuh)
  using norm = NoNorm;             // or RmsNorm, LayerNorm (input_norm.cuh)
  using cap = NoCap;               // or SoftCap
  using best = NoBest;             // or LargestRow (epilogue.cuh)
  using router = NoRouter;         // or Router: of logits that blocks add their share to (router_share.cuh)
  using l2_prefetch = NoPrefetch;  // or L2Prefetch (l2_prefetch.cuh)
  static constexpr Activation activation = Activation::none;
  static constexpr float scale = 1.f;
  static constexpr bool holds_all = false;  // the stages hold all that the block reads
  static constexpr bool add_residual = false;
  static constexpr int bias = 0, matrix_scale = 0;  // bit i: segment i, or weight i of a gated segment, has one
  static constexpr bool scales_bias = false;        // matrix_scale is of the bias too
};

}  // namespace realizar
