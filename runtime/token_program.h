// The program "token" on one slot: queues its steps.
#pragma once
#include <vector>

#include "graph.h"
#include "slots.h"

namespace realizar {

class TokenProgram {
 public:
  TokenProgram(const Model& model, const Slots& slots, uint32_t slot, Stream stream);

  const ResolvedProgram& resolved() const { return resolved_; }
  // The bucket of a step at a position.
  uint32_t bucket(uint32_t position) const { return bucket_of(*resolved_.program, position + 1); }
  bool is_built() const { return !built_.empty(); }
  // A graph a bucket. Replaces those that there are; a failure leaves all as it was.
  void build();
  // Queues a step with what the slot says by then, which is at this position. Its logits are in the arena at
  // artifact.logits_offset.
  void launch(uint32_t position, realizar_mode mode);

 private:
  const Model& model_;
  const DevicePtr arena_;
  const Stream stream_;
  ResolvedProgram resolved_;
  std::vector<BuiltGraph> built_;  // by bucket; none before build
};

}  // namespace realizar
