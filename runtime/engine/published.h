// Numbers that one thread writes and any may read, all of one time: the writer waits for nobody, who reads while it
// writes reads again.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace realizar {

template <typename T>
class Published {
  static_assert(std::is_trivially_copyable_v<T>);
  using Words = std::array<uint64_t, (sizeof(T) + 7) / 8>;

 public:
  void write(const T& value) {
    Words words = {};
    memcpy(words.data(), &value, sizeof value);
    const uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);  // odd: words of two versions
    for (size_t i = 0; i < words.size(); i++) words_[i].store(words[i], std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }

  T read() const {
    for (;;) {
      const uint64_t version = version_.load(std::memory_order_acquire);
      Words words;
      // A word of a later version brings that version's number with it.
      for (size_t i = 0; i < words.size(); i++) words[i] = words_[i].load(std::memory_order_acquire);
      if (version % 2 || version_.load(std::memory_order_relaxed) != version) continue;
      T value;
      memcpy(&value, words.data(), sizeof value);
      return value;
    }
  }

 private:
  std::atomic<uint64_t> version_ = 0;
  std::array<std::atomic<uint64_t>, std::tuple_size_v<Words>> words_ = {};
};

}  // namespace realizar
