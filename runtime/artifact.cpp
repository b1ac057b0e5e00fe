// The rules of artifact.h. A library that breaks one was damaged or built from a plan that its compiler never verified.
#include "artifact.h"

#include <climits>
#include <cstring>
#include <string>

#include "error.h"

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
string entry_name(const char* table, uint32_t index, const char* name) {
  return format("%s %u (%s)", table, index, named(name) ? name : "without a name");
}

uint64_t region_bytes(const Artifact& a, Region region) {
  switch (region) {
    case Region::none:
      return 0;
    case Region::weights:
      return a.weights_bytes;
    case Region::arena:
      return a.arena_bytes;
    case Region::kv_cache:
      return a.kv_cache_bytes;
    case Region::state:
      return a.state_bytes;
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
  require(!a.n_parts || a.parts, entry, "parts is null");
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < a.n_parts; i++) {
    const Part& part = a.parts[i];
    require(part.header_bytes > 0 && part.header_bytes <= part.bytes, entry, "a part's header is empty or too long");
    require(part.bytes <= a.file_bytes - bytes, entry, "the parts are longer than file_bytes");
    bytes += part.bytes;
    require(!part.name == !a.parts[0].name, entry, "some parts have a name and some have none");
    require(!part.name || (*part.name && *part.name != '.' && !strchr(part.name, '/')), entry,
            "a part's name is no file name");
  }
  require(!a.n_parts || bytes == a.file_bytes, entry, "the parts are shorter than file_bytes");
  require(a.code, entry, "code is null");
  require(strcmp(a.target, "cuda") || a.code_bytes > 0, entry, "code_bytes is 0");
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
  require(fits(state_seen_offset(a.n_ctx), uint64_t(a.n_vocab) * sizeof(uint32_t), a.state_bytes), entry,
          "state_bytes has no room for n_ctx positions and n_vocab tokens");
}

void verify_tables(const Artifact& a) {
  const string entry = "tables";
  require(a.n_nodes > 0 && a.nodes, entry, "there are no nodes");
  require(a.n_kernels > 0 && a.kernels, entry, "there are no kernels");
  require(a.n_tensors > 0 && a.tensors, entry, "there are no tensors");
  require(a.n_arguments == 0 || a.arguments, entry, "arguments is null");
  require(a.n_edges == 0 || a.edges, entry, "edges is null");
  require(a.n_buckets == 0 || a.buckets, entry, "buckets is null");
  require(a.n_bucket_nodes == 0 || a.bucket_nodes, entry, "bucket_nodes is null");
}

void verify_argument(const Artifact& a, uint32_t index) {
  const Argument& argument = a.arguments[index];
  const string entry = entry_name("argument", index, argument.name);
  require(named(argument.name), entry, "the name is empty");
  require(argument.region <= Region::state, entry, "unknown region");
  const uint64_t bytes = region_bytes(a, argument.region);
  if (argument.region == Region::none ? argument.offset != 0 : argument.offset >= bytes)
    damaged(entry, format("offset %llu is outside its region of %llu bytes", (unsigned long long)argument.offset,
                          (unsigned long long)bytes));
}

void verify_edges(const Artifact& a, uint32_t index, const string& entry) {
  const Node& node = a.nodes[index];
  require(fits(node.first_edge, node.n_edges, a.n_edges), entry, "its edges reach past the table");
  for (uint32_t i = 0; i < node.n_edges; i++) {
    const uint32_t from = a.edges[node.first_edge + i].from;
    if (from >= index) damaged(entry, format("edge %u comes from node %u, which is not before it", i, from));
    for (uint32_t j = 0; j < i; j++)
      if (a.edges[node.first_edge + j].from == from) damaged(entry, format("edges %u and %u are the same", j, i));
  }
}

// Limits of the CUDA programming guide, all compute capabilities.
bool launchable(Dim3 grid, Dim3 block) {
  return grid.x >= 1 && grid.x <= INT_MAX && grid.y >= 1 && grid.y <= 65535 && grid.z >= 1 && grid.z <= 65535 &&
         block.x >= 1 && block.x <= 1024 && block.y >= 1 && block.y <= 1024 && block.z >= 1 && block.z <= 64 &&
         block.x * block.y * block.z <= 1024;
}

void verify_node(const Artifact& a, uint32_t index) {
  const Node& node = a.nodes[index];
  const string entry = entry_name("node", index, node.name);
  require(named(node.name), entry, "the name is empty");
  require(node.kernel < a.n_kernels, entry, "its kernel is past the table");
  require(launchable(node.grid, node.block), entry, "no GPU can launch this grid and block");
  require(node.shared_bytes <= a.kernels[node.kernel].shared_bytes, entry,
          "it asks for more shared memory than its kernel's maximum");
  require(node.n_args == a.kernels[node.kernel].n_args, entry, "its kernel takes another number of arguments");
  require(fits(node.first_arg, node.n_args, a.n_arguments), entry, "its arguments reach past the table");
  require((node.kv_row_bytes > 0) == (node.kv_positions > 0) && node.kv_positions <= a.n_ctx, entry,
          "its kv_positions are more than n_ctx, or do not go with its kv_row_bytes");
  verify_edges(a, index, entry);
}

void verify_bucket(const Artifact& a, uint32_t index) {
  const Bucket& bucket = a.buckets[index];
  const string entry = format("bucket %u", index);
  require(bucket.n_positions > (index ? a.buckets[index - 1].n_positions : 0) && bucket.n_positions < a.n_ctx, entry,
          "its positions are not between those of the bucket before and n_ctx");
  require(fits(bucket.first, bucket.n, a.n_bucket_nodes), entry, "its launches reach past the table");
  for (uint32_t i = bucket.first; i < bucket.first + bucket.n; i++) {
    const BucketNode& own = a.bucket_nodes[i];
    require(own.node < a.n_nodes && (i == bucket.first || own.node > a.bucket_nodes[i - 1].node), entry,
            "its nodes are not ascending, or past the table");
    require(own.kernel < a.n_kernels, entry, "a kernel is past the table");
    require(a.kernels[own.kernel].n_args == a.nodes[own.node].n_args, entry,
            "a kernel takes another number of arguments than its node has");
    require(launchable(own.grid, own.block), entry, "no GPU can launch a grid and block of it");
    require(own.shared_bytes <= a.kernels[own.kernel].shared_bytes, entry,
            "it asks for more shared memory than a kernel's maximum");
  }
}

void verify_traffic(const Artifact& a) {
  uint64_t read_bytes = 0, kv_row_bytes = 0;
  for (uint32_t i = 0; i < a.n_nodes; i++) read_bytes += a.nodes[i].read_bytes, kv_row_bytes += a.nodes[i].kv_row_bytes;
  require(read_bytes == a.token_read_bytes, "nodes", "their read_bytes are not token_read_bytes together");
  require(kv_row_bytes == a.kv_row_bytes, "nodes", "their kv_row_bytes are not the artifact's together");
}

void verify_layout(const Artifact& a, const Tensor& tensor, const string& entry) {
  require(tensor.repack_kernel < a.n_kernels, entry, "its repack kernel is past the table");
  require(tensor.rows_per_group > 0 && tensor.cols_per_chunk > 0, entry, "a slot has no rows or no columns");
  require(tensor.file_bytes % tensor.rows == 0, entry, "its rows are not of equal size");
  require(!tensor.by_columns || tensor.file_bytes % tensor.cols == 0, entry, "its columns are not of equal size");
  // The least that a repack kernel reads of 32 columns is a byte.
  require(tensor.cols / 32 <= tensor.file_bytes / tensor.rows, entry, "its rows are too short for their columns");
  const uint64_t groups = (tensor.rows - 1) / tensor.rows_per_group + 1;
  const uint64_t chunks = (tensor.cols - 1) / tensor.cols_per_chunk + 1;
  require((groups == 1 || tensor.group_stride > 0) && (chunks == 1 || tensor.chunk_stride > 0), entry,
          "its slots lie on top of each other");
  uint64_t last_group = 0, last_chunk = 0, last_slot = 0;
  require(!__builtin_mul_overflow(groups - 1, tensor.group_stride, &last_group) &&
              !__builtin_mul_overflow(chunks - 1, tensor.chunk_stride, &last_chunk) &&
              !__builtin_add_overflow(last_group, last_chunk, &last_slot) &&
              fits(tensor.device_offset, last_slot, a.weights_bytes - 1),
          entry, "its last slot is outside the weights region");
}

void verify_tensor(const Artifact& a, uint32_t index) {
  const Tensor& tensor = a.tensors[index];
  const string entry = entry_name("tensor", index, tensor.name);
  require(named(tensor.name), entry, "the name is empty");
  require(tensor.rows > 0 && tensor.cols > 0 && tensor.file_bytes > 0, entry, "it is empty");
  require(tensor.file_offset >= a.header_bytes, entry, "it starts inside the file's header");
  require(fits(tensor.file_offset, tensor.file_bytes, a.file_bytes), entry, "it reaches past the file's end");
  if (tensor.repack_kernel == no_repack)
    require(fits(tensor.device_offset, tensor.file_bytes, a.weights_bytes), entry,
            "it reaches past the weights region");
  else
    verify_layout(a, tensor, entry);
}

}  // namespace

void verify_artifact(const Artifact& a) {
  verify_identity(a);
  verify_sizes(a);
  verify_tables(a);
  for (uint32_t i = 0; i < a.n_kernels; i++)
    require(named(a.kernels[i].symbol), entry_name("kernel", i, a.kernels[i].symbol), "the symbol is empty");
  for (uint32_t i = 0; i < a.n_arguments; i++) verify_argument(a, i);
  for (uint32_t i = 0; i < a.n_nodes; i++) verify_node(a, i);
  for (uint32_t i = 0; i < a.n_buckets; i++) verify_bucket(a, i);
  verify_traffic(a);
  for (uint32_t i = 0; i < a.n_tensors; i++) verify_tensor(a, i);
}

}  // namespace realizar
