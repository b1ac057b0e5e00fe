#include "session.h"

#include "error.h"

namespace realizar {
namespace {

constexpr uint32_t n_slots = 64;

}  // namespace

Session::Session(std::shared_ptr<const Model> model) : model_(std::move(model)), driver_(*model_->device.driver) {
  const OpenDevice& device = model_->device;
  device.make_current();
  arena_ = allocate(device, artifact.arena_bytes, "the activations of a session");
  kv_cache_ = allocate(device, artifact.kv_cache_bytes,
                       format("the KV cache of %u positions (realizar-compile --context)", artifact.n_ctx).c_str());
  state_ = allocate(device, artifact.state_bytes, "the state of a session");
  slots_ = allocate_pinned(device, n_slots * sizeof(State), "the states on their way to the device");
  nodes_ = resolve_nodes(driver_, artifact, model_->functions.data(),
                         {model_->weights.get(), arena_.get(), kv_cache_.get(), state_.get()});
  stream_ = create_stream(device);
  check(driver_, driver_.memset_d8_async(kv_cache_.get(), 0, artifact.kv_cache_bytes, stream_.get()), "cuMemsetD8Async",
        "the KV cache");
  check(driver_, driver_.memset_d8_async(state_.get(), 0, artifact.state_bytes, stream_.get()), "cuMemsetD8Async",
        "the state");
  synchronize(device, stream_.get(), "the new session");
}

// The closing thread may never have used this device.
Session::~Session() { driver_.ctx_set_current(model_->device.context); }

uint32_t Session::build() {
  model_->device.make_current();
  built_ = build_graph(nodes_, stream_.get());
  return artifact.n_nodes;
}

void Session::require_graph(realizar_mode mode) const {
  if (mode == REALIZAR_GRAPH && !built_.exec)
    throw Error(REALIZAR_NO_GRAPH, "this session has no graph: call realizar_graph_build first, or step in eager mode");
}

void Session::require_room(uint32_t n_step) const {
  if (n_step > artifact.n_ctx - position_)
    throw Error(REALIZAR_CONTEXT_FULL,
                format("the context is full: %u of %u positions are used and %u more are needed; rewind the session, "
                       "or compile with a larger --context",
                       position_, artifact.n_ctx, n_step));
}

void Session::require_step() const {
  if (!stepped_)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                "no token has been fed since the session was opened or rewound: call realizar_session_step first");
}

State& Session::next_slot() {
  if (slots_in_flight_ == n_slots) synchronize(model_->device, stream_.get(), "the steps queued so far");
  slots_in_flight_ %= n_slots;
  return static_cast<State*>(slots_.get())[slots_in_flight_++];
}

void Session::launch(realizar_mode mode) {
  set_execution_order(model_->order_seed);
  if (model_->poison)
    check(driver_, driver_.memset_d8_async(arena_.get(), 0xff, artifact.arena_bytes, stream_.get()), "cuMemsetD8Async",
          "the activations");
  if (mode == REALIZAR_EAGER)
    launch_nodes(nodes_, stream_.get());
  else if (const Result result = driver_.graph_launch(built_.exec.get(), stream_.get()); result != 0)
    fail_call(driver_, result, "cuGraphLaunch", format("position %u", position_));
}

void Session::step(int32_t token, realizar_mode mode) {
  if (token < 0 || uint32_t(token) >= artifact.n_vocab)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("token %d is outside the vocabulary of %u tokens", token, artifact.n_vocab));
  require_graph(mode);
  require_room(1);
  model_->device.make_current();
  State& state = next_slot();
  state = {.token = token, .position = int32_t(position_), .seq_len = int32_t(position_ + 1), .reserved = 0};
  stepped_ = false;
  check(driver_, driver_.memcpy_htod_async(state_.get(), &state, sizeof state, stream_.get()), "cuMemcpyHtoDAsync",
        "the state");
  launch(mode);
  position_++;
  stepped_ = true;
}

void Session::run_greedy(uint32_t n_step, int32_t* tokens, realizar_mode mode) {
  require_step();
  require_graph(mode);
  require_room(n_step);
  model_->device.make_current();
  const uint32_t first = position_;
  for (uint32_t i = 0; i < n_step; i++) {
    stepped_ = false;
    launch(mode);
    position_++;
    stepped_ = true;
  }
  if (tokens && n_step > 0) read(tokens, history(first - 1), n_step * sizeof(int32_t), "the chosen tokens");
}

void Session::read_logits(float* logits) {
  require_step();
  read(logits, arena_.get() + artifact.logits_offset, artifact.n_vocab * sizeof(float), "the logits");
}

int32_t Session::read_greedy() {
  require_step();
  int32_t token = 0;
  read(&token, history(position_ - 1), sizeof token, "the chosen token");
  return token;
}

DevicePtr Session::history(uint32_t position) const {
  return state_.get() + state_history_offset + position * sizeof(int32_t);
}

void Session::read(void* to, DevicePtr from, uint64_t bytes, const char* what) {
  model_->device.make_current();
  check(driver_, driver_.memcpy_dtoh_async(to, from, bytes, stream_.get()), "cuMemcpyDtoHAsync", what);
  synchronize(model_->device, stream_.get(), what);
  slots_in_flight_ = 0;
}

void Session::rewind(uint32_t position) {
  if (position > position_)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("cannot rewind to position %u: only %u are used", position, position_));
  if (position == position_) return;
  position_ = position;
  stepped_ = false;
}

}  // namespace realizar
