// Device, context, streams and events of the host driver.
#include <cstring>

#include "host_calls.h"
#include "host_state.h"

namespace realizar::host {

using std::chrono::steady_clock;

void init(unsigned flags) {
  if (flags) fail(invalid_value, "init takes no flags");
  host().initialized = true;
}
void driver_get_version(int* version) { needed(version, "version") = 13000; }

void device_get_count(int* count) {
  check_initialized();
  needed(count, "count") = 1;
}
void device_get(Device* device, int ordinal) {
  check_device(ordinal);
  needed(device, "device") = ordinal;
}
void device_get_name(char* name, int length, Device device) {
  check_device(device);
  if (length < 1) fail(invalid_value, "no room for the device's name");
  strncpy(&needed(name, "name"), "host simulator", size_t(length));
  name[length - 1] = 0;
}
void device_get_attribute(int* value, int attribute, Device device) {
  check_device(device);
  int& out = needed(value, "value");
  switch (attribute) {
    case 16:  // multiprocessors: blocks that run at the same time
      out = int(host().pool.size());
      break;
    case 38:  // bytes of L2 cache
      out = 1 << 20;
      break;
    case 97:  // largest shared memory of a block
      out = int(max_shared_bytes);
      break;
    default:  // among them 75 and 76, the compute capability: no GPU's
      out = 0;
  }
}
void device_primary_ctx_retain(Context* context, Device device) {
  check_device(device);
  needed(context, "context") = &host().context;
  host().n_retained++;
}
void device_primary_ctx_release(Device device) {
  check_device(device);
  if (!host().n_retained) fail(invalid_context, "the primary context has been released more often than retained");
  host().n_retained--;
}
void ctx_set_current(Context context) {
  check_initialized();
  if (context && context != &host().context) fail(invalid_context, "no such context");
  current_context = context;
}

void stream_create(Stream* stream, unsigned) {
  check_context();
  Stream& out = needed(stream, "stream");
  out = host().streams.add(std::make_unique<OpaqueStream>());
}
void stream_destroy(Stream stream) { host().streams.remove(stream); }
void stream_synchronize(Stream stream) { check_stream(stream); }
void stream_query(Stream stream) { check_stream(stream); }

void event_create(Event* event, unsigned) {
  check_context();
  Event& out = needed(event, "event");
  out = host().events.add(std::make_unique<OpaqueEvent>());
}
void event_destroy(Event event) { host().events.remove(event); }
void event_record(Event event, Stream stream) {
  check_stream(stream);
  host().events.get(event).recorded = steady_clock::now();
}
void event_synchronize(Event event) { host().events.get(event); }
void event_elapsed_time(float* milliseconds, Event from, Event to) {
  const auto begin = host().events.get(from).recorded, end = host().events.get(to).recorded;
  if (!begin || !end) fail(invalid_handle, "an event that has not been recorded");
  needed(milliseconds, "milliseconds") = std::chrono::duration<float, std::milli>(*end - *begin).count();
}

}  // namespace realizar::host
