#include "read_ceiling.h"

#include <algorithm>
#include <cstring>

#include "error.h"

namespace realizar {
namespace {

constexpr const char* symbol = "realizar_read_ceiling";
constexpr int blocks_per_multiprocessor[] = {2, 4, 8, 16};
constexpr int repetitions = 5;

uint64_t buffer_bytes(const OpenDevice& device) {
  if (!strcmp(artifact.target, "host")) return 64 << 20;
  size_t free = 0, total = 0;
  check(*device.driver, device.driver->mem_get_info(&free, &total), "cuMemGetInfo", "the read ceiling");
  const uint64_t wanted = std::min<uint64_t>(2ull << 30, free / 2);
  return std::max(wanted, 8 * device.l2_bytes());
}

}  // namespace

StreamingRead::StreamingRead(const Model& model, Stream stream, uint64_t bytes)
    : device_(model.device),
      stream_(stream),
      multiprocessors_(
          std::max(device_.attribute(attribute_multiprocessor_count, "the number of multiprocessors"), 1)) {
  const Driver& driver = *device_.driver;
  check(driver, driver.module_get_function(&function_, model.module.get(), symbol), "cuModuleGetFunction", symbol);
  data_ = allocate(device_, bytes, "the read ceiling's buffer");
  sink_ = allocate(device_, sizeof(uint32_t), "the read ceiling's result");
  check(driver, driver.memset_d8_async(data_.get(), 0, bytes, stream), "cuMemsetD8Async", symbol);
  args_ = {data_.get(), bytes / word_bytes, sink_.get()};
}

void StreamingRead::launch(int blocks_per_multiprocessor) const {
  const uint32_t blocks = uint32_t(multiprocessors_ * blocks_per_multiprocessor);
  ReadCeilingArgs args = args_;
  void* params[] = {&args};
  check(*device_.driver,
        device_.driver->launch_kernel(function_, {blocks, 1, 1}, {read_ceiling_threads, 1, 1}, 0, stream_, params),
        "cuLaunchKernel", symbol);
}

double measure_read_ceiling(const Model& model) {
  const OpenDevice& device = model.device;
  const OwnedEvent before = create_event(device, event_default), after = create_event(device, event_default);
  const OwnedStream stream = create_stream(device);
  const StreamingRead reader(model, stream.get(), buffer_bytes(device));
  double best = 0;
  for (const int factor : blocks_per_multiprocessor) {
    reader.launch(factor);  // not timed: the first launch of a kernel may still load it
    for (int i = 0; i < repetitions; i++) {
      record(device, before.get(), stream.get(), symbol);
      reader.launch(factor);
      record(device, after.get(), stream.get(), symbol);
      const double seconds = seconds_between(device, before.get(), after.get(), symbol);
      if (seconds > 0) best = std::max(best, double(reader.bytes()) / seconds);
    }
  }
  if (best == 0) throw Error(REALIZAR_DRIVER, "the device's clock did not advance while the read ceiling was measured");
  return best;
}

}  // namespace realizar
