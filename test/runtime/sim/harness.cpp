#include "harness.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace realizar::test {
namespace {

std::vector<const Case*>& cases() {
  static std::vector<const Case*> all;
  return all;
}
std::vector<void (*)()>& checks_at_end() {
  static std::vector<void (*)()> all;
  return all;
}

}  // namespace

Case::Case(const char* name, void (*run)()) : name(name), run(run) { cases().push_back(this); }

AtEnd::AtEnd(void (*check)()) { checks_at_end().push_back(check); }

void fail(const char* file, int line, const std::string& text) {
  fprintf(stderr, "%s:%d: %s\n", file, line, text.c_str());
  exit(1);
}

}  // namespace realizar::test

int main(int n, char** arguments) {
  using namespace realizar::test;
  for (const Case* one : cases()) {
    if (n < 2) {
      puts(one->name);
    } else if (!strcmp(one->name, arguments[1])) {
      one->run();
      for (auto check : checks_at_end()) check();
      return 0;
    }
  }
  return n < 2 ? 0 : 2;
}
