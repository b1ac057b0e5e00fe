#include <algorithm>
#include <bit>
#include <cstdio>
#include <utility>

#include "output_file.h"
#include "printable.h"
#include "replay.h"

namespace replay {
namespace {

static_assert(std::endian::native == std::endian::little, "logits are written as they lie in memory");

// All rows' logits, [tokens][n_vocab].
std::vector<float> feed_rows(const Options& options, realizar_session* session) {
  std::vector<float> logits(options.tokens.size() * realizar_get_info()->n_vocab);
  check(realizar_session_feed_rows(session, options.program.c_str(), options.tokens.data(),
                                   uint32_t(options.tokens.size()), options.chunk, logits.data(), logits.size(),
                                   options.mode));
  return logits;
}

void write_logits(const Options& options, realizar_session* session) {
  OutputFile file(options.logits);
  if (of_many_rows(options)) {
    const std::vector<float> logits = feed_rows(options, session);
    file.write(logits.data(), logits.size() * sizeof(float));
    return file.finish();
  }
  std::vector<float> logits(realizar_get_info()->n_vocab);
  for (const int32_t token : options.tokens) {
    check(realizar_session_step(session, token, options.mode));
    check(realizar_session_logits(session, logits.data(), logits.size()));
    file.write(logits.data(), logits.size() * sizeof(float));
  }
  file.finish();
}

// The first of the largest logits.
int32_t greedy_of(const float* logits) {
  return int32_t(std::max_element(logits, logits + realizar_get_info()->n_vocab) - logits);
}

void print_greedy(const Options& options, realizar_session* session) {
  std::string line;
  if (of_many_rows(options)) {
    const std::vector<float> logits = feed_rows(options, session);
    for (size_t at = 0; at < logits.size(); at += realizar_get_info()->n_vocab)
      line += (line.empty() ? "" : ",") + std::to_string(greedy_of(&logits[at]));
    puts(line.c_str());
    return;
  }
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

void dump_nodes(const Options& options, realizar_session* session) {
  char* text = nullptr;
  check(realizar_session_dump_program(session, options.program.c_str(), &text));
  fputs(printable(text).c_str(), stdout);
  realizar_free(text);
}

void run(const Options& options, double start) {
  SetupTimes times;
  times.start = start;
  const OpenModel model = open_model(options, times);
  if (!options.requests.empty()) return bench_requests(options, model.get());
  if (!options.sequences.empty()) return bench_sequences(options, model.get());
  const OpenSession session = open_session(options, model.get(), times);
  if (of_many_rows(options)) program_info(options);  // or it says which there are
  if (options.bench || options.times) time_first_token(options, session.get(), times);
  if (options.times) fprintf(stderr, "%s\n", describe(times).c_str());
  if (options.dump_nodes) dump_nodes(options, session.get());
  if (options.profile)
    profile(options, model.get(), session.get());
  else if (options.prompt)
    bench_prompt(options, model.get(), session.get());
  else if (options.bench)
    bench(options, model.get(), session.get(), times);
  else if (options.generate)
    generate(options, session.get());
  else if (!options.logits.empty())
    write_logits(options, session.get());
  else if (!options.tokens.empty())
    print_greedy(options, session.get());
}

}  // namespace

// By its name, or by the first part of it the one of most rows.
const realizar_program_info& program_info(const Options& options) {
  uint32_t n = 0;
  const realizar_program_info* programs = realizar_get_programs(&n);
  const realizar_program_info* found = nullptr;
  std::string names;
  for (uint32_t i = 0; i < n; i++) {
    const std::string name = programs[i].name;
    if (name == options.program) return programs[i];
    if (name.starts_with(options.program + "_") && (!found || found->rows < programs[i].rows)) found = &programs[i];
    names += (names.empty() ? "" : ", ") + name;
  }
  if (found) return *found;
  throw Failure("there is no program \"" + options.program + "\" in this library; it has " + names +
                " (realizar-compile --programs chooses them)");
}

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
    if (fflush(stdout) != 0 || ferror(stdout)) throw replay::Failure("cannot write to standard output");
    return 0;
  } catch (const replay::UsageError& error) {
    fprintf(stderr, "replay: %s (replay --help explains)\n", replay::shorten(replay::printable(error.what())).c_str());
    return 2;
  } catch (const std::exception& error) {
    fprintf(stderr, "replay: %s\n", replay::shorten(replay::printable(error.what())).c_str());
    return 1;
  }
}
