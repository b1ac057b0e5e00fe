// What the simulator refuses, and what it says. Each kernel makes one mistake.
#include <cmath>

#include "../../../runtime/kernels/device.h"
#include "harness.h"

namespace realizar {
namespace {

using test::Outcome;
using test::TestDevice;
using test::TestGraph;

struct Args {
  float* data;
};

CopyBarrier& barrier(int i = 0) { return ((CopyBarrier*)(shared_memory() + 512))[i]; }
bool first_thread() { return thread_index() == 0; }

void fine_body(const Args& a) {
  grid_wait();
  a.data[thread_index()] = 1;
}
void never_waits_body(const Args& a) {
  if (thread_index() != 5) grid_wait();
  a.data[thread_index()] = 1;
}
void loads_early_body(const Args& a) {
  const float v = load_global(a.data);
  grid_wait();
  a.data[thread_index()] = v;
}
void misses_block_sync_body(const Args&) {
  if (thread_index() != 7) block_sync();
}
void misses_warp_sync_body(const Args&) {
  if (thread_index() % 32 != 31) warp_sync();
}
void diverges_body(const Args&) {
  float one[1] = {1};
  float two[2] = {};
  if (thread_index() == 9)
    warp_sum(two);
  else
    warp_max(one);
}
void waits_forever_body(const Args&) {
  if (first_thread()) barrier().init();
  block_sync();
  if (thread_index() < 3) barrier().wait(0);
}
void uninitialised_body(const Args&) { barrier().wait(0); }
void overwritten_body(const Args&) {
  barrier().init();
  memset(shared_memory(), 0, 1024);
  barrier().wait(0);
}
void initialised_twice_body(const Args&) {
  barrier().init();
  barrier().init();
}
void barrier_in_global_memory_body(const Args& a) { ((CopyBarrier*)a.data)->init(); }
void arrives_twice_body(const Args&) {
  barrier().init();
  barrier().expect(16);
  barrier().expect(16);
}
void armed_unseen_body(const Args&) {
  barrier().init();
  barrier().expect(0);
  barrier().expect(16);
}

// One thread copies `bytes` from data + `from` to shared memory + `to`, and waits.
template <int from, int to, int bytes, int expected = bytes>
void copy_body(const Args& a) {
  barrier().init();
  barrier().expect(expected);
  sim::bulk_copy(shared_memory() + to, (char*)a.data + from, bytes, barrier());
  barrier().wait(0);
}
template <int from, int bytes>
void prefetch_body(const Args& a) {
  prefetch((char*)a.data + from, bytes);
}
void overlapping_body(const Args& a) {
  for (int i = 0; i < 2; i++) {
    barrier(i).init();
    copy_one(shared_memory() + 16 * i, a.data, 32, barrier(i));
  }
}
void ends_early_body(const Args& a) {
  barrier().init();
  copy_one(shared_memory(), a.data, 32, barrier());
}
void fails_in_some_blocks_body(const Args&) {
  if (block_index() == 2 || block_index() == 3) barrier().wait(0);
}

// data[0..3] = shared memory before anything, after a copy of ones is issued, and after waiting for it.
void meet(const Args& a) {
  if (!first_thread()) return;
  arrive((uint32_t*)a.data);
  wait_for_count((const uint32_t*)a.data, (uint32_t)grid_blocks());
}
void meets_without_one_body(const Args& a) {
  if (block_index() != 1) meet(a);
}
void fails_before_meeting_body(const Args& a) {
  if (block_index() == 2) barrier().wait(0);
  meet(a);
}
void looks_body(const Args& a) {
  barrier().init();
  float* shared = (float*)shared_memory();
  const float* ones = a.data + 16;
  a.data[0] = shared[0];
  shared[0] = 7;
  copy_one(shared, ones, 16, barrier());
  a.data[1] = shared[0];
  barrier().wait(0);
  a.data[2] = shared[0];
}
// A copy that starts before grid_wait reads what was there before the node before has run.
void copies_early_body(const Args& a) {
  if (first_thread()) barrier().init();
  block_sync();
  if (thread_index() < 32) copy_one(shared_memory(), a.data + 16, 16, barrier());
  grid_wait();
  barrier().wait(0);
  if (first_thread()) a.data[0] = *(float*)shared_memory();
}
void doubles_body(const Args& a) {
  grid_wait();
  if (first_thread()) a.data[16] *= 2;
}

// Past the end of shared memory, of an allocation and of its own variables.
void overruns_shared_body(const Args& a) { shared_memory()[1024 + (a.data == nullptr)] = 1; }
void overruns_global_body(const Args& a) { a.data[64] = 1; }
void overruns_stack_body(const Args& a) {
  float local[4] = {};
  volatile float* p = local;
  for (int i = 0; i < 4 + a.data[0]; i++) p[i] = 1;
}

REALIZAR_KERNEL(fine, 1, 1, Args, fine_body)
REALIZAR_KERNEL(never_waits, 1, 1, Args, never_waits_body)
REALIZAR_KERNEL(loads_early, 1, 1, Args, loads_early_body)
REALIZAR_KERNEL(misses_block_sync, 1, 1, Args, misses_block_sync_body)
REALIZAR_KERNEL(misses_warp_sync, 1, 1, Args, misses_warp_sync_body)
REALIZAR_KERNEL(diverges, 1, 1, Args, diverges_body)
REALIZAR_KERNEL(waits_forever, 1, 1, Args, waits_forever_body)
REALIZAR_KERNEL(uninitialised, 1, 1, Args, uninitialised_body)
REALIZAR_KERNEL(overwritten, 1, 1, Args, overwritten_body)
REALIZAR_KERNEL(initialised_twice, 1, 1, Args, initialised_twice_body)
REALIZAR_KERNEL(barrier_in_global_memory, 1, 1, Args, barrier_in_global_memory_body)
REALIZAR_KERNEL(arrives_twice, 1, 1, Args, arrives_twice_body)
REALIZAR_KERNEL(armed_unseen, 1, 1, Args, armed_unseen_body)
REALIZAR_KERNEL(overlapping, 1, 1, Args, overlapping_body)
REALIZAR_KERNEL(ends_early, 1, 1, Args, ends_early_body)
REALIZAR_KERNEL(fails_in_some_blocks, 1, 1, Args, fails_in_some_blocks_body)
REALIZAR_KERNEL(meets_without_one, 1, 1, Args, meets_without_one_body)
REALIZAR_KERNEL(fails_before_meeting, 1, 1, Args, fails_before_meeting_body)
REALIZAR_KERNEL(looks, 1, 1, Args, looks_body)
REALIZAR_KERNEL(copies_early, 1, 1, Args, copies_early_body)
REALIZAR_KERNEL(doubles, 1, 1, Args, doubles_body)
REALIZAR_KERNEL(overruns_shared, 1, 1, Args, overruns_shared_body)
REALIZAR_KERNEL(overruns_global, 1, 1, Args, overruns_global_body)
REALIZAR_KERNEL(overruns_stack, 1, 1, Args, overruns_stack_body)
REALIZAR_KERNEL(copy_of_24, 1, 1, Args, (copy_body<0, 0, 24>))
REALIZAR_KERNEL(copy_from_odd, 1, 1, Args, (copy_body<4, 0, 16>))
REALIZAR_KERNEL(copy_to_odd, 1, 1, Args, (copy_body<0, 8, 16>))
REALIZAR_KERNEL(copy_past_shared, 1, 1, Args, (copy_body<0, 1008, 32>))
REALIZAR_KERNEL(copy_before_shared, 1, 1, Args, (copy_body<0, -16, 16>))
REALIZAR_KERNEL(copy_past_allocation, 1, 1, Args, (copy_body<240, 0, 32>))
REALIZAR_KERNEL(prefetch_of_24, 1, 1, Args, (prefetch_body<0, 24>))
REALIZAR_KERNEL(prefetch_past_allocation, 1, 1, Args, (prefetch_body<240, 32>))
REALIZAR_KERNEL(copy_unexpected, 1, 1, Args, (copy_body<0, 0, 32, 16>))
REALIZAR_KERNEL(copy_too_little, 1, 1, Args, (copy_body<0, 0, 16, 32>))
#define ROW(name)             \
  HostKernel {                \
#name, name, sizeof(Args) \
  }
const HostKernel kernels[] = {ROW(fine),
                              ROW(never_waits),
                              ROW(loads_early),
                              ROW(misses_block_sync),
                              ROW(misses_warp_sync),
                              ROW(diverges),
                              ROW(waits_forever),
                              ROW(uninitialised),
                              ROW(overwritten),
                              ROW(initialised_twice),
                              ROW(barrier_in_global_memory),
                              ROW(arrives_twice),
                              ROW(armed_unseen),
                              ROW(overlapping),
                              ROW(ends_early),
                              ROW(fails_in_some_blocks),
                              ROW(meets_without_one),
                              ROW(fails_before_meeting),
                              ROW(looks),
                              ROW(copies_early),
                              ROW(doubles),
                              ROW(overruns_shared),
                              ROW(overruns_global),
                              ROW(overruns_stack),
                              ROW(copy_of_24),
                              ROW(copy_from_odd),
                              ROW(copy_to_odd),
                              ROW(copy_past_shared),
                              ROW(copy_before_shared),
                              ROW(copy_past_allocation),
                              ROW(prefetch_of_24),
                              ROW(prefetch_past_allocation),
                              ROW(copy_unexpected),
                              ROW(copy_too_little),
                              {}};

constexpr unsigned shared_bytes = 1024;
constexpr size_t n_data = 64;

// The kernel fails with this text, as launched and as a node of a graph; the device works on.
void expect_refused(const char* kernel, unsigned threads, const std::string& text) {
  TestDevice device(kernels);
  const Args args{device.upload(std::vector<float>(n_data, 1))};
  for (uint32_t seed : {0, 1, 2, 3}) {
    set_execution_order(seed);
    const Outcome outcome = device.launch(kernel, 1, threads, shared_bytes, args);
    EXPECT_EQ(outcome.result, 719);
    EXPECT_EQ(outcome.text, "kernel " + std::string(kernel) + ", block 0" + text);
    EXPECT_EQ(device.launch("fine", 1, n_data, 0, args).result, 0);
  }
}

CASE(block_sync_that_a_thread_misses) {
  expect_refused("misses_block_sync", 160,
                 ": deadlock: of 160 threads 1 ended, 159 wait at block_sync, 0 in a warp exchange, 0 for a copy "
                 "barrier, 0 at grid_wait");
}
CASE(warp_exchange_that_a_lane_misses) {
  expect_refused("misses_warp_sync", 64,
                 ": deadlock: of 64 threads 2 ended, 0 wait at block_sync, 62 in a warp exchange, 0 for a copy "
                 "barrier, 0 at grid_wait");
}
CASE(copy_barrier_that_nothing_completes) {
  const char* text =
      ": deadlock: of 32 threads 29 ended, 0 wait at block_sync, 0 in a warp exchange, 3 for a copy barrier, 0 at "
      "grid_wait";
  expect_refused("waits_forever", 32, text);
}
CASE(warp_exchange_in_part_of_a_warp) {
  TestDevice device(kernels);
  const Outcome outcome = device.launch("misses_warp_sync", 1, 48, 0, Args{nullptr});
  EXPECT_EQ(outcome.text,
            "kernel misses_warp_sync, block 0, thread 32: a warp exchange needs 32 lanes, and the last warp of 48 "
            "threads has 16");
}
CASE(lanes_that_exchange_different_sizes) {
  TestDevice device(kernels);
  EXPECT_EQ(device.launch("diverges", 1, 32, 0, Args{nullptr}).text,
            "kernel diverges, block 0, thread 9: the warp has diverged: this lane exchanges 8 bytes where 9 others "
            "exchange 4");
}

CASE(copy_barrier_uninitialised) {
  expect_refused("uninitialised", 1, ", thread 0: uses a copy barrier that was not initialised or is overwritten");
}
CASE(copy_barrier_overwritten) {
  expect_refused("overwritten", 1, ", thread 0: uses a copy barrier that was not initialised or is overwritten");
}
CASE(copy_barrier_initialised_twice) {
  expect_refused("initialised_twice", 1, ", thread 0: a copy barrier initialised twice");
}
CASE(copy_barrier_in_global_memory) {
  expect_refused("barrier_in_global_memory", 1, ", thread 0: a copy barrier outside this block's shared memory");
}
CASE(copy_barrier_with_too_many_arrivals) {
  expect_refused("arrives_twice", 1, ", thread 0: more than 1 arrivals in one phase of a copy barrier");
}
CASE(copy_barrier_armed_before_anybody_waited) {
  expect_refused("armed_unseen", 1, ", thread 0: a copy barrier armed again before anybody waited for its last phase");
}
CASE(copy_into_one_under_way) {
  expect_refused("overlapping", 1, ", thread 0: a bulk copy into shared memory that another one under way writes to");
}
CASE(copy_under_way_at_the_end) {
  expect_refused("ends_early", 1, ": ended before anybody waited for the last copies to 1 of its barriers");
}
CASE(copy_larger_than_expected) {
  expect_refused("copy_unexpected", 1, ", thread 0: a bulk copy of 32 bytes, but its barrier expects only 16 more");
}
CASE(copy_smaller_than_expected) {
  expect_refused("copy_too_little", 1,
                 ": deadlock: of 1 threads 0 ended, 0 wait at block_sync, 0 in a warp exchange, 1 for a copy barrier, "
                 "0 at grid_wait");
}

// The message has addresses in it.
void expect_refused_with(const char* kernel, const char* part) {
  TestDevice device(kernels);
  const Args args{device.upload(std::vector<float>(n_data, 1))};
  const Outcome outcome = device.launch(kernel, 1, 1, shared_bytes, args);
  EXPECT_EQ(outcome.result, 719);
  if (outcome.text.find(part) == std::string::npos) test::fail(__FILE__, __LINE__, outcome.text);
}
CASE(copy_misaligned) {
  for (const char* kernel : {"copy_of_24", "copy_from_odd", "copy_to_odd"})
    expect_refused_with(kernel, "all three must be multiples of 16");
}
CASE(copy_outside_shared_memory) {
  expect_refused_with("copy_past_shared", "outside this block's shared memory");
  expect_refused_with("copy_before_shared", "outside this block's shared memory");
}
CASE(copy_outside_device_memory) {
  expect_refused_with("copy_past_allocation", "which is not inside one allocation of device memory");
}
CASE(prefetch_of_what_is_not_there) {
  expect_refused_with("prefetch_of_24", "both must be multiples of 16");
  expect_refused_with("prefetch_past_allocation", "which is not inside one allocation of device memory");
}

CASE(counts_that_no_block_reaches) {
  TestDevice device(kernels);
  for (uint32_t seed : {0, 1, 2, 3}) {
    set_execution_order(seed);
    const Args args{device.upload(std::vector<float>(n_data, 0))};
    const std::string text = device.launch("meets_without_one", 4, 3, shared_bytes, args).text;
    EXPECT(text.starts_with("kernel meets_without_one, block ") &&
           text.ends_with(": deadlock: 3 of 4 blocks wait for counts that the others have left behind"));
    EXPECT_EQ(device.launch("fine", 1, n_data, 0, args).result, 0);
  }
}

// Not that others wait for it in vain.
CASE(a_block_that_fails_while_others_wait_for_it_is_reported) {
  TestDevice device(kernels);
  for (uint32_t seed : {0, 1, 2, 3}) {
    set_execution_order(seed);
    const Args args{device.upload(std::vector<float>(n_data, 0))};
    EXPECT_EQ(device.launch("fails_before_meeting", 4, 1, shared_bytes, args).text,
              "kernel fails_before_meeting, block 2, thread 0: uses a copy barrier that was not initialised or is "
              "overwritten");
  }
}

CASE(the_first_failing_block_is_reported) {
  TestDevice device(kernels);
  for (int i = 0; i < 50; i++)
    EXPECT_EQ(device.launch("fails_in_some_blocks", 8, 1, shared_bytes, Args{nullptr}).text,
              "kernel fails_in_some_blocks, block 2, thread 0: uses a copy barrier that was not initialised or is "
              "overwritten");
}

CASE(memory_is_poisoned) {
  TestDevice device(kernels);
  for (float v : device.download(device.allocate<float>(1000), 1000)) EXPECT(std::isnan(v));
  const Args args{device.upload(std::vector<float>(n_data, 1))};
  device.expect(device.launch("looks", 1, 1, shared_bytes, args).result);
  const auto seen = device.download(args.data, 3);
  EXPECT(std::isnan(seen[0]));
  EXPECT(std::isnan(seen[1]));
  EXPECT_EQ(seen[2], 1.f);
}

// One node, then another that depends on it.
Outcome run_both(TestDevice& device, const char* first, const char* second, const Args& args, bool programmatic) {
  TestGraph graph(device);
  const GraphNode from = graph.add(first, 1, n_data, 0, args);
  const GraphNode to = graph.add(second, 1, n_data, shared_bytes, args);
  graph.edge(from, to, programmatic);
  return graph.run();
}
CASE(node_that_never_waits) {
  TestDevice device(kernels);
  const Args args{device.upload(std::vector<float>(n_data, 1))};
  EXPECT_EQ(device.launch("never_waits", 1, n_data, 0, args).result, 0);
  EXPECT_EQ(run_both(device, "fine", "never_waits", args, false).result, 0);
  const Outcome outcome = run_both(device, "fine", "never_waits", args, true);
  EXPECT_EQ(outcome.result, 719);
  EXPECT_EQ(outcome.text,
            "node 1, kernel never_waits, block 0, thread 5: ended without grid_wait, but a programmatic edge leads to "
            "this node: the node after it would be free to start before the one that this thread should have waited "
            "for");
}
CASE(load_before_grid_wait) {
  TestDevice device(kernels);
  const Args args{device.upload(std::vector<float>(n_data, 1))};
  EXPECT_EQ(device.launch("loads_early", 1, n_data, 0, args).result, 0);
  EXPECT_EQ(run_both(device, "fine", "loads_early", args, false).result, 0);
  const Outcome outcome = run_both(device, "fine", "loads_early", args, true);
  EXPECT_EQ(outcome.result, 719);
  EXPECT_EQ(outcome.text,
            "node 1, kernel loads_early, block 0, thread 0: loads what another node writes before grid_wait, and a "
            "programmatic edge leads to this node");
}
CASE(copy_before_grid_wait_reads_old_data) {
  TestDevice device(kernels);
  for (const bool programmatic : {true, false}) {
    const Args args{device.upload(std::vector<float>(n_data, 1))};
    device.expect(run_both(device, "doubles", "copies_early", args, programmatic).result);
    EXPECT_EQ(device.download(args.data, 1)[0], programmatic ? 1.f : 2.f);
  }
}

// A sanitizer ends the process here; without one these may do anything, so only the sanitized build runs them.
void overrun(const char* kernel) {
  TestDevice device(kernels);
  device.launch(kernel, 1, 1, shared_bytes, Args{device.upload(std::vector<float>(n_data, 1))});
}
CASE(unsafe_overruns_shared) { overrun("overruns_shared"); }
CASE(unsafe_overruns_global) { overrun("overruns_global"); }
CASE(unsafe_overruns_stack) { overrun("overruns_stack"); }

}  // namespace
}  // namespace realizar
