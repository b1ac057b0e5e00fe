// Opening and closing: arguments, files that are not the model, order of closing.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "../../runtime/driver/host.h"
#include "open.h"

using namespace test;

static int open_status(const char* path, realizar_model_options options = default_options()) {
  realizar_model* model = nullptr;
  const int status = realizar_model_open(path, &options, &model);
  CHECK((status == REALIZAR_OK) == (model != nullptr));
  realizar_model_close(model);
  return status;
}

TEST(describes_the_model_before_opening_it) {
  const realizar_info& info = *realizar_get_info();
  CHECK_EQUAL(info.abi_version, uint32_t(REALIZAR_ABI_VERSION));
  CHECK_EQUAL(std::string(info.name), "tiny");
  CHECK_EQUAL(std::string(info.target), "host");
  CHECK_EQUAL(info.n_vocab, 10u);
  CHECK_EQUAL(info.n_node, 4u);
  CHECK_EQUAL(info.file_bytes, uint64_t(3264));
  CHECK_EQUAL(info.token_read_bytes, uint64_t(1760));
  CHECK_EQUAL(info.kv_row_bytes, uint64_t(160));
  CHECK_EQUAL(realizar_kv_read_bytes(3), uint64_t(3 * 160));
  CHECK_EQUAL(std::string(realizar_last_error()), "");
}

TEST(names_every_status) {
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_OK)), "REALIZAR_OK");
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_DRIVER)), "REALIZAR_DRIVER");
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_DAMAGED_PLAN)), "REALIZAR_DAMAGED_PLAN");
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_NOT_A_NUMBER)), "REALIZAR_NOT_A_NUMBER");
  CHECK_EQUAL(std::string(realizar_status_name(-1)), "unknown status");
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_BUSY)), "REALIZAR_BUSY");
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_CLOSED)), "REALIZAR_CLOSED");
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_NO_MASK)), "REALIZAR_NO_MASK");
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_NO_MASK + 1)), "unknown status");
}

TEST(reports_phases_and_the_weights_in_bytes_of_the_file) {
  const tiny::File file;
  static std::string seen;
  static const std::thread::id opener = std::this_thread::get_id();
  realizar_model_options options = default_options();
  options.progress = [](void*, const char* phase, uint64_t done, uint64_t total) {
    CHECK(std::this_thread::get_id() == opener);
    seen += std::string(phase) + " " + std::to_string(done) + "/" + std::to_string(total) + ", ";
  };
  CHECK_EQUAL(open_status(file.path(), options), int(REALIZAR_OK));
  CHECK_EQUAL(seen,
              "driver 0/1, driver 1/1, file 0/1, file 1/1, code 0/1, code 1/1, memory 0/1, memory 1/1, "
              "weights 0/3200, weights 1600/3200, weights 3200/3200, repack 0/1, repack 1/1, ");
}

TEST(refuses_wrong_arguments) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_session(model);
  realizar_model* opened;
  realizar_session* opened_session;
  float logits[tiny::n_vocab];
  CHECK_EQUAL(realizar_model_open(nullptr, nullptr, &opened), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_model_open(file.path(), nullptr, nullptr), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_open(nullptr, &opened_session), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_open(model.get(), nullptr), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_graph_build(nullptr, nullptr), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_step(session.get(), 0, 2), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "2 is no realizar_mode");
  CHECK_EQUAL(realizar_session_step(session.get(), 0, REALIZAR_EAGER), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_session_logits(session.get(), logits, tiny::n_vocab - 1), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "room for 9 logits; the model has 10");
  CHECK_EQUAL(realizar_session_logits(session.get(), nullptr, 100), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_greedy(session.get(), nullptr), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_position(session.get(), nullptr), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_rewind(nullptr, 0), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_session_dump_nodes(session.get(), nullptr), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_measure_read_ceiling(model.get(), nullptr), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_EQUAL(realizar_measure_read_ceiling(nullptr, nullptr), int(REALIZAR_INVALID_ARGUMENT));
  realizar_model_options options = default_options();
  options.struct_size--;
  CHECK_EQUAL(open_status(file.path(), options), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "another realizar.h");
  realizar_model_close(nullptr);
  realizar_session_close(nullptr);
  realizar_free(nullptr);
}

TEST(refuses_devices_that_are_not_there) {
  const tiny::File file;
  realizar_model_options options = default_options();
  for (const int device : {-1, 1, 1000}) {
    options.device = device;
    CHECK_EQUAL(open_status(file.path(), options), int(REALIZAR_NO_DEVICE));
    CHECK_HAS(realizar_last_error(), "device " + std::to_string(device) + " was asked for");
  }
}

TEST(refuses_files_that_cannot_be_read) {
  CHECK_EQUAL(open_status("/nonexistent/tiny.gguf"), int(REALIZAR_IO));
  CHECK_HAS(realizar_last_error(), "cannot open /nonexistent/tiny.gguf: No such file");
  CHECK_EQUAL(open_status("/"), int(REALIZAR_IO));
  CHECK_HAS(realizar_last_error(), "not a regular file");
  CHECK_EQUAL(open_status("/dev/zero"), int(REALIZAR_IO));
  CHECK_HAS(realizar_last_error(), "not a regular file");
  CHECK_EQUAL(realizar::host_live_objects(), size_t(0));
}

TEST(refuses_a_pipe_that_nobody_writes_to) {
  const std::string pipe = "/tmp/realizar-open-test-" + std::to_string(getpid());
  CHECK_EQUAL(mkfifo(pipe.c_str(), 0600), 0);
  CHECK_EQUAL(open_status(pipe.c_str()), int(REALIZAR_IO));
  CHECK_HAS(realizar_last_error(), "not a regular file");
  CHECK_EQUAL(unlink(pipe.c_str()), 0);
}

TEST(refuses_a_file_of_another_size) {
  for (const uint64_t bytes : {0, 3, 56, 1664, 3263, 3265}) {
    const tiny::File file;
    file.truncate(bytes);
    CHECK_EQUAL(open_status(file.path()), int(REALIZAR_MODEL_MISMATCH));
    CHECK_HAS(realizar_last_error(), "it has " + std::to_string(bytes) + " bytes, not 3264");
    CHECK_HAS(realizar_last_error(), "compile this one");
  }
  CHECK_EQUAL(realizar::host_live_objects(), size_t(0));
}

TEST(refuses_a_file_with_another_header) {
  for (const uint64_t at : {0, 55}) {
    const tiny::File file;
    file.overwrite(at, '!');
    CHECK_EQUAL(open_status(file.path()), int(REALIZAR_MODEL_MISMATCH));
    CHECK_HAS(realizar_last_error(), "SHA-256");
    CHECK_HAS(realizar_last_error(), "not 248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  }
  const tiny::File file;
  file.overwrite(56, '!');  // the padding after the header is not part of it
  CHECK_EQUAL(open_status(file.path()), int(REALIZAR_OK));
  CHECK_EQUAL(realizar::host_live_objects(), size_t(0));
}

TEST(survives_a_file_that_is_cut_while_it_is_read) {
  const tiny::File file;
  realizar_model_options options = default_options();
  options.user = const_cast<tiny::File*>(&file);
  options.progress = [](void* user, const char* phase, uint64_t done, uint64_t) {
    if (!strcmp(phase, "weights") && done == 0) static_cast<tiny::File*>(user)->truncate(1700);
  };
  CHECK_EQUAL(open_status(file.path(), options), int(REALIZAR_IO));
  CHECK_HAS(realizar_last_error(), "ends at byte 1700, 1564 bytes early");
  CHECK_EQUAL(realizar::host_live_objects(), size_t(0));
}

TEST(frees_everything_in_any_order_of_closing) {
  const tiny::File file;
  Model model = open_model(file);
  Session first = open_with_graph(model), second = open_with_graph(model);
  first.reset();
  model.reset();
  CHECK(realizar::host_live_objects() > 0);
  check_decoding(second, {1, 2, 3}, REALIZAR_GRAPH);
  second.reset();
  CHECK_EQUAL(realizar::host_live_objects(), size_t(0));
}

TEST(dumps_nodes) {
  const tiny::File file;
  const Model model = open_model(file);
  const Session session = open_session(model);
  char* text = nullptr;
  CHECK_EQUAL(realizar_session_dump_nodes(session.get(), &text), int(REALIZAR_OK));
  CHECK_EQUAL(std::string(text, strcspn(text, "\n"))
                  .find("0 token_embd kernel=tiny_embed grid=1,1,1 block=64,1,1 shared=0 after=[] state=0x"),
              size_t(0));
  CHECK_HAS(text,
            "\n2 output kernel=tiny_logits grid=1,1,1 block=32,1,1 shared=60000 after=[1 programmatic] weights=0x");
  CHECK(!strstr(text, " bias="));
  CHECK_HAS(text, "\n3 select kernel=tiny_select grid=1,1,1 block=32,1,1 shared=50208 after=[0, 2] best=0x");
  realizar_free(text);
}

TEST(says_what_prompts_take) {
  double flops = 1, bytes = 1;
  CHECK_EQUAL(realizar_get_prompt_work(0, &flops, &bytes), int(REALIZAR_OK));
  CHECK(flops == 0 && bytes == 0);
  const uint32_t n_ctx = realizar_get_info()->n_ctx;
  CHECK_EQUAL(realizar_get_prompt_work(2, nullptr, &bytes), int(REALIZAR_OK));
  CHECK_EQUAL(
      bytes, double(2 * realizar_get_info()->token_read_bytes + realizar_kv_read_bytes(1) + realizar_kv_read_bytes(2)));
  CHECK_EQUAL(realizar_get_prompt_work(n_ctx + 1, &flops, &bytes), int(REALIZAR_INVALID_ARGUMENT));
}

TEST(measures_no_f16_ceiling_without_products_of_halves) {
  const tiny::File file;
  const Model model = open_model(file);
  double flops = 0;
  CHECK_EQUAL(realizar_measure_f16_ceiling(model.get(), &flops), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "no program of many rows");
}

TEST(measures_a_read_ceiling) {
  const tiny::File file;
  const Model model = open_model(file);
  const size_t before = realizar::host_live_objects();
  double bytes_per_second = 0;
  CHECK_EQUAL(realizar_measure_read_ceiling(model.get(), &bytes_per_second), int(REALIZAR_OK));
  CHECK(bytes_per_second > 1e6 && bytes_per_second < 1e13);
  CHECK_EQUAL(realizar::host_live_objects(), before);
}
