/* Decodes greedily with a compiled model, through the C ABI alone. docs/c-abi.md explains it; on Linux:
 *
 *   cc -std=c11 -I RUNTIME -o decode decode.c -L ARTIFACT -l NAME -Wl,-rpath,ARTIFACT
 *   ./decode MODEL.gguf 16 1 2 3
 *
 * feeds tokens 1, 2 and 3 and prints the 16 that follow. RUNTIME is the folder of realizar.h; ARTIFACT holds
 * libNAME.so. */
#include <errno.h>
#include <realizar.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_TOKENS = 1024 };

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, realizar_last_error());
  return 1;
}

/* Whether a text is a whole number from 0 to most, and nothing else. */
static bool parse(const char* text, long most, int32_t* number) {
  char* end;
  errno = 0;
  const long value = strtol(text, &end, 10);
  *number = (int32_t)value;
  return end != text && *end == '\0' && errno == 0 && value >= 0 && value <= most;
}

/* Feeds the prompt, then queues n steps that choose their own tokens on the device, and waits for them once. */
static int decode(realizar_session* session, const int32_t* prompt, int n_prompt, uint32_t n, int32_t* tokens) {
  for (int i = 0; i < n_prompt; i++)
    if (realizar_session_step(session, prompt[i], REALIZAR_GRAPH) != REALIZAR_OK) return failed("step");
  if (realizar_session_run_greedy(session, n, tokens, REALIZAR_GRAPH) != REALIZAR_OK) return failed("run_greedy");
  return 0;
}

static int print(const int32_t* tokens, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) printf("%d%c", (int)tokens[i], i + 1 < n ? ',' : '\n');
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  perror("write the tokens");
  return 1;
}

static int use_session(realizar_model* model, const int32_t* prompt, int n_prompt, uint32_t n) {
  realizar_session* session = NULL;
  int32_t tokens[MAX_TOKENS];
  if (realizar_session_open(model, &session) != REALIZAR_OK) return failed("open a session");
  int status = 0;
  if (realizar_graph_build(session, NULL) != REALIZAR_OK)
    status = failed("build the graph");
  else
    status = decode(session, prompt, n_prompt, n, tokens);
  realizar_session_close(session);
  return status == 0 ? print(tokens, n) : status;
}

static int usage(const char* program) {
  fprintf(stderr, "usage: %s MODEL.gguf N TOKEN...   (N from 1 to %d, up to %d tokens from 0 to %ld)\n", program,
          MAX_TOKENS, MAX_TOKENS, (long)INT32_MAX);
  return 2;
}

int main(int argc, char** argv) {
  const int n_prompt = argc - 3;
  int32_t n, prompt[MAX_TOKENS];
  if (n_prompt < 1 || n_prompt > MAX_TOKENS || !parse(argv[2], MAX_TOKENS, &n) || n == 0) return usage(argv[0]);
  for (int i = 0; i < n_prompt; i++)
    if (!parse(argv[3 + i], INT32_MAX, &prompt[i])) return usage(argv[0]);
  const realizar_info* info = realizar_get_info();
  if (info->abi_version != REALIZAR_ABI_VERSION) {
    fprintf(stderr, "%s has ABI version %u, this program was built for %d\n", info->name, info->abi_version,
            REALIZAR_ABI_VERSION);
    return 1;
  }
  realizar_model* model = NULL;
  if (realizar_model_open(argv[1], NULL, &model) != REALIZAR_OK) return failed("open the model");
  const int status = use_session(model, prompt, n_prompt, (uint32_t)n);
  realizar_model_close(model);
  return status;
}
