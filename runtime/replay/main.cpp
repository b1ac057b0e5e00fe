#include <bit>
#include <cstdio>
#include <utility>

#include "output_file.h"
#include "printable.h"
#include "replay.h"

namespace replay {
namespace {

static_assert(std::endian::native == std::endian::little, "logits are written as they lie in memory");

void write_logits(const Options& options, realizar_session* session) {
  OutputFile file(options.logits);
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

void generate(const Options& options, realizar_session* session) {
  check(realizar_session_set_sampling(session, &options.sampling));
  for (const int32_t token : options.tokens) check(realizar_session_step(session, token, options.mode));
  const auto print = [](void* user, int32_t token) {
    printf("%s%d", std::exchange(*static_cast<const char**>(user), ","), token);
    return fflush(stdout);  // an end if nobody reads on
  };
  const char* separator = "";
  check(realizar_session_generate(session, options.generate, options.stop.data(), uint32_t(options.stop.size()), print,
                                  &separator, options.mode, nullptr));
  putchar('\n');
}

void dump_nodes(realizar_session* session) {
  char* text = nullptr;
  check(realizar_session_dump_nodes(session, &text));
  fputs(printable(text).c_str(), stdout);
  realizar_free(text);
}

void run(const Options& options, double start) {
  SetupTimes times;
  times.start = start;
  const OpenModel model = open_model(options, times);
  const OpenSession session = open_session(options, model.get(), times);
  if (options.bench || options.times) time_first_token(options, session.get(), times);
  if (options.times) fprintf(stderr, "%s\n", describe(times).c_str());
  if (options.dump_nodes) dump_nodes(session.get());
  if (options.profile)
    profile(options, model.get(), session.get());
  else if (options.bench)
    bench(options, model.get(), session.get(), times);
  else if (options.generate)
    generate(options, session.get());
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
  const double start = replay::now_ms();
  try {
    const replay::Options options = replay::parse_options(argc, argv);
    if (options.help)
      fputs(replay::help_text(), stdout);
    else
      replay::run(options, start);
    return 0;
  } catch (const replay::UsageError& error) {
    fprintf(stderr, "replay: %s (replay --help explains)\n", replay::shorten(replay::printable(error.what())).c_str());
    return 2;
  } catch (const std::exception& error) {
    fprintf(stderr, "replay: %s\n", replay::shorten(replay::printable(error.what())).c_str());
    return 1;
  }
}
