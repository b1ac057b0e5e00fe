/* A library with the C ABI of realizar.h and no model: the next token is (5 * token + position + 1) % n_vocab. The
 * "GGUF file" is a text of lines that tell it how to behave:
 *
 *   log PATH          append what is called to a file
 *   slow CALL MS      sleep in that call
 *   hold CALL PIPE    go on with that call when a byte can be read from the pipe
 *   fail CALL STATUS  fail that call
 *
 * "slow token" and "hold token" are of each token that is fed or generated; "fail token" fails the second one
 * generated. It checks what callers must guarantee: a session is used by one thread at a time, nothing is used after
 * its close. Its engine: mock_engine.h. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "realizar.h"

#ifndef MOCK_ABI_VERSION
#define MOCK_ABI_VERSION REALIZAR_ABI_VERSION
#endif
enum { N_VOCAB = 16, N_CTX = 32, N_NODE = 7, ALIVE = 0x600d, DEAD = 0xdead };

struct realizar_model {
  int state;
  atomic_int sessions;
  int log;
  char script[4096];
};
struct realizar_session {
  int state;
  atomic_int busy;
  realizar_model* model;
  int has_graph;
  uint32_t position;
  int32_t next;
};

static const realizar_info info = {.abi_version = MOCK_ABI_VERSION,
                                   .compiler_version = "0.0.0",
                                   .name = "mock",
                                   .architecture = "none",
                                   .target = "host",
                                   .gpu_archs = "sm_1,sm_2",
                                   .n_vocab = N_VOCAB,
                                   .n_ctx = N_CTX,
                                   .n_embd = 8,
                                   .n_layer = 1,
                                   .n_head = 2,
                                   .n_head_kv = 1,
                                   .head_size = 4,
                                   .n_node = N_NODE,
                                   .weights_bytes = 1ull << 40,
                                   .kv_cache_bytes = 64,
                                   .arena_bytes = 32,
                                   .file_bytes = 3,
                                   .header_sha256 = "00ff",
                                   .token_read_bytes = 5,
                                   .kv_row_bytes = 2};
static _Thread_local char error[256];

static int fail(int status, const char* pattern, ...) {
  va_list args;
  va_start(args, pattern);
  vsnprintf(error, sizeof error, pattern, args);
  va_end(args);
  return status;
}
static void record(const realizar_model* m, const char* pattern, ...) {
  char line[128];
  va_list args;
  va_start(args, pattern);
  int n = vsnprintf(line, sizeof line - 1, pattern, args);
  va_end(args);
  line[n++] = '\n';
  if (m->log >= 0 && write(m->log, line, n) != n) abort();
}
/* What follows "verb call" in the script, or null. */
static const char* scripted(const realizar_model* m, const char* verb, const char* call) {
  char key[64];
  snprintf(key, sizeof key, "%s %s ", verb, call);
  const char* at = strstr(m->script, key);
  return at ? at + strlen(key) : NULL;
}
static void wait_for(const realizar_model* m, const char* call) {
  const char* ms = scripted(m, "slow", call);
  if (ms) usleep(atoi(ms) * 1000);
  char path[1024], byte;
  const char* pipe = scripted(m, "hold", call);
  if (!pipe || sscanf(pipe, "%1023s", path) != 1) return;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, &byte, 1) != 1) abort();
  close(file);
}
static int scripted_status(const realizar_model* m, const char* call) {
  const char* status = scripted(m, "fail", call);
  return status ? fail(atoi(status), "the script fails %s", call) : REALIZAR_OK;
}
static int behave(const realizar_model* m, const char* call) {
  wait_for(m, call);
  return scripted_status(m, call);
}
static int enter(realizar_session* s, const char* call) {
  if (s->state != ALIVE) abort();
  if (atomic_exchange(&s->busy, 1)) record(s->model, "OVERLAP in %s", call);
  record(s->model, "%s begins", call);
  return behave(s->model, call);
}
static int leave(realizar_session* s, const char* call, int status) {
  record(s->model, "%s ends", call);
  atomic_store(&s->busy, 0);
  return status;
}

const realizar_info* realizar_get_info(void) { return &info; }
/* A window of 4 positions. */
uint64_t realizar_kv_read_bytes(uint32_t n_position) { return info.kv_row_bytes * (n_position < 4 ? n_position : 4); }
const char* realizar_last_error(void) { return error; }
const char* realizar_status_name(int status) {
  switch (status) {
    case REALIZAR_INVALID_ARGUMENT:
      return "REALIZAR_INVALID_ARGUMENT";
    case REALIZAR_DRIVER:
      return "REALIZAR_DRIVER";
    case REALIZAR_CONTEXT_FULL:
      return "REALIZAR_CONTEXT_FULL";
    default:
      return "REALIZAR_OTHER";
  }
}
void realizar_free(void* memory) { free(memory); }
const char* realizar_model_device_name(const realizar_model* m) { return m->state == ALIVE ? "mock device" : "dead"; }

int realizar_model_open(const char* path, const realizar_model_options* options, realizar_model** out) {
  FILE* f = fopen(path, "r");
  if (!f) return fail(REALIZAR_IO, "%s: cannot be opened", path);
  realizar_model* m = calloc(1, sizeof *m);
  m->script[fread(m->script, 1, sizeof m->script - 1, f)] = 0;
  fclose(f);
  m->state = ALIVE;
  m->log = -1;
  char log[1024];
  const char* at = strstr(m->script, "log ");
  if (at && sscanf(at, "log %1023s", log) == 1) m->log = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  record(m, "open device=%d order_seed=%u poison=%u", options->device, options->order_seed, options->poison);
  for (uint64_t done = 1; options->progress && done <= 3; done++) options->progress(options->user, "upload", done, 3);
  int status = behave(m, "model_open");
  if (status == REALIZAR_OK)
    *out = m;
  else
    free(m);
  return status;
}
int realizar_model_close(realizar_model* m) {
  if (m->state != ALIVE || atomic_load(&m->sessions)) abort();
  behave(m, "model_close");
  record(m, "model_close");
  m->state = DEAD;
  if (m->log >= 0) close(m->log);
  free(m);
  return REALIZAR_OK;
}

int realizar_session_open(realizar_model* m, realizar_session** out) {
  if (m->state != ALIVE) abort();
  int status = behave(m, "session_open");
  if (status != REALIZAR_OK) return status;
  atomic_fetch_add(&m->sessions, 1);
  *out = calloc(1, sizeof **out);
  (*out)->state = ALIVE;
  (*out)->model = m;
  record(m, "session_open");
  return REALIZAR_OK;
}
int realizar_session_close(realizar_session* s) {
  enter(s, "session_close");
  atomic_fetch_sub(&s->model->sessions, 1);
  leave(s, "session_close", REALIZAR_OK);
  s->state = DEAD;
  free(s);
  return REALIZAR_OK;
}

int realizar_graph_build(realizar_session* s, uint32_t* n_node) {
  int status = enter(s, "graph_build");
  if (status == REALIZAR_OK) s->has_graph = 1, *n_node = N_NODE;
  return leave(s, "graph_build", status);
}
static int step(realizar_session* s, int32_t token, int mode) {
  if (mode == REALIZAR_GRAPH && !s->has_graph) return fail(REALIZAR_NO_GRAPH, "no graph: build it first");
  if (s->position == N_CTX) return fail(REALIZAR_CONTEXT_FULL, "all %d positions are used", N_CTX);
  s->next = (5 * token + s->position++ + 1) % N_VOCAB;
  return REALIZAR_OK;
}
int realizar_session_step(realizar_session* s, int32_t token, int mode) {
  int status = enter(s, "step");
  record(s->model, "token %d mode %d", token, mode);
  if (status == REALIZAR_OK) status = step(s, token, mode);
  return leave(s, "step", status);
}
int realizar_session_run_greedy(realizar_session* s, uint32_t n_step, int32_t* tokens, int mode) {
  int status = enter(s, "run_greedy");
  for (uint32_t i = 0; i < n_step && status == REALIZAR_OK; i++) {
    tokens[i] = s->next;
    status = step(s, s->next, mode);
  }
  return leave(s, "run_greedy", status);
}
int realizar_session_prefill(realizar_session* s, const int32_t* tokens, uint32_t n_token, realizar_on_fed on_fed,
                             void* user, int mode, uint32_t* n_fed) {
  int status = enter(s, "prefill");
  uint32_t done = 0;
  while (done < n_token && status == REALIZAR_OK) {
    wait_for(s->model, "token");
    status = step(s, tokens[done], mode);
    if (status == REALIZAR_OK && on_fed && on_fed(user, ++done)) break;
  }
  record(s->model, "prefilled %u", done);
  if (n_fed) *n_fed = done;
  return leave(s, "prefill", status);
}
realizar_sampling realizar_default_sampling(void) {
  return (realizar_sampling){
      .struct_size = sizeof(realizar_sampling), .top_p = 1, .repeat_last_n = 64, .repeat_penalty = 1};
}
int realizar_session_set_sampling(realizar_session* s, const realizar_sampling* p) {
  int status = enter(s, "set_sampling");
  record(s->model, "temperature %g top_k %d top_p %g min_p %g seed %llu last_n %d", p->temperature, p->top_k, p->top_p,
         p->min_p, (unsigned long long)p->seed, p->repeat_last_n);
  record(s->model, "repeat %g presence %g frequency %g", p->repeat_penalty, p->presence_penalty, p->frequency_penalty);
  for (uint32_t i = 0; i < p->n_logit_bias; i++)
    record(s->model, "bias %d %g", p->logit_bias[i].token, p->logit_bias[i].bias);
  return leave(s, "set_sampling", status);
}
int realizar_session_generate(realizar_session* s, uint32_t n_token, const int32_t* stop, uint32_t n_stop,
                              realizar_on_token on_token, void* user, int mode, uint32_t* n_generated) {
  int status = enter(s, "generate");
  (void)n_generated;
  for (uint32_t i = 0; i < n_token && status == REALIZAR_OK; i++) {
    int32_t token = s->next;
    wait_for(s->model, "token");
    if (i == 1 && (status = scripted_status(s->model, "token"))) break;
    int end = on_token(user, token);
    for (uint32_t j = 0; j < n_stop; j++) end |= stop[j] == token;
    if (end || i + 1 == n_token || s->position == N_CTX) break;
    status = step(s, token, mode);
  }
  return leave(s, "generate", status);
}
int realizar_session_logits(realizar_session* s, float* logits, size_t n_logits) {
  int status = enter(s, "logits");
  if (n_logits != N_VOCAB) abort();
  for (int i = 0; i < N_VOCAB; i++) logits[i] = i == s->next ? 1.f : i / 100.f;
  return leave(s, "logits", status);
}
int realizar_session_greedy(realizar_session* s, int32_t* token) {
  int status = enter(s, "greedy");
  *token = s->next;
  return leave(s, "greedy", status);
}
int realizar_session_chosen(realizar_session* s, int32_t* token) {
  int status = enter(s, "chosen");
  *token = s->next;
  return leave(s, "chosen", status);
}
int realizar_session_position(const realizar_session* s, uint32_t* position) {
  if (s->state != ALIVE) abort();
  *position = s->position;
  return REALIZAR_OK;
}
int realizar_session_rewind(realizar_session* s, uint32_t position) {
  int status = enter(s, "rewind");
  if (status == REALIZAR_OK && position > s->position)
    status = fail(REALIZAR_INVALID_ARGUMENT, "position %u is past %u", position, s->position);
  if (status == REALIZAR_OK) s->position = position;
  return leave(s, "rewind", status);
}
int realizar_measure_read_ceiling(realizar_model* m, double* bytes_per_second) {
  if (m->state != ALIVE) return fail(REALIZAR_INVALID_ARGUMENT, "the model is dead");
  *bytes_per_second = 2.5e12;
  return REALIZAR_OK;
}
int realizar_session_dump_nodes(realizar_session* s, char** text) {
  int status = enter(s, "dump_nodes");
  if (status == REALIZAR_OK) *text = strdup("node 0\nnode 1\n");
  return leave(s, "dump_nodes", status);
}

#include "mock_engine.h"
