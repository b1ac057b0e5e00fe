#include "graph.h"

#include <algorithm>
#include <cstring>

#include "error.h"

namespace realizar {
namespace {

DevicePtr base_of(Region region, const RegionBases& bases) {
  switch (region) {
    case Region::arena:
      return bases.arena;
    case Region::kv_cache:
      return bases.kv_cache;
    case Region::kv_window:
      return bases.kv_window;
    case Region::state:
      return bases.state;
    case Region::slots:
      return bases.slots;
    case Region::weights:
      return bases.weights;
  }
  return 0;
}

// Arguments to addresses.
class Resolver {
 public:
  Resolver(const Artifact& artifact, const RegionBases& bases)
      : artifact_(artifact), bases_(bases), tensors_(tensors_by_name(artifact)) {}

  ResolvedNode operator()(const Program& program, const Node& node) const {
    ResolvedNode resolved;
    const uint32_t own = kernel_index(artifact_, node.kernel);
    for (const char* field : artifact_.kernels[own].fields) {
      const auto is_own = [&](const Argument& argument) { return !strcmp(argument.field, field); };
      const auto found = std::ranges::find_if(node.arguments, is_own);
      resolved.arguments.push_back(found == node.arguments.end() ? 0 : address(*found));
    }
    for (const char* symbol : node.bucket_kernels) resolved.kernels.push_back(kernel_index(artifact_, symbol));
    resolved.kernels.resize(program.buckets.size() + 1, own);
    return resolved;
  }

 private:
  DevicePtr address(const Argument& argument) const {
    if (!argument.tensor.empty()) return bases_.weights + tensors_.at(argument.tensor)->device_offset;
    return base_of(argument.place.region, bases_) + argument.place.offset;
  }

  const Artifact& artifact_;
  const RegionBases& bases_;
  const std::unordered_map<std::string_view, const Tensor*> tensors_;
};

void check_node(const ResolvedProgram& resolved, Result result, const char* call, size_t index) {
  if (result != 0)
    fail_call(*resolved.driver, result, call,
              format("node %s (%zu)", resolved.program->nodes[index].name.c_str(), index));
}

// The launch of a node in a bucket. A kernel's only parameter is a struct of pointers, which the driver copies.
struct Launch {
  Launch(const ResolvedProgram& resolved, size_t index, uint32_t bucket)
      : kernel(resolved.artifact->kernels[resolved.nodes[index].kernels[bucket]]),
        function(resolved.functions[resolved.nodes[index].kernels[bucket]]),
        params{const_cast<DevicePtr*>(resolved.nodes[index].arguments.data())} {}
  const Kernel& kernel;
  Function function;
  Dim3 grid{kernel.blocks, 1, 1}, block{kernel.threads, 1, 1};
  void* params[1];
};

GraphNode add_node(const ResolvedProgram& resolved, Graph graph, uint32_t bucket, const std::vector<GraphNode>& added) {
  const Driver& driver = *resolved.driver;
  const size_t index = added.size();
  Launch launch(resolved, index, bucket);
  GraphNode result = nullptr;
  check_node(resolved,
             driver.graph_add_kernel_node(&result, graph, launch.function, launch.grid, launch.block,
                                          launch.kernel.shared_bytes, launch.params),
             "cuGraphAddKernelNode", index);
  for (const Edge& edge : resolved.program->nodes[index].after)
    check_node(resolved, driver.graph_add_dependency(graph, added[index - edge.back], result, edge.programmatic),
               "cuGraphAddDependencies", index);
  return result;
}

std::string describe_edges(const Node& node, size_t index) {
  std::string text;
  for (const Edge& edge : node.after)
    text += format("%s%zu%s", text.empty() ? "" : ", ", index - edge.back, edge.programmatic ? " programmatic" : "");
  return text;
}

std::string describe_node(const ResolvedProgram& resolved, size_t index, uint32_t bucket) {
  const Node& node = resolved.program->nodes[index];
  const Kernel& kernel = resolved.artifact->kernels[resolved.nodes[index].kernels[bucket]];
  std::string text =
      format("%zu %s kernel=%s grid=%u,1,1 block=%u,1,1 shared=%u after=[%s]", index, node.name.c_str(), kernel.symbol,
             kernel.blocks, kernel.threads, kernel.shared_bytes, describe_edges(node, index).c_str());
  for (size_t i = 0; i < kernel.fields.size(); i++)
    if (const DevicePtr address = resolved.nodes[index].arguments[i])
      text += format(" %s=0x%llx", kernel.fields[i], (unsigned long long)address);
  return text;
}

}  // namespace

ResolvedProgram resolve_program(const Driver& driver, const Artifact& artifact, const Program& program,
                                const Function* functions, const RegionBases& bases) {
  ResolvedProgram resolved{&driver, &artifact, &program, functions, {}};
  const Resolver resolve(artifact, bases);
  for (const Node& node : program.nodes) resolved.nodes.push_back(resolve(program, node));
  return resolved;
}

uint32_t bucket_of(const Program& program, uint32_t seq_len) {
  const auto bucket = std::ranges::lower_bound(program.buckets, seq_len);
  return uint32_t(bucket - program.buckets.begin());
}

BuiltGraph build_graph(const ResolvedProgram& resolved, Stream stream, uint32_t bucket, uint32_t n_nodes) {
  const Driver& driver = *resolved.driver;
  BuiltGraph built;
  Graph graph = nullptr;
  check(driver, driver.graph_create(&graph, 0), "cuGraphCreate", resolved.artifact->name);
  built.graph = OwnedGraph(driver, graph);

  std::vector<GraphNode> added;
  added.reserve(n_nodes);
  while (added.size() < n_nodes) added.push_back(add_node(resolved, graph, bucket, added));

  const std::string subject = format("the graph of %zu nodes", added.size());
  GraphExec exec = nullptr;
  check(driver, driver.graph_instantiate(&exec, graph, 0), "cuGraphInstantiate", subject.c_str());
  built.exec = OwnedGraphExec(driver, exec);
  check(driver, driver.graph_upload(exec, stream), "cuGraphUpload", subject.c_str());
  return built;
}

void launch_nodes(const ResolvedProgram& resolved, Stream stream, uint32_t bucket) {
  for (size_t i = 0; i < resolved.nodes.size(); i++) {
    Launch launch(resolved, i, bucket);
    check_node(resolved,
               resolved.driver->launch_kernel(launch.function, launch.grid, launch.block, launch.kernel.shared_bytes,
                                              stream, launch.params),
               "cuLaunchKernel", i);
  }
}

std::string describe_nodes(const ResolvedProgram& resolved) {
  const std::vector<uint32_t>& buckets = resolved.program->buckets;
  std::string text;
  for (size_t i = 0; i < resolved.nodes.size(); i++)
    text += describe_node(resolved, i, uint32_t(buckets.size())) + '\n';
  for (uint32_t bucket = 0; bucket < buckets.size(); bucket++)
    for (size_t i = 0; i < resolved.nodes.size(); i++)
      if (const auto& kernels = resolved.nodes[i].kernels; kernels[bucket] != kernels.back())
        text += describe_node(resolved, i, bucket) + format(" positions<=%u\n", buckets[bucket]);
  return text;
}

}  // namespace realizar
