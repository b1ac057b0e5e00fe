// Every field of a plan, damaged.
#include <functional>
#include <vector>

#include "../../runtime/artifact.h"
#include "../../runtime/error.h"
#include "check.h"

using namespace realizar;

namespace {

// The tiny model's plan, to be written to.
struct Plan {
  Artifact all = artifact;
  std::vector<Kernel>& kernels = all.kernels;
  std::vector<Tensor>& tensors = all.tensors;
  Program& program = all.programs[0];
  std::vector<Node>& nodes = program.nodes;
};

std::string verdict(const std::function<void(Plan&)>& damage) {
  Plan plan;
  damage(plan);
  try {
    verify_artifact(plan.all);
  } catch (const Error& error) {
    CHECK_EQUAL(error.status(), int(REALIZAR_DAMAGED_PLAN));
    CHECK_HAS(error.what(), "the plan compiled into this library is damaged: ");
    CHECK_HAS(error.what(), "compile the model again");
    return error.what();
  }
  return "accepted";
}

#define REFUSED(place, statement) CHECK_HAS(verdict([](Plan& p) { statement; }), place)

constexpr uint64_t huge = ~uint64_t(0);

}  // namespace

TEST(a_sound_plan_is_accepted) {
  CHECK_EQUAL(verdict([](Plan&) {}), "accepted");
}

TEST(parts_must_be_the_file) {
  const auto with_parts = [](std::vector<Part> parts) { return verdict([&](Plan& p) { p.all.parts = parts; }); };
  const uint64_t all = artifact.file_bytes, header = artifact.header_bytes;
  CHECK_EQUAL(with_parts({{all - 100, header}, {100, 50}}), std::string("accepted"));
  CHECK_HAS(with_parts({{all - 100, header}}), "the parts are shorter than file_bytes");
  CHECK_HAS(with_parts({{all, header}, {1, 1}}), "the parts are longer than file_bytes");
  CHECK_HAS(with_parts({{all - 100, header}, {100, 101}}), "a part's header is empty or too long");
  CHECK_HAS(with_parts({{all - 100, 0}, {100, 100}}), "a part's header is empty or too long");
  CHECK_EQUAL(with_parts({{all - 100, header, "config.json"}, {100, 50, "b"}}), std::string("accepted"));
  CHECK_HAS(with_parts({{all - 100, header, "a"}, {100, 50}}), "some parts have a name and some have none");
  for (const char* name : {"", "../a", "a/b", ".a"})
    CHECK_HAS(with_parts({{all - 100, header, "a"}, {100, 50, name}}), "a part's name is no file name");
}

TEST(damaged_header) {
  REFUSED("header: compiler_version", p.all.compiler_version = nullptr);
  REFUSED("header: name", p.all.name = nullptr);
  REFUSED("header: architecture", p.all.architecture = "");
  REFUSED("header: target", p.all.target = nullptr);
  REFUSED("header: target", p.all.target = "cudb");
  REFUSED("header: gpu_archs", p.all.gpu_archs = nullptr);
  REFUSED("header: gpu_archs", (p.all.target = "cuda", p.all.gpu_archs = ""));
  REFUSED("header: header_sha256", p.all.header_sha256 = nullptr);
  REFUSED("header: header_sha256", p.all.header_sha256 = artifact.header_sha256 + 1);
  REFUSED("header: header_sha256",
          p.all.header_sha256 = "248D6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  REFUSED("header: header_bytes", p.all.header_bytes = 0);
  REFUSED("header: header_bytes", p.all.header_bytes = p.all.file_bytes + 1);
  REFUSED("header: header_bytes", p.all.file_bytes = 0);
  REFUSED("header: code", p.all.code = nullptr);
  REFUSED("header: code_bytes", (p.all.target = "cuda", p.all.gpu_archs = "sm_90a", p.all.code_bytes = 0));
}

TEST(damaged_sizes) {
  REFUSED("sizes: n_vocab", p.all.n_vocab = 0);
  REFUSED("sizes: n_vocab", p.all.n_vocab = 1u << 31);
  REFUSED("sizes: n_ctx", p.all.n_ctx = 0);
  REFUSED("sizes: n_ctx", p.all.n_ctx = ~0u);
  REFUSED("sizes: a model dimension", p.all.n_embd = 0);
  REFUSED("sizes: a model dimension", p.all.n_layer = 0);
  REFUSED("sizes: a model dimension", p.all.n_head = 0);
  REFUSED("sizes: a model dimension", p.all.n_head_kv = 0);
  REFUSED("sizes: a model dimension", p.all.head_size = 0);
  REFUSED("sizes: n_head is no multiple", p.all.n_head_kv = 2);
  REFUSED("sizes: a memory region", p.all.weights_bytes = 0);
  REFUSED("sizes: a memory region", p.all.arena_bytes = 0);
  REFUSED("sizes: a memory region", p.all.kv_cache_bytes = 0);
  REFUSED("sizes: logits_offset", p.all.logits_offset++);
  REFUSED("sizes: the logits", p.all.logits_offset = p.all.arena_bytes - 36);
  REFUSED("sizes: the logits", p.all.logits_offset = huge - 3);
  REFUSED("sizes: state_bytes has no room", p.all.state_bytes = 0);
  REFUSED("sizes: the history", p.all.history_offset = p.all.slot_bytes - 4 * (artifact.n_ctx - 1));
  REFUSED("sizes: the history", p.all.history_offset = huge - 3);
  REFUSED("sizes: the fed tokens", p.all.fed_offset = p.all.slot_bytes - 4);
  REFUSED("sizes: the page table", p.all.page_table_offset = p.all.slot_bytes - 4);
  REFUSED("sizes: slot_bytes has no room", (p.all.slot_bytes = 1024, p.all.page_table_offset = 0));
  REFUSED("sizes: slot_bytes is no multiple", p.all.slot_bytes += 4);
  REFUSED("sizes: the pages of the context", p.all.page_bytes = 0);
  REFUSED("sizes: the pages of the context", p.all.window_page_bytes = 64);
  REFUSED("sizes: the pages of the context", p.all.page_bytes = huge / 2 + 1);
  REFUSED("sizes: window does not", p.all.window = 1);
  static const auto all_in_windows = [](Plan& p) {
    std::swap(p.all.page_bytes, p.all.window_page_bytes);
    p.all.window = artifact.n_ctx - 1;
    p.nodes[1].arguments[2].place.region = Region::kv_window;
  };
  CHECK_EQUAL(verdict(all_in_windows), std::string("accepted"));
  REFUSED("sizes: the page table of layers with a window",
          (all_in_windows(p), p.all.window_page_table_offset = p.all.slot_bytes - 4));
  REFUSED("sizes: window does not", (all_in_windows(p), p.all.window = artifact.n_ctx));
}

// Adds a program of many rows, and its step at the end of the state.
Program& add_rows(Artifact& a) {
  Program rows = a.programs[0];
  rows.name = "rows", rows.rows = 8, rows.outputs = 2, rows.tile_rows = 4, rows.buckets = {};
  for (Node& node : rows.nodes) node.bucket_kernels = {};
  a.programs.push_back(rows);
  a.max_rows = 8, a.max_outputs = 2;
  a.step_offset = (a.state_bytes + 15) / 16 * 16;
  a.state_bytes = a.step_offset + step_bytes(a);
  a.arena_bytes += 2 * a.n_vocab * sizeof(float);
  return a.programs.back();
}
#define ROWS_REFUSED(place, statement)                          \
  CHECK_HAS(verdict([](Plan& p) {                               \
              [[maybe_unused]] Program& rows = add_rows(p.all); \
              statement;                                        \
            }),                                                 \
            place)

TEST(damaged_rows) {
  CHECK_EQUAL(verdict([](Plan& p) { add_rows(p.all); }), "accepted");
  ROWS_REFUSED("program rows: outputs", rows.outputs = 9);
  ROWS_REFUSED("program rows: outputs", rows.outputs = 0);
  ROWS_REFUSED("program rows: tile_rows", rows.tile_rows = 0);
  ROWS_REFUSED("program rows: tile_rows", rows.tile_rows = 9);
  ROWS_REFUSED("program rows: logits_offset", rows.logits_offset = 2);
  ROWS_REFUSED("program rows: the logits", rows.logits_offset = p.all.arena_bytes - 4);
  ROWS_REFUSED("sizes: max_rows", p.all.max_rows = 16);
  ROWS_REFUSED("sizes: max_rows", p.all.max_outputs = 1);
  ROWS_REFUSED("sizes: the step", p.all.step_offset += 16);
  ROWS_REFUSED("sizes: the step", p.all.step_offset -= 4);
}

TEST(damaged_tables) {
  REFUSED("tables: there are no programs", p.all.programs = {});
  REFUSED("tables: there are no kernels", p.kernels = {});
  REFUSED("tables: there are no tensors", p.tensors = {});
}

TEST(damaged_kernels) {
  REFUSED("kernel 1 (without a name)", p.kernels[1].symbol = "");
  REFUSED("kernel 0 (without a name)", p.kernels[0].symbol = nullptr);
  REFUSED("kernel 1 (tiny_embed): another one has its symbol", p.kernels[1].symbol = "tiny_embed");
  REFUSED("kernel 1 (tiny_mix): no GPU", p.kernels[1].blocks = 0);
  REFUSED("kernel 1 (tiny_mix): no GPU", p.kernels[1].blocks = 1u << 31);
  REFUSED("kernel 1 (tiny_mix): no GPU", p.kernels[1].threads = 0);
  REFUSED("kernel 1 (tiny_mix): no GPU", p.kernels[1].threads = 1025);
  REFUSED("kernel 1 (tiny_mix): a field is without a name", p.kernels[1].fields[2] = "");
  REFUSED("kernel 1 (tiny_mix): a field is without a name", p.kernels[1].fields[2] = nullptr);
}

TEST(damaged_program) {
  REFUSED("program without a name: the name", p.program.name = "");
  REFUSED("program without a name: the name", p.program.name = nullptr);
  REFUSED("program token: outputs", p.program.rows = 0);
  REFUSED("program token: outputs", p.program.outputs = 0);
  REFUSED("program token: outputs", p.program.outputs = 2);
  REFUSED("program token: there are no nodes", p.nodes = {});
}

TEST(damaged_nodes_and_arguments) {
  REFUSED("node 1 (without a name)", p.nodes[1].name = "");
  REFUSED("node 1 (blk.0.mix): its kernel is not in the table", p.nodes[1].kernel = "tiny_mi");
  REFUSED("node 1 (blk.0.mix): its kernel is not in the table", p.nodes[1].kernel = nullptr);
  REFUSED("node 1 (blk.0.mix): its kernel takes no arguments", p.nodes[1].kernel = "tiny_repack_f32");
  REFUSED("node 1 (blk.0.mix): an argument is without a name", p.nodes[1].arguments[1].field = nullptr);
  REFUSED("node 1 (blk.0.mix): argument y: its kernel has no such field", p.nodes[1].arguments[1].field = "y");
  REFUSED("node 1 (blk.0.mix): argument state: the node has it twice", p.nodes[1].arguments[1].field = "state");
  REFUSED("node 1 (blk.0.mix): argument x: unknown region", p.nodes[1].arguments[1].place.region = Region(6));
  REFUSED("node 1 (blk.0.mix): argument x: offset 1024 is outside its region of 1024 bytes",
          p.nodes[1].arguments[1].place.offset = 1024);
  REFUSED("node 1 (blk.0.mix): argument cache: offset 16000 is", p.nodes[1].arguments[2].place.offset = 16000);
  REFUSED("node 2 (output): argument weights: there is no such tensor", p.nodes[2].arguments[0].tensor = "output");
  REFUSED("tables: two tensors share a name", p.tensors[1].name = "token_embd.weight");
  REFUSED("node 3 (select): argument logits: offset", p.nodes[3].arguments[1].place.offset = huge);
}

TEST(damaged_edges) {
  REFUSED("node 0 (token_embd): an edge comes from no node", p.nodes[0].after = {{}});
  REFUSED("node 1 (blk.0.mix): an edge comes from no node", p.nodes[1].after[0].back = 0);
  REFUSED("node 1 (blk.0.mix): an edge comes from no node", p.nodes[1].after[0].back = 2);
  REFUSED("node 2 (output): an edge comes from no node", p.nodes[2].after[0].back = ~0u);
  REFUSED("node 3 (select): two of its edges are the same", p.nodes[3].after[0].back = 1);
}

TEST(buckets_must_fit_their_nodes) {
  const auto with = [](std::vector<uint32_t> buckets, std::vector<const char*> kernels) {
    return verdict([&](Plan& p) { p.program.buckets = buckets, p.nodes[1].bucket_kernels = kernels; });
  };
  CHECK_EQUAL(with({3, 7}, {"tiny_mix", "tiny_mix"}), "accepted");
  CHECK_EQUAL(with({3, 7}, {}), "accepted");
  for (const std::vector<uint32_t>& buckets : std::vector<std::vector<uint32_t>>{{0}, {artifact.n_ctx}, {3, 3}, {7, 3}})
    CHECK_HAS(with(buckets, {}), "program token: its buckets are not ascending");
  CHECK_HAS(with({3, 7}, {"tiny_mix"}), "node 1 (blk.0.mix): it has not one kernel for each bucket");
  CHECK_HAS(with({}, {"tiny_mix"}), "node 1 (blk.0.mix): it has not one kernel for each bucket");
  CHECK_HAS(with({3}, {"tiny"}), "node 1 (blk.0.mix): its kernel is not in the table");
  CHECK_HAS(with({3}, {nullptr}), "node 1 (blk.0.mix): its kernel is not in the table");
  CHECK_HAS(with({3}, {"tiny_embed"}), "node 1 (blk.0.mix): a bucket's kernel has other fields");
}

TEST(damaged_tensors) {
  REFUSED("tensor 0 (without a name)", p.tensors[0].name = "");
  REFUSED("tensor 0 (token_embd.weight): it is empty", p.tensors[0].rows = 0);
  REFUSED("tensor 0 (token_embd.weight): it is empty", p.tensors[0].cols = 0);
  REFUSED("tensor 0 (token_embd.weight): it is empty", p.tensors[0].file_bytes = 0);
  REFUSED("tensor 0 (token_embd.weight): it starts inside", p.tensors[0].file_offset = 55);
  REFUSED("tensor 1 (output.weight): it reaches past the file's end", p.tensors[1].file_offset++);
  REFUSED("tensor 1 (output.weight): it reaches past the file's end", p.tensors[1].file_offset = huge);
  REFUSED("tensor 1 (output.weight): it reaches past the file's end", p.tensors[1].file_bytes = huge);
  REFUSED("tensor 1 (output.weight): it reaches past the file's end", p.all.file_bytes--);
  REFUSED("tensor 0 (token_embd.weight): it reaches past the weights", p.tensors[0].device_offset = 3520 - 1599);
  REFUSED("tensor 0 (token_embd.weight): it reaches past the weights", p.tensors[0].device_offset = huge);
  REFUSED("tensor 1 (output.weight): its loader is not in the table", p.tensors[1].loader = "none");
  REFUSED("tensor 1 (output.weight): a tile", p.tensors[1].tiles.rows = 0);
  REFUSED("tensor 1 (output.weight): a tile", p.tensors[1].tiles.cols = 0);
  REFUSED("tensor 1 (output.weight): its rows are not of equal size", p.tensors[1].rows = 11);
  REFUSED("tensor 1 (output.weight): its columns are not of equal size", {
    p.tensors[1].by_columns = true;
    p.tensors[1].cols = 7;
  });
  REFUSED("tensor 1 (output.weight): its rows are too short", p.tensors[1].cols = huge);
  REFUSED("tensor 1 (output.weight): its tiles lie on top", p.tensors[1].tiles.group_stride = 0);
  REFUSED("tensor 1 (output.weight): its tiles lie on top", p.tensors[1].tiles.chunk_stride = 0);
  REFUSED("tensor 1 (output.weight): its last tile", p.tensors[1].tiles.group_stride = 960);
  REFUSED("tensor 1 (output.weight): its last tile", p.tensors[1].tiles.group_stride = huge);
  REFUSED("tensor 1 (output.weight): its last tile", p.tensors[1].tiles.chunk_stride = huge);
  REFUSED("tensor 1 (output.weight): its last tile", p.tensors[1].device_offset = 3520);
}

TEST(damaged_traffic) {
  REFUSED("program token: its nodes' read_bytes are not token_read_bytes together", p.nodes[2].read_bytes++);
  REFUSED("program token: its nodes' read_bytes are not token_read_bytes together", p.all.token_read_bytes = 0);
  REFUSED("program token: its nodes' kv_row_bytes are not the artifact's together", p.nodes[1].kv_row_bytes++);
  REFUSED("node 0 (token_embd): its kv_positions", p.nodes[0].kv_positions = 1);
  REFUSED("node 1 (blk.0.mix): its kv_positions", p.nodes[1].kv_positions = 0);
  REFUSED("node 1 (blk.0.mix): its kv_positions", p.nodes[1].kv_positions = p.all.n_ctx + 1);
}
