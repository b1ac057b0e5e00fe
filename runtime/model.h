// An open model: the device, the code and the weights that its sessions share. Nothing changes after opening.
#pragma once
#include <memory>
#include <vector>

#include "device.h"
#include "realizar.h"

namespace realizar {

struct Model {
  OpenDevice device;
  OwnedModule module;
  std::vector<Function> functions;  // one an entry of artifact.kernels
  DeviceMemory weights;
  uint32_t order_seed = 0;
  bool poison = false;

  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model();
};

// Checks plan, driver, device, architecture and file, in this order, before it allocates anything.
std::shared_ptr<const Model> open_model(const char* path, const realizar_model_options& options);

}  // namespace realizar
