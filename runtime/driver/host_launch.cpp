// Modules, launches and graphs of the host driver.
#include <algorithm>

#include "host_calls.h"
#include "host_state.h"
#include "sim_grid.h"

namespace realizar::host {

void module_load_data(Module* module, const void* image) {
  check_context();
  Module& out = needed(module, "module");
  auto loaded = std::make_unique<OpaqueModule>();
  for (const HostKernel* kernel = &needed((const HostKernel*)image, "the image"); kernel->symbol; kernel++) {
    if (!kernel->run) fail(invalid_image, std::string("kernel ") + kernel->symbol + " has no function");
    if (!loaded->functions.emplace(kernel->symbol, OpaqueFunction{kernel, default_shared_bytes}).second)
      fail(invalid_image, std::string("two kernels are called ") + kernel->symbol);
  }
  out = host().modules.add(std::move(loaded));
}
void module_unload(Module module) { host().modules.remove(module); }
void module_get_function(Function* function, Module module, const char* name) {
  check_context();
  auto& functions = host().modules.get(module).functions;
  const auto found = functions.find(&needed(name, "name"));
  if (found == functions.end()) fail(not_found, std::string("no kernel is called ") + name);
  needed(function, "function") = &found->second;
}
void func_set_max_dynamic_shared(Function function, int bytes) {
  check_context();
  if (bytes < 0 || unsigned(bytes) > max_shared_bytes)
    fail(invalid_value,
         std::to_string(bytes) + " bytes of shared memory, a block can have " + std::to_string(max_shared_bytes));
  OpaqueFunction& own = function_of(function);
  own.max_shared_bytes = std::max(unsigned(bytes), default_shared_bytes);
}

void launch_kernel(Function function, Dim3 grid, Dim3 block, unsigned shared_bytes, Stream stream, void** params) {
  check_stream(stream);
  const KernelCall call(function_of(function), grid, block, shared_bytes, params);
  const sim::Launch launch = call.launch(host().memory, call.describe(), false, host().order_seed);
  sim::Grid running(launch, host().pool);
  running.finish();
  if (!running.error().empty()) fail(launch_failed, running.error());
}

void graph_create(Graph* graph, unsigned flags) {
  check_initialized();
  if (flags) fail(invalid_value, "graph_create takes no flags");
  Graph& out = needed(graph, "graph");
  out = host().graphs.add(std::make_unique<OpaqueGraph>());
}
void graph_destroy(Graph graph) { host().graphs.remove(graph); }
void graph_add_kernel_node(GraphNode* node, Graph graph, Function function, Dim3 grid, Dim3 block,
                           unsigned shared_bytes, void** params) {
  check_context();
  GraphNode& out = needed(node, "node");
  auto call = std::make_shared<KernelCall>(function_of(function), grid, block, shared_bytes, params);
  auto& nodes = host().graphs.get(graph).nodes;
  out = nodes.emplace_back(std::make_unique<OpaqueGraphNode>(std::move(call))).get();
}
void graph_add_dependency(Graph graph, GraphNode from, GraphNode to, bool programmatic) {
  check_initialized();
  host().graphs.get(graph).add_dependency(from, to, programmatic);
}
void graph_instantiate(GraphExec* exec, Graph graph, unsigned) {
  check_context();
  GraphExec& out = needed(exec, "exec");
  out = host().execs.add(std::make_unique<OpaqueGraphExec>(host().graphs.get(graph)));
}
void graph_exec_destroy(GraphExec exec) { host().execs.remove(exec); }
void graph_upload(GraphExec exec, Stream stream) {
  check_stream(stream);
  host().execs.get(exec);
}
void graph_launch(GraphExec exec, Stream stream) {
  check_stream(stream);
  host().execs.get(exec).run(host().pool, host().memory, host().order_seed);
}

}  // namespace realizar::host
