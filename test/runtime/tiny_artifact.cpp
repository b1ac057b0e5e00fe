// The plan of the tiny model, as a generated graph.cpp would hold it.
#include "../../runtime/artifact.h"
#include "tiny_kernels.h"
#include "tiny_model.h"

namespace realizar {
namespace {

using enum Region;

constexpr uint64_t x_at = 0, mix_at = 256, logits_at = 512, best_at = 768, adjusted_at = 896, arena_bytes = 1024;
constexpr uint64_t history_at = slot_bias_offset + sizeof(LogitBias) * max_logit_bias;
constexpr uint64_t fed_at = history_at + sizeof(int32_t) * tiny::n_ctx,
                   page_table_at = fed_at + sizeof(int32_t) * tiny::n_ctx;
constexpr uint64_t slot_bytes = (page_table_at + sizeof(uint32_t) * kv_pages(tiny::n_ctx) + 15) / 16 * 16;
constexpr uint64_t seen_at = sizeof(uint32_t) * state_counters;
constexpr uint32_t select_shared = select_shared_bytes<tiny::SelectShape>;
constexpr uint64_t page_bytes = kv_page_positions * tiny::n_cols * sizeof(float);
constexpr uint64_t row_bytes = tiny::n_cols * sizeof(float), matrix_bytes = tiny::n_vocab * row_bytes;

const std::vector<Kernel> kernels = {
    {.symbol = "tiny_embed", .fields = {"state", "table", "x"}, .blocks = 1, .threads = 64},
    {.symbol = "tiny_mix", .fields = {"state", "x", "cache", "mix", "pages"}, .blocks = 1, .threads = 64},
    {.symbol = "tiny_logits",
     .fields = {"weights", "bias", "mix", "logits", "best"},
     .blocks = 1,
     .threads = 32,
     .shared_bytes = 60000},
    {.symbol = "tiny_select",
     .fields = {"best", "logits", "adjusted", "state", "history", "fed", "seen", "meeting"},
     .blocks = 1,
     .threads = 32,
     .shared_bytes = select_shared,
#ifdef TINY_CUDA
     .blocks_meet = true
#endif
    },
    {.symbol = "tiny_repack_f32"},
};
const std::vector<Node> nodes = {
    {.name = "token_embd",
     .kernel = "tiny_embed",
     .after = {},
     .read_bytes = row_bytes,
     .arguments = {{"state", slots + 0}, {"table", "token_embd.weight"}, {"x", arena + x_at}}},
    {.name = "blk.0.mix",
     .kernel = "tiny_mix",
     .kv_row_bytes = row_bytes,
     .kv_positions = tiny::n_ctx,
     .arguments = {{"state", slots + 0},
                   {"x", arena + x_at},
                   {"cache", kv_cache + 0},
                   {"mix", arena + mix_at},
                   {"pages", slots + page_table_at}}},
    {.name = "output",
     .kernel = "tiny_logits",
     .read_bytes = matrix_bytes,
     .arguments = {{"weights", "output.weight"},
                   {"mix", arena + mix_at},
                   {"logits", arena + logits_at},
                   {"best", arena + best_at}}},
    {.name = "select",
     .kernel = "tiny_select",
#ifdef TINY_DAMAGED
     .after = {{.back = 3, .programmatic = false}, {.back = 4}},
#else
     .after = {{.back = 3, .programmatic = false}, {.back = 1, .programmatic = false}},
#endif
     .arguments = {{"best", arena + best_at},
                   {"logits", arena + logits_at},
                   {"adjusted", arena + adjusted_at},
                   {"state", slots + 0},
                   {"history", slots + history_at},
                   {"fed", slots + fed_at},
                   {"seen", state + seen_at}}},
};
const std::vector<Tensor> tensors = {
    {.name = "token_embd.weight",
     .file_offset = 64,
     .file_bytes = matrix_bytes,
     .rows = tiny::n_vocab,
     .cols = tiny::n_cols,
     .device_offset = 0},
    {.name = "output.weight",
     .file_offset = 64 + matrix_bytes,
     .file_bytes = matrix_bytes,
     .rows = tiny::n_vocab,
     .cols = tiny::n_cols,
     .device_offset = tiny::output_device_offset,
     .loader = "tiny_repack_f32",
     .tiles = {tiny::rows_per_group, tiny::cols_per_chunk, tiny::group_stride, tiny::chunk_stride}},
};

}  // namespace

const Artifact& artifact = *new Artifact{
    .compiler_version = "0.0.0",
    .name = "tiny",
    .architecture = "tiny",
#ifdef TINY_CUDA
    .target = "cuda",
    .gpu_archs = "sm_90a",
#else
    .target = "host",
    .gpu_archs = "",
#endif
    .n_vocab = tiny::n_vocab,
    .n_ctx = tiny::n_ctx,
    .n_embd = tiny::n_cols,
    .n_layer = 1,
    .n_head = 1,
    .n_head_kv = 1,
    .head_size = tiny::n_cols,
    .file_bytes = 64 + 2 * matrix_bytes,
    .header_bytes = 56,
    // Of "abcdbcde...nopq", a test vector of FIPS 180-4.
    .header_sha256 = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    .weights_bytes = tiny::weights_bytes,
    .arena_bytes = arena_bytes,
    .kv_cache_bytes = kv_pages(tiny::n_ctx) * page_bytes,
    .page_bytes = page_bytes,
    .window_page_bytes = 0,
    .window = 0,
    .state_bytes = seen_at + tiny::n_vocab * sizeof(uint32_t),
    .slot_bytes = slot_bytes,
    .history_offset = history_at,
    .fed_offset = fed_at,
    .page_table_offset = page_table_at,
    .window_page_table_offset = 0,
    .logits_offset = logits_at,
    .token_read_bytes = matrix_bytes + row_bytes,
    .kv_row_bytes = row_bytes,
    .kernels = kernels,
    .programs = {{.name = "token", .rows = 1, .outputs = 1, .buckets = {}, .nodes = nodes}},
    .tensors = tensors,
    .code = tiny::kernels,
    .code_bytes = 1,
};

}  // namespace realizar
