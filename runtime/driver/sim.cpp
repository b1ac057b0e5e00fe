#include "sim.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <numeric>

#include "sim_fiber.h"

namespace realizar::sim {

namespace {

// Shuffles warps, and lanes within each: threads of a warp still begin together.
std::vector<uint16_t> shuffled_threads(Block& block) {
  std::vector<uint16_t> order(size_t(block.n_threads));
  std::iota(order.begin(), order.end(), uint16_t(0));
  std::vector<int> warps(block.warps.size());
  std::iota(warps.begin(), warps.end(), 0);
  for (size_t i = warps.size(); i > 1; i--) std::swap(warps[i - 1], warps[block.random() % i]);
  auto to = order.begin();
  for (int warp : warps) {
    const auto first = to;
    for (int thread = warp * warp_lanes; thread < std::min((warp + 1) * warp_lanes, block.n_threads); thread++)
      *to++ = uint16_t(thread);
    for (auto n = to - first; n > 1; n--) std::iter_swap(first + (n - 1), first + block.random() % n);
  }
  return order;
}

}  // namespace

Block::Block(const Launch& launch, int index, Stacks& stacks)
    : launch(launch),
      stacks(stacks),
      index(index),
      n_threads(launch.threads),
      grid_open(!launch.must_wait),
      permuted(launch.seed != 0),
      warps(size_t(launch.threads + warp_lanes - 1) / warp_lanes),
      random_state((uint64_t(launch.seed) << 32 | uint32_t(index)) * 0x9e3779b97f4a7c15) {
  if (permuted) thread_order = shuffled_threads(*this);
  // Exactly as large as asked, so that AddressSanitizer sees what runs over it.
  void* memory = nullptr;
  if (posix_memalign(&memory, 128, launch.shared_bytes)) throw std::bad_alloc();
  shared = (char*)memory;
  memset(shared, 0xff, launch.shared_bytes);
}

Block::~Block() {
  stacks.give_back(fibers);
  free(shared);
}

uint32_t Block::random() {
  random_state = random_state * 6364136223846793005 + 1442695040888963407;
  const uint64_t mixed = (random_state ^ random_state >> 29) * 0xbf58476d1ce4e5b9;
  return uint32_t(mixed >> 32);
}

bool Block::begin_thread(Fiber* fiber) {
  if (n_started == n_threads) return false;
  fiber->block = this;
  fiber->thread = permuted ? thread_order[size_t(n_started)] : n_started;
  fiber->must_wait = launch.must_wait;
  n_started++;
  return true;
}

Fiber* Block::next() {
  if (permuted) {
    if (!copies.empty() && random() % 8 == 0) deliver(random() % copies.size());
    if (ready.head)
      for (uint32_t skip = random() % 8; skip; skip--) ready.push(ready.pop());
  }
  if (ready.head) return ready.pop();
  if (n_started == n_threads || !error.empty()) return &main;
  if (n_fibers_used == fibers.size()) stacks.take(warp_lanes, fibers);
  if (n_fibers_used == fibers.size()) {
    set_error(-1, "no memory for another thread's stack");
    return &main;
  }
  Fiber* fiber = fibers[n_fibers_used++];
  prepare(fiber);
  begin_thread(fiber);
  return fiber;
}

bool Block::end_thread(Fiber* fiber) {
  if (fiber->must_wait)
    fail(
        "ended without grid_wait, but a programmatic edge leads to this node: the node after it would be free to start "
        "before the one that this thread should have waited for");
  n_ended++;
  return begin_thread(fiber);
}

void Block::run() {
  paused = false;
  do {
    while (error.empty()) {
      Fiber* fiber = next();
      if (fiber == &main) break;
      switch_fibers(&main, fiber);
      if (paused) return;
    }
  } while (error.empty() && deliver_copy());
  if (error.empty()) check_stopped();
}

void Block::open_grid() {
  grid_open = true;
  ready.append(at_grid_wait);
}

void Block::set_error(int thread, const char* text) {
  if (!error.empty()) return;
  error = launch.name + ", block " + std::to_string(index);
  if (thread >= 0) error += ", thread " + std::to_string(thread);
  error.append(": ").append(text);
}

// Nothing can run and no copy can help: that is an end, a stop for the grid before, or an error.
void Block::check_stopped() {
  char text[300];
  if (ended()) {
    const auto unseen = std::ranges::count_if(
        barriers, [](const Barrier& barrier) { return barrier.expected_bytes || !barrier.observed; });
    if (!unseen) return;
    snprintf(text, sizeof text, "ended before anybody waited for the last copies to %d of its barriers", int(unseen));
  } else {
    if (!grid_open && at_grid_wait.count) return;
    int in_exchange = 0, at_barrier = 0;
    for (const Warp& warp : warps) in_exchange += warp.waiting.count;
    for (const Barrier& barrier : barriers) at_barrier += barrier.waiting.count;
    snprintf(text, sizeof text,
             "deadlock: of %d threads %d ended, %d wait at block_sync, %d in a warp exchange, %d for a copy barrier, "
             "%d at grid_wait",
             n_threads, n_ended, at_block_sync.count, in_exchange, at_barrier, at_grid_wait.count);
  }
  set_error(-1, text);
}

void fail(const char* format, ...) {
  Fiber* self = current();
  Block& block = *self->block;
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  block.set_error(self->thread, text);
  switch_for_good(self, &block.main);
}

namespace {

void pause(Fiber* self) {
  Block& block = *self->block;
  block.paused = true;
  block.ready.push(self);
  switch_fibers(self, &block.main);
}

bool reached(const uint32_t* counter, uint32_t least) {
  return int32_t(__atomic_load_n(counter, __ATOMIC_ACQUIRE) - least) >= 0;
}

}  // namespace

uint32_t arrive(uint32_t* counter) {
  Fiber* self = current();
  const uint32_t before = __atomic_fetch_add(counter, 1u, __ATOMIC_ACQ_REL);
  if (self->block->permuted) pause(self);
  return before;
}

void wait_for_count(const uint32_t* counter, uint32_t least) {
  Fiber* self = current();
  Block& block = *self->block;
  if (block.awaited) fail("two threads of the block wait for counts of other blocks at the same time");
  block.awaited = counter;
  block.awaited_least = least;
  while (!reached(counter, least)) pause(self);
  block.awaited = nullptr;
}

bool Block::may_go_on() const { return !awaited || reached(awaited, awaited_least); }

void fail_early_load() {
  fail("loads what another node writes before grid_wait, and a programmatic edge leads to this node");
}

void open_exchange(Warp& warp, size_t bytes) {
  const Block& block = *current()->block;
  if ((current()->thread | (warp_lanes - 1)) >= block.n_threads)
    fail("a warp exchange needs 32 lanes, and the last warp of %d threads has %d", block.n_threads,
         block.n_threads % warp_lanes);
  warp.bytes = bytes;
  warp.values[warp.buffer].resize(bytes * warp_lanes);
}

void fail_divergence(const Warp& warp, size_t bytes) {
  fail("the warp has diverged: this lane exchanges %zu bytes where %d others exchange %zu", bytes, warp.waiting.count,
       warp.bytes);
}

}  // namespace realizar::sim
