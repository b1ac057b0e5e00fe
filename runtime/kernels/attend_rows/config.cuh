// What attention of many rows is compiled for, C: a struct that starts from AttendRowsDefaults and states what a model
// has.
//   int heads, kv_heads, head_size;  the model's
//   int qkv_cols;                    of a row of qkv, where the gates are
//   int rows;                        of the program, at most
//   int slot_pages, slot_bytes;      of a slot's page table; from a slot to the next
//   int64_t page_stride;             elements of the KV cache from a page to the next
//   int split_positions;             where the context is split, a multiple of a page
//   int stages;                      chunks of positions under way
#pragma once
#include "../attend/variants.cuh"
#include "../slots.cuh"

namespace realizar {

struct AttendRowsArgs {
  const StepHeader* step;
  const Tile* tiles;
  const State* slots;
  const uint16_t* query;       // [rows][heads][row], with rests [rows][heads][2][row], as append leaves it
  const float* sinks;          // [heads]
  const float* qkv;            // [rows][qkv_cols], where there are gates
  const uint32_t* page_table;  // the first slot's
  const uint16_t* keys;        // of page 0 (kv_row.cuh)
  const uint16_t* values;
  float* fold;          // [blocks][fold_size], where the context may be longer than a split
  uint16_t* output;     // operand form of [rows][heads * head_size]
  float* output_scale;  // [rows], all 1
};

// Variants (attend/variants.cuh), none of which a plain model has. rests: queries are two halves each, the nearest one
// and what it leaves, where weights are F32: what goes into scores counts most, because a softmax multiplies it.
struct AttendRowsDefaults {
  using window = AllPositions;
  using cap = NoCap;
  using sinks = NoSinks;
  using gates = NoGates;
  static constexpr bool rests = false;
};

}  // namespace realizar
