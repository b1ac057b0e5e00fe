#include "token_program.h"

#include "error.h"

namespace realizar {
namespace {

RegionBases bases_of(const Slots& slots, uint32_t slot) {
  RegionBases bases = slots.bases();
  bases.slots = slots.address(slot);
  return bases;
}

}  // namespace

TokenProgram::TokenProgram(const Model& model, const Slots& slots, uint32_t slot, Stream stream)
    : model_(model),
      arena_(slots.bases().arena),
      stream_(stream),
      resolved_(resolve_program(*model.device.driver, artifact, token_program(artifact), model.functions.data(),
                                bases_of(slots, slot))) {}

void TokenProgram::build() {
  std::vector<BuiltGraph> built;
  for (uint32_t i = 0; i <= resolved_.program->buckets.size(); i++)
    built.push_back(build_graph(resolved_, stream_, i, uint32_t(resolved_.nodes.size())));
  built_ = std::move(built);
}

void TokenProgram::launch(uint32_t position, realizar_mode mode) {
  const Driver& driver = *resolved_.driver;
  set_execution_order(model_.order_seed);
  if (model_.poison)
    check(driver, driver.memset_d8_async(arena_, 0xff, artifact.arena_bytes, stream_), "cuMemsetD8Async",
          "the activations");
  if (mode == REALIZAR_EAGER)
    launch_nodes(resolved_, stream_, bucket(position));
  else if (const Result result = driver.graph_launch(built_[bucket(position)].exec.get(), stream_); result != 0)
    fail_call(driver, result, "cuGraphLaunch", format("position %u", position));
}

}  // namespace realizar
