// A program of many rows in a session: composes its steps from tokens of one sequence, and runs them.
#pragma once
#include <span>

#include "device.h"
#include "graph.h"
#include "model.h"

namespace realizar {

// Where a session's regions start on the device.
struct SessionMemory {
  DevicePtr arena, kv_cache, state;
};

class RowsProgram {
 public:
  RowsProgram(const Model& model, const Program& program, const SessionMemory& memory, Stream stream);

  const Program& program() const { return *resolved_.program; }
  const ResolvedProgram& resolved() const { return resolved_; }
  void build() { built_ = build_graph(resolved_, stream_, 0, uint32_t(resolved_.nodes.size())); }

  // Queues a step of at most program().rows tokens, the first at `position`, and of the logits of n_output of its rows,
  // at most program().outputs, from first_output on. The step before must have ended.
  void queue(std::span<const int32_t> tokens, uint32_t position, uint32_t first_output, uint32_t n_output,
             realizar_mode mode);
  // f32[outputs][n_vocab], of the last step.
  DevicePtr logits() const { return memory_.arena + program().logits_offset; }
  // Writes the step that queue() would, and does not run it.
  void write_step(std::span<const int32_t> tokens, uint32_t position, uint32_t first_output, uint32_t n_output);

 private:
  const Model& model_;
  const SessionMemory memory_;
  const Stream stream_;
  ResolvedProgram resolved_;
  BuiltGraph built_;
  PinnedMemory step_;    // as it lies in the state
  PinnedMemory tokens_;  // int32[rows]
};

}  // namespace realizar
