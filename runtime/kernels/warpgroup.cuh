// Products of a warpgroup, four warps: sums += a b, a of 64 rows in registers, b of N tokens in shared memory.
// Three times: wgmma on sm_90a, where they are asynchronous; mma on other GPUs; on the host wgmma's rules, kept to.
//
// b: 16 columns of N rows (tokens) of 64 halves, a row 128 bytes, its 16-byte pieces swizzled: piece i of row r is at
// place i ^ (r % 8). The rows start at a multiple of 1024 bytes. Lane l of a warp, with g = l / 4 and t = 2 (l % 4):
//   a      rows g, g + 8, g, g + 8 at columns t, t, t + 8, t + 8, each with its right neighbour (matrix.cuh)
//   sums   for each 8 tokens: row g of tokens t and t + 1, then row g + 8 of the same
#pragma once
#include "matrix.cuh"
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#include "wgmma.cuh"
#elif !defined(__CUDACC__)
#include <vector>
#endif

namespace realizar {

constexpr int swizzled_row_bytes = 128, swizzle_bytes = 8 * swizzled_row_bytes;

// What wgmma is told of b: its address, in units of 16 bytes, from one group of 8 rows to the next, and the swizzle.
// 16 columns further are 32 bytes further.
DEVICE uint64_t describe_rows(uint32_t address) {
  return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)1 << 16 | (uint64_t)(swizzle_bytes >> 4) << 32 |
         (uint64_t)1 << 62;
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

// What threads have stored in shared memory is there for products, once block_sync has ordered the threads.
DEVICE void stores_ready_for_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Products in flight of one warpgroup: open(), add() some, close(), and so on; wait<n>() returns when all but the last
// n closed groups are done. Until then neither their sums nor their a may be touched, nor b be overwritten.
template <int N>
struct WarpgroupProducts {
  DEVICE void open() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
  // Columns 16 * step of b on.
  DEVICE void add(float (&sums)[N / 2], const uint32_t (&a)[4], const char* b, int step) {
    issue_product<N>(sums, a, describe_rows(shared_address(b)) + 2 * step);
  }
  DEVICE void close() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
  template <int Pending>
  DEVICE void wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
  }
};

#elif defined(__CUDACC__)

DEVICE void stores_ready_for_products() {}

template <int N>
struct WarpgroupProducts {
  DEVICE void open() {}
  DEVICE void add(float (&sums)[N / 2], const uint32_t (&a)[4], const char* b, int step) {
    const int lane = thread_index() % 32;
    // Tiles of 8 tokens by 8 columns: the columns' two halves of one or two groups of tokens.
    const int piece = (2 * step + lane / 8 % 2) ^ (lane % 8), row = N == 8 ? lane % 8 : lane / 16 * 8 + lane % 8;
    const char* from = b + row * swizzled_row_bytes + piece * 16;
#pragma unroll
    for (int i = 0; i < N / 8; i += 2) {
      uint32_t tiles[4];
      load_tiles(from + i * swizzle_bytes, tiles);
      multiply_add(*(float(*)[4])(sums + 4 * i), a, tiles[0], tiles[1]);
      if (N > 8) multiply_add(*(float(*)[4])(sums + 4 * i + 4), a, tiles[2], tiles[3]);
    }
  }
  DEVICE void close() {}
  template <int Pending>
  DEVICE void wait() {}
};

#else

DEVICE void stores_ready_for_products() {}

// A lane's products in flight, which are done when they are waited for: what is read or overwritten before that shows.
template <int N>
struct WarpgroupProducts {
  DEVICE void open() { groups.emplace_back(); }
  DEVICE void add(float (&sums)[N / 2], const uint32_t (&a)[4], const char* b, int step) {
    if (groups.empty()) sim::fail("a product outside of a group");
    const uint64_t at = (uint64_t)(b - shared_memory());
    if (at % swizzle_bytes != 0 || step < 0 || step > 3)
      sim::fail("rows of a product at byte %llu, step %d", (unsigned long long)at, step);
    groups.back().push_back({sums, &a, {a[0], a[1], a[2], a[3]}, describe_rows((uint32_t)at) + 2 * step});
  }
  DEVICE void close() {}
  template <int Pending>
  DEVICE void wait() {
    while (groups.size() > Pending) {
      for (const Product& product : groups.front()) run(product);
      groups.erase(groups.begin());
    }
  }

 private:
  struct Product {
    float* sums;
    const uint32_t (*a)[4];
    uint32_t issued[4];
    uint64_t b;
  };
  static void run(const Product& product) {
    struct Numbers {
      float a[8], b[N / 2];
    } mine;
    if (memcmp(*product.a, product.issued, sizeof product.issued) != 0)
      sim::fail("registers of a product in flight were changed");
    const int lane = thread_index() % 32;
    for (int i = 0; i < 8; i++) mine.a[i] = half_to_float((*product.a)[i / 2] >> i % 2 * 16 & 0xffff);
    // The lane's share of b: element i of 16 columns by N rows, i = 16 row + column.
    for (int j = 0; j < N / 2; j++) {
      const int i = lane * (N / 2) + j, row = i / 16, column = i % 16;
      uint64_t at = ((product.b & 0x3fff) << 4) + (uint64_t)row / 8 * (product.b >> 32 & 0x3fff) * 16 +
                    row % 8 * swizzled_row_bytes + column * 2;
      at ^= (at >> 7 & 7) << 4;
      mine.b[j] = half_to_float(*(const uint16_t*)(shared_memory() + at));
    }
    const auto* all = (const Numbers*)sim::warp_exchange(&mine, sizeof mine);
    const auto b = [&](int row, int column) {
      return all[(16 * row + column) / (N / 2)].b[(16 * row + column) % (N / 2)];
    };
    for (int i = 0; i < N / 2; i++) {
      const Numbers* row = all + lane / 4 * 4;
      const int token = i / 4 * 8 + lane % 4 * 2 + i % 2;
      for (int k = 0; k < 16; k++)
        product.sums[i] = fmaf(row[k % 8 / 2].a[k / 8 * 4 + i % 4 / 2 * 2 + k % 2], b(token, k), product.sums[i]);
    }
  }
  std::vector<std::vector<Product> > groups;
};

#endif

}  // namespace realizar
