// When the nodes of a graph run, seen by kernels that write down when they were there.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

#include "../../../runtime/kernels/device.h"
#include "harness.h"

namespace realizar {
namespace {

using test::TestDevice;
using test::TestGraph;

constexpr unsigned blocks = 3, threads = 64, per_phase = blocks * threads;
constexpr uint32_t max_nodes = 24;

struct Args {
  uint32_t* count;
  uint32_t* log;  // 2 * node: before grid_wait, 2 * node + 1: after it
  uint32_t node;
};

void note(const Args& a, uint32_t phase) { a.log[arrive(a.count)] = 2 * a.node + phase; }

void phases_body(const Args& a) {
  note(a, 0);
  block_sync();
  grid_wait();
  note(a, 1);
}
REALIZAR_KERNEL(phases, 64, 1, Args, phases_body)
const HostKernel kernels[] = {{"phases", phases, sizeof(Args)}, {}};

// Nodes and edges by number, and what a run of them wrote down.
struct Recorder {
  explicit Recorder(uint32_t n_nodes) : graph(device) {
    for (uint32_t i = 0; i < n_nodes; i++)
      nodes.push_back(graph.add("phases", blocks, threads, 0, Args{count, log, i}));
  }
  void edge(uint32_t from, uint32_t to, bool programmatic) { graph.edge(nodes[from], nodes[to], programmatic); }

  void run(uint32_t seed) {
    set_execution_order(seed);
    device.expect(device.driver.memset_d8_async(DevicePtr(count), 0, 4, nullptr));
    device.expect(graph.run().result);
    EXPECT_EQ(device.download(count, 1)[0], uint32_t(nodes.size()) * 2 * per_phase);
    entries = device.download(log, nodes.size() * 2 * per_phase);
  }
  // The whole of one phase came before the whole of another.
  bool before(uint32_t first, uint32_t second) const {
    const auto last_of_first = std::find(entries.rbegin(), entries.rend(), first).base();
    return last_of_first <= std::find(entries.begin(), entries.end(), second);
  }
  bool start_before_finish(uint32_t a, uint32_t b) const { return before(2 * a, 2 * b + 1); }
  bool finish_before_start(uint32_t a, uint32_t b) const { return before(2 * a + 1, 2 * b); }
  bool finish_before_finish(uint32_t a, uint32_t b) const { return before(2 * a + 1, 2 * b + 1); }

  TestDevice device{kernels};
  uint32_t* count = device.allocate<uint32_t>(1);
  uint32_t* log = device.allocate<uint32_t>(max_nodes * 2 * per_phase);
  TestGraph graph;
  std::vector<GraphNode> nodes;
  std::vector<uint32_t> entries;
};

CASE(chain_of_programmatic_edges) {
  Recorder r(4);
  for (uint32_t i = 0; i < 3; i++) r.edge(i, i + 1, true);
  r.run(0);
  // start 1, all of 0 (it has nothing to wait for), start 2, finish 1, start 3, finish 2, finish 3
  const uint32_t first[] = {2, 0, 4, 3, 6, 5, 7};
  for (size_t i = 0; i + 1 < std::size(first); i++) EXPECT(r.before(first[i], first[i + 1]));
  EXPECT(r.before(1, 4));
}

CASE(plain_edges_wait_for_the_end) {
  Recorder r(3);
  r.edge(0, 1, false);
  r.edge(1, 2, false);
  for (uint32_t seed : {0, 1, 2, 3}) {
    r.run(seed);
    EXPECT(r.finish_before_start(0, 1) && r.finish_before_start(1, 2));
  }
}

CASE(two_predecessors) {
  Recorder r(4);  // 0 -> 1, 0 -> 2, then 3 after both
  r.edge(0, 1, true);
  r.edge(0, 2, true);
  r.edge(1, 3, true);
  r.edge(2, 3, true);
  for (uint32_t seed : {0, 1, 2, 3, 4, 5}) {
    r.run(seed);
    EXPECT(r.start_before_finish(1, 0) && r.start_before_finish(2, 0));
    EXPECT(r.start_before_finish(3, 1) && r.start_before_finish(3, 2));
    EXPECT(r.finish_before_finish(1, 3) && r.finish_before_finish(2, 3));
  }
}

CASE(plain_and_programmatic_edge_to_one_node) {
  Recorder r(3);  // 0 -> 1, and 2 waits for 0 in full and for 1 programmatically
  r.edge(0, 1, true);
  r.edge(0, 2, false);
  r.edge(1, 2, true);
  for (uint32_t seed : {0, 1, 2, 3}) {
    r.run(seed);
    EXPECT(r.start_before_finish(1, 0) && r.finish_before_start(0, 2));
    EXPECT(r.start_before_finish(2, 1) && r.finish_before_finish(1, 2));
  }
}

CASE(random_graphs_keep_their_edges) {
  std::mt19937 random(7);
  for (int round = 0; round < 12; round++) {
    const bool all_programmatic = round % 2;
    Recorder r(max_nodes);
    struct Edge {
      uint32_t from, to;
      bool programmatic;
    };
    std::vector<Edge> edges;
    for (uint32_t to = 1; to < max_nodes; to++)
      for (uint32_t from : std::set<uint32_t>{uint32_t(random() % to), uint32_t(random() % to)})
        edges.push_back({from, to, all_programmatic || random() % 2 == 0});
    for (const Edge& e : edges) r.edge(e.from, e.to, e.programmatic);
    r.run(uint32_t(round / 2));
    for (const Edge& e : edges) {
      EXPECT(e.programmatic ? r.finish_before_finish(e.from, e.to) : r.finish_before_start(e.from, e.to));
      if (all_programmatic) EXPECT(r.start_before_finish(e.to, e.from));
    }
  }
}

CASE(seed_permutes_independent_nodes) {
  Recorder r(2);
  std::set<bool> orders;
  for (uint32_t seed = 0; seed < 16; seed++) {
    r.run(seed);
    const bool in_order = r.finish_before_start(0, 1);
    EXPECT(in_order || r.finish_before_start(1, 0));
    if (seed == 0) EXPECT(in_order);
    orders.insert(in_order);
  }
  EXPECT_EQ(orders.size(), size_t(2));
}

size_t count_mappings() {
  std::ifstream maps("/proc/self/maps");
  return size_t(std::count(std::istreambuf_iterator(maps), {}, '\n'));
}

// Blocks start on one OS thread and finish on another: their stacks must not pile up on one of them.
CASE(stacks_are_used_again) {
  Recorder r(max_nodes);
  for (uint32_t i = 1; i < max_nodes; i++) r.edge(i - 1, i, true);
  for (int i = 0; i < 20; i++) r.run(0);
  const size_t before = count_mappings();
  for (int i = 0; i < 60; i++) r.run(0);
  EXPECT(count_mappings() < before + 100);
}

struct TraceArgs {
  uint32_t* count;
  uint32_t* trace;
};
void trace_body(const TraceArgs& a) {
  for (int i = 0; i < 2; i++) {
    a.trace[arrive(a.count)] = uint32_t(block_index() * block_threads() + thread_index());
    block_sync();
  }
}
REALIZAR_KERNEL(trace, 64, 1, TraceArgs, trace_body)
const HostKernel trace_kernels[] = {{"trace", trace, sizeof(TraceArgs)}, {}};

// One block a launch: several blocks run at the same time, so the order among them is not fixed.
CASE(seed_permutes_threads_the_same_way_each_time) {
  TestDevice device(trace_kernels);
  uint32_t* count = device.allocate<uint32_t>(1);
  uint32_t* log = device.allocate<uint32_t>(128);
  std::set<std::vector<uint32_t>> traces;
  for (uint32_t seed : {0, 0, 1, 1, 2, 2, 3, 3}) {
    set_execution_order(seed);
    device.expect(device.driver.memset_d8_async(DevicePtr(count), 0, 4, nullptr));
    device.expect(device.launch("trace", 1, 64, 0, TraceArgs{count, log}).result);
    const auto entries = device.download(log, 128);
    for (uint32_t i = 0; i < 64; i++) {
      EXPECT_EQ(std::count(entries.begin(), entries.begin() + 64, i), 1);  // nobody passes block_sync early
      if (seed == 0) EXPECT_EQ(entries[i], i);
    }
    traces.insert(entries);
  }
  EXPECT_EQ(traces.size(), size_t(4));
}

}  // namespace
}  // namespace realizar
