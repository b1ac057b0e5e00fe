// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011):
// the same key and counter give the same four numbers, whenever and wherever they are asked for.
#pragma once
#include "device.h"

namespace realizar {

DEVICE uint4 philox(uint4 counter, uint2 key) {
  for (int round = 0; round < 10; round++) {
    const uint64_t a = (uint64_t)counter.x * 0xd2511f53u, b = (uint64_t)counter.z * 0xcd9e8d57u;
    counter = uint4{(uint32_t)(b >> 32) ^ counter.y ^ key.x, (uint32_t)b, (uint32_t)(a >> 32) ^ counter.w ^ key.y,
                    (uint32_t)a};
    key.x += 0x9e3779b9u;
    key.y += 0xbb67ae85u;
  }
  return counter;
}

}  // namespace realizar
