// A program of many rows: queues its steps.
#pragma once
#include <span>

#include "graph.h"
#include "slots.h"
#include "step_composer.h"

namespace realizar {

class RowsProgram {
 public:
  RowsProgram(const Model& model, const Program& program, Slots& slots, Stream stream);

  const Program& program() const { return *resolved_.program; }
  const ResolvedProgram& resolved() const { return resolved_; }
  void build() { built_ = build_graph(resolved_, stream_, 0, uint32_t(resolved_.nodes.size())); }

  // Queues what brings a step of these runs to the device: no more rows and outputs than program() has, in slots that
  // have pages for their positions.
  void write_step(std::span<const Run> runs);
  // Queues the step that was written last, by any program. Where its rows take what their slots have, it goes on there.
  void launch(realizar_mode mode);
  // f32[outputs][n_vocab], of the last step.
  DevicePtr logits() const { return slots_.bases().arena + program().logits_offset; }

 private:
  const Model& model_;
  Slots& slots_;
  const Stream stream_;
  ResolvedProgram resolved_;
  BuiltGraph built_;
};

}  // namespace realizar
