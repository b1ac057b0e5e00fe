// One conversation on a model: its KV cache, scratch memory, state and graph.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "graph.h"
#include "model.h"
#include "rows_program.h"
#include "sampling.h"
#include "token_program.h"

namespace realizar {

class Session {
 public:
  explicit Session(std::shared_ptr<const Model> model);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Builds all programs. Returns the token program's number of kernel nodes.
  uint32_t build();
  // Queues one token's work at the session's position.
  void step(int32_t token, realizar_mode mode);
  // Feeds tokens until go_on, told how many have been fed, returns false; waits for those that it fed.
  void prefill(std::span<const int32_t> tokens, const std::function<bool(uint32_t n_fed)>& go_on, realizar_mode mode);
  // Feeds tokens by a program of many rows, at most `chunk` (0: as many as it has) a step; go_on as prefill's. logits
  // (may be null): f32[tokens][n_vocab], of every row. The session then has no logits of its own until the next step.
  void feed_rows(const Program& program, std::span<const int32_t> tokens, uint32_t chunk, float* logits,
                 const std::function<bool(uint32_t n_fed)>& go_on, realizar_mode mode);
  // From the next queued step on.
  void set_sampling(const realizar_sampling& sampling);
  // Hands over tokens until that returns false, there are n_token of them, or the context is full.
  void generate(uint32_t n_token, const std::function<bool(int32_t token)>& hand_over, realizar_mode mode);
  // Queues n_step steps fed by the device. tokens (may be null): waits, and receives what each was fed with.
  void run_greedy(uint32_t n_step, int32_t* tokens, realizar_mode mode);
  // Wait for the last step. logits: f32[n_vocab].
  void read_logits(float* logits);
  int32_t read_chosen();
  int32_t read_greedy();

  uint32_t position() const { return position_; }
  void rewind(uint32_t position);
  // Of the step at the session's position.
  const char* kernel_of(uint32_t node) const;
  // Seconds of each node of a step at the session's position, which stays; what it left of an earlier step is gone.
  std::vector<double> profile(int32_t token, uint32_t n_launch);
  // The same of a step of a program of many rows, of n_row times that token.
  std::vector<double> profile_rows(const Program& program, int32_t token, uint32_t n_row, uint32_t n_launch);
  std::string describe() const { return describe_nodes(program_->resolved()); }
  std::string describe(const Program& program) { return describe_nodes(rows_program(program).resolved()); }

 private:
  void require_graph(realizar_mode mode) const;
  void require_room(uint32_t n_step) const;
  static void require_token(int32_t token);
  void require_step() const;
  [[noreturn]] static void refuse_greedy();
  [[noreturn]] static void refuse_no_number(uint32_t position);
  void prefill_steps(std::span<const int32_t> tokens, const std::function<bool(uint32_t n_fed)>& go_on,
                     realizar_mode mode);
  RowsProgram& rows_program(const Program& program);
  void run_rows(RowsProgram& program, std::span<const int32_t> tokens, float* logits, realizar_mode mode);
  void advance(realizar_mode mode);
  void feed_step(int32_t token, realizar_mode mode);
  int32_t wait_token(uint32_t serial);
  const State& write_state(int32_t token);
  void feed(const State& state);
  void read(void* to, DevicePtr from, uint64_t bytes, const char* what);
  DevicePtr slot() const { return slots_->address(0); }
  DevicePtr history(uint32_t position) const;

  std::shared_ptr<const Model> model_;
  const Driver& driver_;
  PinnedMemory pinned_;
  struct Pinned;
  Pinned& pinned() const { return *static_cast<Pinned*>(pinned_.get()); }
  uint32_t states_in_flight_ = 0;  // pinned states that queued steps may still read
  uint32_t position_ = 0;
  uint32_t serial_ = 0;         // of the last queued step
  bool draws_ = false;          // sampling in effect has a temperature
  bool drawn_ = false;          // the last queued step had one
  bool stepped_ = false;        // the device holds the state and logits of position_ - 1
  std::optional<Slots> slots_;  // one
  std::optional<TokenProgram> program_;
  std::vector<RowsProgram> rows_programs_;
  OwnedStream stream_;
};

}  // namespace realizar
