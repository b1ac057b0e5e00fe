// The plan of the model, as a generated graph.cpp would hold it.
#include "../../../runtime/artifact.h"

#include "../tiny_model.h"
#include "kernels.h"

namespace realizar {
namespace {

using enum Region;
using namespace schedules;

constexpr uint64_t logits_at = 0, adjusted_at = 4096, best_at = 8192, arena_size = 12288;
constexpr uint64_t seen_at = sizeof(uint32_t) * state_counters, step_at = seen_at + 256;
constexpr uint64_t rows_at = step_at + sizeof(StepHeader),
                   output_rows_at = rows_at + schedules::rows * (sizeof(Row) + sizeof(Tile));
constexpr uint64_t page_size = kv_page_positions * sizeof(uint32_t);
constexpr uint32_t select_shared = std::max<uint32_t>(select_shared_bytes<Shape>, SelectRowsShape<Shape>::shared_bytes);
constexpr uint64_t matrix_bytes = uint64_t(tiny::n_vocab) * tiny::n_cols * sizeof(float);
static_assert(4 * outputs * schedules::n_vocab <= adjusted_at);

const Fields cache_fields = {"page_table", "window_table", "pages", "window_pages"};
Fields with_cache(Fields before, const Fields& after = {}) {
  before.insert(before.end(), cache_fields.begin(), cache_fields.end());
  before.insert(before.end(), after.begin(), after.end());
  return before;
}
std::vector<Argument> arguments(std::vector<Argument> own) {
  own.insert(own.end(), {{"page_table", slots + page_table_at},
                         {"window_table", slots + window_table_at},
                         {"pages", kv_cache + 0},
                         {"window_pages", kv_window + 0}});
  return own;
}

std::vector<Node> token_nodes() {
  return {
      {.name = "keep", .kernel = "keep_token", .after = {}, .arguments = arguments({{"state", slots + 0}})},
      {.name = "logits",
       .kernel = "token_logits",
       .read_bytes = 1,
       .kv_row_bytes = 8,
       .kv_positions = n_ctx,
       .arguments = arguments({{"state", slots + 0}, {"logits", arena + logits_at}, {"best", arena + best_at}})},
      {.name = "select",
       .kernel = "select",
       .arguments = {{"best", arena + best_at},
                     {"logits", arena + logits_at},
                     {"adjusted", arena + adjusted_at},
                     {"state", slots + 0},
                     {"history", slots + history_at},
                     {"fed", slots + fed_at},
                     {"seen", state + seen_at}}},
  };
}

std::vector<Node> rows_nodes() {
  return {
      {.name = "keep",
       .kernel = "keep_rows",
       .after = {},
       .arguments = arguments(
           {{"step", state + step_at}, {"rows", state + rows_at}, {"slots", slots + 0}, {"fed", slots + fed_at}})},
      {.name = "logits",
       .kernel = "rows_logits",
       .arguments = arguments({{"step", state + step_at},
                               {"rows", state + rows_at},
                               {"slots", slots + 0},
                               {"output_rows", state + output_rows_at},
                               {"logits", arena + logits_at}})},
      {.name = "select",
       .kernel = "select_rows",
       .arguments = {{"step", state + step_at},
                     {"rows", state + rows_at},
                     {"output_rows", state + output_rows_at},
                     {"slots", slots + 0},
                     {"fed", slots + fed_at},
                     {"logits", arena + logits_at},
                     {"adjusted", arena + adjusted_at},
                     {"best", arena + best_at},
                     {"counters", state + 0}}},
  };
}

Kernel kernel(const char* symbol, Fields fields) {
  return {.symbol = symbol,
          .fields = std::move(fields),
          .blocks = !strcmp(symbol, "select_rows") ? uint32_t(outputs) : 1,
          .threads = Shape::threads,
          .shared_bytes = !strncmp(symbol, "select", 6) ? select_shared : Shape::threads * uint32_t(sizeof(uint32_t))};
}

Program rows_program(const char* name, uint32_t n_row) {
  return {.name = name,
          .rows = n_row,
          .outputs = outputs,
          .tile_rows = 4,
          .logits_offset = logits_at,
          .buckets = {},
          .nodes = rows_nodes()};
}

}  // namespace

const Artifact& artifact = *new Artifact{
    .compiler_version = "0.0.0",
    .name = "schedules",
    .architecture = "none",
    .target = "host",
    .gpu_archs = "",
    .n_vocab = schedules::n_vocab,
    .n_ctx = n_ctx,
    .n_embd = 1,
    .n_layer = 1,
    .n_head = 1,
    .n_head_kv = 1,
    .head_size = 1,
    .file_bytes = 64 + 2 * matrix_bytes,
    .header_bytes = 56,
    .header_sha256 = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",  // tiny_artifact.cpp's
    .weights_bytes = matrix_bytes,
    .arena_bytes = arena_size,
    .kv_cache_bytes = kv_pages(n_ctx) * 2 * page_size,
    .page_bytes = page_size,
    .window_page_bytes = page_size,
    .window = schedules::window,
    .state_bytes = output_rows_at + outputs * sizeof(int32_t),
    .slot_bytes = slot_size,
    .history_offset = history_at,
    .fed_offset = fed_at,
    .page_table_offset = page_table_at,
    .window_page_table_offset = window_table_at,
    .logits_offset = logits_at,
    .token_read_bytes = 1,
    .kv_row_bytes = 8,
    .step_offset = step_at,
    .max_rows = schedules::rows,
    .max_outputs = outputs,
    .kernels = {kernel("keep_token", with_cache({"state"})),
                kernel("token_logits", with_cache({"state"}, {"logits", "best"})),
                kernel("select", {"best", "logits", "adjusted", "state", "history", "fed", "seen", "meeting"}),
                kernel("keep_rows", with_cache({"step", "rows", "slots", "fed"})),
                kernel("rows_logits", with_cache({"step", "rows", "slots", "output_rows"}, {"logits"})),
                kernel("select_rows",
                       {"step", "rows", "output_rows", "slots", "fed", "logits", "adjusted", "best", "counters"})},
    .programs = {{.name = "token", .rows = 1, .outputs = 1, .buckets = {}, .nodes = token_nodes()},
                 rows_program("batch", batch_rows),
                 rows_program("prompt", schedules::rows)},
    .tensors = {{.name = "token_embd.weight",
                 .file_offset = 64,
                 .file_bytes = matrix_bytes,
                 .rows = tiny::n_vocab,
                 .cols = tiny::n_cols,
                 .device_offset = 0}},
    .code = schedules::kernels,
    .code_bytes = 1,
};

}  // namespace realizar
