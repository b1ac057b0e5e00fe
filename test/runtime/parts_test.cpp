// Parts of the runtime on their own: SHA-256, architectures, error texts, loading in small pieces.
#include <cstring>
#include <vector>

#include "../../runtime/driver/host.h"
#include "../../runtime/error.h"
#include "../../runtime/sha256.h"
#include "../../runtime/weights.h"
#include "check.h"
#include "tiny_model.h"

using namespace realizar;

static std::string sha256(const std::string& text) {
  Sha256 hash;
  hash.update(text.data(), text.size());
  return hash.finish();
}

// FIPS 180-4's examples, and NIST's CAVP vector for the empty message.
TEST(sha256_of_published_vectors) {
  CHECK_EQUAL(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK_EQUAL(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK_EQUAL(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK_EQUAL(
      sha256("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrs"
             "tnopqrstu"),
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK_EQUAL(sha256(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(sha256_does_not_depend_on_the_pieces) {
  const std::string text(300, 'x');
  for (size_t piece = 1; piece <= 130; piece++) {
    Sha256 hash;
    for (size_t at = 0; at < text.size(); at += piece) hash.update(text.data() + at, std::min(piece, text.size() - at));
    CHECK_EQUAL(hash.finish(), sha256(text));
  }
}

static std::string architecture_error(const char* archs, int major, int minor) {
  try {
    check_architecture(archs, major, minor, "GPU 7");
  } catch (const Error& error) {
    CHECK_EQUAL(error.status(), int(REALIZAR_WRONG_ARCHITECTURE));
    return error.what();
  }
  return "";
}

TEST(blocks_that_meet_need_a_multiprocessor_each) {
  Artifact plan = {};
  plan.kernels = {{.symbol = "alone", .blocks = 1000}, {.symbol = "meets", .blocks = 16, .blocks_meet = true}};
  check_meetings(plan, 16, "GPU 7");
  try {
    check_meetings(plan, 15, "GPU 7");
    CHECK(false);
  } catch (const Error& error) {
    CHECK_EQUAL(error.status(), int(REALIZAR_WRONG_ARCHITECTURE));
    CHECK_HAS(error.what(), "16 blocks of kernel meets");
    CHECK_HAS(error.what(), "GPU 7 has 15 multiprocessors");
  }
}

TEST(machine_code_runs_where_nvidia_says) {
  for (const char* archs : {"sm_90a", "sm_80,sm_90a", "sm_90", "sm_90a,sm_120"})
    CHECK_EQUAL(architecture_error(archs, 9, 0), "");
  CHECK_EQUAL(architecture_error("sm_80", 8, 0), "");
  CHECK_EQUAL(architecture_error("sm_80", 8, 9), "");
  CHECK_EQUAL(architecture_error("sm_120", 12, 1), "");
  CHECK_EQUAL(architecture_error("sm_80,sm_87", 8, 7), "");
  CHECK_HAS(architecture_error("sm_80,sm_86", 8, 7), "--arch sm_87");  // a Jetson
  CHECK(!architecture_error("sm_87", 8, 9).empty());
  CHECK(!architecture_error("sm_86", 8, 8).empty());
  CHECK_EQUAL(architecture_error("sm_110a", 11, 0), "");
  CHECK(!architecture_error("sm_89", 8, 6).empty());
  CHECK(!architecture_error("sm_90a", 9, 1).empty());
  CHECK(!architecture_error("sm_100a", 10, 3).empty());
  CHECK(!architecture_error("sm_90a", 10, 0).empty());
  CHECK(!architecture_error("sm_80", 9, 0).empty());
  CHECK(!architecture_error("", 9, 0).empty());
  CHECK_EQUAL(
      architecture_error("sm_80,sm_90a", 7, 5),
      "GPU 7 has compute capability 7.5; this library holds machine code for sm_80,sm_90a only: compile the model "
      "again with --arch sm_75");
  CHECK_HAS(architecture_error("sm_80", 9, 0), "--arch sm_90a");
}

TEST(a_long_error_is_cut_not_lost) {
  set_last_error(std::string(10000, 'e').c_str());
  CHECK_EQUAL(strlen(last_error()), size_t(2047));
}

namespace {

// A device with the tiny model's code.
struct Loader {
  OpenDevice device = open_device(0);
  OwnedModule module;
  std::vector<Function> functions = std::vector<Function>(artifact.kernels.size());

  Loader() {
    const Driver& driver = *device.driver;
    Module loaded = nullptr;
    check(driver, driver.module_load_data(&loaded, artifact.code), "cuModuleLoadData", "the test");
    module = OwnedModule(driver, loaded);
    for (uint32_t i = 0; i < artifact.kernels.size(); i++)
      check(driver, driver.module_get_function(&functions[i], loaded, artifact.kernels[i].symbol),
            "cuModuleGetFunction", "");
  }
  DeviceMemory load(const ModelFile& file, uint64_t piece_bytes) const {
    return load_weights(device, artifact, functions, file, {}, piece_bytes);
  }
};

}  // namespace

// Weights as the kernels read them, whatever the size of the pieces.
TEST(weights_arrive_in_pieces_of_any_size) {
  const tiny::File path;
  const Loader loader;

  std::vector<float> expected;
  for (int row = 0; row < tiny::n_vocab; row++)
    for (int col = 0; col < tiny::n_cols; col++) expected.push_back(tiny::embedding(row, col));
  for (int group = 0; group < 3; group++)
    for (const auto& [first, last] : {std::pair{0, 32}, {32, 40}})
      for (int row = group * 4; row < group * 4 + 4; row++)
        for (int col = first; col < last; col++) expected.push_back(row < tiny::n_vocab ? tiny::output(row, col) : 0.f);

  const ModelFile file(path.path(), artifact);
  for (const uint64_t piece : {1, 100, 640, 1000, 1280, 1600, 1 << 20}) {
    const DeviceMemory weights = loader.load(file, piece);
    std::vector<float> loaded(expected.size());
    CHECK_EQUAL(loaded.size() * sizeof(float), size_t(tiny::weights_bytes));
    memcpy(loaded.data(), reinterpret_cast<const void*>(weights.get()), tiny::weights_bytes);  // the host's own memory
    CHECK(loaded == expected);
  }
}

// Of all the pieces that lie past the end, the first one's error is told, whichever thread was faster.
TEST(a_cut_file_is_told_by_its_first_missing_piece) {
  const tiny::File path;
  const Loader loader;
  const ModelFile file(path.path(), artifact);
  path.truncate(1000);
  for (int i = 0; i < 50; i++) {
    try {
      loader.load(file, 16);
      CHECK(false);
    } catch (const Error& error) {
      CHECK_EQUAL(error.status(), int(REALIZAR_IO));
      CHECK_HAS(error.what(), "ends at byte 1000, 8 bytes early");
    }
  }
}
