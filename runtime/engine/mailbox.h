// Hands things from thread to thread in the order in which they were sent. No lock: who sends waits for nobody, and so
// does who takes; only who wants to sleeps, until something comes.
#pragma once
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

namespace realizar {

using TimePoint = std::chrono::steady_clock::time_point;

template <typename T>
class Mailbox {
  struct Letter {
    T value;
    Letter* next = nullptr;
  };

 public:
  // What has been taken, the first sent first.
  class Letters {
   public:
    Letters() = default;
    Letters(Letters&& other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
    Letters& operator=(Letters&& other) noexcept {
      std::swap(first_, other.first_);
      return *this;
    }
    ~Letters() {
      while (!empty()) pop();
    }
    bool empty() const { return !first_; }
    void each(auto&& look) const {
      for (const Letter* letter = first_; letter; letter = letter->next) look(letter->value);
    }
    T pop() {
      Letter* letter = first_;
      first_ = letter->next;
      T value = std::move(letter->value);
      delete letter;
      return value;
    }

   private:
    friend class Mailbox;
    void append(Letter* others) {
      Letter** end = &first_;
      while (*end) end = &(*end)->next;
      *end = others;
    }
    Letter* first_ = nullptr;
  };

  // Memory for what is sent, had beforehand: sending cannot fail then.
  class Envelope {
   public:
    Envelope() = default;
    explicit operator bool() const { return letter_ != nullptr; }

   private:
    friend class Mailbox;
    std::unique_ptr<Letter> letter_;
  };
  static Envelope envelope() {
    Envelope made;
    made.letter_ = std::make_unique<Letter>();
    return made;
  }

  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() {
    while (!take().empty()) {
    }
  }

  void push(T value) { push(std::move(value), envelope()); }
  void push(T value, Envelope envelope) noexcept {
    Letter* letter = envelope.letter_.release();
    letter->value = std::move(value);
    letter->next = newest_.load(std::memory_order_relaxed);
    while (!newest_.compare_exchange_weak(letter->next, letter, std::memory_order_release, std::memory_order_relaxed)) {
    }
    wake();
  }

  // Of threads that take at once, each letter is one's.
  Letters take() noexcept {
    Letters taken;
    taken.first_ = put_back_.exchange(nullptr, std::memory_order_acquire);
    if (!taken.empty()) return taken;
    for (Letter* letter = newest_.exchange(nullptr, std::memory_order_acquire); letter;)
      taken.first_ = std::exchange(letter, std::exchange(letter->next, taken.first_));
    return taken;
  }

  // What was taken and could not be used: the next who takes has it, before all others.
  void put_back(Letters letters) noexcept {
    for (Letter* none = nullptr;; none = nullptr) {
      letters.append(put_back_.exchange(nullptr, std::memory_order_acquire));  // of another thread
      if (put_back_.compare_exchange_strong(none, letters.first_, std::memory_order_release)) break;
    }
    letters.first_ = nullptr;
    wake();
  }

  // Nobody waits from now on.
  void close() {
    closed_.store(true, std::memory_order_release);
    wake();
  }
  bool closed() const { return closed_.load(std::memory_order_acquire); }

  // Until there are letters or it is closed: true; or until then: false. No time: as long as it takes.
  bool wait(std::optional<TimePoint> until = {}) {
    for (;;) {
      const uint32_t seen = changes_.load();
      if (newest_.load(std::memory_order_relaxed) || put_back_.load(std::memory_order_relaxed) || closed()) return true;
      timespec left;
      if (until) {
        const auto rest = *until - TimePoint::clock::now();
        if (rest <= rest.zero()) return false;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(rest);
        left = {time_t(seconds.count()), long(std::chrono::nanoseconds(rest - seconds).count())};
      }
      // Whoever sends counts a change and then looks for sleepers. So either it sees this one, or the change is seen
      // here: the system does not let a thread sleep on a number that is another one by then.
      sleepers_++;
      syscall(SYS_futex, &changes_, FUTEX_WAIT_PRIVATE, seen, until ? &left : nullptr, nullptr, 0);
      sleepers_--;
    }
  }

 private:
  void wake() {
    changes_++;
    if (sleepers_ > 0) syscall(SYS_futex, &changes_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  }

  std::atomic<Letter*> newest_ = nullptr;    // each knows the one before it
  std::atomic<Letter*> put_back_ = nullptr;  // the first, which knows the next
  std::atomic<bool> closed_ = false;
  std::atomic<uint32_t> changes_ = 0, sleepers_ = 0;
  static_assert(sizeof(changes_) == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free);
};

}  // namespace realizar
