#include "harness.h"

namespace realizar::test {

// Whatever a case does, it gives everything back.
static const AtEnd no_live_objects{[] { EXPECT_EQ(host_live_objects(), size_t(0)); }};

TestDevice::TestDevice(const HostKernel* kernels) : driver(*load_driver().driver) {
  expect(driver.init(0));
  expect(driver.device_primary_ctx_retain(&context_, 0));
  expect(driver.ctx_set_current(context_));
  expect(driver.module_load_data(&module_, kernels));
}

TestDevice::~TestDevice() {
  for (DevicePtr memory : memory_) expect(driver.mem_free(memory));
  expect(driver.module_unload(module_));
  expect(driver.device_primary_ctx_release(0));
  set_execution_order(0);
}

void* TestDevice::allocate_bytes(size_t bytes) {
  DevicePtr memory;
  expect(driver.mem_alloc(&memory, bytes));
  memory_.push_back(memory);
  return (void*)memory;
}

Function TestDevice::function(const char* name) {
  Function function;
  expect(driver.module_get_function(&function, module_, name));
  return function;
}

Outcome TestDevice::outcome(Result result) const {
  const char* text = nullptr;
  driver.get_error_string(result, &text);
  return {result, text ? text : ""};
}

void TestDevice::expect(Result result) const {
  if (result) fail(__FILE__, __LINE__, "a driver call failed: " + outcome(result).text);
}

TestGraph::TestGraph(TestDevice& device) : device(device) { device.expect(device.driver.graph_create(&graph, 0)); }

TestGraph::~TestGraph() { device.expect(device.driver.graph_destroy(graph)); }

void TestGraph::edge(GraphNode from, GraphNode to, bool programmatic) {
  device.expect(device.driver.graph_add_dependency(graph, from, to, programmatic));
}

Outcome TestGraph::run() {
  GraphExec exec;
  device.expect(device.driver.graph_instantiate(&exec, graph, 0));
  const Outcome outcome = device.outcome(device.driver.graph_launch(exec, nullptr));
  device.expect(device.driver.graph_exec_destroy(exec));
  return outcome;
}

}  // namespace realizar::test
