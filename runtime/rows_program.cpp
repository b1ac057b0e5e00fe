#include "rows_program.h"

#include "error.h"

namespace realizar {

RowsProgram::RowsProgram(const Model& model, const Program& program, Slots& slots, Stream stream)
    : model_(model),
      slots_(slots),
      stream_(stream),
      resolved_(resolve_program(*model.device.driver, artifact, program, model.functions.data(), slots.bases())) {}

void RowsProgram::write_step(std::span<const Run> runs) {
  Staging& staging = slots_.staging();
  compose_step(program(), runs, staging.room(step_bytes(artifact)));
  staging.send(slots_.bases().state + artifact.step_offset, step_bytes(artifact), "the step");
}

void RowsProgram::launch(realizar_mode mode) {
  const Driver& driver = *resolved_.driver;
  set_execution_order(model_.order_seed);
  if (model_.poison)
    check(driver, driver.memset_d8_async(slots_.bases().arena, 0xff, artifact.arena_bytes, stream_), "cuMemsetD8Async",
          "the activations");
  if (mode == REALIZAR_EAGER)
    launch_nodes(resolved_, stream_, 0);
  else if (const Result result = driver.graph_launch(built_.exec.get(), stream_); result != 0)
    fail_call(driver, result, "cuGraphLaunch", format("program %s", program_label(program()).c_str()));
}

}  // namespace realizar
