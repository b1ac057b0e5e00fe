// What each device primitive computes, eagerly and in a graph, in order and permuted.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "../../../runtime/kernels/device.h"
#include "harness.h"

namespace realizar {
namespace {

using test::TestDevice;
using test::TestGraph;

struct Args {
  const float* in;
  float* out;
  uint32_t* counter;
};

int global_index() { return block_index() * block_threads() + thread_index(); }

// out[5 i..]: sum over the warp of in, of its square, and the largest; the largest over each eight neighbours of in and
// of its negative.
void reduce_body(const Args& a) {
  const float v = a.in[global_index()];
  float sums[2] = {v, v * v};
  warp_sum(sums);
  float largest[1] = {v}, of_eight[2] = {v, -v};
  warp_max(largest);
  warp_max<8>(of_eight);
  float* out = a.out + 5 * global_index();
  out[0] = sums[0], out[1] = sums[1], out[2] = largest[0], out[3] = of_eight[0], out[4] = of_eight[1];
}

// out = the values of lanes i ^ 5, exchanged many times with other exchanges between; and of one lane that each names.
void shuffle_body(const Args& a) {
  float v = a.in[global_index()];
  for (int i = 0; i < 9; i++) {
    v = warp_shuffle_xor(v, 5);
    warp_sync();
    EXPECT_EQ(warp_shuffle_xor(thread_index() + i, 3), (thread_index() ^ 3) + i);
    EXPECT_EQ(warp_shuffle(float(thread_index()), thread_index() * 7 % 32),
              float(thread_index() / 32 * 32 + thread_index() * 7 % 32));
  }
  a.out[global_index()] = v;
}

// out = in reversed within the block, through shared memory.
void reverse_body(const Args& a) {
  float* shared = (float*)shared_memory();
  shared[thread_index()] = a.in[global_index()];
  block_sync();
  a.out[global_index()] = shared[block_threads() - 1 - thread_index()];
}

constexpr int ring = 3, slot_floats = 64, slots_a_warp = 11;

// Each warp streams its slots through a ring of its own; out[warp of the grid] = their sum.
void stream_body(const Args& a) {
  const int warp = thread_index() / 32, lane = thread_index() % 32, warps = block_threads() / 32;
  const int of_grid = block_index() * warps + warp;
  float* slots = (float*)shared_memory() + warp * ring * slot_floats;
  CopyBarrier* barriers = (CopyBarrier*)((float*)shared_memory() + warps * ring * slot_floats) + warp * ring;
  const float* in = a.in + of_grid * slots_a_warp * slot_floats;
  if (lane == 0)
    for (int i = 0; i < ring; i++) barriers[i].init();
  copy_barriers_ready();
  block_sync();
  int issued = 0;
  auto issue = [&] {
    if (issued == slots_a_warp) return;
    copy_one(slots + issued % ring * slot_floats, in + issued * slot_floats, slot_floats * 4, barriers[issued % ring]);
    issued++;
  };
  for (int i = 0; i < ring; i++) issue();
  grid_release();
  grid_wait();
  float sum[1] = {};
  for (int taken = 0; taken < slots_a_warp; taken++) {
    barriers[taken % ring].wait(taken / ring & 1);
    for (int i = lane; i < slot_floats; i += 32) sum[0] += slots[taken % ring * slot_floats + i];
    warp_sync();
    issue();
  }
  warp_sum(sum);
  if (lane == 0) a.out[of_grid] = sum[0];
}

// The block that arrives last adds what all blocks have written, and resets the counter: out[0] = sum of in.
void last_block_body(const Args& a) {
  bool* last = (bool*)shared_memory();
  float* partial = a.out + 1;
  grid_wait();
  float sum[1] = {load_global(a.in + global_index())};
  warp_sum(sum);
  if (thread_index() == 0) partial[block_index()] = sum[0];
  block_sync();
  if (thread_index() == 0) *last = arrive(a.counter) == uint32_t(grid_blocks()) - 1;
  block_sync();
  if (!*last || thread_index() != 0) return;
  float total = 0;
  for (int b = 0; b < grid_blocks(); b++) total += load_global(partial + b);
  a.out[0] = total;
  *a.counter = 0;
}

REALIZAR_KERNEL(reduce, 96, 1, Args, reduce_body)
REALIZAR_KERNEL(shuffle, 96, 1, Args, shuffle_body)
REALIZAR_KERNEL(reverse, 160, 1, Args, reverse_body)
REALIZAR_KERNEL(stream, 160, 1, Args, stream_body)
REALIZAR_KERNEL(last_block, 32, 1, Args, last_block_body)
const HostKernel kernels[] = {{"reduce", reduce, sizeof(Args)},         {"shuffle", shuffle, sizeof(Args)},
                              {"reverse", reverse, sizeof(Args)},       {"stream", stream, sizeof(Args)},
                              {"last_block", last_block, sizeof(Args)}, {}};

std::vector<float> ramp(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; i++) values[i] = float(i * 7 % 61) - 30;  // small integers: sums are exact in any order
  return values;
}

constexpr uint32_t seeds[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

CASE(warp_reductions) {
  TestDevice device(kernels);
  const auto in = ramp(192);
  const Args args{device.upload(in), device.allocate<float>(5 * 192), nullptr};
  for (uint32_t seed : seeds) {
    set_execution_order(seed);
    device.expect(device.launch("reduce", 2, 96, 0, args).result);
    const auto out = device.download(args.out, 5 * 192);
    for (size_t i = 0; i < 192; i++) {
      const auto first = in.begin() + ptrdiff_t(i / 32 * 32);
      EXPECT_EQ(out[5 * i], std::accumulate(first, first + 32, 0.f));
      EXPECT_EQ(out[5 * i + 1], std::inner_product(first, first + 32, first, 0.f));
      EXPECT_EQ(out[5 * i + 2], *std::max_element(first, first + 32));
      float largest = -INFINITY, smallest = INFINITY;
      for (size_t k = i / 8 * 8; k < i / 8 * 8 + 8; k++)
        largest = std::max(largest, in[k]), smallest = std::min(smallest, in[k]);
      EXPECT_EQ(out[5 * i + 3], largest);
      EXPECT_EQ(out[5 * i + 4], -smallest);
    }
  }
}

CASE(warp_shuffles) {
  TestDevice device(kernels);
  const auto in = ramp(192);
  const Args args{device.upload(in), device.allocate<float>(192), nullptr};
  for (uint32_t seed : seeds) {
    set_execution_order(seed);
    device.expect(device.launch("shuffle", 2, 96, 0, args).result);
    const auto out = device.download(args.out, 192);
    for (size_t i = 0; i < 192; i++) EXPECT_EQ(out[i], in[i ^ 5]);
  }
}

CASE(block_barrier) {
  TestDevice device(kernels);
  for (unsigned threads : {1u, 31u, 32u, 160u, 1024u}) {
    const auto in = ramp(3 * threads);
    const Args args{device.upload(in), device.allocate<float>(3 * threads), nullptr};
    for (uint32_t seed : seeds) {
      set_execution_order(seed);
      device.expect(device.launch("reverse", 3, threads, threads * 4, args).result);
      const auto out = device.download(args.out, 3 * threads);
      for (unsigned i = 0; i < 3 * threads; i++)
        EXPECT_EQ(out[i], in[i / threads * threads + threads - 1 - i % threads]);
    }
  }
}

constexpr unsigned stream_blocks = 4, stream_warps = 5;
constexpr unsigned stream_shared = stream_warps * ring * (slot_floats * 4 + sizeof(CopyBarrier));

CASE(copies_through_a_ring) {
  TestDevice device(kernels);
  constexpr size_t warps = stream_blocks * stream_warps, per_warp = slots_a_warp * slot_floats;
  const auto in = ramp(warps * per_warp);
  const Args args{device.upload(in), device.allocate<float>(warps), nullptr};
  for (uint32_t seed : seeds) {
    set_execution_order(seed);
    device.expect(device.launch("stream", stream_blocks, stream_warps * 32, stream_shared, args).result);
    const auto out = device.download(args.out, warps);
    for (size_t w = 0; w < warps; w++) {
      const auto first = in.begin() + ptrdiff_t(w * per_warp);
      EXPECT_EQ(out[w], std::accumulate(first, first + ptrdiff_t(per_warp), 0.f));
    }
  }
}

CASE(last_block_adds_what_another_node_wrote) {
  TestDevice device(kernels);
  constexpr size_t warps = stream_blocks * stream_warps, per_warp = slots_a_warp * slot_floats;
  const auto in = ramp(warps * per_warp);
  float* sums = device.upload(std::vector<float>(3 * 32));  // the second node reads zeros after the first one's sums
  uint32_t* counter = device.upload(std::vector<uint32_t>{0});
  float* total = device.allocate<float>(1 + 3);
  for (uint32_t seed : seeds) {
    set_execution_order(seed);
    device.expect(device.driver.memset_d8_async(DevicePtr(sums), 0xff, warps * sizeof(float), nullptr));
    TestGraph graph(device);
    const GraphNode first =
        graph.add("stream", stream_blocks, stream_warps * 32, stream_shared, Args{device.upload(in), sums, nullptr});
    const GraphNode second = graph.add("last_block", 3, 32, 16, Args{sums, total, counter});
    graph.edge(first, second, true);
    device.expect(graph.run().result);
    EXPECT_EQ(device.download(total, 1)[0], std::accumulate(in.begin(), in.end(), 0.f));
    EXPECT_EQ(device.download(counter, 1)[0], 0u);
  }
}

}  // namespace
}  // namespace realizar
