// What a kernel of experts is compiled for, C: a struct that starts from ExpertsDefaults and states what a node has.
//   formats                     ExpertFormats<Format...>: of one matrix, or of gate and up
//   int cols, rows              of an expert's matrix
//   int experts, used           all, and how many a token takes
//   int group_rows, chunk_cols  how matrices are cut into tiles
//   int warps, blocks
//   int stages                  of a warp's pipeline
//   int prefetch_stages         of these, loaded before grid_wait where the chosen experts are known by then
#pragma once
#include "../accumulated_logits.cuh"
#include "../activation.cuh"
#include "../coded.cuh"
#include "../norm.cuh"

namespace realizar {

struct ExpertsArgs {
  const char* weights;
  const float* input;            // [cols], or [used][cols]
  char* logits;                  // [experts] f32, or one more; or AccumulatedLogits
  const float* norm;             // [cols]
  const float* shared;           // [rows]
  const float* residual;         // [rows]
  float* output;                 // [used][rows], or [rows]
  const float* bias[2];          // [experts][rows]
  const float* matrix_scale[2];  // [experts]
  const float* selection;        // [experts]
};

// The matrices of an expert: one, or gate and up, whose tiles lie side by side and come with one copy.
template <class... F>
struct ExpertFormats {
  static constexpr int parts = sizeof...(F);
  static constexpr bool any_quant = (is_quant<F> || ...), any_float = (!is_quant<F> || ...);
  static constexpr bool any_sums = (needs_sums<F> || ...);
  template <int R, int Units>
  static constexpr int bytes = (tile_stride<F, R, Units> + ...);
  // A shorter last chunk: all but its last part keep their places.
  template <int R, int Units, int LastUnits>
  static constexpr int last_bytes() {
    int before = 0, end = 0;
    ((end = before + tile_stride<F, R, LastUnits>, before += tile_stride<F, R, Units>), ...);
    return end;
  }
};

// ------------------------------------------------------------------ where logits come from
struct StoredLogits {
  static constexpr int blocks = 0;
};
// Sums that the blocks of a projection have added up, of an input of so many columns (../accumulated_logits.cuh).
template <int Blocks, int Cols, float Epsilon>
struct SummedLogits {
  static constexpr int blocks = Blocks, cols = Cols;
  static constexpr float epsilon = Epsilon;
};

// ------------------------------------------------------------------ what chooses experts
struct ByLogit {
  static constexpr bool scored = false, biased = false;
  static constexpr int groups = 1, groups_used = 1;
};
// Probabilities, of softmax or sigmoids; biased: with a number of each expert's added to it; of the experts of some
// groups only, where there are several.
template <bool Biased, int Groups, int GroupsUsed>
struct ByScore {
  static constexpr bool scored = true, biased = Biased;
  static constexpr int groups = Groups, groups_used = GroupsUsed;
};

// ------------------------------------------------------------------ weights of those chosen
// over_all: softmax of all logits, else of those chosen; sigmoids as they are, else divided by their sum.
template <bool OverAll>
struct SoftmaxWeights {
  static constexpr bool sigmoid = false, over_all = OverAll;
};
template <bool OverAll>
struct SigmoidWeights {
  static constexpr bool sigmoid = true, over_all = OverAll;
};

// Variants, none of which the plainest kernel has.
struct ExpertsDefaults {
  using norm = NoNorm;          // or RmsNorm
  using logits = StoredLogits;  // or SummedLogits
  using selection = ByLogit;    // or ByScore
  using weights = SoftmaxWeights<false>;
  static constexpr float weights_scale = 1.f;  // of all weights
  static constexpr Activation activation = Activation::none;
  static constexpr int bias = 0, matrix_scale = 0;  // bit i: matrix i has one
  static constexpr bool combines = false;           // the weighted sum of the chosen experts' rows
  // Of a sum only. gated: the last logit is of the shared output's gate.
  static constexpr bool add_shared = false, gated = false, add_residual = false;
  static constexpr float scale = 1.f;
};

}  // namespace realizar
