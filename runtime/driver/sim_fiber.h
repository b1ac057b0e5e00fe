// Stacks for simulated threads, and the OS threads that run them.
#pragma once
#include <vector>

#include "sim.h"

namespace realizar::sim {

// What one OS thread needs to run blocks, one at a time.
struct Worker {
  Fiber main;  // the OS thread's own stack: where Block::run is
  std::vector<Fiber*> idle;
  size_t n_mapped = 0;

  Worker() = default;
  ~Worker();
  Worker(const Worker&) = delete;

  // A fiber that runs fiber_main on an empty stack; null if there is no memory for it.
  Fiber* take();
  // The fiber's stack is free again, whatever is on it.
  void give_back(Fiber* fiber) { idle.push_back(fiber); }
};

// Runs threads of its block until none is left to begin.
[[noreturn]] void fiber_main();

// Leaves a stack for the last time.
[[noreturn]] void switch_for_good(Fiber* from, Fiber* to);

}  // namespace realizar::sim
