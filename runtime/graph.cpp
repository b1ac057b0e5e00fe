#include "graph.h"

#include "error.h"

namespace realizar {
namespace {

DevicePtr resolve(const Argument& argument, const RegionBases& bases) {
  switch (argument.region) {
    case Region::none:
      return 0;
    case Region::weights:
      return bases.weights + argument.offset;
    case Region::arena:
      return bases.arena + argument.offset;
    case Region::kv_cache:
      return bases.kv_cache + argument.offset;
    case Region::state:
      return bases.state + argument.offset;
  }
  return 0;
}

void check_node(const ResolvedNodes& nodes, Result result, const char* call, uint32_t index) {
  if (result != 0)
    fail_call(*nodes.driver, result, call, format("node %s (%u)", nodes.artifact->nodes[index].name, index));
}

// A kernel's only parameter is a struct of pointers; the resolved ones of a node lie in its order. The driver copies
// it.
void* parameter(const ResolvedNodes& nodes, const Node& node) {
  return const_cast<DevicePtr*>(nodes.arguments.data() + node.first_arg);
}

std::vector<std::vector<NodeLaunch>> launches_of(const Artifact& artifact) {
  std::vector<NodeLaunch> own;
  for (uint32_t i = 0; i < artifact.n_nodes; i++) {
    const Node& node = artifact.nodes[i];
    own.push_back({node.kernel, node.grid, node.block, node.shared_bytes});
  }
  std::vector<std::vector<NodeLaunch>> launches(artifact.n_buckets + 1, own);
  for (uint32_t bucket = 0; bucket < artifact.n_buckets; bucket++)
    for (uint32_t i = 0; i < artifact.buckets[bucket].n; i++) {
      const BucketNode& node = artifact.bucket_nodes[artifact.buckets[bucket].first + i];
      launches[bucket][node.node] = {node.kernel, node.grid, node.block, node.shared_bytes};
    }
  return launches;
}

GraphNode add_node(const ResolvedNodes& nodes, Graph graph, uint32_t bucket, uint32_t index,
                   const std::vector<GraphNode>& added) {
  const Driver& driver = *nodes.driver;
  const Node& node = nodes.artifact->nodes[index];
  const NodeLaunch& launch = nodes.launches[bucket][index];
  void* params[] = {parameter(nodes, node)};
  GraphNode result = nullptr;
  check_node(nodes,
             driver.graph_add_kernel_node(&result, graph, nodes.functions[launch.kernel], launch.grid, launch.block,
                                          launch.shared_bytes, params),
             "cuGraphAddKernelNode", index);
  for (uint32_t i = 0; i < node.n_edges; i++) {
    const Edge& edge = nodes.artifact->edges[node.first_edge + i];
    check_node(nodes, driver.graph_add_dependency(graph, added[edge.from], result, edge.programmatic),
               "cuGraphAddDependencies", index);
  }
  return result;
}

std::string describe_edges(const ResolvedNodes& nodes, const Node& node) {
  std::string text;
  for (uint32_t i = 0; i < node.n_edges; i++) {
    const Edge& edge = nodes.artifact->edges[node.first_edge + i];
    text += format("%s%u%s", i ? ", " : "", edge.from, edge.programmatic ? " programmatic" : "");
  }
  return text;
}

std::string describe_node(const ResolvedNodes& nodes, uint32_t index, const NodeLaunch& launch) {
  const Node& node = nodes.artifact->nodes[index];
  std::string text =
      format("%u %s kernel=%s grid=%u,%u,%u block=%u,%u,%u shared=%u after=[%s]", index, node.name,
             nodes.artifact->kernels[launch.kernel].symbol, launch.grid.x, launch.grid.y, launch.grid.z, launch.block.x,
             launch.block.y, launch.block.z, launch.shared_bytes, describe_edges(nodes, node).c_str());
  for (uint32_t j = 0; j < node.n_args; j++)
    text += format(" %s=0x%llx", nodes.artifact->arguments[node.first_arg + j].name,
                   (unsigned long long)nodes.arguments[node.first_arg + j]);
  return text;
}

}  // namespace

ResolvedNodes resolve_nodes(const Driver& driver, const Artifact& artifact, const Function* functions,
                            const RegionBases& bases) {
  ResolvedNodes nodes{&driver, &artifact, functions, {}, launches_of(artifact)};
  nodes.arguments.reserve(artifact.n_arguments);
  for (uint32_t i = 0; i < artifact.n_arguments; i++) nodes.arguments.push_back(resolve(artifact.arguments[i], bases));
  return nodes;
}

uint32_t bucket_of(const Artifact& artifact, uint32_t seq_len) {
  uint32_t bucket = 0;
  while (bucket < artifact.n_buckets && seq_len > artifact.buckets[bucket].n_positions) bucket++;
  return bucket;
}

BuiltGraph build_graph(const ResolvedNodes& nodes, Stream stream, uint32_t bucket, uint32_t n_nodes) {
  const Driver& driver = *nodes.driver;
  BuiltGraph built;
  Graph graph = nullptr;
  check(driver, driver.graph_create(&graph, 0), "cuGraphCreate", nodes.artifact->name);
  built.graph = OwnedGraph(driver, graph);

  std::vector<GraphNode> added;
  added.reserve(n_nodes);
  for (uint32_t i = 0; i < n_nodes; i++) added.push_back(add_node(nodes, graph, bucket, i, added));

  const std::string subject = format("the graph of %zu nodes", added.size());
  GraphExec exec = nullptr;
  check(driver, driver.graph_instantiate(&exec, graph, 0), "cuGraphInstantiate", subject.c_str());
  built.exec = OwnedGraphExec(driver, exec);
  check(driver, driver.graph_upload(exec, stream), "cuGraphUpload", subject.c_str());
  return built;
}

void launch_nodes(const ResolvedNodes& nodes, Stream stream, uint32_t bucket) {
  for (uint32_t i = 0; i < nodes.artifact->n_nodes; i++) {
    const NodeLaunch& launch = nodes.launches[bucket][i];
    void* params[] = {parameter(nodes, nodes.artifact->nodes[i])};
    check_node(nodes,
               nodes.driver->launch_kernel(nodes.functions[launch.kernel], launch.grid, launch.block,
                                           launch.shared_bytes, stream, params),
               "cuLaunchKernel", i);
  }
}

std::string describe_nodes(const ResolvedNodes& nodes) {
  const Artifact& artifact = *nodes.artifact;
  std::string text;
  for (uint32_t i = 0; i < artifact.n_nodes; i++)
    text += describe_node(nodes, i, nodes.launches[artifact.n_buckets][i]) + '\n';
  for (uint32_t bucket = 0; bucket < artifact.n_buckets; bucket++) {
    const Bucket& own = artifact.buckets[bucket];
    for (uint32_t i = 0; i < own.n; i++) {
      const uint32_t node = artifact.bucket_nodes[own.first + i].node;
      text += describe_node(nodes, node, nodes.launches[bucket][node]) + format(" positions<=%u\n", own.n_positions);
    }
  }
  return text;
}

}  // namespace realizar
