// What a generated graph.cpp tells the fixed runtime about one compiled model: constant data, no code.
// Sizes and offsets are bytes. Everything is checked by verify_artifact (artifact.cpp) before the first driver call.
#pragma once
#include <cstddef>
#include <cstdint>

namespace realizar {

using DevicePtrValue = uint64_t;  // an address in device memory

// The four device allocations that arguments point into. weights belong to a model, the others to a session.
enum class Region : uint8_t { none, weights, arena, kv_cache, state };

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};
struct Argument {
  const char* name;
  Region region;  // none: a null pointer
  uint64_t offset;
};
// The node waits for node `from`. programmatic: it may start earlier and waits itself, with griddepcontrol.
struct Edge {
  uint32_t from;
  bool programmatic;
};
// A kernel takes one struct of device pointers by value, `n_args` of them in order.
struct Kernel {
  const char* symbol;
  uint32_t n_args;
  uint32_t shared_bytes;     // the most any node asks for
  bool blocks_meet = false;  // they wait for each other, so the device must run all of a grid at once
};
struct Node {
  const char* name;  // "blk.3.attn_qkv"
  uint32_t kernel;   // index into kernels
  Dim3 grid, block;
  uint32_t shared_bytes;
  uint32_t first_arg, n_args;    // into arguments
  uint32_t first_edge, n_edges;  // into edges
  uint64_t read_bytes;           // its part of token_read_bytes
  uint64_t kv_row_bytes;         // its part of the artifact's
  uint32_t kv_positions;         // of how many it reads that at most, the newest: a window or n_ctx; 0: it reads none
};

// A range of the context's length with kernels of its own: steps that attend to at most n_positions positions run these
// launches in place of their nodes' own. Buckets are ascending; steps beyond the last run the nodes as they are.
struct Bucket {
  uint32_t n_positions;
  uint32_t first, n;  // into bucket_nodes
};
// By ascending node; the kernel takes the node's arguments.
struct BucketNode {
  uint32_t node;
  uint32_t kernel;
  Dim3 grid, block;
  uint32_t shared_bytes;
};

// How a matrix of the GGUF is laid out on the device; see kernels/formats.cuh, and docs/plan.md for a picture.
// Row group g and column chunk c start at device_offset + g * group_stride + c * chunk_stride.
struct Tensor {
  const char* name;
  uint32_t ggml_type;    // as in the file; repack_kernel may make another of it
  uint64_t file_offset;  // from the start of the file
  uint64_t file_bytes;
  uint64_t rows, cols;      // a vector has one row
  uint64_t device_offset;   // in the weights region
  uint32_t repack_kernel;   // index into kernels; no_repack: bytes are copied as they are
  uint32_t rows_per_group;  // rows of one slot
  uint32_t cols_per_chunk;  // columns of one slot; the last chunk of a row may be shorter
  uint64_t group_stride, chunk_stride;
  bool by_columns = false;  // in the file: one column after another, not one row
};
constexpr uint32_t no_repack = ~0u;

// One file of a model that is split over several, or of a folder of safetensors: there config.json is the first, all of
// it header.
struct Part {
  uint64_t bytes, header_bytes;
  const char* name = nullptr;  // in the model's folder; null: a GGUF file, named as llama-gguf-split names parts
};

struct Artifact {
  const char* compiler_version;
  const char* name;
  const char* architecture;
  const char* target;
  const char* gpu_archs;
  uint32_t n_vocab, n_ctx, n_embd, n_layer, n_head, n_head_kv, head_size;

  uint64_t file_bytes, header_bytes;  // of the GGUF: its size, and where its tensor data starts
  const char* header_sha256;          // of the first header_bytes bytes, lower-case hex
  // A split model's files: offsets count from the first one's start through all of them, file_bytes is their sum, and
  // the hash is of all their headers, one after the other. 0 parts: it is one file. Names: all parts have one or none.

  uint64_t weights_bytes, arena_bytes, kv_cache_bytes, state_bytes;
  uint64_t logits_offset;     // in the arena: f32[n_vocab]
  uint64_t token_read_bytes;  // weights that one token reads, for the bandwidth figures
  uint64_t kv_row_bytes;      // KV cache of one position, all layers

  const Kernel* kernels;
  uint32_t n_kernels;
  const Node* nodes;
  uint32_t n_nodes;
  const Argument* arguments;
  uint32_t n_arguments;
  const Edge* edges;
  uint32_t n_edges;
  const Tensor* tensors;
  uint32_t n_tensors;

  const Bucket* buckets = nullptr;
  uint32_t n_buckets = 0;
  const BucketNode* bucket_nodes = nullptr;
  uint32_t n_bucket_nodes = 0;

  const Part* parts = nullptr;
  uint32_t n_parts = 0;

  const void* code;  // cuda: the embedded fatbin; host: a HostKernel table (driver/host.h)
  uint64_t code_bytes;
};

// Defined once, in the generated graph.cpp.
extern const Artifact artifact;

// Throws Error{REALIZAR_DAMAGED_PLAN} that names the first entry which breaks a rule of this file.
void verify_artifact(const Artifact& artifact);

// KV cache that the node reads in a step that attends to seq_len positions.
inline uint64_t kv_read_bytes(const Node& node, uint32_t seq_len) {
  return node.kv_row_bytes * (seq_len < node.kv_positions ? seq_len : node.kv_positions);
}

// Pages of KV cache: each has the keys of so many positions, or their values, [heads][kv_page_positions][row]. Position
// p is in page page_table[p / kv_page_positions] of every cache.
constexpr uint32_t kv_page_positions = 64;
constexpr uint64_t kv_pages(uint64_t n_ctx) { return (n_ctx + kv_page_positions - 1) / kv_page_positions; }

// The state region, in order: State, the attention counters, Sampling, its logit biases, and then, at offsets that the
// plan knows, int32 history[n_ctx] and fed[n_ctx], u32 page_table[kv_pages(n_ctx)], u32 seen[n_vocab] and SampleMeeting
// (kernels/sample.cuh).
struct State {
  int32_t token;     // fed by this step
  int32_t position;  // of that token, from 0: its rope angle and its row in the KV cache
  int32_t seq_len;   // positions that attention sees, position + 1
  uint32_t serial;   // of this step, counted by the runtime from 1: where its token goes in the ring
};
// The runtime writes a State before a step that the host feeds; the last node advances it. After it, written once:
constexpr uint64_t state_ring_offset = sizeof(State);  // u64, the address of the ring

// Chosen tokens on their way to the host: u64 ring[token_ring_size] in host memory that the device writes to. The step
// `serial` leaves serial << 32 | token in entry serial % token_ring_size, in one store.
constexpr uint32_t token_ring_size = 64;
constexpr int32_t no_token = -1;  // in the ring and the history: no logit was a number

constexpr uint64_t state_counters_offset = 64;
constexpr uint32_t state_counters = 1024;  // u32 each; zero between nodes, each reset by its last user

// How tokens are chosen, from realizar_sampling. All zero: the greedy token of the logits as they are.
struct Sampling {
  uint32_t adjusts;           // biases or penalties change the logits
  uint32_t draws;             // temperature > 0
  float inverse_temperature;  // finite
  int32_t top_k;              // 0: all
  float top_p;                // 1: all
  float log_min_p;            // <= 0: tokens whose logit is further below the largest are out; -infinity: none
  int32_t last_n;             // positions that the penalties look at, up to and with this step's
  float repeat_penalty, presence_penalty, frequency_penalty;
  uint32_t n_bias;
  uint32_t reserved;
  uint64_t seed;
};
struct LogitBias {
  int32_t token;
  float bias;
};
static_assert(sizeof(Sampling) == 56 && sizeof(LogitBias) == 8);
constexpr uint64_t state_sampling_offset = state_counters_offset + 4 * state_counters;
constexpr uint64_t state_bias_offset = state_sampling_offset + 64;
constexpr uint32_t max_logit_bias = 1024;  // distinct tokens
constexpr uint64_t state_history_offset = state_bias_offset + sizeof(LogitBias) * max_logit_bias;
constexpr uint64_t state_fed_offset(uint64_t n_ctx) { return state_history_offset + sizeof(int32_t) * n_ctx; }
constexpr uint64_t state_pages_offset(uint64_t n_ctx) { return state_fed_offset(n_ctx) + sizeof(int32_t) * n_ctx; }
constexpr uint64_t state_seen_offset(uint64_t n_ctx) {
  return state_pages_offset(n_ctx) + sizeof(uint32_t) * kv_pages(n_ctx);
}

// What the runtime passes to a repack kernel, by value: turns `n_rows` rows of a tensor of the file, which start at row
// `first_row` (a multiple of rows_per_group), into the device layout. One thread for each 32 columns of each row of
// each touched group: ceil(n_rows / rows_per_group) * rows_per_group * ceil(n_cols / 32) threads in blocks of
// repack_threads. Rows past n_rows in the last group repeat its last row.
struct RepackArgs {
  DevicePtrValue source;  // n_rows rows as in the file, back to back; by columns: n_cols columns of all rows
  DevicePtrValue target;  // where the tensor's row group 0 starts
  uint64_t first_row, n_rows, cols;
  uint64_t rows_per_group, cols_per_chunk, group_stride, chunk_stride;
  uint64_t first_col, n_cols;  // by columns: a multiple of 32, and how many; else 0 and cols
};
constexpr uint32_t repack_threads = 256;

// What the runtime passes to the kernel "realizar_read_ceiling": every thread of the grid reads its share of n 16-byte
// words and writes to sink only if their bits match a pattern that they do not have. Blocks of read_ceiling_threads.
struct ReadCeilingArgs {
  DevicePtrValue data;
  uint64_t n;
  DevicePtrValue sink;  // u32
};
constexpr uint32_t read_ceiling_threads = 512;

}  // namespace realizar
