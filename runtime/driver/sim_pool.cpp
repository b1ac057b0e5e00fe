#include "sim_pool.h"

#include <algorithm>

namespace realizar::sim {
namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

// Polls for some microseconds, then offers the processor to others, then sleeps.
template <typename Condition>
void wait_for(std::mutex& mutex, std::condition_variable& changed, Condition condition) {
  for (int i = 0; i < 100; i++, relax())
    if (condition()) return;
  for (int i = 0; i < 50; i++, std::this_thread::yield())
    if (condition()) return;
  std::unique_lock lock(mutex);
  changed.wait(lock, condition);
}

}  // namespace

Pool::Pool() : size_(std::max(1u, std::thread::hardware_concurrency())) {}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  posted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Pool::claim(size_t& part, const Job*& job) {
  uint64_t next = next_.load(std::memory_order_acquire);
  do {
    job = job_.load(std::memory_order_acquire);
    part = uint32_t(next);
    if (part >= n_.load(std::memory_order_acquire)) return false;
  } while (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel));
  return true;
}

void Pool::work() {
  size_t part;
  const Job* job;
  while (claim(part, job)) {
    const size_t n = n_;
    (*job)(part);
    if (n_done_.fetch_add(1, std::memory_order_acq_rel) + 1 < n) continue;
    const std::lock_guard lock(mutex_);
    done_.notify_one();
  }
}

void Pool::serve() {
  uint32_t seen = 0;
  for (;;) {
    wait_for(mutex_, posted_, [&] { return stopping_ || job_number() != seen; });
    if (stopping_) return;
    seen = job_number();
    work();
  }
}

void Pool::run(size_t n, const Job& job) {
  while (threads_.size() + 1 < std::min(n, size())) threads_.emplace_back([this] { serve(); });
  {
    const std::lock_guard lock(mutex_);
    const uint64_t number = job_number();
    next_ = number << 32 | UINT32_MAX;  // no part of the old job, whatever n_ is
    n_ = n;
    n_done_ = 0;
    job_ = &job;
    next_ = (number + 1) << 32;
  }
  if (n > 1) posted_.notify_all();
  work();
  wait_for(mutex_, done_, [&] { return n_done_ == n; });
}

}  // namespace realizar::sim
