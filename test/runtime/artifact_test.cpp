// Every field of a plan, damaged.
#include <functional>
#include <vector>

#include "../../runtime/error.h"
#include "check.h"

using namespace realizar;

namespace {

// The tiny model's plan with tables that can be written to.
struct Plan {
  std::vector<Kernel> kernels{artifact.kernels, artifact.kernels + artifact.n_kernels};
  std::vector<Node> nodes{artifact.nodes, artifact.nodes + artifact.n_nodes};
  std::vector<Argument> arguments{artifact.arguments, artifact.arguments + artifact.n_arguments};
  std::vector<Edge> edges{artifact.edges, artifact.edges + artifact.n_edges};
  std::vector<Tensor> tensors{artifact.tensors, artifact.tensors + artifact.n_tensors};
  Artifact all = artifact;

  Plan() {
    all.kernels = kernels.data();
    all.nodes = nodes.data();
    all.arguments = arguments.data();
    all.edges = edges.data();
    all.tensors = tensors.data();
  }
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
  const auto with_parts = [](std::vector<Part> parts) {
    return verdict([&](Plan& p) { p.all.parts = parts.data(), p.all.n_parts = uint32_t(parts.size()); });
  };
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
  REFUSED("parts is null", p.all.n_parts = 2);
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
  REFUSED("sizes: state_bytes", p.all.state_bytes--);
  REFUSED("sizes: state_bytes", p.all.state_bytes = 0);
}

TEST(damaged_tables) {
  REFUSED("tables: there are no nodes", p.all.n_nodes = 0);
  REFUSED("tables: there are no nodes", p.all.nodes = nullptr);
  REFUSED("tables: there are no kernels", p.all.n_kernels = 0);
  REFUSED("tables: there are no kernels", p.all.kernels = nullptr);
  REFUSED("tables: there are no tensors", p.all.n_tensors = 0);
  REFUSED("tables: there are no tensors", p.all.tensors = nullptr);
  REFUSED("tables: arguments", p.all.arguments = nullptr);
  REFUSED("tables: edges", p.all.edges = nullptr);
  REFUSED("node 3 (select): its arguments", p.all.n_arguments--);
  REFUSED("node 3 (select): its edges", p.all.n_edges--);
  REFUSED("tensor 1 (output.weight): its repack kernel", p.all.n_kernels--);
}

TEST(damaged_kernels_and_arguments) {
  REFUSED("kernel 1 (without a name)", p.kernels[1].symbol = "");
  REFUSED("kernel 0 (without a name)", p.kernels[0].symbol = nullptr);
  REFUSED("node 2 (output): its kernel takes another number", p.kernels[2].n_args++);
  REFUSED("node 2 (output): it asks for more shared memory", p.kernels[2].shared_bytes--);
  REFUSED("argument 4 (without a name)", p.arguments[4].name = nullptr);
  REFUSED("argument 4 (x): unknown region", p.arguments[4].region = Region(5));
  REFUSED("argument 4 (x): offset 1024 is outside its region of 1024 bytes", p.arguments[4].offset = 1024);
  REFUSED("argument 5 (cache): offset 16000 is outside", p.arguments[5].offset = 16000);
  REFUSED("argument 7 (weights): offset 3520 is outside", p.arguments[7].offset = 3520);
  REFUSED("argument 13 (logits): offset", p.arguments[13].offset = huge);
  REFUSED("argument 8 (bias): offset 1 is outside", p.arguments[8].offset = 1);
}

TEST(damaged_nodes_and_edges) {
  REFUSED("node 1 (without a name)", p.nodes[1].name = "");
  REFUSED("node 1 (blk.0.mix): its kernel is past", p.nodes[1].kernel = 5);
  REFUSED("node 1 (blk.0.mix): no GPU", p.nodes[1].grid.x = 0);
  REFUSED("node 1 (blk.0.mix): no GPU", p.nodes[1].grid.x = 1u << 31);
  REFUSED("node 1 (blk.0.mix): no GPU", p.nodes[1].grid.y = 65536);
  REFUSED("node 1 (blk.0.mix): no GPU", p.nodes[1].grid.z = 0);
  REFUSED("node 1 (blk.0.mix): no GPU", p.nodes[1].block.x = 0);
  REFUSED("node 1 (blk.0.mix): no GPU", p.nodes[1].block.x = 1025);
  REFUSED("node 1 (blk.0.mix): no GPU", p.nodes[1].block.y = 17);
  REFUSED("node 1 (blk.0.mix): no GPU", p.nodes[1].block.z = 65);
  REFUSED("node 1 (blk.0.mix): it asks for more shared memory", p.nodes[1].shared_bytes = 1);
  REFUSED("node 1 (blk.0.mix): its kernel takes another number", p.nodes[1].n_args = 3);
  REFUSED("node 1 (blk.0.mix): its arguments", p.nodes[1].first_arg = 17);
  REFUSED("node 1 (blk.0.mix): its arguments", p.nodes[1].first_arg = ~0u);
  REFUSED("node 1 (blk.0.mix): its edges", p.nodes[1].first_edge = 4);
  REFUSED("node 1 (blk.0.mix): its edges", p.nodes[1].n_edges = ~0u);
  REFUSED("node 0 (token_embd): edge 0 comes from node 0, which is not before it", p.nodes[0].n_edges = 1);
  REFUSED("node 1 (blk.0.mix): edge 0 comes from node 1", p.edges[0].from = 1);
  REFUSED("node 2 (output): edge 0 comes from node 3", p.edges[1].from = 3);
  REFUSED("node 2 (output): edge 0 comes from node 4294967295", p.edges[1].from = ~0u);
  REFUSED("node 3 (select): edges 0 and 1 are the same", p.edges[2].from = 2);
}

TEST(buckets_must_fit_their_nodes) {
  const auto with = [](std::vector<Bucket> buckets, std::vector<BucketNode> nodes) {
    return verdict([&](Plan& p) {
      p.all.buckets = buckets.data(), p.all.n_buckets = uint32_t(buckets.size());
      p.all.bucket_nodes = nodes.data(), p.all.n_bucket_nodes = uint32_t(nodes.size());
    });
  };
  const BucketNode mix = {1, 1, {2, 1, 1}, {64, 1, 1}, 0};
  const auto changed = [&](auto change) {
    BucketNode node = mix;
    change(node);
    return node;
  };
  CHECK_EQUAL(with({{3, 0, 1}, {7, 1, 1}}, {mix, mix}), "accepted");
  CHECK_HAS(with({{0, 0, 1}}, {mix}), "bucket 0: its positions");
  CHECK_HAS(with({{artifact.n_ctx, 0, 1}}, {mix}), "bucket 0: its positions");
  CHECK_HAS(with({{3, 0, 1}, {3, 0, 1}}, {mix}), "bucket 1: its positions");
  CHECK_HAS(with({{3, 1, 1}}, {mix}), "bucket 0: its launches reach past");
  CHECK_HAS(with({{3, 0, 2}}, {mix, mix}), "bucket 0: its nodes are not ascending");
  CHECK_HAS(with({{3, 0, 1}}, {changed([](BucketNode& n) { n.node = 4; })}), "bucket 0: its nodes");
  CHECK_HAS(with({{3, 0, 1}}, {changed([](BucketNode& n) { n.kernel = 5; })}), "bucket 0: a kernel is past");
  CHECK_HAS(with({{3, 0, 1}}, {changed([](BucketNode& n) { n.kernel = 0; })}),
            "bucket 0: a kernel takes another number");
  CHECK_HAS(with({{3, 0, 1}}, {changed([](BucketNode& n) { n.grid.x = 0; })}), "bucket 0: no GPU");
  CHECK_HAS(with({{3, 0, 1}}, {changed([](BucketNode& n) { n.shared_bytes = 1; })}), "bucket 0: it asks for more");
  REFUSED("tables: buckets is null", p.all.n_buckets = 1);
}

TEST(damaged_tensors) {
  REFUSED("tensor 0 (without a name)", p.tensors[0].name = nullptr);
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
  REFUSED("tensor 1 (output.weight): its repack kernel", p.tensors[1].repack_kernel = 5);
  REFUSED("tensor 1 (output.weight): a slot", p.tensors[1].rows_per_group = 0);
  REFUSED("tensor 1 (output.weight): a slot", p.tensors[1].cols_per_chunk = 0);
  REFUSED("tensor 1 (output.weight): its rows are not of equal size", p.tensors[1].rows = 11);
  REFUSED("tensor 1 (output.weight): its columns are not of equal size", {
    p.tensors[1].by_columns = true;
    p.tensors[1].cols = 7;
  });
  REFUSED("tensor 1 (output.weight): its rows are too short", p.tensors[1].cols = huge);
  REFUSED("tensor 1 (output.weight): its slots lie on top", p.tensors[1].group_stride = 0);
  REFUSED("tensor 1 (output.weight): its slots lie on top", p.tensors[1].chunk_stride = 0);
  REFUSED("tensor 1 (output.weight): its last slot", p.tensors[1].group_stride = 960);
  REFUSED("tensor 1 (output.weight): its last slot", p.tensors[1].group_stride = huge);
  REFUSED("tensor 1 (output.weight): its last slot", p.tensors[1].chunk_stride = huge);
  REFUSED("tensor 1 (output.weight): its last slot", p.tensors[1].device_offset = 3520);
}

TEST(damaged_traffic) {
  REFUSED("nodes: their read_bytes are not token_read_bytes together", p.nodes[2].read_bytes++);
  REFUSED("nodes: their read_bytes are not token_read_bytes together", p.all.token_read_bytes = 0);
  REFUSED("nodes: their kv_row_bytes are not the artifact's together", p.nodes[1].kv_row_bytes++);
  REFUSED("node 0 (token_embd): its kv_positions", p.nodes[0].kv_positions = 1);
  REFUSED("node 1 (blk.0.mix): its kv_positions", p.nodes[1].kv_positions = 0);
  REFUSED("node 1 (blk.0.mix): its kv_positions", p.nodes[1].kv_positions = p.all.n_ctx + 1);
}
