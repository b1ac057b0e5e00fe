// One GPU (or the host simulator) that this process has opened, and what is allocated on it.
#pragma once
#include <string>

#include "artifact.h"
#include "handles.h"

namespace realizar {

struct OpenDevice {
  const Driver* driver = nullptr;
  int ordinal = 0;
  Device device = 0;
  std::string name;
  RetainedContext retained;
  Context context = nullptr;

  // Every entry of the C ABI may come from another thread than the last one.
  void make_current() const;
  int attribute(int which, const char* what) const;
  uint64_t l2_bytes() const;
};

// Throws REALIZAR_NO_DRIVER or REALIZAR_NO_DEVICE. The device's context is current afterwards.
OpenDevice open_device(int ordinal);

// Throws REALIZAR_WRONG_ARCHITECTURE unless `archs` ("sm_80,sm_90a") holds code that runs on this compute capability:
// sm_90a on exactly 9.0, sm_86 on 8.6 and later 8.x but Jetsons, whose code runs on its own capability alone.
void check_architecture(const char* archs, int major, int minor, const std::string& device_name);
// Throws REALIZAR_WRONG_ARCHITECTURE for a kernel whose blocks meet and are more than the multiprocessors, each of
// which can be counted on for one.
void check_meetings(const Artifact& artifact, int multiprocessors, const std::string& device_name);
// Throws REALIZAR_WRONG_ARCHITECTURE for a kernel with more shared memory than a block may have: code for sm_80 runs on
// 8.6, which has less.
void check_shared_memory(const Artifact& artifact, const OpenDevice& device);

// Sizes in bytes; `what` is for the error ("the KV cache"), which names needed and free bytes when there is no room.
DeviceMemory allocate(const OpenDevice& device, uint64_t bytes, const char* what);
PinnedMemory allocate_pinned(const OpenDevice& device, uint64_t bytes, const char* what);
OwnedStream create_stream(const OpenDevice& device);
OwnedEvent create_event(const OpenDevice& device, unsigned flags);
void synchronize(const OpenDevice& device, Stream stream, const char* what);
void record(const OpenDevice& device, Event event, Stream stream, const char* what);
// Waits for the later one.
double seconds_between(const OpenDevice& device, Event before, Event after, const char* what);

// CUdevice_attribute, CUstream_flags and CUevent_flags; cuda.cpp asserts that they are cuda.h's.
constexpr int attribute_multiprocessor_count = 16;
constexpr int attribute_l2_cache_size = 38;
constexpr int attribute_compute_capability_major = 75;
constexpr int attribute_compute_capability_minor = 76;
constexpr int attribute_max_shared_memory_per_block_optin = 97;
constexpr unsigned stream_non_blocking = 1;
constexpr unsigned event_default = 0;
constexpr unsigned event_blocking_sync = 1;  // who waits sleeps
constexpr unsigned event_disable_timing = 2;

}  // namespace realizar
