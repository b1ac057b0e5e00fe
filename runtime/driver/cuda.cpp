// The driver table of the CUDA target, from libcuda.so.1 at run time: a library that was built on a machine without a
// driver, or is opened on one, still loads and answers. Names are versioned as in cuda.h, and spelled out: a macro of
// another toolkit's cuda.h cannot change which entry point is taken.
#include <cuda.h>
#include <dlfcn.h>

#include <string>
#include <type_traits>

#include "../device.h"
#include "driver.h"

namespace realizar {
namespace {

// A table entry and cuda.h's function agree if parameters are of equal size and kind, handles being pointers.
template <typename Ours, typename Theirs>
constexpr bool same_kind = sizeof(Ours) == sizeof(Theirs) && std::is_pointer_v<Ours> == std::is_pointer_v<Theirs>;
template <typename Ours, typename Theirs>
constexpr bool same_convention = false;
template <typename... Ours, typename... Theirs>
constexpr bool same_convention<Result (*)(Ours...), CUresult (*)(Theirs...)> = [] {
  if constexpr (sizeof...(Ours) == sizeof...(Theirs))
    return (same_kind<Ours, Theirs> && ...);
  else
    return false;
}();
static_assert(sizeof(CUresult) == sizeof(Result) && CUDA_SUCCESS == 0);
static_assert(sizeof(CUdeviceptr) == sizeof(DevicePtr) && sizeof(CUdevice) == sizeof(Device));
static_assert(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT == attribute_multiprocessor_count);
static_assert(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE == attribute_l2_cache_size);
static_assert(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR == attribute_compute_capability_major);
static_assert(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR == attribute_compute_capability_minor);
static_assert(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN == attribute_max_shared_memory_per_block_optin);
static_assert(CU_STREAM_NON_BLOCKING == stream_non_blocking);
static_assert(CU_EVENT_DEFAULT == event_default && CU_EVENT_DISABLE_TIMING == event_disable_timing &&
              CU_EVENT_BLOCKING_SYNC == event_blocking_sync);
static_assert(CUDA_ERROR_STUB_LIBRARY == 34 && CUDA_ERROR_SYSTEM_DRIVER_MISMATCH == 803);
static_assert(CUDA_ERROR_OUT_OF_MEMORY == 2 && CUDA_ERROR_NO_DEVICE == 100 && CUDA_ERROR_INVALID_DEVICE == 101 &&
              CUDA_ERROR_NO_BINARY_FOR_GPU == 209 && CUDA_ERROR_NOT_READY == not_ready);

// Calls whose parameters the table spells otherwise than cuda.h.
decltype(&cuFuncSetAttribute) func_set_attribute;
decltype(&cuLaunchKernel) launch;
decltype(&cuGraphAddKernelNode_v2) add_kernel_node;
decltype(&cuGraphAddDependencies_v2) add_dependencies;
decltype(&cuGraphInstantiateWithFlags) instantiate;

// Blocks of two kernels run on one multiprocessor only where both want the same of its memory as shared memory: all.
Result set_max_dynamic_shared(Function function, int bytes) {
  const Result result = func_set_attribute(reinterpret_cast<CUfunction>(function),
                                           CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 100);
  return result ? result
                : func_set_attribute(reinterpret_cast<CUfunction>(function),
                                     CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
}

Result launch_kernel(Function function, Dim3 grid, Dim3 block, unsigned shared_bytes, Stream stream, void** params) {
  return launch(reinterpret_cast<CUfunction>(function), grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes,
                reinterpret_cast<CUstream>(stream), params, nullptr);
}

Result graph_add_kernel_node(GraphNode* node, Graph graph, Function function, Dim3 grid, Dim3 block,
                             unsigned shared_bytes, void** params) {
  CUDA_KERNEL_NODE_PARAMS_v2 kernel = {};
  kernel.func = reinterpret_cast<CUfunction>(function);
  kernel.gridDimX = grid.x, kernel.gridDimY = grid.y, kernel.gridDimZ = grid.z;
  kernel.blockDimX = block.x, kernel.blockDimY = block.y, kernel.blockDimZ = block.z;
  kernel.sharedMemBytes = shared_bytes;
  kernel.kernelParams = params;
  return add_kernel_node(reinterpret_cast<CUgraphNode*>(node), reinterpret_cast<CUgraph>(graph), nullptr, 0, &kernel);
}

Result graph_add_dependency(Graph graph, GraphNode from, GraphNode to, bool programmatic) {
  CUgraphEdgeData edge = {};
  if (programmatic) {
    edge.from_port = CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC;
    edge.type = CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC;
  }
  return add_dependencies(reinterpret_cast<CUgraph>(graph), reinterpret_cast<CUgraphNode*>(&from),
                          reinterpret_cast<CUgraphNode*>(&to), &edge, 1);
}

Result graph_instantiate(GraphExec* exec, Graph graph, unsigned flags) {
  return instantiate(reinterpret_cast<CUgraphExec*>(exec), reinterpret_cast<CUgraph>(graph), flags);
}

struct Loader {
  void* library;
  std::string missing;

  template <typename Call>
  void find(Call& call, const char* symbol) {
    call = reinterpret_cast<Call>(dlsym(library, symbol));
    if (!call) missing += (missing.empty() ? "" : ", ") + std::string(symbol);
  }
};

// The symbol in the library is the versioned name; its type is checked against cuda.h at compile time.
#define FIND(entry, symbol)                                                                                \
  static_assert(same_convention<decltype(table.entry), decltype(&symbol)>, "cuda.h has another " #symbol); \
  loader.find(table.entry, #symbol)

void find_calls(Loader& loader, Driver& table) {
  FIND(init, cuInit);
  FIND(driver_get_version, cuDriverGetVersion);
  FIND(get_error_name, cuGetErrorName);
  FIND(get_error_string, cuGetErrorString);
  FIND(device_get_count, cuDeviceGetCount);
  FIND(device_get, cuDeviceGet);
  FIND(device_get_name, cuDeviceGetName);
  FIND(device_get_attribute, cuDeviceGetAttribute);
  FIND(device_primary_ctx_retain, cuDevicePrimaryCtxRetain);
  FIND(device_primary_ctx_release, cuDevicePrimaryCtxRelease_v2);
  FIND(ctx_set_current, cuCtxSetCurrent);
  FIND(mem_get_info, cuMemGetInfo_v2);
  FIND(mem_alloc, cuMemAlloc_v2);
  FIND(mem_free, cuMemFree_v2);
  FIND(mem_alloc_host, cuMemAllocHost_v2);
  FIND(mem_free_host, cuMemFreeHost);
  FIND(memcpy_htod_async, cuMemcpyHtoDAsync_v2);
  FIND(memcpy_dtoh_async, cuMemcpyDtoHAsync_v2);
  FIND(memcpy_dtod_async, cuMemcpyDtoDAsync_v2);
  FIND(memset_d8_async, cuMemsetD8Async);
  FIND(stream_create, cuStreamCreate);
  FIND(stream_destroy, cuStreamDestroy_v2);
  FIND(stream_synchronize, cuStreamSynchronize);
  FIND(stream_query, cuStreamQuery);
  FIND(event_create, cuEventCreate);
  FIND(event_destroy, cuEventDestroy_v2);
  FIND(event_record, cuEventRecord);
  FIND(event_synchronize, cuEventSynchronize);
  FIND(event_elapsed_time, cuEventElapsedTime);
  FIND(module_load_data, cuModuleLoadData);
  FIND(module_unload, cuModuleUnload);
  FIND(module_get_function, cuModuleGetFunction);
  FIND(graph_create, cuGraphCreate);
  FIND(graph_destroy, cuGraphDestroy);
  FIND(graph_exec_destroy, cuGraphExecDestroy);
  FIND(graph_upload, cuGraphUpload);
  FIND(graph_launch, cuGraphLaunch);
  loader.find(func_set_attribute, "cuFuncSetAttribute");
  loader.find(launch, "cuLaunchKernel");
  loader.find(add_kernel_node, "cuGraphAddKernelNode_v2");
  loader.find(add_dependencies, "cuGraphAddDependencies_v2");
  loader.find(instantiate, "cuGraphInstantiateWithFlags");
  table.func_set_max_dynamic_shared = set_max_dynamic_shared;
  table.launch_kernel = launch_kernel;
  table.graph_add_kernel_node = graph_add_kernel_node;
  table.graph_add_dependency = graph_add_dependency;
  table.graph_instantiate = graph_instantiate;
}

// Edge data in graphs came with CUDA 12.3.
constexpr int needed_version = 12030;

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// What is wrong with the driver; empty: nothing.
std::string load_into(Driver& table) {
  Loader loader{dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), {}};
  if (!loader.library)
    return std::string("no CUDA driver: ") + dlerror() + "; install the NVIDIA driver, or compile with --target host";
  find_calls(loader, table);
  int version = 0;
  const bool versioned = table.driver_get_version && table.driver_get_version(&version) == 0;
  if (loader.missing.empty() && version >= needed_version) return "";
  return "the CUDA driver is too old: it supports CUDA " + (versioned ? version_text(version) : "of unknown version") +
         (loader.missing.empty() ? "" : " and lacks " + loader.missing) + ", and CUDA " + version_text(needed_version) +
         " is needed; install a newer NVIDIA driver, or compile with --target host";
}

struct Loaded {
  Driver table = {};
  std::string error = load_into(table);
};

}  // namespace

DriverStatus load_driver() {
  static const Loaded& loaded = *new Loaded;  // never destroyed: a process may exit while another thread uses it
  if (!loaded.error.empty()) return {nullptr, loaded.error.c_str()};
  return {&loaded.table, nullptr};
}

void set_execution_order(uint32_t) {}  // the GPU decides

}  // namespace realizar
