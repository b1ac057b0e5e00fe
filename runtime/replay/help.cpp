#include "replay.h"

namespace replay {

const char* help_text() {
  return R"(replay: decode with the compiled model beside this program.

  replay --model FILE --tokens 1,2,3 [--logits OUT.f32]   feed token ids from position 0
  replay --model FILE --tokens 1,2,3 --generate N         then let the model go on
  replay --model FILE --bench [--json]                    time greedy decoding
  replay --model FILE --bench --prompt N                  time prompts of N tokens
  replay --model FILE --bench --sequences 1,8,64          time many sequences at once
  replay --model FILE --bench --requests LOAD             time a load that a file describes
  replay --model FILE --profile [--json]                  where the time of a token goes
  replay --model FILE --dump-nodes                        print every kernel of one token

FILE is the GGUF file that the library was compiled from.

  --tokens IDS      comma-separated; prints the greedy token after each of them, on one line
  --logits OUT.f32  instead writes the logits after each: n_tokens x n_vocab little-endian float32
  --generate N      instead prints the tokens that follow, on one line, each as soon as it is there: at most N, to the first
                    of the stop tokens, or until the context is full
  --stop IDS        comma-separated stop tokens
  --temperature T   0: the most probable token (default); above, tokens are drawn from these:
    --top-k K         the K most probable (0: all)
    --top-p P         of them the fewest that together have probability P (1)
    --min-p P         of them those at least P times as probable as the most probable (0)
    --seed S          of the generator: the same seed gives the same tokens (0)
  --repeat-penalty R      divides (negative ones: multiplies) the logits of tokens that were fed lately (1)
  --presence-penalty P    subtracted from them (0)
  --frequency-penalty P   subtracted as often as they were fed (0)
  --repeat-last-n N       lately: the last N tokens (64; -1: all)
  --mode MODE       graph (one CUDA graph launch a token; default), or eager (the same kernels one by one)
  --program NAME    compute the rows of --tokens by this program: token (default), or one of many rows ("prompt_512"), which
                    gives the same bits whatever the chunk; with --profile and --dump-nodes, that program's nodes
  --chunk N         tokens a step of that program (as many as it has rows)
  --dump-nodes      name, kernel, grid, block, shared memory, edges and argument addresses, one line a node
  --bench           tokens/s, bytes read against this device's measured read ceiling, and times to get ready
  --prompt N        with --bench: time prompts of N tokens instead, from position 0; of its products and of what it reads, the
                    share of what the device does at most
  --sequences N,... with --bench: so many sequences at once, in an engine; of each the prompt has --prompt tokens (128), and
                    --generate follow it (128); the columns are llama-batched-bench's, and the time to the first token
  --requests FILE   with --bench: each line is a request: milliseconds of its arrival, tokens of its prompt, tokens to
                    generate, and for a prompt that begins as others do the number of the beginning and its tokens; prints
                    throughput, and percentiles of times to the first token, between tokens and of whole requests
  --trace FILE      with --sequences or --requests: what each step computed, a line of JSON each
  --context N       with these: positions of a sequence at most (those compiled for)
  --kv-memory BYTES with these: for pages of KV cache, also with K, M or G (whole contexts, or what is free)
  --deterministic   with these: the same bits for a sequence that is alone as for one beside others
  --profile         time of each kind of kernel, and how much of it reading its weights and KV cache at the measured read
                    ceiling does not explain: graphs of the first 1, 2, 3 ... nodes are timed, a node is the difference;
                    of the host target the times mean nothing, and what a node reads is what is of use
  --verbose         with --profile: every node too
  --times           times to get ready, up to the first token, on stderr
  --steps N         tokens to time (128, or as many as fit into the context); with --profile launches of each graph (50)
  --depth N         positions filled before the timing starts (0)
  --repeat N        runs, of which the median is printed (5)
  --json            print the measurements as one JSON object
  --device N        which device, counted from 0 (0)
  --poison          fill scratch memory with NaN before every token, so that reading what nobody wrote shows
  --order-seed N    host target: run blocks and independent kernels in another order, which must change nothing (0: as written)
  --help            this text

Exit code: 0, 1 if something failed (stderr says what), 2 for a wrong command line.
)";
}

}  // namespace replay
