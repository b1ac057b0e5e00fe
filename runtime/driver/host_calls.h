// The calls of the host driver, each as in driver.h but throwing Failure instead of returning a Result.
#pragma once
#include "driver.h"

namespace realizar::host {

// host_device.cpp
void init(unsigned flags);
void driver_get_version(int* version);
void device_get_count(int* count);
void device_get(Device* device, int ordinal);
void device_get_name(char* name, int length, Device device);
void device_get_attribute(int* value, int attribute, Device device);
void device_primary_ctx_retain(Context* context, Device device);
void device_primary_ctx_release(Device device);
void ctx_set_current(Context context);

void stream_create(Stream* stream, unsigned);
void stream_destroy(Stream stream);
void stream_synchronize(Stream stream);
void stream_query(Stream stream);
void event_create(Event* event, unsigned);
void event_destroy(Event event);
void event_record(Event event, Stream stream);
void event_synchronize(Event event);
void event_elapsed_time(float* milliseconds, Event from, Event to);

// host_memory.cpp
void mem_get_info(size_t* free, size_t* total);
void mem_alloc(DevicePtr* memory, size_t bytes);
void mem_free(DevicePtr memory);
void mem_alloc_host(void** memory, size_t bytes);
void mem_free_host(void* memory);
void memcpy_htod_async(DevicePtr to, const void* from, size_t bytes, Stream stream);
void memcpy_dtoh_async(void* to, DevicePtr from, size_t bytes, Stream stream);
void memcpy_dtod_async(DevicePtr to, DevicePtr from, size_t bytes, Stream stream);
void memset_d8_async(DevicePtr to, unsigned char value, size_t bytes, Stream stream);

// host_launch.cpp
void module_load_data(Module* module, const void* image);
void module_unload(Module module);
void module_get_function(Function* function, Module module, const char* name);
void func_set_max_dynamic_shared(Function function, int bytes);
void launch_kernel(Function function, Dim3 grid, Dim3 block, unsigned shared_bytes, Stream stream, void** params);
void graph_create(Graph* graph, unsigned flags);
void graph_destroy(Graph graph);
void graph_add_kernel_node(GraphNode* node, Graph graph, Function function, Dim3 grid, Dim3 block,
                           unsigned shared_bytes, void** params);
void graph_add_dependency(Graph graph, GraphNode from, GraphNode to, bool programmatic);
void graph_instantiate(GraphExec* exec, Graph graph, unsigned);
void graph_exec_destroy(GraphExec exec);
void graph_upload(GraphExec exec, Stream stream);
void graph_launch(GraphExec exec, Stream stream);

}  // namespace realizar::host
