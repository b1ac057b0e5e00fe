// The rules of artifact.h. A library that breaks one was damaged or built from a plan that its compiler never verified.
#include "artifact.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <string>

#include "error.h"
#include "kernels/state.h"
#include "kernels/step.h"

namespace realizar {
namespace {

using std::string;

[[noreturn]] void damaged(const string& entry, const string& problem) {
  throw Error(REALIZAR_DAMAGED_PLAN, "the plan compiled into this library is damaged: " + entry + ": " + problem +
                                         "; compile the model again");
}
void require(bool holds, const string& entry, const char* problem) {
  if (!holds) damaged(entry, problem);
}
bool named(const char* text) { return text && *text; }
bool fits(uint64_t offset, uint64_t bytes, uint64_t total) { return offset <= total && bytes <= total - offset; }
string entry_name(const char* table, size_t index, const char* name) {
  return format("%s %zu (%s)", table, index, named(name) ? name : "without a name");
}

uint64_t region_bytes(const Artifact& a, Region region) {
  switch (region) {
    case Region::arena:
      return a.arena_bytes;
    case Region::kv_cache:
      return a.page_bytes;
    case Region::kv_window:
      return a.window_page_bytes;
    case Region::state:
      return a.state_bytes;
    case Region::slots:
      return a.slot_bytes;
    case Region::weights:
      return a.weights_bytes;
  }
  return 0;
}

void verify_identity(const Artifact& a) {
  const string entry = "header";
  require(named(a.compiler_version), entry, "compiler_version is empty");
  require(a.name, entry, "name is null");
  require(named(a.architecture), entry, "architecture is empty");
  require(a.target && (!strcmp(a.target, "cuda") || !strcmp(a.target, "host")), entry, "target is not cuda or host");
  require(a.gpu_archs, entry, "gpu_archs is null");
  require(strcmp(a.target, "cuda") || *a.gpu_archs, entry, "gpu_archs is empty");
  require(a.header_sha256 && strlen(a.header_sha256) == 64 && strspn(a.header_sha256, "0123456789abcdef") == 64, entry,
          "header_sha256 is not 64 lower-case hex digits");
  require(a.header_bytes > 0 && a.header_bytes <= a.file_bytes, entry, "header_bytes is 0 or more than file_bytes");
  uint64_t bytes = 0;
  for (const Part& part : a.parts) {
    require(part.header_bytes > 0 && part.header_bytes <= part.bytes, entry, "a part's header is empty or too long");
    require(part.bytes <= a.file_bytes - bytes, entry, "the parts are longer than file_bytes");
    bytes += part.bytes;
    require(!part.name == !a.parts[0].name, entry, "some parts have a name and some have none");
    require(!part.name || (*part.name && *part.name != '.' && !strchr(part.name, '/')), entry,
            "a part's name is no file name");
  }
  require(a.parts.empty() || bytes == a.file_bytes, entry, "the parts are shorter than file_bytes");
  require(a.code, entry, "code is null");
  require(strcmp(a.target, "cuda") || a.code_bytes > 0, entry, "code_bytes is 0");
}

void verify_pages(const Artifact& a, const string& entry) {
  const uint64_t n = kv_pages(a.n_ctx), table_bytes = n * sizeof(uint32_t);
  require(a.page_bytes <= a.kv_cache_bytes / n && a.window_page_bytes <= a.kv_cache_bytes / n &&
              a.kv_cache_bytes == n * (a.page_bytes + a.window_page_bytes),
          entry, "the pages of the context are not kv_cache_bytes");
  require((a.window_page_bytes > 0) == (a.window > 0) && a.window < a.n_ctx, entry,
          "window does not go with window_page_bytes");
  require(!a.page_bytes || fits(a.page_table_offset, table_bytes, a.slot_bytes), entry,
          "the page table reaches past the slot");
  require(!a.window_page_bytes || fits(a.window_page_table_offset, table_bytes, a.slot_bytes), entry,
          "the page table of layers with a window reaches past the slot");
}

void verify_sizes(const Artifact& a) {
  const string entry = "sizes";
  require(a.n_vocab > 0 && a.n_vocab <= INT_MAX, entry, "n_vocab is not in 1..2^31-1");
  require(a.n_ctx > 0 && a.n_ctx < INT_MAX, entry, "n_ctx is not in 1..2^31-2");
  require(a.n_embd && a.n_layer && a.n_head && a.n_head_kv && a.head_size, entry, "a model dimension is 0");
  require(a.n_head % a.n_head_kv == 0, entry, "n_head is no multiple of n_head_kv");
  require(a.weights_bytes && a.arena_bytes && a.kv_cache_bytes, entry, "a memory region is empty");
  require(a.logits_offset % sizeof(float) == 0, entry, "logits_offset is no multiple of 4");
  require(fits(a.logits_offset, uint64_t(a.n_vocab) * sizeof(float), a.arena_bytes), entry,
          "the logits reach past the arena");
  require(a.state_bytes >= state_counters * sizeof(uint32_t), entry, "state_bytes has no room for the counters");
  verify_pages(a, entry);
  require(fits(slot_bias_offset, max_logit_bias * sizeof(LogitBias), a.slot_bytes), entry,
          "slot_bytes has no room for the logit biases");
  require(a.slot_bytes % 16 == 0, entry, "slot_bytes is no multiple of 16");
  require(fits(a.history_offset, uint64_t(a.n_ctx) * sizeof(int32_t), a.slot_bytes), entry,
          "the history reaches past the slot");
  require(fits(a.fed_offset, uint64_t(a.n_ctx) * sizeof(int32_t), a.slot_bytes), entry,
          "the fed tokens reach past the slot");
}

void verify_tables(const Artifact& a) {
  const string entry = "tables";
  require(!a.programs.empty(), entry, "there are no programs");
  require(!a.kernels.empty(), entry, "there are no kernels");
  require(!a.tensors.empty(), entry, "there are no tensors");
}

// Limits of the CUDA programming guide, all compute capabilities.
bool launchable(const Kernel& kernel) {
  return kernel.blocks > 0 && kernel.blocks <= INT_MAX && kernel.threads > 0 && kernel.threads <= 1024;
}

void verify_kernels(const Artifact& a) {
  for (size_t i = 0; i < a.kernels.size(); i++) {
    const Kernel& kernel = a.kernels[i];
    const string entry = entry_name("kernel", i, kernel.symbol);
    require(named(kernel.symbol), entry, "the symbol is empty");
    require(kernel_index(a, kernel.symbol) == i, entry, "another one has its symbol");
    require(kernel.fields.empty() || launchable(kernel), entry, "no GPU can launch its blocks");
    for (const char* field : kernel.fields) require(named(field), entry, "a field is without a name");
  }
}

bool has_field(const Kernel& kernel, const char* name) {
  return std::ranges::any_of(kernel.fields, [&](const char* field) { return !strcmp(field, name); });
}

using Tensors = std::unordered_map<std::string_view, const Tensor*>;

void verify_argument(const Artifact& a, const Tensors& tensors, const Argument& argument, const string& entry) {
  if (!argument.tensor.empty()) {
    require(tensors.contains(argument.tensor), entry, "there is no such tensor");
    return;
  }
  require(argument.place.region <= Region::weights, entry, "unknown region");
  const uint64_t bytes = region_bytes(a, argument.place.region);
  if (argument.place.offset >= bytes)
    damaged(entry, format("offset %llu is outside its region of %llu bytes", (unsigned long long)argument.place.offset,
                          (unsigned long long)bytes));
}

void verify_arguments(const Artifact& a, const Tensors& tensors, const Node& node, const Kernel& kernel,
                      const string& entry) {
  for (size_t i = 0; i < node.arguments.size(); i++) {
    const Argument& argument = node.arguments[i];
    require(named(argument.field), entry, "an argument is without a name");
    const string own = entry + ": argument " + argument.field;
    require(has_field(kernel, argument.field), own, "its kernel has no such field");
    for (size_t j = 0; j < i; j++)
      require(strcmp(node.arguments[j].field, argument.field), own, "the node has it twice");
    verify_argument(a, tensors, argument, own);
  }
}

void verify_edges(const Node& node, size_t index, const string& entry) {
  for (size_t i = 0; i < node.after.size(); i++) {
    require(node.after[i].back > 0 && node.after[i].back <= index, entry, "an edge comes from no node before it");
    for (size_t j = 0; j < i; j++)
      require(node.after[i].back != node.after[j].back, entry, "two of its edges are the same");
  }
}

const Kernel& node_kernel(const Artifact& a, const char* symbol, const string& entry) {
  const uint32_t index = named(symbol) ? kernel_index(a, symbol) : uint32_t(a.kernels.size());
  require(index < a.kernels.size(), entry, "its kernel is not in the table");
  require(!a.kernels[index].fields.empty(), entry, "its kernel takes no arguments");
  return a.kernels[index];
}

void verify_node(const Artifact& a, const Tensors& tensors, const Program& program, size_t index) {
  const Node& node = program.nodes[index];
  const string entry = entry_name("node", index, node.name.c_str());
  require(!node.name.empty(), entry, "the name is empty");
  const Kernel& kernel = node_kernel(a, node.kernel, entry);
  require(node.bucket_kernels.empty() || node.bucket_kernels.size() == program.buckets.size(), entry,
          "it has not one kernel for each bucket");
  for (const char* symbol : node.bucket_kernels)
    require(std::ranges::equal(node_kernel(a, symbol, entry).fields, kernel.fields,
                               [](const char* some, const char* other) { return !strcmp(some, other); }),
            entry, "a bucket's kernel has other fields");
  verify_arguments(a, tensors, node, kernel, entry);
  require((node.kv_row_bytes > 0) == (node.kv_positions > 0) && node.kv_positions <= a.n_ctx, entry,
          "its kv_positions do not go with its kv_row_bytes");
  verify_edges(node, index, entry);
}

void verify_program(const Artifact& a, const Tensors& tensors, const Program& program) {
  const string entry = format("program %s", named(program.name) ? program.name : "without a name");
  require(named(program.name), entry, "the name is empty");
  require(program.rows > 0 ? program.outputs > 0 && program.outputs <= program.rows : program.outputs == 0, entry,
          "outputs is 0 or more than rows");
  require(!program.nodes.empty(), entry, "there are no nodes");
  uint32_t before = 0;
  for (const uint32_t positions : program.buckets) {
    require(positions > before && positions < a.n_ctx, entry, "its buckets are not ascending, or reach to n_ctx");
    before = positions;
  }
  uint64_t read_bytes = 0, kv_row_bytes = 0;
  for (size_t i = 0; i < program.nodes.size(); i++) {
    verify_node(a, tensors, program, i);
    read_bytes += program.nodes[i].read_bytes, kv_row_bytes += program.nodes[i].kv_row_bytes;
  }
  if (&program != &token_program(a)) return;
  require(program.rows == 1 && program.outputs == 1, entry, "it has not one row and one output");
  require(read_bytes == a.token_read_bytes, entry, "its nodes' read_bytes are not token_read_bytes together");
  require(kv_row_bytes == a.kv_row_bytes, entry, "its nodes' kv_row_bytes are not the artifact's together");
}

void verify_rows(const Artifact& a) {
  uint32_t rows = 0, outputs = 0;
  for (const Program& program : a.programs) {
    if (!has_rows(program)) continue;
    const string entry = format("program %s", program.name);
    require(program.tile_rows > 0 && program.tile_rows <= program.rows, entry, "tile_rows is 0 or more than rows");
    require(program.buckets.empty(), entry, "it has buckets");
    require(program.logits_offset % sizeof(float) == 0, entry, "logits_offset is no multiple of 4");
    require(fits(program.logits_offset, uint64_t(program.outputs) * a.n_vocab * sizeof(float), a.arena_bytes), entry,
            "the logits reach past the arena");
    rows = std::max(rows, program.rows), outputs = std::max(outputs, program.outputs);
  }
  require(a.max_rows == rows && a.max_outputs == outputs, "sizes", "max_rows or max_outputs is not the programs'");
  require(a.step_offset % sizeof(Row) == 0 && fits(a.step_offset, step_bytes(a), a.state_bytes), "sizes",
          "the step reaches past the state");
}

void verify_layout(const Artifact& a, const Tensor& tensor, const string& entry) {
  require(kernel_index(a, tensor.loader) < a.kernels.size(), entry, "its loader is not in the table");
  require(tensor.tiles.rows > 0 && tensor.tiles.cols > 0, entry, "a tile has no rows or no columns");
  require(tensor.file_bytes % tensor.rows == 0, entry, "its rows are not of equal size");
  require(!tensor.by_columns || tensor.file_bytes % tensor.cols == 0, entry, "its columns are not of equal size");
  // The least that a loader reads of 32 columns is a byte.
  require(tensor.cols / 32 <= tensor.file_bytes / tensor.rows, entry, "its rows are too short for their columns");
  const uint64_t groups = (tensor.rows - 1) / tensor.tiles.rows + 1;
  const uint64_t chunks = (tensor.cols - 1) / tensor.tiles.cols + 1;
  require((groups == 1 || tensor.tiles.group_stride > 0) && (chunks == 1 || tensor.tiles.chunk_stride > 0), entry,
          "its tiles lie on top of each other");
  uint64_t last_group = 0, last_chunk = 0, last_tile = 0;
  require(!__builtin_mul_overflow(groups - 1, tensor.tiles.group_stride, &last_group) &&
              !__builtin_mul_overflow(chunks - 1, tensor.tiles.chunk_stride, &last_chunk) &&
              !__builtin_add_overflow(last_group, last_chunk, &last_tile) &&
              fits(tensor.device_offset, last_tile, a.weights_bytes - 1),
          entry, "its last tile is outside the weights region");
}

void verify_tensor(const Artifact& a, size_t index) {
  const Tensor& tensor = a.tensors[index];
  const string entry = entry_name("tensor", index, tensor.name.c_str());
  require(!tensor.name.empty(), entry, "the name is empty");
  require(tensor.rows > 0 && tensor.cols > 0 && tensor.file_bytes > 0, entry, "it is empty");
  require(tensor.file_offset >= a.header_bytes, entry, "it starts inside the file's header");
  require(fits(tensor.file_offset, tensor.file_bytes, a.file_bytes), entry, "it reaches past the file's end");
  if (!tensor.loader)
    require(fits(tensor.device_offset, tensor.file_bytes, a.weights_bytes), entry,
            "it reaches past the weights region");
  else
    verify_layout(a, tensor, entry);
}

}  // namespace

std::string program_label(const Program& program) {
  return has_rows(program) ? format("%s_%u", program.name, program.rows) : program.name;
}

const Program* find_program(const Artifact& artifact, std::string_view name) {
  const Program* found = nullptr;
  for (const Program& program : artifact.programs) {
    if (program_label(program) == name) return &program;
    if (program.name == name && (!found || found->rows < program.rows)) found = &program;
  }
  return found;
}

const Program* largest_program(const Artifact& artifact) {
  return &*std::ranges::max_element(artifact.programs, {}, &Program::rows);
}

const Program& prompt_program(const Artifact& artifact, uint32_t n) {
  const Program* found = largest_program(artifact);
  for (const Program& program : artifact.programs)
    if (has_rows(program) && program.rows >= n && program.rows < found->rows) found = &program;
  return *found;
}

uint64_t step_bytes(const Artifact& artifact) {
  if (artifact.max_rows == 0) return 0;
  return sizeof(StepHeader) + artifact.max_rows * (sizeof(Row) + sizeof(Tile)) + artifact.max_outputs * sizeof(int32_t);
}

uint32_t kernel_index(const Artifact& a, const char* symbol) {
  const auto found =
      std::ranges::find_if(a.kernels, [&](const Kernel& kernel) { return !strcmp(kernel.symbol, symbol); });
  return uint32_t(found - a.kernels.begin());
}

std::unordered_map<std::string_view, const Tensor*> tensors_by_name(const Artifact& a) {
  std::unordered_map<std::string_view, const Tensor*> tensors;
  for (const Tensor& tensor : a.tensors) tensors.emplace(tensor.name, &tensor);
  return tensors;
}

void verify_artifact(const Artifact& a) {
  verify_identity(a);
  verify_sizes(a);
  verify_tables(a);
  verify_kernels(a);
  for (size_t i = 0; i < a.tensors.size(); i++) verify_tensor(a, i);
  const Tensors tensors = tensors_by_name(a);
  require(tensors.size() == a.tensors.size(), "tables", "two tensors share a name");
  for (const Program& program : a.programs) verify_program(a, tensors, program);
  verify_rows(a);
}

}  // namespace realizar
