/* Computes several sequences at once from C: opens the library's model and an engine on it, submits prompts of token
 * ids and prints the tokens that follow each, as they come. Built against a library and its headers alone:
 *   cc -std=c11 -I RUNTIME -o engine engine.c -L ARTIFACT -l NAME -Wl,-rpath,ARTIFACT
 *   ./engine MODEL.gguf N PROMPT...   a prompt is token ids with commas between them: N tokens follow each, greedily
 */
#include <errno.h>
#include <realizar.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_TOKENS = 1024 };

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, realizar_last_error());
  return 1;
}

/* A whole number from 0 to most, up to `end`; -1: it is none. */
static int32_t parse(const char* text, long most, char** end) {
  errno = 0;
  const long value = *text >= '0' && *text <= '9' ? strtol(text, end, 10) : -1;
  return errno == 0 && value <= most ? (int32_t)value : -1;
}

/* The prompt's tokens; returns how many, 0 where it is no prompt. */
static uint32_t parse_prompt(const char* text, int32_t* tokens) {
  for (uint32_t n = 0; n < MAX_TOKENS;) {
    char* end;
    tokens[n] = parse(text, INT32_MAX, &end);
    if (tokens[n++] < 0 || (*end != '\0' && *end != ',')) return 0;
    if (*end == '\0') return n;
    text = end + 1;
  }
  return 0;
}

static int submit(realizar_engine* engine, const char* prompt, uint32_t n, uint64_t* id) {
  int32_t tokens[MAX_TOKENS];
  realizar_request request = {.struct_size = sizeof request, .tokens = tokens, .max_tokens = n, .n_sequence = 1};
  request.n_token = parse_prompt(prompt, tokens);
  request.sampling = realizar_default_sampling();
  request.n_logprob = -1;
  return realizar_engine_submit(engine, &request, id) == REALIZAR_OK ? 0 : failed("submit");
}

/* "prompt 0: 417", "prompt 0: end", or why it has ended otherwise. */
static int print(const realizar_event* event, const uint64_t* ids) {
  int prompt = 0;
  while (ids[prompt] != event->request) prompt++;
  if (event->kind == REALIZAR_EVENT_TOKEN) printf("prompt %d: %d\n", prompt, (int)event->token);
  if (event->kind != REALIZAR_EVENT_END) return 0;
  if (event->end != REALIZAR_END_ERROR) return printf("prompt %d: end\n", prompt), 0;
  fprintf(stderr, "prompt %d: %s: %s\n", prompt, realizar_status_name(event->status), event->message);
  return 1;
}

static int print_statistics(realizar_engine* engine) {
  realizar_engine_statistics now = {.struct_size = sizeof now};
  if (realizar_engine_get_statistics(engine, &now) != REALIZAR_OK) return failed("read statistics");
  printf("%llu steps, %llu rows; %llu tokens of prompts, %llu chosen; %u of %u pages free\n",
         (unsigned long long)now.n_step, (unsigned long long)now.n_row, (unsigned long long)now.n_prompt_token,
         (unsigned long long)now.n_chosen_token, (unsigned)now.n_free_page, (unsigned)now.n_page);
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  perror("write the tokens");
  return 1;
}

/* Until each of so many sequences has ended, in whatever order. */
static int wait_for(realizar_engine* engine, const uint64_t* ids, int n_open) {
  int status = 0;
  while (n_open > 0) {
    realizar_events* events = NULL;
    if (realizar_engine_wait(engine, -1, &events) != REALIZAR_OK) return failed("wait");
    for (uint32_t i = 0; events && i < events->n_event; i++) {
      status |= print(&events->events[i], ids);
      n_open -= events->events[i].kind == REALIZAR_EVENT_END;
    }
    realizar_events_free(events);
    fflush(stdout); /* what it says is looked at in the end */
  }
  return status;
}

static int use_engine(realizar_engine* engine, char** prompts, int n_prompt, uint32_t n, uint64_t* ids) {
  for (int i = 0; i < n_prompt; i++)
    if (submit(engine, prompts[i], n, &ids[i]) != 0) return 1;
  const int status = wait_for(engine, ids, n_prompt);
  return print_statistics(engine) | status;
}

static int use_model(realizar_model* model, char** prompts, int n_prompt, uint32_t n, uint64_t* ids) {
  realizar_engine* engine = NULL;
  if (realizar_engine_open(model, NULL, &engine) != REALIZAR_OK) return failed("open an engine");
  const int status = use_engine(engine, prompts, n_prompt, n, ids);
  realizar_engine_close(engine);
  return status;
}

static int usage(const char* program) {
  fprintf(stderr, "usage: %s MODEL.gguf N PROMPT...   (N from 1 to %d; a prompt is up to %d token ids: 1,2,3)\n",
          program, MAX_TOKENS, MAX_TOKENS);
  return 2;
}

int main(int argc, char** argv) {
  char* end;
  const int32_t n = argc > 3 ? parse(argv[2], MAX_TOKENS, &end) : 0;
  if (n < 1 || *end != '\0') return usage(argv[0]);
  for (int i = 3; i < argc; i++) {
    int32_t tokens[MAX_TOKENS];
    if (parse_prompt(argv[i], tokens) == 0) return usage(argv[0]);
  }
  const realizar_info* info = realizar_get_info();
  if (info->abi_version != REALIZAR_ABI_VERSION) {
    fprintf(stderr, "%s has ABI version %u, this program was built for %d\n", info->name, info->abi_version,
            REALIZAR_ABI_VERSION);
    return 1;
  }
  uint64_t* ids = calloc((size_t)argc, sizeof *ids);
  realizar_model* model = NULL;
  int status = 1;
  if (!ids)
    perror("remember the prompts");
  else if (realizar_model_open(argv[1], NULL, &model) != REALIZAR_OK)
    failed("open the model");
  else
    status = use_model(model, argv + 3, argc - 3, (uint32_t)n, ids);
  realizar_model_close(model);
  free(ids);
  return status;
}
