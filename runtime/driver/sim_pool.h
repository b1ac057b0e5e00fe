// The OS threads that run blocks.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "sim_fiber.h"

namespace realizar::sim {

// As many OS threads as the machine runs at once. One is the calling thread, so a job never waits for another to wake
// up: whoever is awake takes the next part. The others start when first useful and stay awake for some microseconds
// after a job, because the next node of a graph is that near.
class Pool {
 public:
  using Job = std::function<void(size_t part)>;

  Pool();
  ~Pool();

  size_t size() const { return size_; }
  // Calls job for each part below n, beginning in order, and waits for all. One caller at a time. The job throws
  // nothing; run throws std::system_error where a thread cannot be started.
  void run(size_t n, const Job& job);
  Stacks& stacks() { return stacks_; }

 private:
  bool claim(size_t& part, const Job*& job);
  void work();
  void serve();
  uint32_t job_number() const { return uint32_t(next_.load(std::memory_order_acquire) >> 32); }

  const size_t size_;
  Stacks stacks_;
  std::vector<std::thread> threads_;

  // The high half of next_ numbers the job, the low half is its next part. A thread that wakes up late takes a part of
  // a later job or none: it reads job_ and n_ first, and claims the part only if next_ is still what it was before
  // that.
  std::atomic<uint64_t> next_{0};
  std::atomic<const Job*> job_{nullptr};
  std::atomic<size_t> n_{0}, n_done_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable posted_, done_;
};

}  // namespace realizar::sim
