// What attention is compiled for, C: a struct that starts from AttendDefaults and states what a model has.
//   int heads, kv_heads, head_size;                   the model's
//   int heads_per_block, splits, warps, stages;       the plan's; stages: chunks of positions under way a warp
//   int min_split, unsplit;                           positions that are worth a split; that are not worth splitting
//   int64_t page_stride;                              elements of the KV cache from a page to the next
//   float scale
#pragma once
#include "../state.h"
#include "variants.cuh"

namespace realizar {

struct AttendArgs {
  const float* qkv;            // [heads * head_size + 2 * kv_heads * head_size + gates]
  const float* query_norm;     // [head_size], or [heads * head_size]
  const float* key_norm;       // [head_size], or [kv_heads * head_size]
  const float* rope_factors;   // [rope's dims / 2]
  const float* sinks;          // [heads]
  const uint32_t* page_table;  // [pages of the context]
  uint16_t* keys;              // of page 0 (kv_row.cuh)
  uint16_t* values;
  const State* state;
  uint32_t* counters;  // [kv_heads * head groups], zero between nodes
  float* partial;      // [heads][splits][head_size + 2]: weighted values, largest score, sum
  float* output;       // [heads * head_size]
};

// Variants (variants.cuh), none of which a plain model has.
struct AttendDefaults {
  using query_norm = NoHeadNorm;
  using key_norm = NoHeadNorm;
  using rope = NoRope;
  using window = AllPositions;
  using cap = NoCap;
  using sinks = NoSinks;
  using gates = NoGates;
  static constexpr float epsilon = 0.f;             // of the head norms
  static constexpr bool norms_follow_rope = false;  // else they come before it
};

}  // namespace realizar
