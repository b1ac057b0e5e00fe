// Graphs of kernels, and the order in which the host target runs them.
#pragma once
#include <memory>
#include <vector>

#include "host_call.h"
#include "sim_pool.h"

namespace realizar {

struct OpaqueGraphNode {
  struct Predecessor {
    size_t node;  // index in the graph
    bool programmatic;
  };
  explicit OpaqueGraphNode(std::shared_ptr<const host::KernelCall> call) : call(std::move(call)) {}

  std::shared_ptr<const host::KernelCall> call;
  std::vector<Predecessor> predecessors;
};

struct OpaqueGraph {
  // Throws Failure if the node is not of this graph.
  size_t index_of(GraphNode node) const;
  void add_dependency(GraphNode from, GraphNode to, bool programmatic);

  std::vector<std::unique_ptr<OpaqueGraphNode>> nodes;
};

// A graph as it was when it was instantiated.
struct OpaqueGraphExec {
  explicit OpaqueGraphExec(const OpaqueGraph& graph);

  // Runs every node. A node with a programmatic edge from P is started (all its threads run up to grid_wait) before the
  // part of P after its own grid_wait runs, which is all of P if no programmatic edge leads to it. In a chain: start 0,
  // start 1, finish 0, start 2, finish 1, ... With a seed, independent nodes are permuted and nodes are started two
  // edges ahead of one that releases them before its grid_wait. Throws Failure.
  void run(sim::Pool& pool, const sim::DeviceMemory& memory, uint32_t seed) const;

  // Node indices so that each comes after its predecessors; with a seed, one of the possible orders.
  std::vector<size_t> order(uint32_t seed) const;

  std::vector<OpaqueGraphNode> nodes;
  std::vector<std::vector<size_t>> successors, programmatic_successors;
};

}  // namespace realizar
