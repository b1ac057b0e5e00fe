/* Decodes greedily with a compiled model, through the C ABI alone. docs/c-abi.md explains it; on Linux:
 *
 *   cc -std=c11 -I RUNTIME -o decode decode.c -L ARTIFACT -l NAME -Wl,-rpath,ARTIFACT
 *   ./decode MODEL.gguf 16 1 2 3
 *
 * feeds tokens 1, 2 and 3 and prints the 16 that follow. RUNTIME is the folder of realizar.h; ARTIFACT holds
 * libNAME.so. */
#include <realizar.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_TOKENS = 1024 };

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, realizar_last_error());
  return 1;
}

/* Feeds the prompt, then queues n steps that choose their own tokens on the device, and waits for them once. */
static int decode(realizar_session* session, char** prompt, int n_prompt, uint32_t n, int32_t* tokens) {
  for (int i = 0; i < n_prompt; i++) {
    const int32_t token = (int32_t)strtol(prompt[i], NULL, 10);
    if (realizar_session_step(session, token, REALIZAR_GRAPH) != REALIZAR_OK) return failed("step");
  }
  if (realizar_session_run_greedy(session, n, tokens, REALIZAR_GRAPH) != REALIZAR_OK) return failed("run_greedy");
  return 0;
}

static int use_session(realizar_model* model, char** prompt, int n_prompt, uint32_t n) {
  realizar_session* session = NULL;
  int32_t tokens[MAX_TOKENS];
  if (realizar_session_open(model, &session) != REALIZAR_OK) return failed("open a session");
  int status = 0;
  if (realizar_graph_build(session, NULL) != REALIZAR_OK)
    status = failed("build the graph");
  else
    status = decode(session, prompt, n_prompt, n, tokens);
  for (uint32_t i = 0; status == 0 && i < n; i++) printf("%d%c", (int)tokens[i], i + 1 < n ? ',' : '\n');
  realizar_session_close(session);
  return status;
}

int main(int argc, char** argv) {
  const long n = argc > 3 ? strtol(argv[2], NULL, 10) : 0;
  if (n < 1 || n > MAX_TOKENS) {
    fprintf(stderr, "usage: %s MODEL.gguf N TOKEN...   (N from 1 to %d)\n", argv[0], MAX_TOKENS);
    return 2;
  }
  const realizar_info* info = realizar_get_info();
  if (info->abi_version != REALIZAR_ABI_VERSION) {
    fprintf(stderr, "%s has ABI version %u, this program was built for %d\n", info->name, info->abi_version,
            REALIZAR_ABI_VERSION);
    return 1;
  }
  realizar_model* model = NULL;
  if (realizar_model_open(argv[1], NULL, &model) != REALIZAR_OK) return failed("open the model");
  const int status = use_session(model, argv + 3, argc - 3, (uint32_t)n);
  realizar_model_close(model);
  return status;
}
