// A library built by realizar-compile, opened at run time: the C ABI of realizar.h as a table of functions.
#pragma once
#include <string>

#include "realizar.h"

namespace addon {

// Why a call failed. JavaScript sees it as RealizarError {status, statusName, message}.
struct Failure {
  int status;  // realizar_status, or BAD_ARTIFACT or CLOSED
  std::string status_name;
  std::string message;
};
Failure bad_artifact(std::string message);
Failure closed(const char* what);

#define REALIZAR_FUNCTIONS(X) \
  X(get_info)                 \
  X(kv_read_bytes)            \
  X(last_error)               \
  X(status_name)              \
  X(model_open)               \
  X(model_close)              \
  X(model_device_name)        \
  X(session_open)             \
  X(session_close)            \
  X(graph_build)              \
  X(session_step)             \
  X(session_prefill)          \
  X(session_run_greedy)       \
  X(default_sampling)         \
  X(session_set_sampling)     \
  X(session_generate)         \
  X(session_chosen)           \
  X(session_logits)           \
  X(session_greedy)           \
  X(session_position)         \
  X(session_rewind)           \
  X(session_dump_nodes)       \
  X(engine_open)              \
  X(engine_close)             \
  X(engine_submit)            \
  X(engine_cancel)            \
  X(engine_cancel_sequence)   \
  X(engine_set_mask)          \
  X(engine_wait)              \
  X(events_free)              \
  X(engine_get_statistics)    \
  X(measure_read_ceiling)     \
  X(free)

struct Library {
#define REALIZAR_FIELD(name) decltype(&::realizar_##name) name;
  REALIZAR_FUNCTIONS(REALIZAR_FIELD)
#undef REALIZAR_FIELD
  const realizar_info* info;

  // Throws Failure unless status is REALIZAR_OK. On the thread of the call that returned it: the error text is a
  // thread's.
  void check(int status) const;
};

// Throws Failure where the file is no such library. A library stays loaded until the process ends: its threads and
// thread-local destructors may outlive every handle. Thread-safe.
const Library& load_library(const std::string& path);

}  // namespace addon
