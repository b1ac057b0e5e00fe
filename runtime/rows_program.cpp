#include "rows_program.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "kernels/state.h"
#include "kernels/step.h"

namespace realizar {

RowsProgram::RowsProgram(const Model& model, const Program& program, const SessionMemory& memory, Stream stream)
    : model_(model),
      memory_(memory),
      stream_(stream),
      resolved_(resolve_program(*model.device.driver, artifact, program, model.functions.data(),
                                {model.weights.get(), memory.arena, memory.kv_cache, memory.state})),
      step_(allocate_pinned(model.device, step_bytes(artifact), "the step of a program of many rows")),
      tokens_(allocate_pinned(model.device, program.rows * sizeof(int32_t), "the tokens of a step")) {}

// Parts of the step lie one after another, each with room for the largest program's.
void RowsProgram::write_step(std::span<const int32_t> tokens, uint32_t position, uint32_t first_output,
                             uint32_t n_output) {
  auto& header = *static_cast<StepHeader*>(step_.get());
  auto* rows = reinterpret_cast<Row*>(&header + 1);
  auto* tiles = reinterpret_cast<Tile*>(rows + artifact.max_rows);
  auto* output_rows = reinterpret_cast<int32_t*>(tiles + artifact.max_rows);
  const uint32_t n = uint32_t(tokens.size()), of_tile = program().tile_rows;
  header = {.n_rows = int32_t(n),
            .n_outputs = int32_t(n_output),
            .n_tiles = int32_t((n + of_tile - 1) / of_tile),
            .reserved = 0};
  for (uint32_t i = 0; i < n; i++)
    rows[i] = {.token = tokens[i], .position = int32_t(position + i), .slot = 0, .serial = 0};
  // Those with the most positions before them first.
  for (uint32_t i = 0; i < uint32_t(header.n_tiles); i++) {
    const uint32_t row = (header.n_tiles - 1 - i) * of_tile;
    tiles[i] = {.row = int32_t(row),
                .n_rows = int32_t(std::min(of_tile, n - row)),
                .position = int32_t(position + row),
                .slot = 0};
  }
  for (uint32_t i = 0; i < n_output; i++) output_rows[i] = int32_t(first_output + i);
  const Driver& driver = *resolved_.driver;
  check(driver,
        driver.memcpy_htod_async(memory_.state + artifact.step_offset, step_.get(), step_bytes(artifact), stream_),
        "cuMemcpyHtoDAsync", "the step");
  // Penalties look at what was fed.
  memcpy(tokens_.get(), tokens.data(), tokens.size_bytes());
  check(driver,
        driver.memcpy_htod_async(memory_.state + artifact.fed_offset + position * sizeof(int32_t), tokens_.get(),
                                 tokens.size_bytes(), stream_),
        "cuMemcpyHtoDAsync", "the tokens of a step");
}

void RowsProgram::queue(std::span<const int32_t> tokens, uint32_t position, uint32_t first_output, uint32_t n_output,
                        realizar_mode mode) {
  write_step(tokens, position, first_output, n_output);
  const Driver& driver = *resolved_.driver;
  set_execution_order(model_.order_seed);
  if (model_.poison)
    check(driver, driver.memset_d8_async(memory_.arena, 0xff, artifact.arena_bytes, stream_), "cuMemsetD8Async",
          "the activations");
  if (mode == REALIZAR_EAGER)
    launch_nodes(resolved_, stream_, 0);
  else if (const Result result = driver.graph_launch(built_.exec.get(), stream_); result != 0)
    fail_call(
        driver, result, "cuGraphLaunch",
        format("program %s, %zu rows from position %u", program_label(program()).c_str(), tokens.size(), position));
}

}  // namespace realizar
