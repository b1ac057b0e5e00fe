// The C ABI: checks arguments, keeps lifetimes, and turns every exception into a status and the thread's last error.
#include "realizar.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "abi.h"
#include "f16_ceiling.h"
#include "prompt_work.h"
#include "read_ceiling.h"
#include "session.h"

namespace {

struct OpenSession {
  explicit OpenSession(std::shared_ptr<const realizar::Model> model) : session(std::move(model)) {}
  realizar::Session session;
  std::atomic<bool> busy = false;
  bool closed = false;  // only whoever has made it busy looks
};
auto& sessions() {
  static auto& table = *new realizar::HandleTable<realizar_session, OpenSession>("session");
  return table;
}

using realizar::artifact;
using realizar::check_struct_size;
using realizar::Error;
using realizar::guarded;
using realizar::models;
using realizar::not_null;

// A session for the duration of one call. Throws REALIZAR_BUSY where it is in another one, of a callback's caller or of
// another thread. A callback that never returns leaves it busy for ever: its state is unknown.
class InCall {
 public:
  explicit InCall(const realizar_session* handle) : open_(sessions().get(handle)) {
    if (open_->busy.exchange(true, std::memory_order_acquire))
      throw Error(REALIZAR_BUSY,
                  "the session is in another call: callbacks may not use the session that calls them, and a session "
                  "belongs to one thread at a time");
    if (!open_->closed) return;  // by a thread that was faster
    open_->busy = false;
    throw Error(REALIZAR_CLOSED, "the session was closed while this call began");
  }
  InCall(const InCall&) = delete;
  ~InCall() { open_->busy.store(false, std::memory_order_release); }
  realizar::Session* operator->() const { return &open_->session; }
  void close(const realizar_session* handle) const {
    sessions().remove(handle);
    open_->closed = true;
  }

 private:
  std::shared_ptr<OpenSession> open_;
};

realizar_mode checked_mode(int mode) {
  if (mode != REALIZAR_GRAPH && mode != REALIZAR_EAGER)
    throw Error(REALIZAR_INVALID_ARGUMENT, realizar::format("%d is no realizar_mode", mode));
  return static_cast<realizar_mode>(mode);
}

realizar_model_options checked_options(const realizar_model_options* options) {
  if (!options) return {};
  check_struct_size(*options, "realizar_model_options");
  return *options;
}

// The load program is not one of them.
std::vector<realizar_program_info> describe_programs() {
  auto& labels = *new std::vector<std::string>;  // that the descriptions point to for ever
  for (const realizar::Program& program : artifact.programs) labels.push_back(program_label(program));
  std::vector<realizar_program_info> programs;
  for (size_t i = 0; i < artifact.programs.size(); i++)
    if (const realizar::Program& program = artifact.programs[i]; program.rows > 0)
      programs.push_back({labels[i].c_str(), program.rows, program.outputs, uint32_t(program.nodes.size())});
  return programs;
}

const realizar::Program& rows_program(const char* name) {
  not_null(name, "program");
  const realizar::Program* program = realizar::find_program(artifact, name);
  if (program && has_rows(*program)) return *program;
  std::string names;
  for (const realizar::Program& known : artifact.programs)
    if (has_rows(known)) names += (names.empty() ? "" : ", ") + program_label(known);
  throw Error(REALIZAR_INVALID_ARGUMENT,
              realizar::format("there is no program of many rows called \"%s\" in this library; it has %s", name,
                               names.empty() ? "none (realizar-compile --programs all)" : names.c_str()));
}

void hand_over(const std::string& from, char** text) {
  char* copy = static_cast<char*>(malloc(from.size() + 1));
  if (!copy) throw std::bad_alloc();
  memcpy(copy, from.c_str(), from.size() + 1);
  *text = copy;
}

realizar_info describe_artifact() {
  return {.abi_version = REALIZAR_ABI_VERSION,
          .compiler_version = artifact.compiler_version,
          .name = artifact.name,
          .architecture = artifact.architecture,
          .target = artifact.target,
          .gpu_archs = artifact.gpu_archs,
          .n_vocab = artifact.n_vocab,
          .n_ctx = artifact.n_ctx,
          .n_embd = artifact.n_embd,
          .n_layer = artifact.n_layer,
          .n_head = artifact.n_head,
          .n_head_kv = artifact.n_head_kv,
          .head_size = artifact.head_size,
          .n_node = uint32_t(token_program(artifact).nodes.size()),
          .weights_bytes = artifact.weights_bytes,
          .kv_cache_bytes = artifact.kv_cache_bytes,
          .arena_bytes = artifact.arena_bytes,
          .file_bytes = artifact.file_bytes,
          .header_sha256 = artifact.header_sha256,
          .token_read_bytes = artifact.token_read_bytes,
          .kv_row_bytes = artifact.kv_row_bytes};
}

}  // namespace

realizar::HandleTable<realizar_model, const realizar::Model>& realizar::models() {
  static auto& table = *new HandleTable<realizar_model, const Model>("model");
  return table;
}

const realizar_info* realizar_get_info(void) {
  static const realizar_info info = describe_artifact();
  return &info;
}

const realizar_program_info* realizar_get_programs(uint32_t* n_program) {
  static const auto& programs = *new std::vector<realizar_program_info>(describe_programs());
  if (n_program) *n_program = uint32_t(programs.size());
  return programs.data();
}

uint64_t realizar_kv_read_bytes(uint32_t n_position) {
  uint64_t bytes = 0;
  for (const realizar::Node& node : token_program(artifact).nodes) bytes += realizar::kv_read_bytes(node, n_position);
  return bytes;
}

const char* realizar_last_error(void) { return realizar::last_error(); }

const char* realizar_status_name(int status) {
  static const char* const names[] = {"REALIZAR_OK",
                                      "REALIZAR_INVALID_ARGUMENT",
                                      "REALIZAR_IO",
                                      "REALIZAR_MODEL_MISMATCH",
                                      "REALIZAR_NO_DRIVER",
                                      "REALIZAR_NO_DEVICE",
                                      "REALIZAR_WRONG_ARCHITECTURE",
                                      "REALIZAR_OUT_OF_MEMORY",
                                      "REALIZAR_DRIVER",
                                      "REALIZAR_CONTEXT_FULL",
                                      "REALIZAR_NO_GRAPH",
                                      "REALIZAR_DAMAGED_PLAN",
                                      "REALIZAR_NOT_A_NUMBER",
                                      "REALIZAR_BUSY",
                                      "REALIZAR_CLOSED",
                                      "REALIZAR_NO_MASK"};
  return status >= 0 && status <= REALIZAR_NO_MASK ? names[status] : "unknown status";
}

int realizar_model_open(const char* gguf_path, const realizar_model_options* options, realizar_model** out) {
  return guarded([&] {
    not_null(out, "out") = nullptr;
    not_null(gguf_path, "gguf_path");
    *out = models().add(realizar::open_model(gguf_path, checked_options(options)));
  });
}

int realizar_model_close(realizar_model* model) {
  return guarded([&] {
    if (model) models().remove(model);
  });
}

const char* realizar_model_device_name(const realizar_model* model) {
  const char* name = "";
  if (model) guarded([&] { name = models().get(model)->device.name.c_str(); });
  return name;
}

int realizar_model_device_size(const realizar_model* model, int32_t* n_multiprocessor, int32_t* major, int32_t* minor) {
  return guarded([&] {
    const std::shared_ptr<const realizar::Model> shared = models().get(model);
    const realizar::OpenDevice& device = shared->device;
    not_null(n_multiprocessor, "n_multiprocessor") =
        device.attribute(realizar::attribute_multiprocessor_count, "the number of multiprocessors");
    not_null(major, "major") = device.attribute(realizar::attribute_compute_capability_major, "the compute capability");
    not_null(minor, "minor") = device.attribute(realizar::attribute_compute_capability_minor, "the compute capability");
  });
}

int realizar_session_open(realizar_model* model, realizar_session** out) {
  return guarded([&] {
    not_null(out, "out") = nullptr;
    *out = sessions().add(std::make_shared<OpenSession>(models().get(model)));
  });
}

int realizar_session_close(realizar_session* session) {
  return guarded([&] {
    if (session) InCall(session).close(session);
  });
}

int realizar_graph_build(realizar_session* session, uint32_t* n_node) {
  return guarded([&] {
    const uint32_t built = InCall(session)->build();
    if (n_node) *n_node = built;
  });
}

int realizar_session_step(realizar_session* session, int32_t token, int mode) {
  return guarded([&] { InCall(session)->step(token, checked_mode(mode)); });
}

int realizar_session_prefill(realizar_session* session, const int32_t* tokens, uint32_t n_token, realizar_on_fed on_fed,
                             void* user, int mode, uint32_t* n_fed) {
  uint32_t unused;
  uint32_t& fed = n_fed ? *n_fed : unused;
  fed = 0;
  return guarded([&] {
    const InCall in(session);
    if (n_token) not_null(tokens, "tokens");
    const uint32_t first = in->position();
    const auto go_on = [&](uint32_t n) { return !on_fed || on_fed(user, n) == 0; };
    try {
      in->prefill({tokens, n_token}, go_on, checked_mode(mode));
    } catch (...) {
      fed = in->position() - first;
      throw;
    }
    fed = in->position() - first;
  });
}

int realizar_session_feed_rows(realizar_session* session, const char* program, const int32_t* tokens, uint32_t n_token,
                               uint32_t chunk, float* logits, size_t n_logits, int mode) {
  return guarded([&] {
    const InCall in(session);
    const realizar::Program& rows = rows_program(program);
    if (n_token == 0) throw Error(REALIZAR_INVALID_ARGUMENT, "there are no tokens to feed");
    not_null(tokens, "tokens");
    if (logits && n_logits / artifact.n_vocab < n_token)
      throw Error(REALIZAR_INVALID_ARGUMENT,
                  realizar::format("the buffer has room for %zu logits; %u tokens have %u each", n_logits, n_token,
                                   artifact.n_vocab));
    in->feed_rows(
        rows, {tokens, n_token}, chunk, logits, [](uint32_t) { return true; }, checked_mode(mode));
  });
}

realizar_sampling realizar_default_sampling(void) {
  return {.struct_size = sizeof(realizar_sampling),
          .temperature = 0,
          .top_k = 0,
          .top_p = 1,
          .min_p = 0,
          .seed = 0,
          .repeat_last_n = 64,
          .repeat_penalty = 1,
          .presence_penalty = 0,
          .frequency_penalty = 0,
          .logit_bias = nullptr,
          .n_logit_bias = 0};
}

int realizar_session_set_sampling(realizar_session* session, const realizar_sampling* sampling) {
  return guarded([&] {
    const InCall in(session);
    if (sampling) check_struct_size(*sampling, "realizar_sampling");
    in->set_sampling(sampling ? *sampling : realizar_default_sampling());
  });
}

int realizar_session_generate(realizar_session* session, uint32_t n_token, const int32_t* stop, uint32_t n_stop,
                              realizar_on_token on_token, void* user, int mode, uint32_t* n_generated) {
  uint32_t unused;
  uint32_t& n = n_generated ? *n_generated : unused;
  n = 0;
  return guarded([&] {
    const InCall in(session);
    if (n_stop) not_null(stop, "stop");
    const auto hand_over = [&](int32_t token) {
      n++;
      const bool ended = on_token && on_token(user, token) != 0;
      return !ended && std::find(stop, stop + n_stop, token) == stop + n_stop;
    };
    in->generate(n_token, hand_over, checked_mode(mode));
  });
}

int realizar_session_run_greedy(realizar_session* session, uint32_t n_step, int32_t* tokens, int mode) {
  return guarded([&] { InCall(session)->run_greedy(n_step, tokens, checked_mode(mode)); });
}

int realizar_session_logits(realizar_session* session, float* logits, size_t n_logits) {
  return guarded([&] {
    const InCall in(session);
    not_null(logits, "logits");
    if (n_logits < artifact.n_vocab)
      throw Error(REALIZAR_INVALID_ARGUMENT,
                  realizar::format("the buffer has room for %zu logits; the model has %u", n_logits, artifact.n_vocab));
    in->read_logits(logits);
  });
}

int realizar_session_chosen(realizar_session* session, int32_t* token) {
  return guarded([&] { not_null(token, "token") = InCall(session)->read_chosen(); });
}

int realizar_session_greedy(realizar_session* session, int32_t* token) {
  return guarded([&] { not_null(token, "token") = InCall(session)->read_greedy(); });
}

int realizar_session_position(const realizar_session* session, uint32_t* position) {
  return guarded([&] { not_null(position, "position") = InCall(session)->position(); });
}

int realizar_session_rewind(realizar_session* session, uint32_t position) {
  return guarded([&] { InCall(session)->rewind(position); });
}

int realizar_measure_read_ceiling(realizar_model* model, double* bytes_per_second) {
  return guarded([&] {
    not_null(bytes_per_second, "bytes_per_second");
    const std::shared_ptr<const realizar::Model> shared = models().get(model);
    shared->device.make_current();
    *bytes_per_second = realizar::measure_read_ceiling(*shared);
  });
}

int realizar_measure_f16_ceiling(realizar_model* model, double* flops_per_second) {
  return guarded([&] {
    not_null(flops_per_second, "flops_per_second");
    const std::shared_ptr<const realizar::Model> shared = models().get(model);
    shared->device.make_current();
    *flops_per_second = realizar::measure_f16_ceiling(*shared);
  });
}

int realizar_get_prompt_work(uint32_t n_token, double* flops, double* bytes) {
  return guarded([&] {
    if (n_token > artifact.n_ctx)
      throw Error(REALIZAR_INVALID_ARGUMENT,
                  realizar::format("a prompt of %u tokens; the context has room for %u", n_token, artifact.n_ctx));
    const realizar::PromptWork work = realizar::prompt_work(artifact, n_token);
    if (flops) *flops = work.flops;
    if (bytes) *bytes = work.bytes;
  });
}

int realizar_session_profile(realizar_session* session, int32_t token, uint32_t n_launch, realizar_node_profile* nodes,
                             size_t n_nodes) {
  return guarded([&] {
    const InCall in(session);
    not_null(nodes, "nodes");
    if (n_launch == 0) throw Error(REALIZAR_INVALID_ARGUMENT, "n_launch is 0: nothing would be timed");
    const std::vector<realizar::Node>& planned = token_program(artifact).nodes;
    if (n_nodes < planned.size())
      throw Error(REALIZAR_INVALID_ARGUMENT,
                  realizar::format("there is room for %zu nodes; a token has %zu", n_nodes, planned.size()));
    const uint32_t seq_len = in->position() + 1;
    const std::vector<double> seconds = in->profile(token, n_launch);
    for (uint32_t i = 0; i < planned.size(); i++) {
      const realizar::Node& node = planned[i];
      nodes[i] = {node.name.c_str(), in->kernel_of(i), seconds[i], node.read_bytes,
                  realizar::kv_read_bytes(node, seq_len)};
    }
  });
}

int realizar_session_profile_rows(realizar_session* session, const char* program, int32_t token, uint32_t n_row,
                                  uint32_t n_launch, realizar_node_profile* nodes, size_t n_nodes) {
  return guarded([&] {
    const InCall in(session);
    not_null(nodes, "nodes");
    const realizar::Program& rows = rows_program(program);
    if (n_launch == 0) throw Error(REALIZAR_INVALID_ARGUMENT, "n_launch is 0: nothing would be timed");
    if (n_row == 0 || n_row > rows.rows)
      throw Error(REALIZAR_INVALID_ARGUMENT, realizar::format("a step of %u rows; program %s takes 1 to %u", n_row,
                                                              program_label(rows).c_str(), rows.rows));
    if (n_nodes < rows.nodes.size())
      throw Error(REALIZAR_INVALID_ARGUMENT, realizar::format("there is room for %zu nodes; program %s has %zu",
                                                              n_nodes, rows.name, rows.nodes.size()));
    const std::vector<double> seconds = in->profile_rows(rows, token, n_row, n_launch);
    for (size_t i = 0; i < rows.nodes.size(); i++)
      nodes[i] = {rows.nodes[i].name.c_str(), rows.nodes[i].kernel, seconds[i], rows.nodes[i].read_bytes, 0};
  });
}

int realizar_session_dump_nodes(realizar_session* session, char** text) {
  return guarded([&] {
    not_null(text, "text") = nullptr;
    hand_over(InCall(session)->describe(), text);
  });
}

int realizar_session_dump_program(realizar_session* session, const char* program, char** text) {
  return guarded([&] {
    not_null(text, "text") = nullptr;
    const InCall in(session);
    not_null(program, "program");
    if (!strcmp(program, realizar::token_program(artifact).name)) return hand_over(in->describe(), text);
    hand_over(in->describe(rows_program(program)), text);
  });
}

void realizar_free(void* memory) { free(memory); }
