// Named cases in one program: `sim_test` lists them, `sim_test NAME` runs one and exits with 1 where it fails. And a
// device with the kernels of the case, used only through the driver table.
#pragma once
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "../../../runtime/driver/driver.h"
#include "../../../runtime/driver/host.h"

namespace realizar::test {

struct Case {
  Case(const char* name, void (*run)());
  const char* name;
  void (*run)();
};
#define CASE(name)                                            \
  static void name();                                         \
  static const realizar::test::Case case_##name{#name, name}; \
  static void name()

[[noreturn]] void fail(const char* file, int line, const std::string& text);
#define EXPECT(condition)                                                   \
  do {                                                                      \
    if (!(condition)) realizar::test::fail(__FILE__, __LINE__, #condition); \
  } while (false)

template <typename A, typename B>
void expect_equal(const char* file, int line, const char* what, const A& got, const B& want) {
  if (got == want) return;
  if constexpr (requires { std::string(got); })
    fail(file, line, std::string(what) + " is \"" + std::string(got) + "\", not \"" + std::string(want) + "\"");
  else
    fail(file, line, std::string(what) + " is " + std::to_string(got) + ", not " + std::to_string(want));
}
#define EXPECT_EQ(got, want) realizar::test::expect_equal(__FILE__, __LINE__, #got, got, want)

// How often a case does again what it does with other numbers. Sanitizers look for what no number changes, and take
// their time: what is counted is counted without them.
constexpr int repeated(int times) {
#ifdef __SANITIZE_ADDRESS__
  return (times + 9) / 10;
#else
  return times;
#endif
}

// Of the normal distribution.
inline std::vector<float> random_floats(size_t n, std::mt19937& random) {
  std::vector<float> values(n);
  for (float& v : values) v = std::normal_distribution<float>()(random);
  return values;
}

// What must hold after every case.
struct AtEnd {
  explicit AtEnd(void (*check)());
};

// The result of a call and what get_error_string says of it.
struct Outcome {
  Result result;
  std::string text;
};

// A driver with one module loaded, and everything that it made, given back in the end.
class TestDevice {
 public:
  explicit TestDevice(const HostKernel* kernels);
  ~TestDevice();
  TestDevice(const TestDevice&) = delete;

  // n elements of device memory as mem_alloc leaves them, or with these values.
  template <typename T>
  T* allocate(size_t n) {
    return (T*)allocate_bytes(n * sizeof(T));
  }
  template <typename T>
  T* upload(const std::vector<T>& values) {
    T* memory = allocate<T>(values.size());
    expect(driver.memcpy_htod_async(DevicePtr(memory), values.data(), values.size() * sizeof(T), nullptr));
    return memory;
  }
  template <typename T>
  std::vector<T> download(const T* memory, size_t n) {
    std::vector<T> values(n);
    expect(driver.memcpy_dtoh_async(values.data(), DevicePtr(memory), n * sizeof(T), nullptr));
    return values;
  }

  Function function(const char* name);
  template <typename Args>
  Outcome launch(const char* name, unsigned blocks, unsigned threads, unsigned shared_bytes, Args args) {
    void* params[] = {&args};
    return outcome(driver.launch_kernel(function(name), {blocks}, {threads}, shared_bytes, nullptr, params));
  }
  Outcome outcome(Result result) const;
  void expect(Result result) const;  // success

  const Driver& driver;

 private:
  void* allocate_bytes(size_t bytes);

  Context context_;
  Module module_ = nullptr;
  std::vector<DevicePtr> memory_;
};

// A graph under construction, of kernels of one device.
class TestGraph {
 public:
  explicit TestGraph(TestDevice& device);
  ~TestGraph();
  TestGraph(const TestGraph&) = delete;

  template <typename Args>
  GraphNode add(const char* name, unsigned blocks, unsigned threads, unsigned shared_bytes, Args args) {
    void* params[] = {&args};
    GraphNode node;
    device.expect(device.driver.graph_add_kernel_node(&node, graph, device.function(name), {blocks}, {threads},
                                                      shared_bytes, params));
    return node;
  }
  void edge(GraphNode from, GraphNode to, bool programmatic);
  // Instantiates and launches once.
  Outcome run();

  TestDevice& device;
  Graph graph = nullptr;
};

}  // namespace realizar::test
