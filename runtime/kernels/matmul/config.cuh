// What a matrix product of many rows is compiled for, C: a struct that starts from MatmulDefaults and states what a
// node has. "Row" is a row of a step, a token; the matrices' rows are the outputs.
//   segments                          Segments<Segment<outputs, Format...>...> (projection/segments.cuh)
//   int cols, group_rows, chunk_cols  how matrices are cut
//   int experts                       0, or their number: then the segments are of one expert, and a row is a pair of a
//                                     token's row and an expert (expert_tiles.cuh), multiplied with that one's matrices
//   int rows                          of the program, a multiple of 8
//   int tile_rows                     tokens of a tile: 8, 16, 32, 64, 128 or 256
//   int warpgroups                    of a block, each with 64 outputs of a tile
//   int blocks, multiprocessor_blocks of the grid, which take tiles in turn; resident on a multiprocessor
//   int stages                        of the pipeline of activations, 128 columns each; at least 2
//   int depth                         steps of 128 columns whose weights are on their way to a lane's registers
//   int prefetch_steps                and to L2, further ahead; 0: none
#pragma once
#include "../activation.cuh"
#include "../projection/segments.cuh"
#include "../step.h"

namespace realizar {

struct MatmulArgs {
  const StepHeader* step;  // of experts their list of tiles
  const char* weights;
  const uint16_t* input;     // operand form (operand.cuh): [cols / 64, even][rows][64]
  const float* input_scale;  // [rows]
  const float* residual;     // [rows][outputs of all segments]
  float* output;             // [rows][outputs of all segments]
  const float* bias[3];      // of a segment, or of a gated segment's parts: [outputs], of experts [experts][outputs]
  const float* matrix_scale[3];  // likewise: [1], or [experts]
  const float* largest;  // of each matrix, its largest magnitude (largest.cuh): [matrices], or [matrices][experts]
  float* partial;        // where splits are apart: [tiles][splits][sums][threads]
  uint32_t* counters;    // [tiles][warps], zero between nodes
};

struct MatmulDefaults {
  using cap = NoCap;  // or SoftCap
  static constexpr Activation activation = Activation::none;
  static constexpr float scale = 1.f;
  static constexpr int experts = 0;
  static constexpr bool of_outputs = false;  // rows are those whose logits are wanted
  static constexpr bool add_residual = false;
  static constexpr int bias = 0, matrix_scale = 0;  // bit i: segment i, or weight i of a gated segment, has one
  static constexpr bool scales_bias = false;        // matrix_scale is of the bias too
  // Steps of 128 columns whose sums are made by themselves and then added up in order, by one block, or each by a block
  // of its own (apart), which gives the same bits. 0: all.
  static constexpr int split_steps = 0;
  static constexpr bool apart = false;
};

}  // namespace realizar
