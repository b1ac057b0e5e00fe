// Times of single nodes: all of them, of the right step, and nothing of the session lost.
#include "../../runtime/driver/host.h"
#include "faulty_driver.h"
#include "open.h"

using namespace test;

namespace {

constexpr uint32_t n_nodes = 4;

int profile(const Session& session, std::vector<realizar_node_profile>& nodes, uint32_t n_launch = 3) {
  nodes.resize(n_nodes);
  return realizar_session_profile(session.get(), 2, n_launch, nodes.data(), nodes.size());
}

}  // namespace

TEST(a_profile_has_every_node_with_what_it_reads) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  check_decoding(session, {3, 1, 4}, REALIZAR_GRAPH);
  std::vector<realizar_node_profile> nodes;
  CHECK_EQUAL(profile(session, nodes), int(REALIZAR_OK));
  const char* const names[] = {"token_embd", "blk.0.mix", "output", "select"};
  const char* const kernels[] = {"tiny_embed", "tiny_mix", "tiny_logits", "tiny_select"};
  const uint64_t read_bytes[] = {160, 0, 1600, 0}, kv_bytes[] = {0, 4 * 160, 0, 0};
  double total = 0;
  for (uint32_t i = 0; i < n_nodes; i++) {
    CHECK_EQUAL(std::string(nodes[i].name), names[i]);
    CHECK_EQUAL(std::string(nodes[i].kernel), kernels[i]);
    CHECK_EQUAL(nodes[i].read_bytes, read_bytes[i]);
    CHECK_EQUAL(nodes[i].kv_bytes, kv_bytes[i]);
    total += nodes[i].seconds;
  }
  CHECK(total > 0);
}

TEST(a_session_goes_on_after_a_profile) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  check_decoding(session, {3, 1, 4}, REALIZAR_GRAPH);
  std::vector<realizar_node_profile> nodes;
  CHECK_EQUAL(profile(session, nodes), int(REALIZAR_OK));
  CHECK_EQUAL(position_of(session), 3u);
  float logits[tiny::n_vocab];
  CHECK_EQUAL(realizar_session_logits(session.get(), logits, tiny::n_vocab), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_step(session.get(), 1, REALIZAR_GRAPH), int(REALIZAR_OK));
  CHECK(read_logits(session) == tiny::expected_logits({3, 1, 4, 1}));
}

TEST(each_prefix_of_the_graph_is_launched_as_often) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  std::vector<realizar_node_profile> nodes;
  driver.arm(-1);
  CHECK_EQUAL(profile(session, nodes, 5), int(REALIZAR_OK));
  CHECK_EQUAL(driver.count("graph_launch"), int(n_nodes) * (5 + 1));
  CHECK_EQUAL(driver.count("graph_add_kernel_node"), 1 + 2 + 3 + 4);
  CHECK_EQUAL(driver.count("graph_add_dependency"), 0 + 1 + 2 + 4);
  CHECK_EQUAL(driver.count("event_elapsed_time"), int(n_nodes + 1) * 5);
}

TEST(a_profile_that_fails_leaves_nothing_behind) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  const size_t before = realizar::host_live_objects();
  std::vector<realizar_node_profile> nodes;
  driver.arm(-1);
  CHECK_EQUAL(profile(session, nodes, 1), int(REALIZAR_OK));
  const int calls = int(driver.calls().size());
  const std::vector<std::string> made = driver.calls();
  for (int n = 0; n < calls; n++) {
    driver.arm(n);
    const int status = profile(session, nodes, 1);
    const std::string failed = driver.failed();
    driver.arm(-1);
    const bool frees = failed.ends_with("_destroy") || failed == "mem_free";
    CHECK_EQUAL(failed + " " + realizar_status_name(status), failed + (frees ? " REALIZAR_OK" : " REALIZAR_DRIVER"));
    CHECK_EQUAL(realizar::host_live_objects(), before);
  }
  check_decoding(session, {3, 1, 4}, REALIZAR_GRAPH);
}

TEST(a_profile_refuses_what_it_cannot_do) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_session(model);
  std::vector<realizar_node_profile> nodes(n_nodes);
  const auto refused = [&](int32_t token, uint32_t n_launch, size_t n) {
    return realizar_session_profile(session.get(), token, n_launch, nodes.data(), n);
  };
  CHECK_EQUAL(refused(tiny::n_vocab, 1, n_nodes), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(refused(1, 0, n_nodes), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(refused(1, 1, n_nodes - 1), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "there is room for 3 nodes; a token has 4");
  CHECK_EQUAL(realizar_session_profile(session.get(), 1, 1, nullptr, n_nodes), int(REALIZAR_INVALID_ARGUMENT));
}
