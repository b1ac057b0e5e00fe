#include "f16_ceiling.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "kernels/state.h"

namespace realizar {
namespace {

constexpr const char* symbol = "realizar_f16_ceiling";
constexpr int repetitions = 5;
constexpr double least_seconds = 0.01;
constexpr uint32_t most_repeats = 1 << 24;

}  // namespace

double measure_f16_ceiling(const Model& model) {
  const OpenDevice& device = model.device;
  const Driver& driver = *device.driver;
  if (!has_rows(*largest_program(artifact)))
    throw Error(REALIZAR_INVALID_ARGUMENT,
                "this library has no program of many rows, and no products of halves to be measured");
  Function function = nullptr;
  check(driver, driver.module_get_function(&function, model.module.get(), symbol), "cuModuleGetFunction", symbol);
  const OwnedEvent before = create_event(device, event_default), after = create_event(device, event_default);
  const OwnedStream stream = create_stream(device);
  const DeviceMemory sink = allocate(device, sizeof(float), "the f16 ceiling's result");
  const uint32_t blocks =
      uint32_t(std::max(device.attribute(attribute_multiprocessor_count, "the number of multiprocessors"), 1));
  const auto time = [&](uint32_t repeats) {
    F16CeilingArgs args = {sink.get(), repeats};
    void* params[] = {&args};
    record(device, before.get(), stream.get(), symbol);
    check(driver,
          driver.launch_kernel(function, {blocks, 1, 1}, {f16_ceiling_threads, 1, 1}, f16_ceiling_shared_bytes,
                               stream.get(), params),
          "cuLaunchKernel", symbol);
    record(device, after.get(), stream.get(), symbol);
    return seconds_between(device, before.get(), after.get(), symbol);
  };
  // The first launch of a kernel may still load it.
  uint32_t repeats = 1;
  while (time(repeats) < least_seconds && repeats < most_repeats) repeats *= 2;
  double best = 0;
  for (int i = 0; i < repetitions; i++)
    if (const double seconds = time(repeats); seconds > 0)
      best = std::max(best, blocks * double(repeats) * f16_ceiling_flops / seconds);
  if (best == 0) throw Error(REALIZAR_DRIVER, "the device's clock did not advance while the f16 ceiling was measured");
  return best;
}

}  // namespace realizar
