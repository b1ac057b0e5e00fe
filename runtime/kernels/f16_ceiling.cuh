// How fast can this GPU multiply? Products of halves with nothing else to do, as matmul/ makes them: the ceiling that
// prompts are compared with. Timed by the runtime (realizar_measure_f16_ceiling). The numbers are random:
// products of zeros take less power, so that tensor cores make more of them.
#pragma once
#include "state.h"
#include "warpgroup.cuh"

namespace realizar {

// Halves between 1/2 and 1, or their negatives, two at a time.
DEVICE uint32_t random_halves(uint32_t i) {
  i = (i ^ i >> 16) * 0x7feb352du;
  i = (i ^ i >> 15) * 0x846ca68bu;
  return ((i ^ i >> 16) & 0x83ff83ffu) | 0x38003800u;
}

DEVICE void f16_ceiling(const F16CeilingArgs& a) {
  constexpr int sums_each = f16_ceiling_rows / 2;
  char* shared = shared_memory();
  char* b = shared + (swizzle_bytes - shared_offset(shared) % swizzle_bytes) % swizzle_bytes;
  for (int i = thread_index(); i < f16_ceiling_rows * swizzled_row_bytes / 4; i += f16_ceiling_threads)
    ((uint32_t*)b)[i] = random_halves(i);
  uint32_t fragments[4][4];
#pragma unroll
  for (int i = 0; i < 16; i++) fragments[i / 4][i % 4] = random_halves(16 * thread_index() + i);
  stores_ready_for_products();
  block_sync();
  float sums[sums_each] = {};
  WarpgroupProducts<f16_ceiling_rows> products;
  for (uint32_t i = 0; i < a.repeats; i++) {
    products.open();
#pragma unroll
    for (int j = 0; j < 4; j++) products.add(sums, fragments[j], b, j);
    products.close();
    products.template wait<1>();
  }
  products.template wait<0>();
  float all = 0;
#pragma unroll
  for (int i = 0; i < sums_each; i++) all += sums[i];
  if (all == 0.1f) *(float*)a.sink = all;  // keeps the products alive
}

}  // namespace realizar
