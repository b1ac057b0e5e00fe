#include "session.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "error.h"
#include "profile.h"

namespace realizar {
namespace {

constexpr uint32_t n_pinned_states = 64;

// How many steps to queue beyond the token that is waited for: a millisecond's worth, so that the device never waits
// for the host, and whoever ends a generation waits for little that is thrown away.
class QueueDepth {
 public:
  uint32_t steps() const {
    if (n_token_ < 2) return least;
    const double ms = std::chrono::duration<double, std::milli>(last_ - first_).count();
    return uint32_t(std::clamp(1 + (n_token_ - 1) / std::max(ms, 1e-3), double(least), double(most)));
  }
  void token() {
    last_ = Clock::now();
    if (n_token_++ == 0) first_ = last_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr uint32_t least = 2, most = 16;
  static_assert(most < token_ring_size);
  Clock::time_point first_, last_;
  uint32_t n_token_ = 0;
};

}  // namespace

struct Session::Pinned {
  // On their way to the device. Each is written again only after the step that it is for has ended.
  State states[n_pinned_states];
  DeviceSampling sampling;
};

Session::Session(std::shared_ptr<const Model> model) : model_(std::move(model)), driver_(*model_->device.driver) {
  const OpenDevice& device = model_->device;
  device.make_current();
  stream_ = create_stream(device);
  slots_.emplace(*model_, whole_contexts(artifact, 1), stream_.get());
  pinned_ = allocate_pinned(device, sizeof(Pinned), "what a session exchanges with the device");
  memset(pinned_.get(), 0, sizeof(Pinned));
  program_.emplace(*model_, *slots_, 0, stream_.get());
  slots_->reserve(0, 0, artifact.n_ctx);
  for (const Program& program : artifact.programs)
    if (has_rows(program)) rows_programs_.emplace_back(*model_, program, *slots_, stream_.get());
  synchronize(device, stream_.get(), "the new session");
}

// The closing thread may never have used this device.
Session::~Session() { driver_.ctx_set_current(model_->device.context); }

uint32_t Session::build() {
  model_->device.make_current();
  program_->build();
  for (RowsProgram& program : rows_programs_) program.build();
  return uint32_t(program_->resolved().nodes.size());
}

void Session::require_graph(realizar_mode mode) const {
  if (mode == REALIZAR_GRAPH && !program_->is_built())
    throw Error(REALIZAR_NO_GRAPH, "this session has no graph: call realizar_graph_build first, or step in eager mode");
}

void Session::require_room(uint32_t n_step) const {
  if (n_step > artifact.n_ctx - position_)
    throw Error(REALIZAR_CONTEXT_FULL,
                format("the context is full: %u of %u positions are used and %u more are needed; rewind the session, "
                       "or compile with a larger --context",
                       position_, artifact.n_ctx, n_step));
}

void Session::require_token(int32_t token) {
  if (token < 0 || uint32_t(token) >= artifact.n_vocab)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("token %d is outside the vocabulary of %u tokens", token, artifact.n_vocab));
}

void Session::require_step() const {
  if (!stepped_)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                "no token has been fed since the session was opened or rewound: call realizar_session_step first");
}

void Session::refuse_greedy() {
  throw Error(REALIZAR_INVALID_ARGUMENT,
              "a temperature is set, so tokens are not chosen greedily: call realizar_session_generate or "
              "realizar_session_chosen, or set the temperature to 0");
}

void Session::refuse_no_number(uint32_t position) {
  throw Error(
      REALIZAR_NOT_A_NUMBER,
      format("not one of the %u logits after position %u is a number that can be chosen (each is NaN, or "
             "-infinity with its logit bias), so there is no token: weights of the model file are no numbers, a "
             "value on the way was too large for its type, or the logit biases ban what the model leaves; "
             "compare the file's checksum with its publisher's",
             artifact.n_vocab, position));
}

// The state of a step at the session's position, where it stays until that step has ended.
const State& Session::write_state(int32_t token) {
  if (states_in_flight_ == n_pinned_states) synchronize(model_->device, stream_.get(), "the steps queued so far");
  states_in_flight_ %= n_pinned_states;
  return pinned().states[states_in_flight_++] = {
             .token = token, .position = int32_t(position_), .seq_len = int32_t(position_ + 1), .serial = serial_ + 1};
}

// Queues one step with what the state on the device says by then.
void Session::advance(realizar_mode mode) {
  stepped_ = false;
  program_->launch(position_, mode);
  serial_++;
  position_++;
  drawn_ = draws_;
  stepped_ = true;
}

// Queues the state of a step at the session's position.
void Session::feed(const State& state) {
  check(driver_, driver_.memcpy_htod_async(slot(), &state, sizeof state, stream_.get()), "cuMemcpyHtoDAsync",
        "the state");
}

std::vector<double> Session::profile(int32_t token, uint32_t n_launch) {
  require_token(token);
  require_room(1);
  model_->device.make_current();
  const State& state = write_state(token);
  serial_++;
  stepped_ = false;
  set_execution_order(model_->order_seed);
  std::vector<double> seconds = time_nodes(*model_, program_->resolved(), stream_.get(), program_->bucket(position_),
                                           n_launch, [&] { feed(state); });
  states_in_flight_ = 0;  // all of it has been waited for
  return seconds;
}

const char* Session::kernel_of(uint32_t node) const {
  return artifact.kernels[program_->resolved().nodes[node].kernels[program_->bucket(position_)]].symbol;
}

void Session::step(int32_t token, realizar_mode mode) {
  require_token(token);
  require_graph(mode);
  require_room(1);
  model_->device.make_current();
  feed_step(token, mode);
}

void Session::feed_step(int32_t token, realizar_mode mode) {
  const State& state = write_state(token);
  stepped_ = false;
  feed(state);
  advance(mode);
}

void Session::prefill(std::span<const int32_t> tokens, const std::function<bool(uint32_t)>& go_on, realizar_mode mode) {
  for (const int32_t token : tokens) require_token(token);
  require_graph(mode);
  require_room(uint32_t(tokens.size()));
  model_->device.make_current();
  // All but the last token by many rows a step, if there is a program for it: the last one leaves logits.
  uint32_t n_fed = 0;
  bool goes_on = true;
  while (has_rows(*largest_program(artifact)) && n_fed + 1 < tokens.size()) {
    const uint32_t left = uint32_t(tokens.size()) - 1 - n_fed, n_before = n_fed;
    const Program& program = prompt_program(artifact, left);
    feed_rows(
        program, tokens.subspan(n_fed, std::min(left, program.rows)), 0, nullptr,
        [&](uint32_t n) { return goes_on = go_on(n_fed = n_before + n); }, mode);
    if (!goes_on) return;
  }
  prefill_steps(
      tokens.subspan(n_fed), [&](uint32_t n) { return go_on(n_fed + n); }, mode);
}

// Not all of it at once: what is queued cannot be taken back, and the token ring must be read before it is written
// over.
void Session::prefill_steps(std::span<const int32_t> tokens, const std::function<bool(uint32_t)>& go_on,
                            realizar_mode mode) {
  const uint32_t first = position_, first_serial = serial_;
  uint32_t n_wanted = uint32_t(tokens.size()), queued = 0, done = 0;
  QueueDepth depth;
  try {
    while (done < n_wanted) {
      while (queued < std::min(n_wanted, done + depth.steps())) feed_step(tokens[queued++], mode);
      wait_token(first_serial + done + 1);
      depth.token();
      if (!go_on(++done)) n_wanted = queued;
    }
  } catch (...) {
    rewind(first + done);
    throw;
  }
}

RowsProgram& Session::rows_program(const Program& program) {
  return *std::ranges::find_if(rows_programs_, [&](const RowsProgram& own) { return &own.program() == &program; });
}

// A step of tokens at the session's position; all their logits need as many launches as it takes.
void Session::run_rows(RowsProgram& program, std::span<const int32_t> tokens, float* logits, realizar_mode mode) {
  const uint32_t n = uint32_t(tokens.size()), at_once = logits ? program.program().outputs : n;
  for (uint32_t first = 0; first < n; first += at_once) {
    const uint32_t n_output = logits ? std::min(at_once, n - first) : 0;
    const Run run = {.position = int32_t(position_), .tokens = tokens, .first_output = first, .n_output = n_output};
    program.write_step({&run, 1});
    program.launch(mode);
    if (logits)
      read(logits + uint64_t(first) * artifact.n_vocab, program.logits(),
           uint64_t(n_output) * artifact.n_vocab * sizeof(float), "the logits");
    else
      synchronize(model_->device, stream_.get(), "a step of many rows");
  }
}

void Session::feed_rows(const Program& program, std::span<const int32_t> tokens, uint32_t chunk, float* logits,
                        const std::function<bool(uint32_t)>& go_on, realizar_mode mode) {
  if (chunk > program.rows)
    throw Error(REALIZAR_INVALID_ARGUMENT, format("%u rows a step are more than the %u that program %s has", chunk,
                                                  program.rows, program_label(program).c_str()));
  for (const int32_t token : tokens) require_token(token);
  require_graph(mode);
  require_room(uint32_t(tokens.size()));
  model_->device.make_current();
  RowsProgram& rows = rows_program(program);
  const uint32_t at_once = chunk ? chunk : program.rows;
  stepped_ = false;
  for (uint32_t done = 0; done < tokens.size();) {
    const uint32_t n = std::min(at_once, uint32_t(tokens.size()) - done);
    run_rows(rows, tokens.subspan(done, n), logits ? logits + uint64_t(done) * artifact.n_vocab : nullptr, mode);
    position_ += n;
    done += n;
    if (!go_on(done)) return;
  }
}

std::vector<double> Session::profile_rows(const Program& program, int32_t token, uint32_t n_row, uint32_t n_launch) {
  require_token(token);
  require_room(n_row);
  model_->device.make_current();
  RowsProgram& rows = rows_program(program);
  const std::vector<int32_t> tokens(n_row, token);
  stepped_ = false;
  set_execution_order(model_->order_seed);
  const Run run = {.position = int32_t(position_), .tokens = tokens, .n_output = std::min(n_row, program.outputs)};
  rows.write_step({&run, 1});
  synchronize(model_->device, stream_.get(), "the step");
  return time_nodes(*model_, rows.resolved(), stream_.get(), 0, n_launch, [] {});
}

void Session::set_sampling(const realizar_sampling& sampling) {
  check_sampling(sampling, artifact.n_vocab);
  model_->device.make_current();
  synchronize(model_->device, stream_.get(), "the steps queued so far");
  states_in_flight_ = 0;
  DeviceSampling& sent = pinned().sampling;
  describe_sampling(sampling, sent);
  check(driver_, driver_.memcpy_htod_async(slot() + slot_sampling_offset, &sent, sent.used_bytes(), stream_.get()),
        "cuMemcpyHtoDAsync", "the sampling parameters");
  draws_ = sent.sampling.draws;
}

void Session::generate(uint32_t n_token, const std::function<bool(int32_t)>& hand_over, realizar_mode mode) {
  require_step();
  require_graph(mode);
  if (n_token == 0) return;
  model_->device.make_current();
  const uint32_t first = position_, first_serial = serial_;
  const uint32_t n_step = std::min(n_token - 1, artifact.n_ctx - first);  // that feed what is handed over
  uint32_t done = 0;                                                      // tokens handed over
  QueueDepth depth;
  try {
    for (bool more = true; more && done <= n_step; done++) {
      while (position_ < first + std::min(n_step, done + depth.steps())) advance(mode);
      const int32_t token = wait_token(first_serial + done);
      depth.token();
      more = hand_over(token);
    }
  } catch (...) {
    rewind(first + std::max(done, 1u) - 1);
    throw;
  }
  rewind(first + done - 1);
}

void Session::run_greedy(uint32_t n_step, int32_t* tokens, realizar_mode mode) {
  require_step();
  if (draws_ || drawn_) refuse_greedy();
  require_graph(mode);
  require_room(n_step);
  model_->device.make_current();
  const uint32_t first = position_;
  for (uint32_t i = 0; i < n_step; i++) advance(mode);
  if (!tokens || n_step == 0) return;
  read(tokens, history(first - 1), n_step * sizeof(int32_t), "the chosen tokens");
  const int32_t* none = std::find(tokens, tokens + n_step, no_token);
  if (none == tokens + n_step) return;
  const uint32_t position = first + uint32_t(none - tokens);
  rewind(position);
  refuse_no_number(position - 1);
}

void Session::read_logits(float* logits) {
  require_step();
  read(logits, slots_->bases().arena + artifact.logits_offset, artifact.n_vocab * sizeof(float), "the logits");
}

int32_t Session::read_chosen() {
  require_step();
  model_->device.make_current();
  return wait_token(serial_);
}

int32_t Session::read_greedy() {
  require_step();
  if (drawn_) refuse_greedy();
  return read_chosen();
}

// The step has been queued, and not more than token_ring_size - 1 after it.
int32_t Session::wait_token(uint32_t serial) {
  constexpr int spins = 200;  // a few microseconds, then sleep: a token of a large model takes milliseconds
  const uint64_t* from = slots_->ring(0) + serial % token_ring_size;
  uint64_t entry = 0;
  const auto arrived = [&] { return uint32_t((entry = __atomic_load_n(from, __ATOMIC_ACQUIRE)) >> 32) == serial; };
  for (int i = 0; !arrived(); i++) {
    if (i < spins) continue;
    const Result result = driver_.stream_query(stream_.get());
    if (result != 0 && result != not_ready) fail_call(driver_, result, "cuStreamQuery", "the queued steps");
    if (result == 0 && !arrived())
      throw Error(REALIZAR_DRIVER, format("the device has done step %u and handed over no token", serial));
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  if (serial == serial_) states_in_flight_ = 0;
  const int32_t token = int32_t(entry);
  if (token == no_token) refuse_no_number(position_ - 1 - (serial_ - serial));
  return token;
}

DevicePtr Session::history(uint32_t position) const {
  return slot() + artifact.history_offset + position * sizeof(int32_t);
}

void Session::read(void* to, DevicePtr from, uint64_t bytes, const char* what) {
  model_->device.make_current();
  check(driver_, driver_.memcpy_dtoh_async(to, from, bytes, stream_.get()), "cuMemcpyDtoHAsync", what);
  synchronize(model_->device, stream_.get(), what);
  states_in_flight_ = 0;
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
