// An input of a fuzzer, read from its front; zeros once it is used up.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  template <typename T>
  T take() {
    T value{};
    const size_t n = std::min(sizeof value, left_);
    if (n > 0) memcpy(&value, data_, n);
    data_ += n, left_ -= n;
    return value;
  }
  uint32_t below(uint32_t limit) { return take<uint8_t>() % limit; }
  // Mostly small, at times anything.
  int32_t number(int32_t usual) { return below(8) ? int32_t(below(uint32_t(usual))) : take<int32_t>(); }
  bool empty() const { return left_ == 0; }

 private:
  const uint8_t* data_;
  size_t left_;
};

#define REQUIRE(condition)                                                    \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                \
    }                                                                         \
  } while (0)
