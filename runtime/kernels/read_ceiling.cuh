// How fast can this GPU read? A plain streaming read with several independent 16-byte loads in flight a thread: the
// ceiling that decoding is compared with. Timed by the runtime (realizar_measure_read_ceiling).
#pragma once
#include "device.h"
#include "state.h"

namespace realizar {

DEVICE void read_ceiling(const ReadCeilingArgs& a) {
  constexpr int unroll = 8;
  const uint4* data = (const uint4*)a.data;
  const uint64_t stride = (uint64_t)grid_blocks() * read_ceiling_threads;
  uint64_t i = (uint64_t)block_index() * read_ceiling_threads + thread_index();
  uint32_t seen = 0;
  for (; i + (unroll - 1) * stride < a.n; i += unroll * stride) {
    uint4 v[unroll];
#pragma unroll
    for (int j = 0; j < unroll; j++) v[j] = load_once(data + i + j * stride);
#pragma unroll
    for (int j = 0; j < unroll; j++) seen |= v[j].x ^ v[j].y ^ v[j].z ^ v[j].w;
  }
  for (; i < a.n; i += stride) {
    const uint4 v = load_once(data + i);
    seen |= v.x ^ v.y ^ v.z ^ v.w;
  }
  if (seen == 0x5eed5eedu) *(uint32_t*)a.sink = seen;  // keeps the loads alive
}

}  // namespace realizar
