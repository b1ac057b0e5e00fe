#include "host_graph.h"

#include <algorithm>
#include <random>

#include "host_error.h"
#include "sim_grid.h"

namespace realizar {

using host::fail;

size_t OpaqueGraph::index_of(GraphNode node) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const auto& own) { return own.get() == node; });
  if (found == nodes.end()) fail(host::invalid_value, "a graph dependency names a node that is not of this graph");
  return size_t(found - nodes.begin());
}

void OpaqueGraph::add_dependency(GraphNode from, GraphNode to, bool programmatic) {
  const size_t source = index_of(from);
  index_of(to);
  if (from == to) fail(host::invalid_value, "a graph node that depends on itself");
  for (const auto& other : to->predecessors)
    if (other.node == source) fail(host::invalid_value, "a graph dependency added twice");
  to->predecessors.push_back({source, programmatic});
}

OpaqueGraphExec::OpaqueGraphExec(const OpaqueGraph& graph)
    : successors(graph.nodes.size()), programmatic_successors(graph.nodes.size()) {
  for (size_t i = 0; i < graph.nodes.size(); i++) {
    nodes.push_back(*graph.nodes[i]);
    for (const auto& [from, programmatic] : nodes[i].predecessors) {
      successors[from].push_back(i);
      if (programmatic) programmatic_successors[from].push_back(i);
    }
  }
  if (order(0).size() != nodes.size()) fail(host::invalid_value, "the graph's dependencies form a cycle");
}

std::vector<size_t> OpaqueGraphExec::order(uint32_t seed) const {
  std::mt19937 random(seed);
  std::vector<size_t> missing, ready, result;
  for (size_t i = 0; i < nodes.size(); i++) {
    missing.push_back(nodes[i].predecessors.size());
    if (!missing[i]) ready.push_back(i);
  }
  while (!ready.empty()) {
    const auto next = seed ? ready.begin() + ptrdiff_t(random() % ready.size()) : std::ranges::min_element(ready);
    const size_t node = *next;
    ready.erase(next);
    result.push_back(node);
    for (size_t after : successors[node])
      if (--missing[after] == 0) ready.push_back(after);
  }
  return result;
}

namespace {

// One launch of a graph under way.
class Replay {
 public:
  Replay(const OpaqueGraphExec& exec, sim::Pool& pool, const sim::DeviceMemory& memory, uint32_t seed)
      : exec_(exec), pool_(pool), memory_(memory), seed_(seed), running_(exec.nodes.size()) {}

  void run() {
    for (size_t node : exec_.order(seed_)) {
      start(node);
      start_successors(node, seed_ ? 2 : 1);
      finish(node);
    }
  }

 private:
  enum class Stage { waiting, started, finished };
  struct Running {
    Stage stage = Stage::waiting;
    sim::Launch launch;
    std::unique_ptr<sim::Grid> grid;
  };

  // False if something that the node waits for in full is not finished.
  bool start(size_t node) {
    Running& running = running_[node];
    if (running.stage != Stage::waiting) return true;
    bool must_wait = false;
    for (const auto& [from, programmatic] : exec_.nodes[node].predecessors) {
      if (programmatic ? !start(from) : running_[from].stage != Stage::finished) return false;
      must_wait |= programmatic;
    }
    const host::KernelCall& call = *exec_.nodes[node].call;
    const std::string name = "node " + std::to_string(node) + ", " + call.describe();
    running.launch = call.launch(memory_, name, must_wait, seed_ ? (seed_ + uint32_t(node) * 2654435761u) | 1 : 0);
    running.grid = std::make_unique<sim::Grid>(running.launch, pool_);
    running.stage = Stage::started;
    running.grid->start();
    check(*running.grid);
    return true;
  }

  void start_successors(size_t node, int depth) {
    for (size_t after : exec_.programmatic_successors[node])
      if (start(after) && depth > 1 && running_[after].grid->released()) start_successors(after, depth - 1);
  }

  void finish(size_t node) {
    Running& running = running_[node];
    running.grid->finish();
    check(*running.grid);
    running.grid.reset();
    running.stage = Stage::finished;
  }

  static void check(const sim::Grid& grid) {
    if (!grid.error().empty()) fail(host::launch_failed, grid.error());
  }

  const OpaqueGraphExec& exec_;
  sim::Pool& pool_;
  const sim::DeviceMemory& memory_;
  const uint32_t seed_;
  std::vector<Running> running_;
};

}  // namespace

void OpaqueGraphExec::run(sim::Pool& pool, const sim::DeviceMemory& memory, uint32_t seed) const {
  Replay(*this, pool, memory, seed).run();
}

}  // namespace realizar
