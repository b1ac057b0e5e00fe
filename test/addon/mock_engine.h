/* The engine of the mock library, included by mock.c. A step is computed by who waits for events, and gives every
 * running sequence a token:
 *
 *   (5 * token + position + 1 + draw) % n_vocab    draw: the seed and the sequence's index where a temperature is set
 *
 * A token's log probability is that of every place: -token / 4, so that 0, 1, 2, ... are the most probable ones. What
 * is in the KV cache of sequences before is found again by 4 tokens. A constrained sequence waits for its masks; it
 * gets the first token that its mask allows from that one on, after the last the first.
 *
 * Calls of the script: "engine_open", "engine_submit", "engine token" (a step; fails the second token of each
 * sequence), "engine device" (fails the second step, all sequences, and what is submitted then). */
#include <math.h>
#include <pthread.h>

enum { N_SEQUENCE = 8, N_KEPT = 64, PAGE = 4, MAX_EVENTS = 512, N_MASK = (N_VOCAB + 31) / 32 };

typedef struct sequence {
  struct sequence* next;
  uint64_t request;
  uint32_t index, n_prompt, n_token, max_tokens, n_stop;
  int32_t tokens[2 * N_CTX], stop[N_VOCAB];
  uint64_t draw;
  int n_logprob, prompt_logprobs, begun, cancelled, constrained, has_mask;
  uint32_t mask[N_MASK];
} sequence;

struct realizar_engine {
  int state, device_failed, stepping;
  realizar_model* model;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  sequence* sequences; /* in the order in which they came: the first n_sequence run */
  uint64_t n_request;
  struct {
    int32_t tokens[2 * N_CTX];
    uint32_t n_token;
  } kept[N_KEPT];
  uint32_t n_kept;
  realizar_engine_statistics statistics;
};

static realizar_token_logprob logprob_of(int32_t token) { return (realizar_token_logprob){token, -token / 4.f}; }

int realizar_engine_open(realizar_model* m, const realizar_engine_options* o, realizar_engine** out) {
  if (m->state != ALIVE) abort();
  record(m, "engine_open sequences=%u context=%u kv_bytes=%llu deterministic=%u", o->n_sequence, o->n_ctx,
         (unsigned long long)o->kv_bytes, o->deterministic);
  int status = behave(m, "engine_open");
  if (status != REALIZAR_OK) return status;
  atomic_fetch_add(&m->sessions, 1);
  realizar_engine* e = calloc(1, sizeof *e); /* never freed: calls after its close are allowed */
  e->state = ALIVE;
  e->model = m;
  pthread_mutex_init(&e->mutex, NULL);
  pthread_cond_init(&e->changed, NULL);
  realizar_engine_statistics* s = &e->statistics;
  s->n_sequence = o->n_sequence ? o->n_sequence : N_SEQUENCE;
  s->n_ctx = o->n_ctx ? o->n_ctx : N_CTX;
  s->kv_bytes = o->kv_bytes ? o->kv_bytes : s->n_sequence * info.kv_cache_bytes;
  s->n_page = s->n_free_page = s->n_sequence * N_CTX / PAGE;
  *out = e;
  return REALIZAR_OK;
}

static void forget(realizar_engine* e, sequence** at) {
  sequence* s = *at;
  *at = s->next;
  e->kept[e->n_kept % N_KEPT].n_token = s->n_token;
  memcpy(e->kept[e->n_kept++ % N_KEPT].tokens, s->tokens, sizeof s->tokens);
  free(s);
}

int realizar_engine_close(realizar_engine* e) {
  pthread_mutex_lock(&e->mutex);
  int alive = e->state == ALIVE;
  e->state = DEAD;
  pthread_cond_broadcast(&e->changed);
  while (e->stepping) pthread_cond_wait(&e->changed, &e->mutex);
  while (e->sequences) forget(e, &e->sequences);
  pthread_mutex_unlock(&e->mutex);
  if (!alive) return fail(REALIZAR_CLOSED, "the engine was closed");
  record(e->model, "engine_close");
  atomic_fetch_sub(&e->model->sessions, 1);
  return REALIZAR_OK;
}

static int check_request(realizar_engine* e, const realizar_request* r) {
  if (e->state != ALIVE) return fail(REALIZAR_CLOSED, "the engine was closed");
  if (e->device_failed) return scripted_status(e->model, "engine device");
  if (r->n_token == 0) return fail(REALIZAR_INVALID_ARGUMENT, "the request has no tokens");
  if (r->max_tokens == 0 && !r->prompt_logprobs) return fail(REALIZAR_INVALID_ARGUMENT, "max_tokens is 0");
  if (r->n_token > e->statistics.n_ctx)
    return fail(REALIZAR_CONTEXT_FULL, "%u tokens, and %u positions", r->n_token, e->statistics.n_ctx);
  return behave(e->model, "engine_submit");
}

int realizar_engine_submit(realizar_engine* e, const realizar_request* r, uint64_t* id) {
  if (r->struct_size != sizeof *r || r->sampling.struct_size != sizeof r->sampling) abort();
  pthread_mutex_lock(&e->mutex);
  int status = check_request(e, r);
  if (status == REALIZAR_OK) {
    *id = ++e->n_request;
    record(e->model, "submitted %u tokens, at most %u, %u times, logprobs %d %u, temperature %g, seed %llu", r->n_token,
           r->max_tokens, r->n_sequence, r->n_logprob, r->prompt_logprobs, r->sampling.temperature,
           (unsigned long long)r->sampling.seed);
    for (uint32_t i = 0; i < r->sampling.n_logit_bias; i++)
      record(e->model, "bias %d %g", r->sampling.logit_bias[i].token, r->sampling.logit_bias[i].bias);
    for (uint32_t i = 0; i < r->n_sequence; i++) {
      sequence** at = &e->sequences;
      while (*at) at = &(*at)->next;
      *at = calloc(1, sizeof **at);
      **at = (sequence){.request = *id,
                        .index = i,
                        .n_prompt = r->n_token,
                        .n_token = r->n_token,
                        .max_tokens = r->max_tokens,
                        .n_stop = r->n_stop,
                        .draw = r->sampling.temperature > 0 ? r->sampling.seed + i : 0,
                        .n_logprob = r->n_logprob,
                        .prompt_logprobs = r->prompt_logprobs && i == 0,
                        .constrained = r->constrained};
      memcpy((*at)->tokens, r->tokens, r->n_token * sizeof *r->tokens);
      memcpy((*at)->stop, r->stop, r->n_stop * sizeof *r->stop);
    }
    pthread_cond_broadcast(&e->changed);
  }
  pthread_mutex_unlock(&e->mutex);
  return status;
}

static int cancel(realizar_engine* e, uint64_t id, int all, uint32_t index) {
  pthread_mutex_lock(&e->mutex);
  if (all)
    record(e->model, "engine_cancel %llu", (unsigned long long)id);
  else
    record(e->model, "engine_cancel %llu %u", (unsigned long long)id, index);
  for (sequence* s = e->sequences; s; s = s->next) s->cancelled |= s->request == id && (all || s->index == index);
  pthread_cond_broadcast(&e->changed);
  pthread_mutex_unlock(&e->mutex);
  return REALIZAR_OK;
}
int realizar_engine_cancel(realizar_engine* e, uint64_t id) { return cancel(e, id, 1, 0); }
int realizar_engine_cancel_sequence(realizar_engine* e, uint64_t id, uint32_t index) { return cancel(e, id, 0, index); }

int realizar_engine_set_mask(realizar_engine* e, uint64_t id, uint32_t index, uint32_t n_chosen, const uint32_t* words,
                             uint32_t n_word) {
  if (n_word != N_MASK) return fail(REALIZAR_INVALID_ARGUMENT, "n_word is %u", n_word);
  pthread_mutex_lock(&e->mutex);
  for (sequence* s = e->sequences; s; s = s->next) {
    if (s->request != id || s->index != index) continue;
    if (!s->constrained || s->has_mask || n_chosen != s->n_token - s->n_prompt) abort();
    memcpy(s->mask, words, sizeof s->mask);
    s->has_mask = 1;
  }
  pthread_cond_broadcast(&e->changed);
  pthread_mutex_unlock(&e->mutex);
  return REALIZAR_OK;
}

static int goes_on(const sequence* s) { return s->cancelled || !s->constrained || s->has_mask; }
static int has_work(const realizar_engine* e) {
  const sequence* s = e->sequences;
  while (s && !goes_on(s)) s = s->next;
  return s != NULL;
}

/* What a step brings: events with room for what they point to. */
typedef struct batch {
  realizar_events events;
  realizar_event list[MAX_EVENTS];
  realizar_token_logprob tops[MAX_EVENTS][REALIZAR_MAX_LOGPROBS];
  char message[256];
} batch;

static realizar_event* add(batch* b, const sequence* s, int kind) {
  if (b->events.n_event == MAX_EVENTS) abort();
  realizar_event* event = &b->list[b->events.n_event++];
  *event = (realizar_event){
      .request = s->request, .index = s->index, .kind = kind, .token = -1, .logprob = NAN, .message = ""};
  return event;
}
static void add_token(batch* b, const sequence* s, int kind, int32_t token, int has_logprob) {
  realizar_token_logprob* top = b->tops[b->events.n_event];
  realizar_event* event = add(b, s, kind);
  event->token = token;
  if (!has_logprob || s->n_logprob < 0) return;
  event->logprob = logprob_of(token).logprob;
  event->n_top = s->n_logprob < N_VOCAB ? s->n_logprob : N_VOCAB;
  event->top = top;
  for (uint32_t i = 0; i < event->n_top; i++) top[i] = logprob_of(i);
}

static uint32_t cached(const realizar_engine* e, const sequence* s) {
  uint32_t most = 0;
  for (uint32_t i = 0; i < N_KEPT && i < e->n_kept; i++) {
    uint32_t n = 0;
    while (n < s->n_prompt - 1 && n < e->kept[i].n_token && e->kept[i].tokens[n] == s->tokens[n]) n++;
    if (n > most) most = n;
  }
  return s->prompt_logprobs ? 0 : most / PAGE * PAGE;
}

static void begin(realizar_engine* e, batch* b, sequence* s) {
  s->begun = 1;
  uint32_t n_cached = add(b, s, REALIZAR_EVENT_BEGUN)->n_cached = cached(e, s);
  e->statistics.n_prompt_token += s->n_prompt;
  e->statistics.n_prefix_hit_token += n_cached;
  for (uint32_t i = 0; s->prompt_logprobs && i < s->n_prompt; i++)
    add_token(b, s, REALIZAR_EVENT_PROMPT, s->tokens[i], i > 0);
}

/* Whether the sequence has ended, why, and with which status. */
static int choose(realizar_engine* e, batch* b, sequence* s, int* status) {
  uint32_t n_chosen = s->n_token - s->n_prompt;
  if (s->max_tokens == 0) return REALIZAR_END_LENGTH;
  if (n_chosen == 1 && (*status = scripted_status(e->model, "engine token"))) return REALIZAR_END_ERROR;
  int32_t token = (5 * s->tokens[s->n_token - 1] + s->n_token + s->draw) % N_VOCAB;
  while (s->constrained && !(s->mask[token / 32] >> token % 32 & 1)) token = (token + 1) % N_VOCAB;
  s->has_mask = 0;
  s->tokens[s->n_token++] = token;
  e->statistics.n_chosen_token++;
  add_token(b, s, REALIZAR_EVENT_TOKEN, token, 1);
  for (uint32_t i = 0; i < s->n_stop; i++)
    if (s->stop[i] == token) return REALIZAR_END_STOP;
  if (n_chosen + 1 == s->max_tokens) return REALIZAR_END_LENGTH;
  return s->n_token > e->statistics.n_ctx ? REALIZAR_END_CONTEXT : REALIZAR_END_NONE;
}

static void compute(realizar_engine* e, batch* b) {
  realizar_engine_statistics* stats = &e->statistics;
  int failed = stats->n_step++ > 0 && (e->device_failed = scripted_status(e->model, "engine device"));
  uint32_t n_running = 0, n_waiting = 0;
  for (sequence** at = &e->sequences; *at;) {
    sequence* s = *at;
    int end = s->cancelled ? REALIZAR_END_CANCELLED : REALIZAR_END_NONE, status = failed ? e->device_failed : 0;
    if (failed) end = REALIZAR_END_ERROR;
    if (!end && !goes_on(s)) {
      n_running += s->begun, n_waiting += !s->begun;
    } else if (!end && (s->begun || n_running < stats->n_sequence)) {
      if (!s->begun) begin(e, b, s);
      end = choose(e, b, s, &status);
      stats->n_row++;
      n_running += !end;
    } else if (!end) {
      n_waiting++;
    }
    if (end) {
      realizar_event* event = add(b, s, REALIZAR_EVENT_END);
      event->end = end;
      event->status = status;
      event->message = status ? strcpy(b->message, error) : "";
      forget(e, at);
    } else {
      at = &s->next;
    }
  }
  stats->n_running = n_running;
  stats->n_waiting = n_waiting;
  stats->n_free_page = stats->n_page - n_running;
}

int realizar_engine_wait(realizar_engine* e, int32_t milliseconds, realizar_events** out) {
  if (milliseconds != -1) abort();
  pthread_mutex_lock(&e->mutex);
  while (e->state == ALIVE && !has_work(e)) pthread_cond_wait(&e->changed, &e->mutex);
  if (e->state == ALIVE) {
    e->stepping = 1;
    pthread_mutex_unlock(&e->mutex);
    record(e->model, "engine_step");
    wait_for(e->model, "engine token");
    pthread_mutex_lock(&e->mutex);
    e->stepping = 0;
    pthread_cond_broadcast(&e->changed);
  }
  int alive = e->state == ALIVE;
  batch* b = NULL;
  if (alive) {
    b = calloc(1, sizeof *b);
    b->events.events = b->list;
    compute(e, b);
  }
  pthread_mutex_unlock(&e->mutex);
  *out = b ? &b->events : NULL;
  return alive ? REALIZAR_OK : fail(REALIZAR_CLOSED, "the engine was closed");
}
void realizar_events_free(realizar_events* events) { free(events); }

int realizar_engine_get_statistics(realizar_engine* e, realizar_engine_statistics* out) {
  if (out->struct_size != sizeof *out) abort();
  pthread_mutex_lock(&e->mutex);
  uint32_t size = out->struct_size;
  *out = e->statistics;
  out->struct_size = size;
  pthread_mutex_unlock(&e->mutex);
  return REALIZAR_OK;
}
