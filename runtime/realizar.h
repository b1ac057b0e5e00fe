/* The C ABI that every library built by realizar-compile exports.
 *
 * Functions return a status; on anything but REALIZAR_OK, realizar_last_error() says what was found, what was needed
 * and what to do. Nothing here aborts or prints.
 *
 * Handles. A model, a session and an engine are known by numbers that look like pointers: never dereference, copy or
 * free them. Only their close functions end them. A call with one that was closed, or that another library made, does
 * nothing and returns REALIZAR_CLOSED; so does closing twice. Sessions and engines keep their model alive: either may
 * be closed first. What is not checked: other pointers that are passed in must be valid for as long as the call takes,
 * and realizar_free and realizar_events_free take only what their functions gave, once.
 *
 * Threads. Every function may be called from any thread. A model and an engine may be used by many threads at once. A
 * session takes one call at a time: a call while another one is under way, of another thread or of a callback, does
 * nothing and returns REALIZAR_BUSY, closing it included. Calls of different threads on one session, one after the
 * other, need no locks of their own. realizar_last_error is of the calling thread. After fork() only the parent may go
 * on.
 *
 * Callbacks (progress, on_fed, on_token) are called in the thread of the call that they were given to, one at a time;
 * on_step in the engine's thread.
 * They may call every function but those that take the session which is calling them: these return REALIZAR_BUSY, and
 * the outer call goes on. on_step may not wait for its engine, nor close it: these two return REALIZAR_BUSY. Other
 * sessions and models may be used, opened and closed; closing the session's model is allowed. A callback must return:
 * longjmp, pthread_exit or a coroutine that never comes back leaves the session busy for ever, and longjmp out of
 * progress leaves threads behind that still use what it jumped over; both are undefined. A C++ exception that leaves
 * on_fed or on_token ends the call with REALIZAR_DRIVER and its what() where the caller and this library use the same
 * C++ runtime, and is undefined elsewhere: catch it in the callback, and return nonzero. */
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

#define REALIZAR_ABI_VERSION 9

typedef enum realizar_status {
  REALIZAR_OK = 0,
  REALIZAR_INVALID_ARGUMENT = 1,   /* a null pointer, a token outside the vocabulary, a buffer too small */
  REALIZAR_IO = 2,                 /* the model file cannot be opened, read or mapped */
  REALIZAR_MODEL_MISMATCH = 3,     /* the file is not the model that this library was compiled from */
  REALIZAR_NO_DRIVER = 4,          /* no CUDA driver on this machine, or one too old */
  REALIZAR_NO_DEVICE = 5,          /* the driver sees no GPU, or not the one asked for */
  REALIZAR_WRONG_ARCHITECTURE = 6, /* the library holds no machine code for this GPU */
  REALIZAR_OUT_OF_MEMORY = 7,
  REALIZAR_DRIVER = 8,        /* a driver call failed */
  REALIZAR_CONTEXT_FULL = 9,  /* the session has used all n_ctx positions; a prompt is longer than an engine has room */
  REALIZAR_NO_GRAPH = 10,     /* a graph step before realizar_graph_build succeeded */
  REALIZAR_DAMAGED_PLAN = 11, /* the plan compiled into this library breaks its own rules */
  REALIZAR_NOT_A_NUMBER = 12, /* a step computed logits of which none is a number, or which are all banned, so it chose
                                 no token */
  REALIZAR_BUSY = 13,         /* the session is in another call: its callback's, or another thread's; the engine is in
                                 on_step, and the call would wait for it */
  REALIZAR_CLOSED = 14,       /* the handle was closed, or is none of this library's */
  REALIZAR_NO_MASK = 15       /* a constrained sequence got no mask in time */
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
  uint64_t kv_row_bytes;     /* bytes of KV cache of one position, all layers; realizar_kv_read_bytes is what is read */
} realizar_info;

typedef struct realizar_model_options {
  uint32_t struct_size; /* sizeof(realizar_model_options) */
  int32_t device;       /* ordinal; 0 is the first */
  uint32_t
      order_seed;  /* host target only: 0 runs blocks in order, anything else permutes blocks and independent nodes */
  uint32_t poison; /* 1: fill the arena with NaN before every step, so that reading what nobody wrote shows */
  void (*progress)(void* user, const char* phase, uint64_t done, uint64_t total);
  /* may be null. Phases, in order: "driver", "file", "code", "memory", "weights", "repack" (what is left to do once the
   * weights are on the device). Each is reported with done = 0 and, if it succeeds, done = total: bytes of the file for
   * "weights", 1 for the others. */
  void* user;
} realizar_model_options;

#define REALIZAR_MAX_LOGIT_BIAS 1024

typedef struct realizar_logit_bias {
  int32_t token;
  float bias; /* added to the token's logit; -INFINITY bans it */
} realizar_logit_bias;

/* How a session chooses tokens. Names, meanings and order (biases, penalties, top_k, top_p, min_p, temperature) are
 * llama.cpp's. Start from realizar_default_sampling(): greedy, nothing else. */
typedef struct realizar_sampling {
  uint32_t struct_size;  /* sizeof(realizar_sampling) */
  float temperature;     /* 0: the largest logit, the first of equals */
  int32_t top_k;         /* only the k most probable tokens; 0: all */
  float top_p;           /* of these the fewest, most probable first, that together have at least this; 1: all */
  float min_p;           /* and at least this times the probability of the most probable; 0: all */
  uint64_t seed;         /* the same seed, logits and position give the same token */
  int32_t repeat_last_n; /* tokens fed last that the penalties look at; -1: all, 0: none */
  float repeat_penalty;  /* divides their logits if positive, else multiplies; 1: none */
  float presence_penalty, frequency_penalty; /* subtracted from their logits, once and times their count; 0: none */
  const realizar_logit_bias* logit_bias;     /* distinct tokens; may be null if n_logit_bias is 0 */
  uint32_t n_logit_bias;                     /* at most REALIZAR_MAX_LOGIT_BIAS */
} realizar_sampling;

REALIZAR_API const realizar_info* realizar_get_info(void);
/* Bytes of KV cache that one token reads where it is the last of n_position positions. Not always n_position times
 * kv_row_bytes: layers with a window read only the newest. */
REALIZAR_API uint64_t realizar_kv_read_bytes(uint32_t n_position);
REALIZAR_API const char* realizar_last_error(void); /* of the calling thread; "" if there was none */
REALIZAR_API const char* realizar_status_name(int status);

/* Opens the model's files, checks that they have the size and the header that were compiled, and copies the weights to
 * the device. The weights themselves are not compared with anything. options may be null. */
REALIZAR_API int realizar_model_open(const char* gguf_path, const realizar_model_options* options,
                                     realizar_model** out);
/* null is allowed. The memory goes once its last session and engine are closed, too. */
REALIZAR_API int realizar_model_close(realizar_model* model);
/* Valid until the model, its sessions and its engines are closed; "" where it is none. */
REALIZAR_API const char* realizar_model_device_name(const realizar_model* model);
/* Its multiprocessors and compute capability (0, 0: the simulator). */
REALIZAR_API int realizar_model_device_size(const realizar_model* model, int32_t* n_multiprocessor, int32_t* major,
                                            int32_t* minor);

REALIZAR_API int realizar_session_open(realizar_model* model, realizar_session** out);
REALIZAR_API int realizar_session_close(realizar_session* session); /* null is allowed */

/* Builds and instantiates the CUDA graph of one token; n_node (may be null) receives its number of kernel nodes. After
 * a failure the error names the node and the driver's reason, nothing is left behind, and eager steps still work. */
REALIZAR_API int realizar_graph_build(realizar_session* session, uint32_t* n_node);

/* Feeds one token at the session's position and moves the position on by one. Returns once the work is queued. */
REALIZAR_API int realizar_session_step(realizar_session* session, int32_t token, int mode);

/* Called while a prompt is fed, after each of its tokens, with how many have been; returns 0 to go on, anything else to
 * end. */
typedef int (*realizar_on_fed)(void* user, uint32_t n_fed);

/* Feeds n_token tokens from the session's position on, without waiting between them, and returns when all of them have
 * been: the session is as after as many steps. If on_fed (may be null) ends it sooner, what was fed stays. n_fed (may
 * be null) receives how many tokens were fed, by which the position moves on; it is right even where the call fails.
 * All tokens and the room for them are checked before the first is fed. A library with programs of many rows feeds
 * all but the last token by these, many a step: on_fed is then called after each of these steps, and where it
 * ends the feeding the session has no logits until the next token. */
REALIZAR_API int realizar_session_prefill(realizar_session* session, const int32_t* tokens, uint32_t n_token,
                                          realizar_on_fed on_fed, void* user, int mode, uint32_t* n_fed);

/* What steps of a kind run. */
typedef struct realizar_program_info {
  const char* name; /* "token"; "prompt_512", "batch_8"; lives as long as the library */
  uint32_t rows;    /* tokens of a step at most; 1 of the program "token", which all other calls of a session run */
  uint32_t outputs; /* of so many of them logits are computed */
  uint32_t n_node;
} realizar_program_info;
/* n_program of them, "token" first. They live as long as the library. */
REALIZAR_API const realizar_program_info* realizar_get_programs(uint32_t* n_program);

/* Programs are named by what realizar_get_programs says, or by the first part of it, "prompt", which is the one of most
 * rows.
 *
 * Feeds n_token tokens from the session's position on by a program of many rows, `chunk` tokens a step (0: as many as
 * the program has rows), and returns when all have been. logits (may be null; n_logits: its room in numbers) receives
 * f32[n_token][n_vocab], the logits after each; they are the same bits for every chunk and every program of many rows.
 * After it the session has no logits of its own until the next token is fed. */
REALIZAR_API int realizar_session_feed_rows(realizar_session* session, const char* program, const int32_t* tokens,
                                            uint32_t n_token, uint32_t chunk, float* logits, size_t n_logits, int mode);

/* How tokens are chosen from the next queued step on; null: greedy. Nothing is kept of what the pointers point to. */
REALIZAR_API realizar_sampling realizar_default_sampling(void);
REALIZAR_API int realizar_session_set_sampling(realizar_session* session, const realizar_sampling* sampling);

/* Called with each token in the order of generation; returns 0 to go on, anything else to end. */
typedef int (*realizar_on_token)(void* user, int32_t token);

/* Hands over the token that the last step chose, feeds it, hands over the one chosen then, and so on: at most n_token
 * of them, up to and with the first of the n_stop tokens in `stop` (which may be null if there are none), until
 * on_token (may be null) ends it or the context is full. Needs one step before. Steps are queued ahead of what is
 * handed over, each token arrives as soon as it is chosen. n_generated (may be null) receives how many were handed
 * over; it is right even where the call fails. The last one has not been fed: realizar_session_step with it goes on
 * from there. Where a stop token or on_token ended it, the session is as after realizar_session_rewind to where that
 * token would be fed. */
REALIZAR_API int realizar_session_generate(realizar_session* session, uint32_t n_token, const int32_t* stop,
                                           uint32_t n_stop, realizar_on_token on_token, void* user, int mode,
                                           uint32_t* n_generated);

/* Queues n_step more steps, each fed with the greedy token of the step before it, all on the device. Needs one step
 * before, and a temperature of 0. tokens (n_step of them, may be null) receives what each queued step was fed with;
 * then the call waits. */
REALIZAR_API int realizar_session_run_greedy(realizar_session* session, uint32_t n_step, int32_t* tokens, int mode);

/* Wait for the last step, then read its logits (f32[n_vocab], before biases and penalties), the token it chose, or its
 * greedy token (the first of equal maxima): the same, and an error if a temperature was set. Logits are read as they
 * are; where none is a number there is no token, and who asks for one gets REALIZAR_NOT_A_NUMBER. */
REALIZAR_API int realizar_session_logits(realizar_session* session, float* logits, size_t n_logits);
REALIZAR_API int realizar_session_chosen(realizar_session* session, int32_t* token);
REALIZAR_API int realizar_session_greedy(realizar_session* session, int32_t* token);

REALIZAR_API int realizar_session_position(const realizar_session* session, uint32_t* position);
/* Forgets every position from `position` on (0 empties the session): the next step is fed there. */
REALIZAR_API int realizar_session_rewind(realizar_session* session, uint32_t position);

/* ------------------------------------------------------------------ engine
 *
 * Many sequences at once on one model: each step has a row of every sequence that decodes, and parts of prompts beside
 * them. Sequences share one pool of pages of KV cache. Where a prompt begins with the tokens that an earlier sequence
 * had, its pages are used again.
 *
 * An engine has a thread of its own. The functions below may be called from any threads at once; none of them waits for
 * the device but realizar_engine_open, realizar_engine_close and realizar_engine_wait.
 *
 * Where a call of the device fails, the engine is of no use any more: every sequence that it has, and every one that it
 * is still given, ends with REALIZAR_END_ERROR, and realizar_engine_submit returns the same status and text from then
 * on. Close it and open another one. A failure of one sequence, such as logits that are no numbers, ends that one.
 *
 * What a sequence gets does not depend on what runs beside it, when it came, or what was computed before: the same
 * tokens and the same bits of log probabilities. One exception: where one sequence is alone, its tokens are computed by
 * the program "token", which is faster and whose logits are not the same bits; and so are those of a sequence that
 * begins with pages which such a one has left. `deterministic` forbids that. */

typedef struct realizar_engine realizar_engine;

/* Every step of an engine, as it is queued; for traces. */
typedef struct realizar_step_run {
  uint64_t request;
  uint32_t index; /* which of the request's sequences */
  uint32_t
      position; /* of the first row; where it decodes: as far as the host knows, which is not beyond what is queued */
  uint32_t n_row;
  int32_t chooses; /* 1: the last row chooses a token */
} realizar_step_run;
typedef struct realizar_step_info {
  uint64_t step;       /* from 0 */
  const char* program; /* "token", "batch_8", "prompt_512" */
  uint32_t n_run, n_row;
  const realizar_step_run* runs;            /* valid during the call */
  uint32_t n_running, n_waiting;            /* sequences, after the step was composed */
  uint32_t n_free_page, n_free_window_page; /* free ones, and those that keep what no sequence uses now */
  uint64_t n_preemption;                    /* since the engine was opened */
} realizar_step_info;

typedef struct realizar_engine_options {
  uint32_t struct_size;   /* sizeof(realizar_engine_options) */
  uint32_t n_sequence;    /* that run at once at most; 0: as many as a step can choose tokens for, at most 64. Of a
                             library that has only the program "token", where they take turns: at most 64; 0: 4 */
  uint32_t n_ctx;         /* positions of a sequence at most; 0: those compiled for */
  uint32_t deterministic; /* 1: never the program "token", unless the library has no other */
  uint64_t kv_bytes; /* device memory for pages of KV cache; 0: for n_sequence sequences of n_ctx positions, or what is
                        free less a tenth of the device's memory, whichever is less */
  void (*on_step)(void* user, const realizar_step_info* step); /* may be null; in the engine's thread, which it holds
                                                                  up */
  void* user;
} realizar_engine_options;

/* Opens an engine; options may be null. REALIZAR_OUT_OF_MEMORY where there is no room for a sequence. The engine keeps
 * the model alive. */
REALIZAR_API int realizar_engine_open(realizar_model* model, const realizar_engine_options* options,
                                      realizar_engine** out);
/* Ends what runs, without events, and waits for the step that is on the device. Who waits in realizar_engine_wait gets
 * REALIZAR_CLOSED. null is allowed. */
REALIZAR_API int realizar_engine_close(realizar_engine* engine);

#define REALIZAR_MAX_LOGPROBS 128

typedef struct realizar_request {
  uint32_t struct_size;  /* sizeof(realizar_request) */
  const int32_t* tokens; /* the prompt: at least one, at most n_ctx. Nothing is kept of what pointers here point to. */
  uint32_t n_token;
  uint32_t max_tokens; /* chosen ones of each sequence, at least 1 (0: with prompt_logprobs, and one sequence); fewer
                          where the context is full */
  uint32_t n_sequence; /* that follow the prompt, 1 to 1024; each draws with the seed plus its index, from 0 */
  realizar_sampling sampling;
  const int32_t* stop; /* the first of these ends a sequence, and is handed over; may be null if n_stop is 0 */
  uint32_t n_stop;
  int32_t n_logprob;        /* -1: no log probabilities; else those of chosen tokens and so many most probable ones, at
                               most REALIZAR_MAX_LOGPROBS */
  uint32_t prompt_logprobs; /* 1: those of the prompt's tokens too, of the first sequence; the prompt is then computed
                               whole */
  int32_t priority;         /* of two requests that wait the one with more is first; then who came first */
  uint32_t constrained;     /* 1: each chosen token of each sequence waits for realizar_engine_set_mask */
  uint32_t mask_milliseconds; /* how long a sequence that could go on waits for its mask before it ends with
                                 REALIZAR_NO_MASK; 0: 10 seconds */
} realizar_request;

/* Queues a request; *id is what its events say, which may be there before this call returns. What cannot be computed is
 * refused here: REALIZAR_INVALID_ARGUMENT, REALIZAR_CONTEXT_FULL for a prompt longer than n_ctx or than the pool. After
 * a failure of the device: its status. */
REALIZAR_API int realizar_engine_submit(realizar_engine* engine, const realizar_request* request, uint64_t* id);
/* Ends those of a request's sequences that have no end yet with REALIZAR_END_CANCELLED, before the engine composes
 * another step. Of a request that is not known: does nothing, and returns REALIZAR_OK. */
REALIZAR_API int realizar_engine_cancel(realizar_engine* engine, uint64_t id);
/* The same of one of them. */
REALIZAR_API int realizar_engine_cancel_sequence(realizar_engine* engine, uint64_t id, uint32_t index);

/* Which tokens may come next in a constrained sequence that has had events of n_chosen chosen tokens: the first mask,
 * of 0, may come as soon as the request is submitted, each later one after the event of the token before it. Token t
 * may be chosen where bit t % 32 of words[t / 32] is 1; at least one may. n_word is ceil(n_vocab / 32). Biases,
 * penalties and sampling are of the tokens that may be chosen; log probabilities are of all. Returns before the mask is
 * used: a mask that is out of turn, or of a sequence that is not constrained, ends the sequence with
 * REALIZAR_INVALID_ARGUMENT. Of a sequence that is not known, or has ended: does nothing, and returns REALIZAR_OK. */
REALIZAR_API int realizar_engine_set_mask(realizar_engine* engine, uint64_t id, uint32_t index, uint32_t n_chosen,
                                          const uint32_t* words, uint32_t n_word);

typedef enum realizar_event_kind {
  REALIZAR_EVENT_BEGUN = 0,  /* the sequence waits no more; its first event, once, unless it ends before */
  REALIZAR_EVENT_PROMPT = 1, /* a token of the prompt: its log probability after those before it; NaN of the first */
  REALIZAR_EVENT_TOKEN = 2,  /* a chosen token */
  REALIZAR_EVENT_END = 3     /* the sequence's last event; each has exactly one */
} realizar_event_kind;
typedef enum realizar_end {
  REALIZAR_END_NONE = 0,
  REALIZAR_END_STOP = 1,    /* a stop token, the token event before */
  REALIZAR_END_LENGTH = 2,  /* max_tokens */
  REALIZAR_END_CONTEXT = 3, /* n_ctx positions are used */
  REALIZAR_END_CANCELLED = 4,
  REALIZAR_END_ERROR = 5 /* status and message say which */
} realizar_end;

typedef struct realizar_token_logprob {
  int32_t token;
  float logprob; /* natural, among all tokens, before mask, biases, penalties and sampling */
} realizar_token_logprob;

typedef struct realizar_event {
  uint64_t request;
  uint32_t index;                    /* which of the request's sequences */
  int32_t kind;                      /* realizar_event_kind */
  int32_t token;                     /* -1 where it has begun or ended */
  float logprob;                     /* natural; NaN where none was asked for */
  uint32_t n_top;                    /* 0, or n_logprob */
  const realizar_token_logprob* top; /* most probable first, of equals the smaller token first */
  int32_t end;                       /* realizar_end */
  int32_t status;                    /* realizar_status; REALIZAR_OK but for REALIZAR_END_ERROR */
  const char* message;               /* of the error; "" where there is none */
  uint32_t n_cached;                 /* where it has begun: tokens of the prompt that were in the KV cache already */
} realizar_event;
typedef struct realizar_events {
  uint32_t n_event;
  const realizar_event* events; /* of one sequence in order; of different ones in the order of steps */
} realizar_events;

/* Takes the events that have come; where there are none, waits for some, for so many milliseconds at most (0: does not
 * wait, -1: as long as it takes, which is until the engine is closed where no sequence is open). *out: null where none
 * have come; else free with realizar_events_free, before or after the engine is closed. Events that nobody takes are
 * kept. Each event is given once: where several threads wait, one of them gets it. */
REALIZAR_API int realizar_engine_wait(realizar_engine* engine, int32_t milliseconds, realizar_events** out);
REALIZAR_API void realizar_events_free(realizar_events* events); /* null is allowed */

typedef struct realizar_engine_statistics {
  uint32_t struct_size;                     /* sizeof(realizar_engine_statistics), set by the caller */
  uint32_t n_sequence, n_ctx;               /* limits, as opened */
  uint32_t n_running, n_waiting;            /* sequences now, as of the last step; those just submitted wait */
  uint32_t n_page, n_window_page;           /* of the pool: 64 positions of all layers that see all, or only a window */
  uint32_t n_free_page, n_free_window_page; /* free, and those that keep what no sequence uses now */
  uint32_t n_cached_page;                   /* of the free ones: those that keep something */
  uint64_t kv_bytes;                        /* of all pages */
  /* Since it was opened: */
  uint64_t n_step, n_row, n_preemption;
  uint64_t n_prompt_token, n_prefix_hit_token; /* of prompts that have begun, and of these, in the KV cache already */
  uint64_t n_chosen_token;
} realizar_engine_statistics;
REALIZAR_API int realizar_engine_get_statistics(realizar_engine* engine, realizar_engine_statistics* statistics);

/* Measures the device's streaming-read ceiling: bytes/s of a kernel that only reads, over a buffer several times the
 * L2. */
REALIZAR_API int realizar_measure_read_ceiling(realizar_model* model, double* bytes_per_second);
/* Measures what its tensor cores make of products of halves: floating-point operations/s, a multiplication and an
 * addition each. Of a library with programs of many rows. */
REALIZAR_API int realizar_measure_f16_ceiling(realizar_model* model, double* flops_per_second);
/* What realizar_session_prefill of n_token tokens from position 0 on takes: floating-point operations of products, and
 * bytes of weights and KV cache, which each step reads once. Each may be null. */
REALIZAR_API int realizar_get_prompt_work(uint32_t n_token, double* flops, double* bytes);

typedef struct realizar_node_profile {
  const char* name; /* these two live as long as the library */
  const char* kernel;
  double seconds;
  uint64_t read_bytes; /* of weights, its part of token_read_bytes */
  uint64_t kv_bytes;   /* of KV cache, for the positions attended to */
} realizar_node_profile;

/* Times each node of a step that feeds `token` at the session's position: what the graph of the nodes up to this one
 * takes more than that of the nodes before it, each launched n_launch times with other data in the caches. The first
 * node has the launch of the graph; together they are what a token takes. nodes: n_node of them. The session stays at
 * its position, and what the step before left cannot be read any more. */
REALIZAR_API int realizar_session_profile(realizar_session* session, int32_t token, uint32_t n_launch,
                                          realizar_node_profile* nodes, size_t n_nodes);

/* The same of a step of a program of many rows that feeds n_row times `token`. nodes: the program's n_node of them. */
REALIZAR_API int realizar_session_profile_rows(realizar_session* session, const char* program, int32_t token,
                                               uint32_t n_row, uint32_t n_launch, realizar_node_profile* nodes,
                                               size_t n_nodes);

/* One line of text a node: kernel, grid, block, shared memory, edges, resolved arguments. Free with realizar_free.
 * The second is of the program of this name. */
REALIZAR_API int realizar_session_dump_nodes(realizar_session* session, char** text);
REALIZAR_API int realizar_session_dump_program(realizar_session* session, const char* program, char** text);
REALIZAR_API void realizar_free(void* memory);

#ifdef __cplusplus
}
#endif
#endif
