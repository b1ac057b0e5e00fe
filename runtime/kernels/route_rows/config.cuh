// What the kernel that chooses experts for many rows is compiled for, C: a struct that starts from RouteRowsDefaults
// and states what a node has.
//   using router                      PlainRouter, or TiledRouter<Segment<experts, Format>, Segment<1, Format>>
//   int cols, group_rows, chunk_cols  of the router's matrix, and how it is cut
//   int rows                          of the program
//   int experts, used                 all, and how many a row takes
//   int tile_rows, tile_experts       of a block, multiples of 8; experts at most 64
//   int stages                        of the pipeline, 128 columns each; 2 but for rows that are copied (shape.cuh)
#pragma once
#include "../experts/routing_shape.cuh"
#include "../projection/segments.cuh"
#include "../step.h"

namespace realizar {

struct RouteRowsArgs {
  const StepHeader* step;
  const float* input;            // [rows][cols]
  const float* norm;             // [cols]
  const char* router;            // [experts][cols]; where gated, and of the gate [1][cols]
  const float* bias[2];          // of the router and of the gate: [experts], [1]
  const float* matrix_scale[2];  // likewise: [1]
  const float* selection;        // [experts]
  float* logits;                 // [rows][logits], between the blocks of the node
  uint32_t* counters;            // [tiles of rows], zero between nodes
  float* routing;                // [rows][routing_cols]: numbers of experts, best first; their weights; the gate
};

// Rows of f32, one after another.
struct PlainRouter {
  static constexpr bool plain = true;
};
template <class... S>
struct TiledRouter {
  static constexpr bool plain = false;
  using segments = Segments<S...>;
};

struct RouteRowsDefaults {
  using norm = NoNorm;        // or RmsNorm
  using selection = ByLogit;  // or ByScore
  using weights = SoftmaxWeights<false>;
  static constexpr float weights_scale = 1.f;
  static constexpr bool gated = false, scales_bias = false;
  static constexpr int bias = 0, matrix_scale = 0;  // bit 0: the router has one; bit 1: the gate
};

}  // namespace realizar
