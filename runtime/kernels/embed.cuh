// x = the embedding row of the state's token, from the device layout of formats.cuh. One thread a unit (32 columns).
// The token's first node, so it also clears the sums that later ones add to (accumulated_logits.cuh).
// C: cols, group_rows, chunk_cols, format, group_bytes (stride from a row group to the next), scale, sums.
#pragma once
#include "accumulated_logits.cuh"
#include "coded.cuh"
#include "state.h"

namespace realizar {

struct EmbedArgs {
  const char* weights;
  const State* state;
  float* output;  // [cols]
  char* logits;   // AccumulatedLogits: C::sums of them
};

template <class C, int Units>
DEVICE void embed_unit(const char* tile, int row, int u, float* output, int col) {
  float4 w[8];
  expand<typename C::format>(
      load_unit<typename C::format, C::group_rows, Units>(tile, row * Units + u, row * super_units<Units> + u / 8), w);
#pragma unroll
  for (int k = 0; k < 8; k++) {
    const float four[4] = {w[k].x * C::scale, w[k].y * C::scale, w[k].z * C::scale, w[k].w * C::scale};
    if constexpr (C::cols % 4 == 0) {
      if (col + 4 * k < C::cols) *(float4*)(output + col + 4 * k) = {four[0], four[1], four[2], four[3]};
    } else {
      for (int j = 0; j < 4; j++)
        if (col + 4 * k + j < C::cols) output[col + 4 * k + j] = four[j];
    }
  }
}

// A unit of a token's row, into a row of C::cols numbers.
template <class C>
DEVICE void embed_token_unit(const char* weights, int token, int unit, float* output) {
  constexpr int units = (C::cols + 31) / 32, chunk_units = C::chunk_cols / 32;
  constexpr int chunks = (units + chunk_units - 1) / chunk_units, last_units = units - (chunks - 1) * chunk_units;
  const int row = token % C::group_rows, chunk = unit / chunk_units, u = unit % chunk_units;
  const char* tile = weights + (int64_t)(token / C::group_rows) * C::group_bytes +
                     (int64_t)chunk * tile_stride<typename C::format, C::group_rows, chunk_units>;
  if (chunk < chunks - 1)
    embed_unit<C, chunk_units>(tile, row, u, output, unit * 32);
  else
    embed_unit<C, last_units>(tile, row, u, output, unit * 32);
}

template <class C>
DEVICE void embed(const EmbedArgs& a) {
  grid_release();
  grid_wait();
  const int unit = block_index() * block_threads() + thread_index();
  for (int i = unit; i < C::sums; i += grid_blocks() * block_threads()) *AccumulatedLogits::sum(a.logits, i) = 0;
  if (unit < (C::cols + 31) / 32) embed_token_unit<C>(a.weights, load_global(&a.state->token), unit, a.output);
}

}  // namespace realizar
