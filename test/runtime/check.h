// Tests as functions that register themselves. CHECK reports and goes on; the process fails if any check has failed.
#pragma once
#include <string>

namespace test {

struct Registered {
  Registered(const char* name, void (*run)());
};
// Ends the process while other threads are in calls. What these hold is no leak, but LeakSanitizer does not see all of
// it: a thread that is on a fiber's stack has its own one unscanned.
[[noreturn]] void exit_in_calls();
void report(bool holds, const char* file, int line, const std::string& what);

inline std::string show(const std::string& text) { return '"' + text + '"'; }
inline std::string show(const char* text) { return show(std::string(text)); }
template <typename T>
std::string show(T value) {
  return std::to_string(value);
}
template <typename A, typename B>
void report_equal(const A& a, const B& b, const char* file, int line, const std::string& what) {
  if (!(a == b)) report(false, file, line, what + ": " + show(a) + " and " + show(b));
}
inline void report_has(const std::string& text, const std::string& part, const char* file, int line) {
  if (text.find(part) == text.npos) report(false, file, line, show(text) + " has " + show(part));
}

}  // namespace test

#define TEST(name)                                              \
  static void name();                                           \
  static const test::Registered registered_##name(#name, name); \
  static void name()
#define CHECK(condition) test::report(bool(condition), __FILE__, __LINE__, #condition)
#define CHECK_EQUAL(a, b) test::report_equal(a, b, __FILE__, __LINE__, #a " == " #b)
// The second text is a part of the first.
#define CHECK_HAS(text, part) test::report_has(text, part, __FILE__, __LINE__)
