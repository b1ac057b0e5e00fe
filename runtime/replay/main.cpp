#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "replay.h"

namespace replay {
namespace {

static_assert(std::endian::native == std::endian::little, "logits are written as they lie in memory");

// A file that has its name only once it is complete.
class NewFile {
 public:
  explicit NewFile(const std::string& path)
      : path_(path), part_(path + ".part" + std::to_string(getpid())), file_(fopen(part_.c_str(), "wb")) {
    if (!file_) fail("cannot write ");
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (file_) fclose(file_);
    if (!finished_) unlink(part_.c_str());
  }
  void write(const void* data, size_t bytes) {
    if (fwrite(data, 1, bytes, file_) != bytes) fail("cannot write ");
  }
  void finish() {
    if (fclose(std::exchange(file_, nullptr)) != 0) fail("cannot write ");
    if (rename(part_.c_str(), path_.c_str()) != 0) fail("cannot rename the finished file to ");
    finished_ = true;
  }

 private:
  [[noreturn]] void fail(const char* what) const { throw Failure(what + path_ + ": " + strerror(errno)); }

  std::string path_, part_;
  FILE* file_;
  bool finished_ = false;
};

void write_logits(const Options& options, realizar_session* session) {
  NewFile file(options.logits);
  std::vector<float> logits(realizar_get_info()->n_vocab);
  for (const int32_t token : options.tokens) {
    check(realizar_session_step(session, token, options.mode));
    check(realizar_session_logits(session, logits.data(), logits.size()));
    file.write(logits.data(), logits.size() * sizeof(float));
  }
  file.finish();
}

void print_greedy(const Options& options, realizar_session* session) {
  std::string line;
  for (const int32_t token : options.tokens) {
    int32_t greedy;
    check(realizar_session_step(session, token, options.mode));
    check(realizar_session_greedy(session, &greedy));
    line += (line.empty() ? "" : ",") + std::to_string(greedy);
  }
  puts(line.c_str());
}

void dump_nodes(realizar_session* session) {
  char* text = nullptr;
  check(realizar_session_dump_nodes(session, &text));
  fputs(text, stdout);
  realizar_free(text);
}

struct UploadClock {
  double first = 0, last = 0;
  static void tick(void* user, const char*, uint64_t done, uint64_t) {
    auto* clock = static_cast<UploadClock*>(user);
    (done == 0 ? clock->first : clock->last) = now_ms();
  }
};

OpenModel open_model(const Options& options, SetupTimes& times) {
  UploadClock clock;
  realizar_model_options model_options = {};
  model_options.struct_size = sizeof model_options;
  model_options.device = options.device;
  model_options.order_seed = options.order_seed;
  model_options.poison = options.poison;
  model_options.progress = UploadClock::tick;
  model_options.user = &clock;
  realizar_model* model = nullptr;
  const double start = now_ms();
  check(realizar_model_open(options.model.c_str(), &model_options, &model));
  times.open = now_ms() - start;
  times.upload = clock.last - clock.first;
  return OpenModel(model);
}

OpenSession open_session(const Options& options, realizar_model* model, SetupTimes& times) {
  realizar_session* opened = nullptr;
  const double start = now_ms();
  check(realizar_session_open(model, &opened));
  OpenSession session(opened);
  times.session = now_ms() - start;
  if (options.mode == REALIZAR_GRAPH) {
    const double build_start = now_ms();
    check(realizar_graph_build(opened, nullptr));
    times.graph_build = now_ms() - build_start;
  }
  return session;
}

void run(const Options& options) {
  SetupTimes times;
  const OpenModel model = open_model(options, times);
  const OpenSession session = open_session(options, model.get(), times);
  if (options.dump_nodes) dump_nodes(session.get());
  if (options.bench)
    bench(options, model.get(), session.get(), times);
  else if (!options.logits.empty())
    write_logits(options, session.get());
  else if (!options.tokens.empty())
    print_greedy(options, session.get());
  if (fflush(stdout) != 0 || ferror(stdout)) throw Failure("cannot write to standard output");
}

}  // namespace

void check(int status) {
  if (status != REALIZAR_OK) throw Failure(realizar_last_error());
}

}  // namespace replay

int main(int argc, char** argv) {
  try {
    const replay::Options options = replay::parse_options(argc, argv);
    if (options.help)
      fputs(replay::help_text(), stdout);
    else
      replay::run(options);
    return 0;
  } catch (const replay::UsageError& error) {
    fprintf(stderr, "replay: %s (replay --help explains)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fprintf(stderr, "replay: %s\n", error.what());
    return 1;
  }
}
