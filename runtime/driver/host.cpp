// The driver table of the host target. A device that is this machine: memory is the host's, kernels run in the
// simulator. Streams execute in order, at once, inside the call that enqueues; so synchronising never waits, and an
// error of a kernel is the result of the launch. One call at a time: sessions in several threads take turns.
#include "host.h"

#include "driver.h"
#include "host_calls.h"
#include "host_state.h"

namespace realizar {
namespace host {
namespace {

template <auto function>
struct Call;
template <typename... Arguments, void (*function)(Arguments...)>
struct Call<function> {
  static Result entry(Arguments... arguments) {
    return run_call([&] { function(arguments...); });
  }
};
template <auto function>
constexpr auto entry = Call<function>::entry;

constexpr Driver table = {
    .init = entry<init>,
    .driver_get_version = entry<driver_get_version>,
    .get_error_name = get_error_name,
    .get_error_string = get_error_string,
    .device_get_count = entry<device_get_count>,
    .device_get = entry<device_get>,
    .device_get_name = entry<device_get_name>,
    .device_get_attribute = entry<device_get_attribute>,
    .device_primary_ctx_retain = entry<device_primary_ctx_retain>,
    .device_primary_ctx_release = entry<device_primary_ctx_release>,
    .ctx_set_current = entry<ctx_set_current>,
    .mem_get_info = entry<mem_get_info>,
    .mem_alloc = entry<mem_alloc>,
    .mem_free = entry<mem_free>,
    .mem_alloc_host = entry<mem_alloc_host>,
    .mem_free_host = entry<mem_free_host>,
    .memcpy_htod_async = entry<memcpy_htod_async>,
    .memcpy_dtoh_async = entry<memcpy_dtoh_async>,
    .memcpy_dtod_async = entry<memcpy_dtod_async>,
    .memset_d8_async = entry<memset_d8_async>,
    .stream_create = entry<stream_create>,
    .stream_destroy = entry<stream_destroy>,
    .stream_synchronize = entry<stream_synchronize>,
    .stream_query = entry<stream_query>,
    .event_create = entry<event_create>,
    .event_destroy = entry<event_destroy>,
    .event_record = entry<event_record>,
    .event_synchronize = entry<event_synchronize>,
    .event_elapsed_time = entry<event_elapsed_time>,
    .module_load_data = entry<module_load_data>,
    .module_unload = entry<module_unload>,
    .module_get_function = entry<module_get_function>,
    .func_set_max_dynamic_shared = entry<func_set_max_dynamic_shared>,
    .launch_kernel = entry<launch_kernel>,
    .graph_create = entry<graph_create>,
    .graph_destroy = entry<graph_destroy>,
    .graph_add_kernel_node = entry<graph_add_kernel_node>,
    .graph_add_dependency = entry<graph_add_dependency>,
    .graph_instantiate = entry<graph_instantiate>,
    .graph_exec_destroy = entry<graph_exec_destroy>,
    .graph_upload = entry<graph_upload>,
    .graph_launch = entry<graph_launch>,
};

}  // namespace
}  // namespace host

size_t host_live_objects() {
  size_t count = 0;
  host::run_call([&] { count = host::host().live_objects(); });
  return count;
}

void set_execution_order(uint32_t seed) {
  host::run_call([&] { host::host().order_seed = seed; });
}

DriverStatus load_driver() { return {&host::table, nullptr}; }

}  // namespace realizar
