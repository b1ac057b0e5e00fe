// One conversation on a model: its KV cache, scratch memory, state and graph.
#pragma once
#include <memory>

#include "graph.h"
#include "model.h"

namespace realizar {

class Session {
 public:
  explicit Session(std::shared_ptr<const Model> model);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Replaces the graph if there is one; a failure leaves the session as it was. Returns the number of kernel nodes.
  uint32_t build();
  // Queues one token's work at the session's position.
  void step(int32_t token, realizar_mode mode);
  // Queues n_step steps fed by the device. tokens (may be null): waits, and receives what each was fed with.
  void run_greedy(uint32_t n_step, int32_t* tokens, realizar_mode mode);
  // Wait for the last step. logits: f32[n_vocab].
  void read_logits(float* logits);
  int32_t read_greedy();

  uint32_t position() const { return position_; }
  void rewind(uint32_t position);
  std::string describe() const { return describe_nodes(nodes_); }

 private:
  void require_graph(realizar_mode mode) const;
  void require_room(uint32_t n_step) const;
  void require_step() const;
  void launch(realizar_mode mode);
  State& next_slot();
  void read(void* to, DevicePtr from, uint64_t bytes, const char* what);
  DevicePtr history(uint32_t position) const;

  std::shared_ptr<const Model> model_;
  const Driver& driver_;
  DeviceMemory arena_, kv_cache_, state_;
  // States on their way to the device. A slot is written again only after the stream has been waited for.
  PinnedMemory slots_;
  uint32_t slots_in_flight_ = 0;
  uint32_t position_ = 0;
  bool stepped_ = false;  // the device holds the state and logits of position_ - 1
  ResolvedNodes nodes_;
  BuiltGraph built_;
  OwnedStream stream_;
};

}  // namespace realizar
