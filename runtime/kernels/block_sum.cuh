// What all threads of a block find together.
#pragma once
#include "numbers.h"

namespace realizar {

// The sum of a number of each thread, in every thread. `partial`: a number a warp, free before and after.
template <int Warps>
DEVICE float block_sum(float v, float* partial) {
  float sum[1] = {v};
  warp_sum(sum);
  if (thread_index() % 32 == 0) partial[thread_index() / 32] = sum[0];
  block_sync();
  float all = 0;
#pragma unroll
  for (int w = 0; w < Warps; w++) all += partial[w];
  block_sync();
  return all;
}

// The largest.
template <int Warps>
DEVICE uint32_t block_max(uint32_t v, uint32_t* partial) {
  const uint32_t largest = warp_max(v);
  if (thread_index() % 32 == 0) partial[thread_index() / 32] = largest;
  block_sync();
  uint32_t all = 0;
#pragma unroll
  for (int w = 0; w < Warps; w++) all = partial[w] > all ? partial[w] : all;
  block_sync();
  return all;
}

}  // namespace realizar
