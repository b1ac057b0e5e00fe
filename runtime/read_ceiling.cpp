// The device's streaming-read ceiling: what a kernel that only reads reaches.
#include <algorithm>
#include <cstring>

#include "error.h"
#include "model.h"

namespace realizar {
namespace {

constexpr const char* symbol = "realizar_read_ceiling";
constexpr int blocks_per_multiprocessor[] = {2, 4, 8, 16};
constexpr int repetitions = 5;

uint64_t buffer_bytes(const OpenDevice& device) {
  if (!strcmp(artifact.target, "host")) return 64 << 20;
  size_t free = 0, total = 0;
  check(*device.driver, device.driver->mem_get_info(&free, &total), "cuMemGetInfo", "the read ceiling");
  const uint64_t l2 = uint64_t(device.attribute(attribute_l2_cache_size, "the L2 size"));
  const uint64_t wanted = std::min<uint64_t>(2ull << 30, free / 2);
  return std::max(wanted, 8 * l2) / 16 * 16;
}

struct Reader {
  const OpenDevice& device;
  Function function;
  ReadCeilingArgs args;
  Stream stream;
  Event before, after;

  void launch(uint32_t blocks) {
    void* params[] = {&args};
    check(*device.driver,
          device.driver->launch_kernel(function, {blocks, 1, 1}, {read_ceiling_threads, 1, 1}, 0, stream, params),
          "cuLaunchKernel", symbol);
  }
  float seconds(uint32_t blocks) {
    const Driver& driver = *device.driver;
    check(driver, driver.event_record(before, stream), "cuEventRecord", symbol);
    launch(blocks);
    check(driver, driver.event_record(after, stream), "cuEventRecord", symbol);
    check(driver, driver.event_synchronize(after), "cuEventSynchronize", symbol);
    float milliseconds = 0;
    check(driver, driver.event_elapsed_time(&milliseconds, before, after), "cuEventElapsedTime", symbol);
    return milliseconds / 1e3f;
  }
};

}  // namespace

double measure_read_ceiling(const Model& model) {
  const OpenDevice& device = model.device;
  const Driver& driver = *device.driver;
  Function function = nullptr;
  check(driver, driver.module_get_function(&function, model.module.get(), symbol), "cuModuleGetFunction", symbol);
  const uint64_t bytes = buffer_bytes(device);
  const DeviceMemory data = allocate(device, bytes, "the read ceiling's buffer");
  const DeviceMemory sink = allocate(device, sizeof(uint32_t), "the read ceiling's result");
  const OwnedEvent before = create_event(device, event_default), after = create_event(device, event_default);
  const OwnedStream stream = create_stream(device);
  check(driver, driver.memset_d8_async(data.get(), 0, bytes, stream.get()), "cuMemsetD8Async", symbol);

  Reader reader{device, function, {data.get(), bytes / 16, sink.get()}, stream.get(), before.get(), after.get()};
  const int multiprocessors = device.attribute(attribute_multiprocessor_count, "the number of multiprocessors");
  double best = 0;
  for (const int factor : blocks_per_multiprocessor) {
    const uint32_t blocks = uint32_t(std::max(multiprocessors, 1) * factor);
    reader.launch(blocks);  // not timed: the first launch of a kernel may still load it
    for (int i = 0; i < repetitions; i++)
      if (const float seconds = reader.seconds(blocks); seconds > 0) best = std::max(best, double(bytes) / seconds);
  }
  if (best == 0) throw Error(REALIZAR_DRIVER, "the device's clock did not advance while the read ceiling was measured");
  return best;
}

}  // namespace realizar
