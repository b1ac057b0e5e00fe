#include "device.h"

#include <atomic>
#include <charconv>
#include <string_view>

#include "error.h"

namespace realizar {
namespace {

std::atomic<const Driver*> test_driver = nullptr;

constexpr Result out_of_memory = 2;  // CUDA_ERROR_OUT_OF_MEMORY

// Jetsons and their like: NVIDIA promises that their code, and code for others, runs nowhere else.
bool is_apart(int capability) { return capability == 87 || capability == 88 || capability == 110; }

// One entry of the list, "sm_90a".
bool runs_on(std::string_view arch, int major, int minor) {
  if (!arch.starts_with("sm_")) return false;
  int number = 0;
  const auto [end, error] = std::from_chars(arch.data() + 3, arch.data() + arch.size(), number);
  if (error != std::errc() || number / 10 != major) return false;
  const std::string_view suffix(end, arch.data() + arch.size() - end);
  if (number % 10 == minor) return true;
  return suffix != "a" && number % 10 < minor && !is_apart(number) && !is_apart(10 * major + minor);
}

// What to compile for; Hopper's own instructions need the 'a'.
std::string arch_of(int major, int minor) {
  return format("sm_%d%d%s", major, minor, major == 9 && minor == 0 ? "a" : "");
}

}  // namespace

DriverStatus current_driver() {
  if (const Driver* driver = test_driver) return {driver, nullptr};
  return load_driver();
}

void set_driver_for_test(const Driver* driver) { test_driver = driver; }

void check_architecture(const char* archs, int major, int minor, const std::string& device_name) {
  for (std::string_view rest = archs; !rest.empty();) {
    const size_t comma = rest.find(',');
    if (runs_on(rest.substr(0, comma), major, minor)) return;
    rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
  }
  throw Error(REALIZAR_WRONG_ARCHITECTURE,
              format("%s has compute capability %d.%d; this library holds machine code for %s only: compile the model "
                     "again with --arch %s",
                     device_name.c_str(), major, minor, archs, arch_of(major, minor).c_str()));
}

void check_meetings(const Artifact& artifact, int multiprocessors, const std::string& device_name) {
  for (const Kernel& kernel : artifact.kernels)
    if (kernel.blocks_meet && kernel.blocks > uint32_t(multiprocessors))
      throw Error(
          REALIZAR_WRONG_ARCHITECTURE,
          format("the %u blocks of kernel %s wait for each other, and %s has %d multiprocessors to run them: use a "
                 "larger GPU, or a larger slice of this one",
                 kernel.blocks, kernel.symbol, device_name.c_str(), multiprocessors));
}

void check_shared_memory(const Artifact& artifact, const OpenDevice& device) {
  const uint32_t most = uint32_t(device.attribute(attribute_max_shared_memory_per_block_optin, "shared memory"));
  for (const Kernel& kernel : artifact.kernels) {
    if (kernel.shared_bytes <= most) continue;
    const int major = device.attribute(attribute_compute_capability_major, "the compute capability");
    const int minor = device.attribute(attribute_compute_capability_minor, "the compute capability");
    throw Error(REALIZAR_WRONG_ARCHITECTURE,
                format("the kernel %s was planned with %u bytes of shared memory a block, and a block has %u on %s: "
                       "compile the model again with --arch %s",
                       kernel.symbol, kernel.shared_bytes, most, device.name.c_str(), arch_of(major, minor).c_str()));
  }
}

OpenDevice open_device(int ordinal) {
  const DriverStatus status = current_driver();
  if (!status.driver) throw Error(REALIZAR_NO_DRIVER, status.error);
  const Driver& driver = *status.driver;
  check(driver, driver.init(0), "cuInit", "this process");
  int count = 0;
  check(driver, driver.device_get_count(&count), "cuDeviceGetCount", "this process");
  if (ordinal < 0 || ordinal >= count)
    throw Error(REALIZAR_NO_DEVICE, format("device %d was asked for, but the driver sees %d device%s, counted from 0",
                                           ordinal, count, count == 1 ? "" : "s"));

  OpenDevice opened;
  const std::string subject = format("device %d", ordinal);
  opened.driver = &driver;
  opened.ordinal = ordinal;
  check(driver, driver.device_get(&opened.device, ordinal), "cuDeviceGet", subject.c_str());
  char name[256] = "";
  check(driver, driver.device_get_name(name, sizeof name, opened.device), "cuDeviceGetName", subject.c_str());
  opened.name = name;
  check(driver, driver.device_primary_ctx_retain(&opened.context, opened.device), "cuDevicePrimaryCtxRetain", name);
  opened.retained = RetainedContext(driver, opened.device);
  opened.make_current();
  return opened;
}

void OpenDevice::make_current() const {
  check(*driver, driver->ctx_set_current(context), "cuCtxSetCurrent", name.c_str());
}

int OpenDevice::attribute(int which, const char* what) const {
  int value = 0;
  check(*driver, driver->device_get_attribute(&value, which, device), "cuDeviceGetAttribute", what);
  return value;
}

uint64_t OpenDevice::l2_bytes() const { return uint64_t(attribute(attribute_l2_cache_size, "the L2 size")); }

DeviceMemory allocate(const OpenDevice& device, uint64_t bytes, const char* what) {
  DevicePtr memory = 0;
  const Result result = device.driver->mem_alloc(&memory, bytes);
  if (result == 0) return DeviceMemory(*device.driver, memory);
  size_t free = 0, total = 0;
  if (result != out_of_memory || device.driver->mem_get_info(&free, &total) != 0)
    fail_call(*device.driver, result, "cuMemAlloc", format("%s (%llu bytes)", what, (unsigned long long)bytes));
  throw Error(
      REALIZAR_OUT_OF_MEMORY,
      format("there is no room for %s on %s: %llu bytes are needed, and %zu of %zu are free; free memory there or "
             "use a larger device",
             what, device.name.c_str(), (unsigned long long)bytes, free, total));
}

PinnedMemory allocate_pinned(const OpenDevice& device, uint64_t bytes, const char* what) {
  void* memory = nullptr;
  if (const Result result = device.driver->mem_alloc_host(&memory, bytes); result != 0)
    fail_call(*device.driver, result, "cuMemAllocHost", format("%s (%llu bytes)", what, (unsigned long long)bytes));
  return PinnedMemory(*device.driver, memory);
}

OwnedStream create_stream(const OpenDevice& device) {
  Stream stream = nullptr;
  check(*device.driver, device.driver->stream_create(&stream, stream_non_blocking), "cuStreamCreate",
        device.name.c_str());
  return OwnedStream(*device.driver, stream);
}

OwnedEvent create_event(const OpenDevice& device, unsigned flags) {
  Event event = nullptr;
  check(*device.driver, device.driver->event_create(&event, flags), "cuEventCreate", device.name.c_str());
  return OwnedEvent(*device.driver, event);
}

void synchronize(const OpenDevice& device, Stream stream, const char* what) {
  check(*device.driver, device.driver->stream_synchronize(stream), "cuStreamSynchronize", what);
}

void record(const OpenDevice& device, Event event, Stream stream, const char* what) {
  check(*device.driver, device.driver->event_record(event, stream), "cuEventRecord", what);
}

double seconds_between(const OpenDevice& device, Event before, Event after, const char* what) {
  float milliseconds = 0;
  check(*device.driver, device.driver->event_synchronize(after), "cuEventSynchronize", what);
  check(*device.driver, device.driver->event_elapsed_time(&milliseconds, before, after), "cuEventElapsedTime", what);
  return milliseconds / 1e3;
}

}  // namespace realizar
