/* The C ABI that every library built by realizar-compile exports.
 *
 * Functions return a status; on anything but REALIZAR_OK, realizar_last_error() says what was found, what was needed
 * and what to do. Nothing here aborts or prints. A model may be shared by many sessions; a session belongs to one
 * thread at a time. Handles are freed only by their close function, sessions before their model. */
#ifndef REALIZAR_H
#define REALIZAR_H
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define REALIZAR_API __attribute__((visibility("default")))
#else
#define REALIZAR_API
#endif
#ifdef __cplusplus
extern "C" {
#endif

#define REALIZAR_ABI_VERSION 1

typedef enum realizar_status {
  REALIZAR_OK = 0,
  REALIZAR_INVALID_ARGUMENT = 1,   /* a null pointer, a token outside the vocabulary, a buffer too small */
  REALIZAR_IO = 2,                 /* the model file cannot be opened, read or mapped */
  REALIZAR_MODEL_MISMATCH = 3,     /* the file is not the model that this library was compiled from */
  REALIZAR_NO_DRIVER = 4,          /* no CUDA driver on this machine, or one too old */
  REALIZAR_NO_DEVICE = 5,          /* the driver sees no GPU, or not the one asked for */
  REALIZAR_WRONG_ARCHITECTURE = 6, /* the library holds no machine code for this GPU */
  REALIZAR_OUT_OF_MEMORY = 7,
  REALIZAR_DRIVER = 8,       /* a driver call failed */
  REALIZAR_CONTEXT_FULL = 9, /* the session has used all n_ctx positions */
  REALIZAR_NO_GRAPH = 10,    /* a graph step before realizar_graph_build succeeded */
  REALIZAR_DAMAGED_PLAN = 11 /* the plan compiled into this library breaks its own rules */
} realizar_status;

typedef enum realizar_mode { REALIZAR_GRAPH = 0, REALIZAR_EAGER = 1 } realizar_mode;

typedef struct realizar_model realizar_model;     /* weights on a device */
typedef struct realizar_session realizar_session; /* KV cache, scratch memory, position and graph of one conversation */

/* What was fixed at compile time. Strings live as long as the library. */
typedef struct realizar_info {
  uint32_t abi_version;
  const char* compiler_version;
  const char* name;         /* the model file's stem */
  const char* architecture; /* general.architecture */
  const char* target;       /* "cuda" or "host" */
  const char* gpu_archs;    /* comma separated, "sm_90a"; empty for host */
  uint32_t n_vocab, n_ctx, n_embd, n_layer, n_head, n_head_kv, head_size;
  uint32_t n_node;           /* kernel nodes in one token's graph */
  uint64_t weights_bytes;    /* device memory for weights */
  uint64_t kv_cache_bytes;   /* device memory for one session's KV cache at n_ctx */
  uint64_t arena_bytes;      /* device memory for one session's activations */
  uint64_t file_bytes;       /* size of the GGUF file */
  const char* header_sha256; /* of the GGUF's bytes before its tensor data, lower-case hex */
  uint64_t token_read_bytes; /* bytes of weights that one token reads */
  uint64_t kv_row_bytes;     /* bytes of KV cache that one token reads for each position it attends to, all layers */
} realizar_info;

typedef struct realizar_model_options {
  uint32_t struct_size; /* sizeof(realizar_model_options) */
  int32_t device;       /* ordinal; 0 is the first */
  uint32_t
      order_seed;  /* host target only: 0 runs blocks in order, anything else permutes blocks and independent nodes */
  uint32_t poison; /* 1: fill the arena with NaN before every step, so that reading what nobody wrote shows */
  void (*progress)(void* user, const char* phase, uint64_t done, uint64_t total); /* may be null; bytes */
  void* user;
} realizar_model_options;

REALIZAR_API const realizar_info* realizar_get_info(void);
REALIZAR_API const char* realizar_last_error(void); /* of the calling thread; "" if there was none */
REALIZAR_API const char* realizar_status_name(int status);

/* Maps the GGUF file, checks that it is the one compiled, and copies its weights to the device. options may be null. */
REALIZAR_API int realizar_model_open(const char* gguf_path, const realizar_model_options* options,
                                     realizar_model** out);
REALIZAR_API void realizar_model_close(realizar_model* model); /* null is allowed */
REALIZAR_API const char* realizar_model_device_name(const realizar_model* model);

REALIZAR_API int realizar_session_open(realizar_model* model, realizar_session** out);
REALIZAR_API void realizar_session_close(realizar_session* session); /* null is allowed */

/* Builds and instantiates the CUDA graph of one token; n_node (may be null) receives its number of kernel nodes. After
 * a failure the error names the node and the driver's reason, nothing is left behind, and eager steps still work. */
REALIZAR_API int realizar_graph_build(realizar_session* session, uint32_t* n_node);

/* Feeds one token at the session's position and moves the position on by one. Returns once the work is queued. */
REALIZAR_API int realizar_session_step(realizar_session* session, int32_t token, int mode);

/* Queues n_step more steps, each fed with the greedy token of the step before it, all on the device. Needs one step
 * before. tokens (n_step of them, may be null) receives what each queued step was fed with; then the call waits. */
REALIZAR_API int realizar_session_run_greedy(realizar_session* session, uint32_t n_step, int32_t* tokens, int mode);

/* Wait for the last step, then read its logits (f32[n_vocab]) or its greedy token (the first of equal maxima). */
REALIZAR_API int realizar_session_logits(realizar_session* session, float* logits, size_t n_logits);
REALIZAR_API int realizar_session_greedy(realizar_session* session, int32_t* token);

REALIZAR_API int realizar_session_position(const realizar_session* session, uint32_t* position);
/* Forgets every position from `position` on (0 empties the session): the next step is fed there. */
REALIZAR_API int realizar_session_rewind(realizar_session* session, uint32_t position);

/* Measures the device's streaming-read ceiling: bytes/s of a kernel that only reads, over a buffer several times the
 * L2. */
REALIZAR_API int realizar_measure_read_ceiling(realizar_model* model, double* bytes_per_second);

/* One line of text a node: kernel, grid, block, shared memory, edges, resolved arguments. Free with realizar_free. */
REALIZAR_API int realizar_session_dump_nodes(realizar_session* session, char** text);
REALIZAR_API void realizar_free(void* memory);

#ifdef __cplusplus
}
#endif
#endif
