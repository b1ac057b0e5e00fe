// Tensor cores: tiles of 8 x 8 halves from shared memory, and products of them summed in f32. Twice, as device.h: PTX
// on the GPU, the same distribution over a warp's lanes on the host. All 32 lanes call these together.
//
// Which lane has what is the PTX manual's (mma.m16n8k16, ldmatrix). Lane l, with g = l / 4 and t = 2 (l % 4):
//   a, 16 x 16: rows g, g + 8, g, g + 8 at columns t, t, t + 8, t + 8, each with its right neighbour in one register
//   b, 16 x 8: column g, rows t and t + 8, each with the next row in one register
//   sum, 16 x 8: row g columns t and t + 1, row g + 8 columns t and t + 1
#pragma once
#include "numbers.h"

namespace realizar {

#if defined(__CUDACC__)
// Four tiles; lane l names row l % 8 of tile l / 8, 16 bytes. to[i]: of tile i, row g at columns t and t + 1.
DEVICE void load_tiles(const void* row, uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}
// The same tiles transposed: to[i]: of tile i, column g at rows t and t + 1.
DEVICE void load_tiles_transposed(const void* row, uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}
// sum += a b
DEVICE void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#else
DEVICE void load_tiles(const void* row, uint32_t (&to)[4]) {
  const auto* rows = (const uint32_t* const*)sim::warp_exchange(&row, sizeof row);
  const int lane = thread_index() % 32;
  for (int i = 0; i < 4; i++) to[i] = rows[8 * i + lane / 4][lane % 4];
}
DEVICE void load_tiles_transposed(const void* row, uint32_t (&to)[4]) {
  const auto* rows = (const uint16_t* const*)sim::warp_exchange(&row, sizeof row);
  const int lane = thread_index() % 32, column = lane / 4, at = lane % 4 * 2;
  for (int i = 0; i < 4; i++) to[i] = rows[8 * i + at][column] | (uint32_t)rows[8 * i + at + 1][column] << 16;
}
DEVICE void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct Numbers {
    float a[8], b[4];
  } mine;
  for (int i = 0; i < 8; i++) mine.a[i] = half_to_float(a[i / 2] >> i % 2 * 16 & 0xffff);
  for (int i = 0; i < 4; i++) mine.b[i] = half_to_float((i < 2 ? b0 : b1) >> i % 2 * 16 & 0xffff);
  const auto* all = (const Numbers*)sim::warp_exchange(&mine, sizeof mine);
  const int lane = thread_index() % 32;
  for (int i = 0; i < 4; i++) {
    const Numbers *row = all + lane / 4 * 4, *column = all + (lane % 4 * 2 + i % 2) * 4;
    for (int k = 0; k < 16; k++)
      sum[i] = fmaf(row[k % 8 / 2].a[k / 8 * 4 + i / 2 * 2 + k % 2], column[k % 8 / 2].b[k / 8 * 2 + k % 2], sum[i]);
  }
}
#endif

}  // namespace realizar
