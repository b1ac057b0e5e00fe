// The host driver through its table: handles, memory, limits, graphs, contexts and threads.
#include <chrono>
#include <cstring>
#include <thread>

#include "../../../runtime/kernels/device.h"
#include "harness.h"

namespace realizar {
namespace {

using test::Outcome;
using test::TestDevice;
using test::TestGraph;

enum : Result {
  invalid_value = 1,
  out_of_memory = 2,
  invalid_device = 101,
  invalid_image = 200,
  invalid_context = 201,
  invalid_handle = 400,
  not_found = 500,
};

struct Args {
  int* data;
  int add;
};
void add_body(const Args& a) {
  grid_wait();
  a.data[block_index() * block_threads() + thread_index()] += a.add;
}
void touch_body() { shared_memory()[0] = 1; }

REALIZAR_KERNEL(add, 1024, 1, Args, add_body)
void touch(void**) { touch_body(); }
const HostKernel kernels[] = {{"add", add, sizeof(Args)}, {"touch", touch, 0}, {}};

CASE(errors_have_names_and_texts) {
  TestDevice device(kernels);
  const char *name = "", *text = "";
  EXPECT_EQ(device.driver.get_error_name(invalid_value, &name), 0);
  EXPECT_EQ(std::string(name), "CUDA_ERROR_INVALID_VALUE");
  EXPECT_EQ(device.driver.get_error_string(out_of_memory, &text), 0);
  EXPECT_EQ(std::string(text), "out of memory");
  EXPECT_EQ(device.driver.get_error_name(12345, &name), invalid_value);
  EXPECT(name == nullptr);
  // The text of an error that has just happened is its own.
  const Outcome outcome = device.outcome(device.driver.mem_free(4096));
  EXPECT_EQ(outcome.text, "no allocation of device memory starts at 0x1000");
  device.driver.get_error_string(invalid_handle, &text);
  EXPECT_EQ(std::string(text), "invalid resource handle");
}

CASE(device_answers) {
  TestDevice device(kernels);
  const Driver& driver = device.driver;
  int version = 0, count = 0, value = -1;
  Device ordinal = -1;
  device.expect(driver.driver_get_version(&version));
  EXPECT_EQ(version, 13000);
  device.expect(driver.device_get_count(&count));
  EXPECT_EQ(count, 1);
  EXPECT_EQ(driver.device_get(&ordinal, 1), invalid_device);
  device.expect(driver.device_get(&ordinal, 0));
  char name[9];
  device.expect(driver.device_get_name(name, sizeof name, ordinal));
  EXPECT_EQ(std::string(name), "host sim");
  device.expect(driver.device_get_attribute(&value, 97, ordinal));
  EXPECT_EQ(value, 232448);
  device.expect(driver.device_get_attribute(&value, 75, ordinal));
  EXPECT_EQ(value, 0);
  size_t free = 0, total = 0;
  device.expect(driver.mem_get_info(&free, &total));
  EXPECT(free > 0 && free <= total);
  DevicePtr memory;
  EXPECT_EQ(driver.mem_alloc(&memory, total * 2), out_of_memory);
  EXPECT_EQ(driver.mem_alloc(&memory, 0), invalid_value);
  EXPECT_EQ(driver.mem_alloc(nullptr, 16), invalid_value);
}

CASE(copies_stay_inside_allocations) {
  TestDevice device(kernels);
  const Driver& driver = device.driver;
  const std::vector<int> values{1, 2, 3, 4};
  int* memory = device.upload(values);
  EXPECT(device.download(memory, 4) == values);
  device.expect(driver.memset_d8_async(DevicePtr(memory + 1), 1, 8, nullptr));
  EXPECT(device.download(memory, 4) == (std::vector<int>{1, 0x01010101, 0x01010101, 4}));
  device.expect(driver.memcpy_dtod_async(DevicePtr(memory), DevicePtr(memory + 2), 8, nullptr));
  EXPECT(device.download(memory, 4) == (std::vector<int>{0x01010101, 4, 0x01010101, 4}));
  EXPECT_EQ(driver.memcpy_dtod_async(DevicePtr(memory), DevicePtr(memory + 1), 8, nullptr), invalid_value);
  EXPECT_EQ(driver.memcpy_dtod_async(DevicePtr(memory + 2), DevicePtr(memory), 12, nullptr), invalid_value);
  EXPECT_EQ(driver.memcpy_dtod_async(DevicePtr(memory), DevicePtr(memory + 2), 12, nullptr), invalid_value);
  int host[8] = {};
  EXPECT_EQ(driver.memcpy_dtoh_async(host, DevicePtr(memory), 17, nullptr), invalid_value);
  EXPECT_EQ(driver.memcpy_htod_async(DevicePtr(memory - 1), host, 8, nullptr), invalid_value);
  EXPECT_EQ(driver.memset_d8_async(DevicePtr(memory + 4), 0, 1, nullptr), invalid_value);
  EXPECT_EQ(driver.memcpy_htod_async(DevicePtr(memory), nullptr, 4, nullptr), invalid_value);
  EXPECT_EQ(driver.mem_free(DevicePtr(memory + 1)), invalid_value);
  void* pinned = nullptr;
  device.expect(driver.mem_alloc_host(&pinned, 100));
  memset(pinned, 0, 100);
  EXPECT_EQ(driver.mem_free_host(host), invalid_value);
  device.expect(driver.mem_free_host(pinned));
  EXPECT_EQ(driver.mem_free_host(pinned), invalid_value);
}

CASE(events_measure_time) {
  TestDevice device(kernels);
  const Driver& driver = device.driver;
  Event first, second;
  float milliseconds = -1;
  device.expect(driver.event_create(&first, 0));
  device.expect(driver.event_create(&second, 0));
  device.expect(driver.event_record(first, nullptr));
  EXPECT_EQ(driver.event_elapsed_time(&milliseconds, first, second), invalid_handle);
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  device.expect(driver.event_record(second, nullptr));
  device.expect(driver.event_synchronize(second));
  device.expect(driver.event_elapsed_time(&milliseconds, first, second));
  EXPECT(milliseconds >= 3);
  device.expect(driver.event_destroy(first));
  EXPECT_EQ(driver.event_record(first, nullptr), invalid_handle);
  device.expect(driver.event_destroy(second));
}

CASE(handles_are_checked) {
  TestDevice device(kernels);
  const Driver& driver = device.driver;
  Stream stream;
  device.expect(driver.stream_create(&stream, 0));
  EXPECT_EQ(host_live_objects(), size_t(3));  // context, module, stream
  device.expect(driver.stream_destroy(stream));
  EXPECT_EQ(driver.stream_destroy(stream), invalid_handle);
  EXPECT_EQ(driver.stream_synchronize(stream), invalid_handle);
  Module module;
  Function function;
  device.expect(driver.module_load_data(&module, kernels));
  EXPECT_EQ(driver.module_get_function(&function, module, "nobody"), not_found);
  device.expect(driver.module_get_function(&function, module, "add"));
  device.expect(driver.module_unload(module));
  EXPECT_EQ(driver.func_set_max_dynamic_shared(function, 1), invalid_handle);
  EXPECT_EQ(driver.graph_launch(nullptr, nullptr), invalid_handle);
  EXPECT_EQ(driver.module_load_data(&module, nullptr), invalid_value);
  const HostKernel twins[] = {{"add", add, sizeof(Args)}, {"add", add, sizeof(Args)}, {}};
  EXPECT_EQ(driver.module_load_data(&module, twins), invalid_image);
}

CASE(launches_are_checked) {
  TestDevice device(kernels);
  const Args args{device.upload(std::vector<int>(2048)), 1};
  auto launch = [&](unsigned blocks, unsigned threads, unsigned shared) {
    return device.launch("add", blocks, threads, shared, args).result;
  };
  EXPECT_EQ(launch(0, 32, 0), invalid_value);
  EXPECT_EQ(launch(1, 0, 0), invalid_value);
  EXPECT_EQ(launch(1, 1025, 0), invalid_value);
  EXPECT_EQ(launch(2, 1024, 0), 0);
  EXPECT_EQ(launch(1, 32, 49152), 0);
  const Outcome outcome = device.launch("add", 1, 32, 49153, args);
  EXPECT_EQ(outcome.result, invalid_value);
  EXPECT_EQ(outcome.text, "kernel add: 49153 bytes of shared memory, but only 49152 were allowed for it");
  const Function add_function = device.function("add");
  EXPECT_EQ(device.driver.func_set_max_dynamic_shared(add_function, 232449), invalid_value);
  device.expect(device.driver.func_set_max_dynamic_shared(add_function, 232448));
  EXPECT_EQ(launch(1, 32, 232448), 0);
  EXPECT_EQ(launch(1, 32, 232449), invalid_value);
  EXPECT_EQ(device.driver.launch_kernel(add_function, {1, 2, 1}, {32}, 0, nullptr, nullptr), invalid_value);
  EXPECT_EQ(device.driver.launch_kernel(add_function, {1}, {32}, 0, nullptr, nullptr), invalid_value);
  device.expect(device.driver.launch_kernel(device.function("touch"), {1}, {1}, 1, nullptr, nullptr));
  EXPECT_EQ(device.download(args.data, 1)[0], 3);
}

CASE(graphs_are_checked) {
  TestDevice device(kernels);
  const Driver& driver = device.driver;
  const Args args{device.upload(std::vector<int>(32)), 1};
  TestGraph graph(device), other(device);
  const GraphNode a = graph.add("add", 1, 32, 0, args), b = graph.add("add", 1, 32, 0, args);
  const GraphNode foreign = other.add("add", 1, 32, 0, args);
  EXPECT_EQ(driver.graph_add_dependency(graph.graph, a, foreign, false), invalid_value);
  EXPECT_EQ(driver.graph_add_dependency(graph.graph, foreign, a, false), invalid_value);
  EXPECT_EQ(driver.graph_add_dependency(graph.graph, a, a, false), invalid_value);
  graph.edge(a, b, true);
  EXPECT_EQ(driver.graph_add_dependency(graph.graph, a, b, false), invalid_value);
  graph.edge(b, a, false);
  GraphExec exec;
  const Outcome outcome = device.outcome(driver.graph_instantiate(&exec, graph.graph, 0));
  EXPECT_EQ(outcome.result, invalid_value);
  EXPECT_EQ(outcome.text, "the graph's dependencies form a cycle");
  GraphNode node;
  EXPECT_EQ(driver.graph_add_kernel_node(&node, graph.graph, device.function("add"), {0}, {32}, 0, nullptr),
            invalid_value);
}

CASE(parameters_are_copied_when_a_node_is_added) {
  TestDevice device(kernels);
  int* data = device.upload(std::vector<int>(32));
  GraphExec exec;
  {
    TestGraph graph(device);
    auto args = std::make_unique<Args>(Args{data, 5});
    void* params[] = {args.get()};
    GraphNode node;
    device.expect(
        device.driver.graph_add_kernel_node(&node, graph.graph, device.function("add"), {1}, {32}, 0, params));
    args->add = 100;
    args.reset();
    device.expect(device.driver.graph_instantiate(&exec, graph.graph, 0));
    graph.add("add", 1, 32, 0, Args{data, 1000});  // not in what has been instantiated
  }
  device.expect(device.driver.graph_upload(exec, nullptr));
  for (int i = 0; i < 3; i++) device.expect(device.driver.graph_launch(exec, nullptr));
  device.expect(device.driver.graph_exec_destroy(exec));
  EXPECT_EQ(device.download(data, 32)[31], 15);
}

CASE(each_thread_makes_the_context_current) {
  TestDevice device(kernels);
  DevicePtr memory;
  Result without = 0, with = 0;
  std::thread([&] {
    Context context;
    without = device.driver.mem_alloc(&memory, 16);
    device.expect(device.driver.device_primary_ctx_retain(&context, 0));
    device.expect(device.driver.ctx_set_current(context));
    with = device.driver.mem_alloc(&memory, 16);
    device.expect(device.driver.device_primary_ctx_release(0));
  }).join();
  EXPECT_EQ(without, invalid_context);
  EXPECT_EQ(with, 0);
  EXPECT_EQ(host_live_objects(), size_t(3));  // context, module, memory
  device.expect(device.driver.mem_free(memory));
}

CASE(several_threads_launch) {
  constexpr int n_threads = 4, n_launches = 25, n_values = 8 * 96;
  std::vector<std::thread> threads;
  for (int t = 1; t <= n_threads; t++)
    threads.emplace_back([t] {
      TestDevice device(kernels);
      const Args args{device.upload(std::vector<int>(n_values)), t};
      TestGraph graph(device);
      GraphNode last = nullptr;
      for (int i = 0; i < 4; i++) {
        const GraphNode node = graph.add("add", 8, 96, 256, args);
        if (last) graph.edge(last, node, true);
        last = node;
      }
      GraphExec exec;
      device.expect(device.driver.graph_instantiate(&exec, graph.graph, 0));
      for (int i = 0; i < n_launches; i++) device.expect(device.driver.graph_launch(exec, nullptr));
      device.expect(device.driver.graph_exec_destroy(exec));
      for (int v : device.download(args.data, n_values)) EXPECT_EQ(v, 4 * n_launches * t);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace realizar
