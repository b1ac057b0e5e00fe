// Every driver call that opening, building and stepping make is made to fail in turn.
#include "../../runtime/driver/host.h"
#include "fail_each_call.h"
#include "open.h"

using namespace test;

TEST(every_call_of_opening_a_model_may_fail) {
  const tiny::File file;
  FaultyDriver driver;
  const auto open = [&] {
    realizar_model* model = nullptr;
    const int status = realizar_model_open(file.path(), nullptr, &model);
    CHECK((status == REALIZAR_OK) == (model != nullptr));
    if (driver.failed().empty()) driver.arm(-1);  // closing is not what this is about
    realizar_model_close(model);
    return status;
  };
  const int calls = fail_each_call(driver, open, [](int) { CHECK_EQUAL(realizar::host_live_objects(), size_t(0)); });
  CHECK(calls > 30);
  const Model model = open_model(file);
  check_decoding(open_with_graph(model), {1, 2, 3}, REALIZAR_GRAPH);
}

TEST(every_call_of_opening_a_session_may_fail) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const size_t before = realizar::host_live_objects();
  const auto open = [&] {
    realizar_session* session = nullptr;
    const int status = realizar_session_open(model.get(), &session);
    if (driver.failed().empty()) driver.arm(-1);
    realizar_session_close(session);
    return status;
  };
  CHECK_EQUAL(fail_each_call(driver, open, [&](int) { CHECK_EQUAL(realizar::host_live_objects(), before); }), 23);
}

TEST(every_call_of_building_a_graph_may_fail) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const Session session = open_session(model);
  const size_t before = realizar::host_live_objects();
  int seen = 0;
  const auto build = [&] { return realizar_graph_build(session.get(), nullptr); };
  const int calls = fail_each_call(driver, build, [&](int) {
    const char* const subjects[] = {"",
                                    "tiny",
                                    "node token_embd (0)",
                                    "node blk.0.mix (1)",
                                    "node blk.0.mix (1)",
                                    "node output (2)",
                                    "node output (2)",
                                    "node select (3)",
                                    "node select (3)",
                                    "node select (3)",
                                    "the graph of 4 nodes",
                                    "the graph of 4 nodes"};
    CHECK_HAS(realizar_last_error(), subjects[seen]);
    seen++;
    CHECK_EQUAL(realizar::host_live_objects(), before);
    CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
    CHECK_EQUAL(realizar_session_step(session.get(), 1, REALIZAR_GRAPH), int(REALIZAR_NO_GRAPH));
    check_decoding(session, {3, 1, 4}, REALIZAR_EAGER);
  });
  // Set the context; create; 4 nodes, 4 edges; instantiate; upload.
  CHECK_EQUAL(calls, 12);
  CHECK_EQUAL(realizar_session_rewind(session.get(), 0), int(REALIZAR_OK));
  check_decoding(session, {3, 1, 4}, REALIZAR_GRAPH);
}

TEST(the_error_names_call_node_and_reason) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const Session session = open_session(model);
  driver.arm(5);
  CHECK_EQUAL(realizar_graph_build(session.get(), nullptr), int(REALIZAR_DRIVER));
  CHECK_EQUAL(std::string(realizar_last_error())
                  .find("cuGraphAddKernelNode failed for node output (2): CUDA_ERROR_INVALID_VALUE, invalid argument"),
              size_t(0));
}

TEST(a_failed_rebuild_keeps_the_graph) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  driver.arm(3);
  CHECK_EQUAL(realizar_graph_build(session.get(), nullptr), int(REALIZAR_DRIVER));
  driver.arm(-1);
  check_decoding(session, {3, 1, 4}, REALIZAR_GRAPH);
}

TEST(every_call_of_a_step_may_fail) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  for (const int mode : {REALIZAR_GRAPH, REALIZAR_EAGER}) {
    const Session session = open_with_graph(model);
    const auto step = [&] { return realizar_session_step(session.get(), 5, mode); };
    const int calls = fail_each_call(driver, step, [&](int) { CHECK_EQUAL(position_of(session), 0u); });
    // Set the context, one copy, one launch (or one for each node).
    CHECK_EQUAL(calls, mode == REALIZAR_GRAPH ? 3 : 6);
    CHECK(read_logits(session) == tiny::expected_logits({5}));
  }
}

TEST(a_step_is_one_copy_and_one_launch) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const Session session = open_with_graph(model);
  driver.arm(-1);
  CHECK_EQUAL(realizar_session_step(session.get(), 5, REALIZAR_GRAPH), int(REALIZAR_OK));
  CHECK((driver.calls() == std::vector<std::string>{"ctx_set_current", "memcpy_htod_async", "graph_launch"}));
  driver.arm(-1);
  CHECK_EQUAL(realizar_session_run_greedy(session.get(), 3, nullptr, REALIZAR_GRAPH), int(REALIZAR_OK));
  CHECK(
      (driver.calls() == std::vector<std::string>{"ctx_set_current", "graph_launch", "graph_launch", "graph_launch"}));
}

TEST(code_is_loaded_once_a_model) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  open_with_graph(model);
  open_with_graph(model);
  CHECK_EQUAL(driver.count("module_load_data"), 1);
  CHECK_EQUAL(driver.count("func_set_max_dynamic_shared"), 2);  // of two kernels
}

TEST(too_little_memory_says_how_much_is_needed) {
  const tiny::File file;
  FaultyDriver driver;
  driver.arm(-1);
  Model model = open_model(file);
  const auto& calls = driver.calls();
  int first_alloc = 0;
  while (calls[size_t(first_alloc)] != "mem_alloc") first_alloc++;
  model.reset();
  driver.arm(first_alloc, out_of_memory);
  realizar_model* none = nullptr;
  CHECK_EQUAL(realizar_model_open(file.path(), nullptr, &none), int(REALIZAR_OUT_OF_MEMORY));
  CHECK_HAS(realizar_last_error(), "there is no room for the weights on ");
  CHECK_HAS(realizar_last_error(), ": 3520 bytes are needed, and ");
  CHECK_EQUAL(realizar::host_live_objects(), size_t(0));

  driver.arm(-1);
  model = open_model(file);
  driver.arm(3, out_of_memory);
  realizar_session* no_session = nullptr;
  CHECK_EQUAL(realizar_session_open(model.get(), &no_session), int(REALIZAR_OUT_OF_MEMORY));
  CHECK_HAS(realizar_last_error(),
            "there is no room for the KV cache, 2 pages of 64 positions (realizar-compile --context) on ");
  CHECK_HAS(realizar_last_error(), ": 20480 bytes are needed, and ");
}
