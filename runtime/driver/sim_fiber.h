// Stacks for simulated threads, and the switches between them.
#pragma once
#include <mutex>
#include <vector>

#include "sim.h"

namespace realizar::sim {

// All stacks that simulated threads have needed so far. A block takes them many at a time and gives all back in the
// end.
class Stacks {
 public:
  Stacks() = default;
  ~Stacks();
  Stacks(const Stacks&) = delete;

  // Adds n fibers to `to`, or as many as there is memory for.
  void take(size_t n, std::vector<Fiber*>& to);
  // Empties `from`, whatever is on the stacks.
  void give_back(std::vector<Fiber*>& from);

 private:
  std::mutex mutex_;
  std::vector<Fiber*> idle_;
  size_t n_mapped_ = 0;
};

// Makes a fiber's next switch to it enter fiber_main, on an empty stack.
void prepare(Fiber* fiber);

// Runs threads of its block until none is left to begin.
[[noreturn]] void fiber_main();

// Leaves a stack for the last time.
[[noreturn]] void switch_for_good(Fiber* from, Fiber* to);

}  // namespace realizar::sim
