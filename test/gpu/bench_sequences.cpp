// Times many sequences at once in the engine: N prompts of so many tokens, each of which so many tokens follow.
//   bench_sequences MODEL PROMPT GENERATE N...        e.g.  model.gguf 128 128 1 8 64
// No interface offers the engine yet, so it is linked with the parts of an artifact, A being its folder, built by CMake
// in A/build; one line:
//   g++ -O2 -std=c++20 -I runtime -I A -I A/build -o bench_sequences test/gpu/bench_sequences.cpp A/graph.cpp A/code.S
//   -Wl,--whole-archive A/build/runtime/librealizar_runtime.a -Wl,--no-whole-archive -ldl -lpthread
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "engine/engine.h"

using namespace realizar;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Times {
  double start = now(), begun = 0, end = 0;  // begun: each sequence has its first token
  uint64_t steps_before = 0, n_before = 0, n_token = 0;
};

Times run(Engine& engine, uint32_t n, uint32_t prompt, uint32_t generate) {
  for (uint32_t i = 0; i < n; i++) {
    Request request = {
        .tokens = std::vector<int32_t>(prompt), .sampling = realizar_default_sampling(), .limit = generate};
    for (uint32_t t = 0; t < prompt; t++) request.tokens[t] = int32_t((i * 131 + t * 7919) % artifact.n_vocab);
    engine.submit(request);
  }
  Times times;
  std::set<uint64_t> begun;
  while (!engine.idle())
    for (const EngineEvent& event : engine.advance()) {
      if (event.end != End::none && event.end != End::limit) {
        fprintf(stderr, "a sequence has ended early\n");
        exit(1);
      }
      times.n_token++;
      if (begun.insert(event.id).second && begun.size() == n)
        times.begun = now(), times.steps_before = engine.statistics().steps, times.n_before = times.n_token;
    }
  times.end = now();
  return times;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return fprintf(stderr, "usage: bench_sequences MODEL PROMPT GENERATE N...\n"), 2;
  const auto model = open_model(argv[1], {.struct_size = sizeof(realizar_model_options)});
  const uint32_t prompt = uint32_t(atoi(argv[2])), generate = uint32_t(atoi(argv[3]));
  for (int i = 4; i < argc; i++) {
    const uint32_t n = uint32_t(atoi(argv[i])), pages = n * uint32_t(kv_pages(prompt + generate) + 1);
    Engine engine(model, {n, artifact.page_bytes ? pages : 0, artifact.window_page_bytes ? pages + 8 * n : 0});
    run(engine, n, prompt, generate);  // the first one warms up
    const Times t = run(engine, n, prompt, generate);
    printf("%u sequences: prompts %.0f tokens/s, decode %.0f tokens/s (%.1f us a step)\n", n,
           n * prompt / (t.begun - t.start), double(t.n_token - t.n_before) / (t.end - t.begun),
           (t.end - t.begun) * 1e6 / double(engine.statistics().steps - t.steps_before));
  }
}
