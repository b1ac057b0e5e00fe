// The driver calls that the runtime uses, as one table. cuda.cpp fills it from libcuda at run time, host.cpp with a
// simulator, tests with calls that fail. Types and meanings are those of the CUDA driver API (names without "cu"), so
// that cuda.cpp can assert that they match cuda.h; the host target needs no CUDA header.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../kernels/state.h"

namespace realizar {

using Result = int;  // CUresult; 0 is success
using Device = int;
using DevicePtr = uint64_t;
struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};
constexpr Result not_ready = 600;  // CUDA_ERROR_NOT_READY
struct OpaqueContext;
struct OpaqueModule;
struct OpaqueFunction;
struct OpaqueStream;
struct OpaqueEvent;
struct OpaqueGraph;
struct OpaqueGraphNode;
struct OpaqueGraphExec;
using Context = OpaqueContext*;
using Module = OpaqueModule*;
using Function = OpaqueFunction*;
using Stream = OpaqueStream*;
using Event = OpaqueEvent*;
using Graph = OpaqueGraph*;
using GraphNode = OpaqueGraphNode*;
using GraphExec = OpaqueGraphExec*;

struct Driver {
  Result (*init)(unsigned flags);
  Result (*driver_get_version)(int* version);
  Result (*get_error_name)(Result error, const char** name);
  Result (*get_error_string)(Result error, const char** text);
  Result (*device_get_count)(int* count);
  Result (*device_get)(Device* device, int ordinal);
  Result (*device_get_name)(char* name, int length, Device device);
  Result (*device_get_attribute)(int* value, int attribute, Device device);
  Result (*device_primary_ctx_retain)(Context* context, Device device);
  Result (*device_primary_ctx_release)(Device device);
  Result (*ctx_set_current)(Context context);
  Result (*mem_get_info)(size_t* free, size_t* total);
  Result (*mem_alloc)(DevicePtr* memory, size_t bytes);
  Result (*mem_free)(DevicePtr memory);
  Result (*mem_alloc_host)(void** memory, size_t bytes);
  Result (*mem_free_host)(void* memory);
  Result (*memcpy_htod_async)(DevicePtr to, const void* from, size_t bytes, Stream stream);
  Result (*memcpy_dtoh_async)(void* to, DevicePtr from, size_t bytes, Stream stream);
  Result (*memcpy_dtod_async)(DevicePtr to, DevicePtr from, size_t bytes, Stream stream);
  Result (*memset_d8_async)(DevicePtr to, unsigned char value, size_t bytes, Stream stream);
  Result (*stream_create)(Stream* stream, unsigned flags);
  Result (*stream_destroy)(Stream stream);
  Result (*stream_synchronize)(Stream stream);
  Result (*stream_query)(Stream stream);  // not_ready while something queued has not ended
  Result (*event_create)(Event* event, unsigned flags);
  Result (*event_destroy)(Event event);
  Result (*event_record)(Event event, Stream stream);
  Result (*event_synchronize)(Event event);
  Result (*event_elapsed_time)(float* milliseconds, Event from, Event to);
  Result (*module_load_data)(Module* module, const void* image);
  Result (*module_unload)(Module module);
  Result (*module_get_function)(Function* function, Module module, const char* name);
  Result (*func_set_max_dynamic_shared)(Function function, int bytes);
  Result (*launch_kernel)(Function function, Dim3 grid, Dim3 block, unsigned shared_bytes, Stream stream,
                          void** params);
  Result (*graph_create)(Graph* graph, unsigned flags);
  Result (*graph_destroy)(Graph graph);
  Result (*graph_add_kernel_node)(GraphNode* node, Graph graph, Function function, Dim3 grid, Dim3 block,
                                  unsigned shared_bytes, void** params);
  Result (*graph_add_dependency)(Graph graph, GraphNode from, GraphNode to, bool programmatic);
  Result (*graph_instantiate)(GraphExec* exec, Graph graph, unsigned flags);
  Result (*graph_exec_destroy)(GraphExec exec);
  Result (*graph_upload)(GraphExec exec, Stream stream);
  Result (*graph_launch)(GraphExec exec, Stream stream);
};

// What load_driver found: a table, or why there is none.
struct DriverStatus {
  const Driver* driver;  // null: see error
  const char* error;     // "no CUDA driver: libcuda.so.1: cannot open shared object file ..."
};
// One of cuda.cpp and host.cpp is linked into a library, and defines this. Loads once; safe from several threads.
DriverStatus load_driver();

// What the runtime calls from now on: load_driver's table, or the one that a test has put in its place (null: back to
// load_driver's). Handles keep the table that made them.
DriverStatus current_driver();
void set_driver_for_test(const Driver* driver);

// The host simulator's order of blocks and independent nodes (0: as written). Does nothing on a GPU.
void set_execution_order(uint32_t seed);

}  // namespace realizar
