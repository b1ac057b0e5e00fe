// What a generated graph.cpp tells the fixed runtime about one compiled model. It is data; functions of graph.cpp put
// it together when the library is loaded, so that layers that are alike are stated once. Sizes and offsets are bytes.
// Everything is checked by verify_artifact (artifact.cpp) before the first driver call.
#pragma once
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace realizar {

// The device allocations of a session, and a model's weights, where arguments point to tensors by name, and by place to
// what is no tensor. Of pages of KV cache (kv_window: of layers that see the newest positions only) and of slots there
// are as many as were asked for; arguments point into the first.
enum class Region : uint8_t { arena, kv_cache, kv_window, state, slots, weights };

// An address: `arena + 256`.
struct Place {
  Region region;
  uint64_t offset;
};
constexpr Place operator+(Region region, uint64_t offset) { return {region, offset}; }
constexpr Place operator+(Place place, uint64_t offset) { return {place.region, place.offset + offset}; }

// What a field of the kernel's argument struct points to: a place, or a tensor on the device.
struct Argument {
  Argument(const char* to_field, Place at) : field(to_field), place(at) {}
  Argument(const char* to_field, std::string named) : field(to_field), tensor(std::move(named)) {}
  const char* field;
  Place place = {};
  std::string tensor;  // empty: it is the place
};
// The node waits for the one that is so many nodes before it. programmatic: it may start earlier and waits itself, with
// griddepcontrol.
struct Edge {
  uint32_t back = 1;
  bool programmatic = true;
};
// A kernel takes one struct of device pointers by value. Those without fields here bring tensors to the device.
using Fields = std::vector<const char*>;
struct Kernel {
  const char* symbol;
  Fields fields = {};  // of the struct, in order
  uint32_t blocks = 0, threads = 0;
  uint32_t shared_bytes = 0;
  bool blocks_meet = false;  // they wait for each other, so the device must run all of them at once
};
struct Node {
  std::string name = {};                         // "blk.3.attn_qkv"
  const char* kernel = nullptr;                  // its symbol
  std::vector<const char*> bucket_kernels = {};  // in its place, one for each of the program's buckets; or none
  std::vector<Edge> after = {{}};                // of a program's first node: none
  uint64_t read_bytes = 0;                       // its part of token_read_bytes
  uint64_t kv_row_bytes = 0;                     // its part of the artifact's
  uint32_t kv_positions = 0;  // of how many it reads that at most, the newest: a window or n_ctx; 0: it reads none
  // Floating-point operations of products: for each row of a step, and for each of the kv_positions it attends to.
  uint64_t row_flops = 0, position_flops = 0;
  std::vector<Argument> arguments = {};  // all other fields of the struct are null
};

// What steps of a kind run. A bucket is a range of the context's length with kernels of its own: steps that attend to
// at most so many positions run these in place of their nodes' own. Buckets are ascending; steps beyond the last run
// the nodes as they are.
struct Program {
  const char* name;        // of the kind: "token", "batch", "prompt", "load"
  uint32_t rows, outputs;  // tokens of a step, and of these, how many have their logits computed
  // Of programs of many rows: the most of a slot's that attention takes together (kernels/step.h), and where their
  // logits are in the arena, f32[outputs][n_vocab].
  uint32_t tile_rows = 0;
  uint64_t logits_offset = 0;
  std::vector<uint32_t> buckets = {};
  std::vector<Node> nodes = {};
};

// How a matrix of the file is laid out on the device; see kernels/formats.cuh, and docs/plan.md for a picture.
// Row group g and column chunk c start at device_offset + g * group_stride + c * chunk_stride.
struct Tiles {
  uint32_t rows;  // of a tile
  uint32_t cols;  // of a tile; the last one of a row may be shorter
  uint64_t group_stride, chunk_stride;
};
struct Tensor {
  std::string name = {};
  uint64_t file_offset;  // from the start of the file
  uint64_t file_bytes;
  uint64_t rows, cols;           // a vector has one row
  uint64_t device_offset;        // in the weights region
  const char* loader = nullptr;  // the kernel's symbol; null: bytes are copied as they are
  Tiles tiles = {};              // that the loader writes
  bool by_columns = false;       // in the file: one column after another, not one row
};

// Where what belongs to a layer starts.
struct Layer {
  uint32_t index;
  uint64_t weights = 0, kv_cache = 0, kv_window = 0, file = 0;
  // Of its nodes and tensors, and of its neighbours'.
  std::string name(const char* what) const { return "blk." + std::to_string(index) + '.' + what; }
  std::string previous(const char* what) const { return Layer{index - 1}.name(what); }
  std::string next(const char* what) const { return Layer{index + 1}.name(what); }
};
template <class T>
void append(std::vector<T>& to, std::type_identity_t<std::vector<T>> more) {
  to.insert(to.end(), std::move_iterator(more.begin()), std::move_iterator(more.end()));
}

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
  // the hash is of all their headers, one after the other. No parts: it is one file. Names: all parts have one or none.

  uint64_t weights_bytes, arena_bytes, kv_cache_bytes;  // KV cache: of the whole context
  // Of a page of 64 positions: of caches whose layers see all positions, and of those whose layers see the newest
  // `window` only. 0 where there are none.
  uint64_t page_bytes, window_page_bytes;
  uint32_t window;
  uint64_t state_bytes, slot_bytes;  // of what all slots share, and of a slot
  uint64_t history_offset;           // in a slot: int32[n_ctx], the token chosen after each position
  uint64_t fed_offset;               // in a slot: int32[n_ctx], the token fed at each position
  // In a slot: u32[kv_pages(n_ctx)], of each kind of pages that there is.
  uint64_t page_table_offset, window_page_table_offset;
  uint64_t logits_offset;     // of the token program, in the arena: f32[n_vocab]
  uint64_t token_read_bytes;  // weights that one token reads, for the bandwidth figures
  uint64_t kv_row_bytes;      // KV cache of one position, all layers

  // Of programs of many rows, which share one step in the state: StepHeader, Row[max_rows], Tile[max_rows] and
  // int32 output_rows[max_outputs] (kernels/step.h), one after another. All 0 where there is only the token program.
  uint64_t step_offset = 0;
  uint32_t max_rows = 0, max_outputs = 0;

  std::vector<Kernel> kernels;
  std::vector<Program> programs;  // the token program is the first
  std::vector<Tensor> tensors;
  std::vector<Part> parts = {};

  const void* code;  // cuda: the embedded fatbin; host: a HostKernel table (driver/host.h)
  uint64_t code_bytes;
};

// Defined once, in the generated graph.cpp. Not to be used before main, or before the library has been loaded.
extern const Artifact& artifact;

// What decodes one token of one sequence.
inline const Program& token_program(const Artifact& artifact) { return artifact.programs.front(); }

// "token"; of many rows also how many: "prompt_512".
std::string program_label(const Program& program);
// The program of this label, or of the most rows of this name; null where there is none.
const Program* find_program(const Artifact& artifact, std::string_view name);
// Has more than one row, and so a step in the state.
inline bool has_rows(const Program& program) { return program.rows > 1; }
// The program of the most rows, which prompts are fed by.
const Program* largest_program(const Artifact& artifact);
// By which n tokens of a prompt, or the first of them, are fed: the least program that has room for all, or the
// largest. The token program only where there is no other.
const Program& prompt_program(const Artifact& artifact, uint32_t n);
// Of the step in the state.
uint64_t step_bytes(const Artifact& artifact);
// What is run once when the weights are on the device.
constexpr const char* name_of_load_program = "load";

// Of the kernel with this symbol in the table; its size where there is none.
uint32_t kernel_index(const Artifact& artifact, const char* symbol);
std::unordered_map<std::string_view, const Tensor*> tensors_by_name(const Artifact& artifact);

// Throws Error{REALIZAR_DAMAGED_PLAN} that names the first entry which breaks a rule of this file.
void verify_artifact(const Artifact& artifact);

// KV cache that the node reads in a step that attends to seq_len positions.
inline uint64_t kv_read_bytes(const Node& node, uint32_t seq_len) {
  return node.kv_row_bytes * (seq_len < node.kv_positions ? seq_len : node.kv_positions);
}

}  // namespace realizar
