// Device primitives, twice: PTX on the GPU, the simulator of driver/sim.h on the host. Kernels see the hardware only
// through these names, numbers.h's of arithmetic and matrix.cuh's of tensor cores, so the same kernel source runs under
// the host target's checks.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define DEVICE __device__ __forceinline__
// A table in device memory. Not const, which would give it internal linkage and a name that differs from build to
// build.
#define DEVICE_TABLE __device__
// Defines a kernel that takes one struct of device pointers and runs `body(args)`.
#define REALIZAR_KERNEL(symbol, threads, blocks_per_sm, Args, body)                                                \
  extern "C" __global__ void __launch_bounds__(threads, blocks_per_sm) symbol(const __grid_constant__ Args args) { \
    body(args);                                                                                                    \
  }

namespace realizar {

// ------------------------------------------------------------------ where am I
DEVICE int thread_index() { return threadIdx.x; }
DEVICE int block_index() { return blockIdx.x; }
DEVICE int block_threads() { return blockDim.x; }
DEVICE int grid_blocks() { return gridDim.x; }
DEVICE char* shared_memory() {
  extern __shared__ __align__(128) char realizar_shared[];
  return realizar_shared;
}
DEVICE uint32_t shared_address(const void* p) { return (uint32_t)__cvta_generic_to_shared(p); }
// From where the block's shared memory begins, to which swizzles refer.
DEVICE uint32_t shared_offset(const void* p) { return shared_address(p); }

// ------------------------------------------------------------------ barriers and exchanges
DEVICE void block_sync() { __syncthreads(); }
DEVICE void warp_sync() { __syncwarp(); }
DEVICE float warp_shuffle_xor(float v, int mask) { return __shfl_xor_sync(~0u, v, mask); }
DEVICE int warp_shuffle_xor(int v, int mask) { return __shfl_xor_sync(~0u, v, mask); }
DEVICE float warp_shuffle(float v, int lane) { return __shfl_sync(~0u, v, lane); }
DEVICE uint32_t warp_shuffle(uint32_t v, int lane) { return __shfl_sync(~0u, v, lane); }
// The sums of N values over the warp's lanes, or over each Width neighbours, in every lane, added as a butterfly from
// distance Width / 2 to 1.
template <int Width = 32, int N>
DEVICE void warp_sum(float (&v)[N]) {
#pragma unroll
  for (int mask = Width / 2; mask; mask >>= 1)
#pragma unroll
    for (int i = 0; i < N; i++) v[i] += __shfl_xor_sync(~0u, v[i], mask);
}
// The sums of N values over each Width neighbours; lane k of them gets that of value k / (Width / N). Powers of two,
// N <= Width. The additions are those of warp_sum: N - 1 exchanges where N sums fade to one, not N for each distance.
template <int Width, int N>
DEVICE float warp_sums(float (&v)[N]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int mask = Width / 2, n = N / 2; mask; mask >>= 1, n /= 2) {
    if (n == 0) {
      v[0] += __shfl_xor_sync(~0u, v[0], mask);
      continue;
    }
    const bool upper = lane & mask;
#pragma unroll
    for (int i = 0; i < n; i++) {
      const float keep = upper ? v[i + n] : v[i], send = upper ? v[i] : v[i + n];
      v[i] = keep + __shfl_xor_sync(~0u, send, mask);
    }
  }
  return v[0];
}
// The largest of N values each over the warp's lanes, or over each Width neighbours, in every lane.
template <int Width = 32, int N>
DEVICE void warp_max(float (&v)[N]) {
#pragma unroll
  for (int mask = Width / 2; mask; mask >>= 1)
#pragma unroll
    for (int i = 0; i < N; i++) v[i] = fmaxf(v[i], __shfl_xor_sync(~0u, v[i], mask));
}
DEVICE uint32_t warp_max(uint32_t v) { return __reduce_max_sync(~0u, v); }

// ------------------------------------------------------------------ order between nodes of the graph
// Everything that depends on an earlier node comes after grid_wait; weights are constant and may be read before it.
DEVICE void grid_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
// From here on the next node may be scheduled (it still waits for this one's end).
DEVICE void grid_release() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
// Counts this thread's arrival at a counter in global memory; returns the count before it. What the block wrote before
// is visible to whoever sees the new count, once block_sync has ordered the block's threads around the call.
DEVICE uint32_t arrive(uint32_t* counter) {
  uint32_t before;
  __threadfence();
  asm volatile("atom.global.gpu.acq_rel.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(counter) : "memory");
  __threadfence();
  return before;
}

// What other blocks have counted so far, and what they wrote before; and a wait until it is `least` (counted modulo
// 2^32) or more. The blocks waited for must be resident: a grid whose blocks meet is small, and its kernel says so.
DEVICE uint32_t load_count(const uint32_t* counter) {
  uint32_t count;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(count) : "l"(counter) : "memory");
  return count;
}
DEVICE void wait_for_count(const uint32_t* counter, uint32_t least) {
  while ((int32_t)(load_count(counter) - least) < 0) {
  }
}

// ------------------------------------------------------------------ global memory that other nodes write
// Never moved above grid_wait, which plain loads that the compiler proves constant may be. Not kept in L1: read once.
DEVICE float load_global(const float* p) {
  float v;
  asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory");
  return v;
}
DEVICE int load_global(const int* p) {
  int v;
  asm volatile("ld.global.cg.s32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
  return v;
}
DEVICE uint32_t load_global(const uint32_t* p) { return (uint32_t)load_global((const int*)p); }
DEVICE int64_t load_global(const int64_t* p) {
  int64_t v;
  asm volatile("ld.global.cg.s64 %0, [%1];" : "=l"(v) : "l"(p) : "memory");
  return v;
}
DEVICE float4 load_global(const float4* p) {
  float4 v;
  asm volatile("ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%4];"
               : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
               : "l"(p)
               : "memory");
  return v;
}
// One store that a thread of the host sees whole.
DEVICE void store_to_host(uint64_t* p, uint64_t v) {
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(p), "l"(v) : "memory");
}
// Among the threads of one block; both return what was there.
DEVICE uint32_t block_add(uint32_t* p, uint32_t v) { return atomicAdd(p, v); }
DEVICE uint32_t block_exchange(uint32_t* p, uint32_t v) { return atomicExch(p, v); }
// Among all blocks of the node; returns what was there.
DEVICE uint32_t node_add(uint32_t* p, uint32_t v) { return atomicAdd(p, v); }
DEVICE void node_add(int64_t* p, int64_t v) { atomicAdd((unsigned long long*)p, (unsigned long long)v); }
DEVICE void node_max(uint32_t* p, uint32_t v) { atomicMax(p, v); }
// Written by nobody in this launch before the node that reads it, so it may be read before grid_wait.
template <typename T>
DEVICE T load_settled(const T* p) {
  return load_global(p);
}
// Constant data that is read once and far larger than the caches.
DEVICE uint4 load_once(const uint4* p) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}

// ------------------------------------------------------------------ asynchronous copies into shared memory
// A barrier in shared memory that a copy completes. Phases alternate between parity 0 and 1, starting with 0.
struct CopyBarrier {
  uint64_t word;
  // Of copies that so many warps begin in each phase.
  DEVICE void init(int warps = 1) {
#if __CUDA_ARCH__ >= 900
    const int arrivals = warps;
#else
    const int arrivals = 32 * warps;
#endif
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(&word)), "r"(arrivals) : "memory");
  }
  DEVICE void wait(int parity) {
    while (!passed(parity)) {
    }
  }
  // Not try_wait, which may suspend the thread: compute-sanitizer's racecheck does not follow that, and now and then
  // takes a read after it for one that waited for nothing.
  DEVICE bool passed(int parity) {
    uint32_t done;
    asm volatile("{\n.reg .pred p;\nmbarrier.test_wait.parity.shared.b64 p, [%1], %2;\nselp.b32 %0, 1, 0, p;\n}"
                 : "=r"(done)
                 : "r"(shared_address(&word)), "r"(parity)
                 : "memory");
    return done;
  }
};
// A barrier in shared memory that a number of threads complete, which say so one by one. Phases as CopyBarrier's.
struct ArrivalBarrier {
  CopyBarrier barrier;
  DEVICE void init(int arrivals) {
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(&barrier.word)), "r"(arrivals) : "memory");
  }
  DEVICE void arrive() {
    asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(shared_address(&barrier.word)) : "memory");
  }
  DEVICE void wait(int parity) { barrier.wait(parity); }
};
// Makes initialised barriers visible to the copy engine; before the block_sync that follows their init.
DEVICE void copy_barriers_ready() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}
// All 32 lanes of a warp call these three: copies between begin and end complete together, when a wait for the
// barrier's phase returns. `bytes`: of all of them, each a multiple of 16 from and to 16-byte aligned addresses. One
// bulk copy each from sm_90 on, 16 bytes a lane below.
DEVICE void begin_copies(CopyBarrier& done, int bytes) {
#if __CUDA_ARCH__ >= 900
  if (threadIdx.x % 32 == 0)
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&done.word)), "r"(bytes)
                 : "memory");
#endif
}
// Once: not read again soon, so the first to leave L2.
template <bool Once = false>
DEVICE void copy_to_shared(void* to, const void* from, int bytes, CopyBarrier& done) {
#if __CUDA_ARCH__ >= 900
  if (threadIdx.x % 32 != 0) return;
  if (Once) {
    uint64_t policy;
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::
            "r"(shared_address(to)),
        "l"(from), "r"(bytes), "r"(shared_address(&done.word)), "l"(policy)
        : "memory");
    return;
  }
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   shared_address(to)),
               "l"(from), "r"(bytes), "r"(shared_address(&done.word))
               : "memory");
#else
  for (int at = threadIdx.x % 32 * 16; at < bytes; at += 512)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address((char*)to + at)),
                 "l"((const char*)from + at)
                 : "memory");
#endif
}
// Brings the line around an address into L2; nothing waits for it.
DEVICE void prefetch_line(const void* p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }
// Registers of each thread of a warpgroup, all of which call this: fewer, or more once others have fewer. sm_90a only.
template <int Registers>
DEVICE void release_registers() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}
template <int Registers>
DEVICE void acquire_registers() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}
// Brings bytes, a multiple of 16 from a 16-byte aligned address, into L2; nothing waits for them. All lanes of a warp.
// Nothing below sm_90.
DEVICE void prefetch(const void* from, int bytes) {
#if __CUDA_ARCH__ >= 900
  if (threadIdx.x % 32 == 0)
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
#endif
}
DEVICE void end_copies(CopyBarrier& done) {
#if __CUDA_ARCH__ < 900
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(shared_address(&done.word)) : "memory");
#endif
}
}  // namespace realizar

#else
#include <cmath>
#include <utility>

#include "../driver/sim.h"

#define DEVICE inline
#define DEVICE_TABLE static const
#define REALIZAR_KERNEL(symbol, threads, blocks_per_sm, Args, body) \
  static void symbol(void** params) { body(*(const Args*)params[0]); }

namespace realizar {
struct alignas(8) uint2 {
  uint32_t x, y;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

DEVICE int thread_index() { return sim::thread_index(); }
DEVICE int block_index() { return sim::block_index(); }
DEVICE int block_threads() { return sim::block_threads(); }
DEVICE int grid_blocks() { return sim::grid_blocks(); }
DEVICE char* shared_memory() { return sim::shared_memory(); }
DEVICE uint32_t shared_offset(const void* p) { return (uint32_t)((const char*)p - shared_memory()); }

DEVICE void block_sync() { sim::block_sync(); }
DEVICE void warp_sync() { sim::warp_exchange(nullptr, 0); }
DEVICE float warp_shuffle_xor(float v, int mask) {
  return ((const float*)sim::warp_exchange(&v, sizeof v))[(sim::thread_index() % 32) ^ mask];
}
DEVICE int warp_shuffle_xor(int v, int mask) {
  return ((const int*)sim::warp_exchange(&v, sizeof v))[(sim::thread_index() % 32) ^ mask];
}
DEVICE float warp_shuffle(float v, int lane) { return ((const float*)sim::warp_exchange(&v, sizeof v))[lane]; }
DEVICE uint32_t warp_shuffle(uint32_t v, int lane) { return ((const uint32_t*)sim::warp_exchange(&v, sizeof v))[lane]; }
// One meeting of the lanes instead of five; the same additions in the same order as the GPU's butterfly.
template <int Width = 32, int N>
DEVICE void warp_sum(float (&v)[N]) {
  const float* all = (const float*)sim::warp_exchange(v, sizeof v);
  all += thread_index() % 32 / Width * Width * N;
  float tree[Width];
  for (int i = 0; i < N; i++) {
    for (int lane = 0; lane < Width; lane++) tree[lane] = all[lane * N + i];
    for (int half = Width / 2; half; half >>= 1)
      for (int lane = 0; lane < half; lane++) tree[lane] += tree[lane + half];
    v[i] = tree[0];
  }
}
template <int Width, int N>
DEVICE float warp_sums(float (&v)[N]) {
  const int mine = thread_index() % Width / (Width / N);
  warp_sum<Width>(v);
  return v[mine];
}
template <int Width = 32, int N>
DEVICE void warp_max(float (&v)[N]) {
  const float* all = (const float*)sim::warp_exchange(v, sizeof v);
  all += thread_index() % 32 / Width * Width * N;
  for (int i = 0; i < N; i++)
    for (int lane = 0; lane < Width; lane++) v[i] = fmaxf(v[i], all[lane * N + i]);
}
DEVICE uint32_t warp_max(uint32_t v) {
  const uint32_t* all = (const uint32_t*)sim::warp_exchange(&v, sizeof v);
  for (int lane = 0; lane < 32; lane++) v = all[lane] > v ? all[lane] : v;
  return v;
}

DEVICE void grid_wait() { sim::grid_wait(); }
DEVICE void grid_release() { sim::grid_release(); }
DEVICE uint32_t arrive(uint32_t* counter) { return sim::arrive(counter); }
DEVICE uint32_t load_count(const uint32_t* counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }
DEVICE void wait_for_count(const uint32_t* counter, uint32_t least) { sim::wait_for_count(counter, least); }

template <typename T>
DEVICE T load_global(const T* p) {
  sim::check_after_grid_wait();
  return *p;
}

DEVICE void store_to_host(uint64_t* p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
// The threads of a block take turns.
DEVICE uint32_t block_add(uint32_t* p, uint32_t v) { return std::exchange(*p, *p + v); }
DEVICE uint32_t block_exchange(uint32_t* p, uint32_t v) { return std::exchange(*p, v); }
DEVICE uint32_t node_add(uint32_t* p, uint32_t v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
DEVICE void node_add(int64_t* p, int64_t v) { __atomic_fetch_add((uint64_t*)p, (uint64_t)v, __ATOMIC_RELAXED); }
DEVICE void node_max(uint32_t* p, uint32_t v) {
  uint32_t before = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (before < v && !__atomic_compare_exchange_n(p, &before, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}
template <typename T>
DEVICE T load_settled(const T* p) {
  return *p;
}
DEVICE uint4 load_once(const uint4* p) { return *p; }

struct CopyBarrier : sim::Mbarrier {
  DEVICE void init(int warps = 1) { sim::Mbarrier::init(warps); }
};
using ArrivalBarrier = sim::Mbarrier;
DEVICE void copy_barriers_ready() {}
DEVICE void begin_copies(CopyBarrier& done, int bytes) {
  if (thread_index() % 32 == 0) done.expect(bytes);
}
template <bool Once = false>
DEVICE void copy_to_shared(void* to, const void* from, int bytes, CopyBarrier& done) {
  if (thread_index() % 32 == 0) sim::bulk_copy(to, from, bytes, done);
}
DEVICE void end_copies(CopyBarrier&) {}
DEVICE void prefetch_line(const void* p) { sim::bulk_prefetch((const char*)((uintptr_t)p / 16 * 16), 16); }
template <int>
DEVICE void release_registers() {}
template <int>
DEVICE void acquire_registers() {}
DEVICE void prefetch(const void* from, int bytes) {
  if (thread_index() % 32 == 0) sim::bulk_prefetch(from, bytes);
}
}  // namespace realizar
#endif

namespace realizar {
// A copy of what is read once, all there is to its barrier's phase.
DEVICE void copy_one(void* to, const void* from, int bytes, CopyBarrier& done) {
  begin_copies(done, bytes);
  copy_to_shared<true>(to, from, bytes, done);
  end_copies(done);
}
}  // namespace realizar
