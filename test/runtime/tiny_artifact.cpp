// The plan of the tiny model, as a generated graph.cpp would hold it.
#include "../../runtime/artifact.h"
#include "tiny_kernels.h"
#include "tiny_model.h"

namespace realizar {
namespace {

constexpr uint64_t x_at = 0, mix_at = 256, logits_at = 512, best_at = 768, adjusted_at = 896, arena_bytes = 1024;
constexpr uint32_t select_shared = select_shared_bytes<tiny::SelectShape>;
constexpr uint64_t row_bytes = tiny::n_cols * sizeof(float), matrix_bytes = tiny::n_vocab * row_bytes;

const Kernel kernels[] = {{"tiny_embed", 3, 0},
                          {"tiny_mix", 4, 0},
                          {"tiny_logits", 5, 60000},
#ifdef TINY_CUDA
                          {"tiny_select", 8, select_shared, true},
#else
                          {"tiny_select", 8, select_shared},
#endif
                          {"tiny_repack_f32", 9, 0}};
const Argument arguments[] = {{"state", Region::state, 0},
                              {"table", Region::weights, 0},
                              {"x", Region::arena, x_at},

                              {"state", Region::state, 0},
                              {"x", Region::arena, x_at},
                              {"cache", Region::kv_cache, 0},
                              {"mix", Region::arena, mix_at},

                              {"weights", Region::weights, tiny::output_device_offset},
                              {"bias", Region::none, 0},
                              {"mix", Region::arena, mix_at},
                              {"logits", Region::arena, logits_at},
                              {"best", Region::arena, best_at},

                              {"best", Region::arena, best_at},
                              {"logits", Region::arena, logits_at},
                              {"adjusted", Region::arena, adjusted_at},
                              {"state", Region::state, 0},
                              {"history", Region::state, state_history_offset},
                              {"fed", Region::state, state_fed_offset(tiny::n_ctx)},
                              {"seen", Region::state, state_seen_offset(tiny::n_ctx)},
                              {"meeting", Region::none, 0}};
const Edge edges[] = {{0, true}, {1, true}, {0, false}, {2, false}};
const Node nodes[] = {{"token_embd", 0, {1, 1, 1}, {64, 1, 1}, 0, 0, 3, 0, 0, row_bytes, 0, 0},
                      {"blk.0.mix", 1, {1, 1, 1}, {64, 1, 1}, 0, 3, 4, 0, 1, 0, row_bytes, tiny::n_ctx},
                      {"output", 2, {1, 1, 1}, {32, 1, 1}, 60000, 7, 5, 1, 1, matrix_bytes, 0, 0},
#ifdef TINY_DAMAGED
                      {"select", 3, {1, 1, 1}, {32, 1, 1}, select_shared, 12, 8, 2, 3, 0, 0, 0}};
#else
                      {"select", 3, {1, 1, 1}, {32, 1, 1}, select_shared, 12, 8, 2, 2, 0, 0, 0}};
#endif
const Tensor tensors[] = {
    {"token_embd.weight", 0, 64, matrix_bytes, tiny::n_vocab, tiny::n_cols, 0, no_repack, 0, 0, 0, 0},
    {"output.weight", 0, 64 + matrix_bytes, matrix_bytes, tiny::n_vocab, tiny::n_cols, tiny::output_device_offset, 4,
     tiny::rows_per_group, tiny::cols_per_chunk, tiny::group_stride, tiny::chunk_stride}};

}  // namespace

const Artifact artifact = {
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
    .kv_cache_bytes = tiny::n_ctx * row_bytes,
    .state_bytes = state_seen_offset(tiny::n_ctx) + tiny::n_vocab * sizeof(uint32_t),
    .logits_offset = logits_at,
    .token_read_bytes = matrix_bytes + row_bytes,
    .kv_row_bytes = row_bytes,
    .kernels = kernels,
    .n_kernels = 5,
    .nodes = nodes,
    .n_nodes = 4,
    .arguments = arguments,
    .n_arguments = 20,
    .edges = edges,
    .n_edges = 4,
    .tensors = tensors,
    .n_tensors = 2,
    .code = tiny::kernels,
    .code_bytes = 1,
};

}  // namespace realizar
