// Tests as functions that register themselves. CHECK reports and goes on; the process fails if any check has failed.
#pragma once
#include <string>

namespace test {

struct Registered {
  Registered(const char* name, void (*run)());
};
void report(bool holds, const char* file, int line, const std::string& what);

}  // namespace test

#define TEST(name)                                           \
  static void name();                                        \
  static const test::Registered registered_##name(#name, name); \
  static void name()
#define CHECK(condition) test::report(bool(condition), __FILE__, __LINE__, #condition)
// The text is part of the other one.
#define CHECK_HAS(text, part) \
  test::report(std::string(text).find(part) != std::string::npos, __FILE__, __LINE__, \
               "\"" + std::string(text) + "\" has \"" + std::string(part) + "\"")
#define CHECK_EQUAL(a, b)                                                  \
  test::report((a) == (b), __FILE__, __LINE__,                             \
               #a " (" + test::show(a) + ") == " #b " (" + test::show(b) + ")")

namespace test {
inline std::string show(const std::string& text) { return text; }
inline std::string show(const char* text) { return text; }
template <typename T>
std::string show(T value) {
  return std::to_string(value);
}
}  // namespace test
