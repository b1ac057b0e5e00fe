#include "model.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "error.h"
#include "graph.h"
#include "model_file.h"
#include "weights.h"

namespace realizar {
namespace {

// Dynamic shared memory that a kernel gets without asking for more.
constexpr uint32_t default_shared_bytes = 48 << 10;

void check_device(const OpenDevice& device) {
  if (!strcmp(artifact.target, "host")) return;
  check_architecture(artifact.gpu_archs, device.attribute(attribute_compute_capability_major, "the compute capability"),
                     device.attribute(attribute_compute_capability_minor, "the compute capability"), device.name);
  check_meetings(artifact, device.attribute(attribute_multiprocessor_count, "the number of multiprocessors"),
                 device.name);
  check_shared_memory(artifact, device);
}

void load_code(Model& model) {
  const Driver& driver = *model.device.driver;
  Module module = nullptr;
  check(driver, driver.module_load_data(&module, artifact.code), "cuModuleLoadData", "the library's kernels");
  model.module = OwnedModule(driver, module);
  for (const Kernel& kernel : artifact.kernels) {
    Function function = nullptr;
    check(driver, driver.module_get_function(&function, module, kernel.symbol), "cuModuleGetFunction", kernel.symbol);
    if (kernel.shared_bytes > default_shared_bytes)
      check(driver, driver.func_set_max_dynamic_shared(function, int(kernel.shared_bytes)), "cuFuncSetAttribute",
            format("%s (%u bytes of shared memory)", kernel.symbol, kernel.shared_bytes).c_str());
    model.functions.push_back(function);
  }
}

// What programs of many rows need to know of the weights. What it finds lies after all tensors, and starts as zeros.
void run_once(const Model& model, const Program& program) {
  const OpenDevice& device = model.device;
  const OwnedStream stream = create_stream(device);
  const ResolvedProgram resolved =
      resolve_program(*device.driver, artifact, program, model.functions.data(), {.weights = model.weights.get()});
  uint64_t first = artifact.weights_bytes;
  for (const Node& node : program.nodes)
    for (const Argument& argument : node.arguments)
      if (argument.tensor.empty() && argument.place.region == Region::weights)
        first = std::min<uint64_t>(first, argument.place.offset);
  check(*device.driver,
        device.driver->memset_d8_async(model.weights.get() + first, 0, artifact.weights_bytes - first, stream.get()),
        "cuMemsetD8Async", "what is found out about the weights");
  launch_nodes(resolved, stream.get(), 0);
  synchronize(device, stream.get(), "what is found out about the weights");
}

}  // namespace

// The last owner may let go on any thread; the members free themselves in the device's context.
Model::~Model() {
  if (device.retained) device.driver->ctx_set_current(device.context);
}

std::shared_ptr<const Model> open_model(const char* path, const realizar_model_options& options) {
  verify_artifact(artifact);
  auto model = std::make_shared<Model>();
  model->order_seed = options.order_seed;
  model->poison = options.poison != 0;
  const Progress progress{options.progress, options.user};
  progress.phase("driver", [&] { model->device = open_device(options.device); });
  check_device(model->device);
  std::optional<ModelFile> file;
  progress.phase("file", [&] { file.emplace(path, artifact); });
  set_execution_order(model->order_seed);
  progress.phase("code", [&] { load_code(*model); });
  model->weights = load_weights(model->device, artifact, model->functions, *file, progress);
  if (const Program* program = find_program(artifact, name_of_load_program)) run_once(*model, *program);
  return model;
}

}  // namespace realizar
