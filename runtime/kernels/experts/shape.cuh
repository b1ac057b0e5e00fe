// What follows from C of a kernel of experts (config.cuh): how an expert's rows and columns are cut into tiles, and
// where everything lies in shared memory. compiler/kernels/experts/config.ts computes the same; the emitted kernels.cu
// asserts that the two agree.
#pragma once
#include "../shared_units.cuh"
#include "routing_shape.cuh"

namespace realizar {

template <class C>
struct ExpertsShape {
  using Formats = typename C::formats;
  static constexpr int threads = C::warps * 32, parts = Formats::parts;
  static constexpr int units = (C::cols + 31) / 32, chunk_units = C::chunk_cols / 32;
  static constexpr int chunks = (units + chunk_units - 1) / chunk_units;
  static constexpr int last_units = units - (chunks - 1) * chunk_units;
  static constexpr int stage_bytes = Formats::template bytes<C::group_rows, chunk_units>;
  static constexpr int last_bytes = Formats::template last_bytes<C::group_rows, chunk_units, last_units>();
  static constexpr int64_t group_bytes = (int64_t)(chunks - 1) * stage_bytes + last_bytes;
  // Groups of an expert; what blocks share out: groups of all that are chosen, or groups of rows of their sum.
  static constexpr int groups = C::rows / C::group_rows, shared_out = C::combines ? groups : C::used * groups;
  static constexpr int block_groups = (shared_out + C::blocks - 1) / C::blocks;
  static constexpr int sum_lanes = 32 / (parts * C::group_rows);  // that have one sum of an item
  // The input, one for all or one for each that is chosen, four columns at a time for each thread.
  static constexpr int inputs = C::combines ? C::used : 1, x_units = inputs * units;
  static constexpr int input_steps = (x_units * 8 + threads - 1) / threads;
  // Of these so many are under way together: each batch costs the latency of the cache.
  static constexpr int most_steps = C::norm::any ? 4 : 8;
  static constexpr int input_batch = input_steps < most_steps ? input_steps : most_steps;
  using Choice = RoutingShape<C>;
  static constexpr int logits = Choice::logits;
  static constexpr int logits_each = (logits + threads - 1) / threads;  // a thread
  // Shared memory: the pipeline stages; the input; the stages' barriers; what the choice of experts needs; a number a
  // warp; sums of the block's rows, [group][chosen][row].
  using Input = SharedUnits<Formats, x_units>;
  static constexpr int input_at = C::warps * C::stages * stage_bytes;
  static constexpr int barriers_at = input_at + Input::bytes;
  static constexpr int routing_at = barriers_at + C::warps * C::stages * 16;
  static constexpr int squares_at = routing_at + Choice::bytes;
  static constexpr int sums_at = squares_at + C::warps * 4;
  static constexpr int sums_bytes = C::combines ? block_groups * C::used * C::group_rows * 4 : 0;
  static constexpr int shared_bytes = round_up(sums_at + sums_bytes, 16);
  static_assert(routing_at % 16 == 0);
  static_assert(C::rows % C::group_rows == 0 && sum_lanes * parts * C::group_rows == 32 && C::chunk_cols % 32 == 0);
  static_assert(sizeof(CopyBarrier) <= 16 && C::prefetch_stages <= C::stages);
};

}  // namespace realizar
