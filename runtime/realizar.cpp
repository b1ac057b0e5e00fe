// The C ABI: checks arguments, keeps lifetimes, and turns every exception into a status and the thread's last error.
#include "realizar.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "error.h"
#include "session.h"

// Sessions share ownership of the model, so that closing in the wrong order frees late instead of twice.
struct realizar_model {
  std::shared_ptr<const realizar::Model> shared;
};
struct realizar_session {
  realizar::Session session;
};

namespace {

using realizar::artifact;
using realizar::Error;

int fail(realizar_status status, const char* text) noexcept {
  realizar::set_last_error(text);
  return status;
}

template <typename Body>
int guarded(Body&& body) noexcept {
  try {
    body();
    return REALIZAR_OK;
  } catch (const Error& error) {
    return fail(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(REALIZAR_OUT_OF_MEMORY, "out of host memory");
  } catch (const std::exception& error) {
    return fail(REALIZAR_DRIVER, error.what());
  } catch (...) {
    return fail(REALIZAR_DRIVER, "an exception of unknown type reached the C ABI");
  }
}

template <typename T>
T& not_null(T* pointer, const char* name) {
  if (!pointer) throw Error(REALIZAR_INVALID_ARGUMENT, realizar::format("%s is null", name));
  return *pointer;
}

realizar_mode checked_mode(int mode) {
  if (mode != REALIZAR_GRAPH && mode != REALIZAR_EAGER)
    throw Error(REALIZAR_INVALID_ARGUMENT, realizar::format("%d is no realizar_mode", mode));
  return static_cast<realizar_mode>(mode);
}

realizar_model_options checked_options(const realizar_model_options* options) {
  if (!options) return {};
  if (options->struct_size != sizeof *options)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                realizar::format("realizar_model_options.struct_size is %u, not %zu: the caller was built with another "
                                 "realizar.h",
                                 options->struct_size, sizeof *options));
  return *options;
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
          .n_node = artifact.n_nodes,
          .weights_bytes = artifact.weights_bytes,
          .kv_cache_bytes = artifact.kv_cache_bytes,
          .arena_bytes = artifact.arena_bytes,
          .file_bytes = artifact.file_bytes,
          .header_sha256 = artifact.header_sha256,
          .token_read_bytes = artifact.token_read_bytes,
          .kv_row_bytes = artifact.kv_row_bytes};
}

}  // namespace

const realizar_info* realizar_get_info(void) {
  static const realizar_info info = describe_artifact();
  return &info;
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
                                      "REALIZAR_DAMAGED_PLAN"};
  return status >= 0 && status <= REALIZAR_DAMAGED_PLAN ? names[status] : "unknown status";
}

int realizar_model_open(const char* gguf_path, const realizar_model_options* options, realizar_model** out) {
  return guarded([&] {
    not_null(out, "out") = nullptr;
    not_null(gguf_path, "gguf_path");
    *out = new realizar_model{realizar::open_model(gguf_path, checked_options(options))};
  });
}

void realizar_model_close(realizar_model* model) { delete model; }

const char* realizar_model_device_name(const realizar_model* model) {
  return model ? model->shared->device.name.c_str() : "";
}

int realizar_session_open(realizar_model* model, realizar_session** out) {
  return guarded([&] {
    not_null(out, "out") = nullptr;
    *out = new realizar_session{realizar::Session(not_null(model, "model").shared)};
  });
}

void realizar_session_close(realizar_session* session) { delete session; }

int realizar_graph_build(realizar_session* session, uint32_t* n_node) {
  return guarded([&] {
    const uint32_t built = not_null(session, "session").session.build();
    if (n_node) *n_node = built;
  });
}

int realizar_session_step(realizar_session* session, int32_t token, int mode) {
  return guarded([&] { not_null(session, "session").session.step(token, checked_mode(mode)); });
}

int realizar_session_run_greedy(realizar_session* session, uint32_t n_step, int32_t* tokens, int mode) {
  return guarded([&] { not_null(session, "session").session.run_greedy(n_step, tokens, checked_mode(mode)); });
}

int realizar_session_logits(realizar_session* session, float* logits, size_t n_logits) {
  return guarded([&] {
    not_null(session, "session");
    not_null(logits, "logits");
    if (n_logits < artifact.n_vocab)
      throw Error(REALIZAR_INVALID_ARGUMENT,
                  realizar::format("the buffer has room for %zu logits; the model has %u", n_logits, artifact.n_vocab));
    session->session.read_logits(logits);
  });
}

int realizar_session_greedy(realizar_session* session, int32_t* token) {
  return guarded([&] { not_null(token, "token") = not_null(session, "session").session.read_greedy(); });
}

int realizar_session_position(const realizar_session* session, uint32_t* position) {
  return guarded([&] { not_null(position, "position") = not_null(session, "session").session.position(); });
}

int realizar_session_rewind(realizar_session* session, uint32_t position) {
  return guarded([&] { not_null(session, "session").session.rewind(position); });
}

int realizar_measure_read_ceiling(realizar_model* model, double* bytes_per_second) {
  return guarded([&] {
    not_null(bytes_per_second, "bytes_per_second");
    const realizar::Model& shared = *not_null(model, "model").shared;
    shared.device.make_current();
    *bytes_per_second = realizar::measure_read_ceiling(shared);
  });
}

int realizar_session_dump_nodes(realizar_session* session, char** text) {
  return guarded([&] {
    not_null(text, "text") = nullptr;
    const std::string nodes = not_null(session, "session").session.describe();
    char* copy = static_cast<char*>(malloc(nodes.size() + 1));
    if (!copy) throw std::bad_alloc();
    memcpy(copy, nodes.c_str(), nodes.size() + 1);
    *text = copy;
  });
}

void realizar_free(void* memory) { free(memory); }
