// runtime_test NAME: runs one test. Exit code 1 if a check failed or there is no such test.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "check.h"

namespace test {
namespace {

struct Entry {
  const char* name;
  void (*run)();
};
std::vector<Entry>& entries() {
  static std::vector<Entry> all;
  return all;
}
int failures = 0;
bool in_calls = false;

}  // namespace

Registered::Registered(const char* name, void (*run)()) { entries().push_back({name, run}); }

void report(bool holds, const char* file, int line, const std::string& what) {
  if (holds) return;
  failures++;
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what.c_str());
}

void exit_in_calls() {
  in_calls = true;
  exit(0);
}

}  // namespace test

// LeakSanitizer, another library, asks at the end.
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off() { return test::in_calls; }

int main(int argc, char** argv) {
  for (const test::Entry& entry : test::entries()) {
    if (argc != 2 || strcmp(argv[1], entry.name) != 0) continue;
    entry.run();
    return test::failures > 0;
  }
  fprintf(stderr, "there is no test %s\n", argc == 2 ? argv[1] : "without a name");
  return 1;
}
