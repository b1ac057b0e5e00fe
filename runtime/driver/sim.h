// The host target's simulator as kernels see it: kernels/device.h maps its primitives to these functions. It is for
// verification and small demos, not a fast CPU engine.
//
// Every thread of a block is a fiber; the fibers of a block take turns, and one that waits is on a list until somebody
// wakes it. What a kernel does wrong ends its block with a message (fail), never the process. Only what runs once a
// thread, once an exchange or once a load is inline.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define REALIZAR_SIM_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define REALIZAR_SIM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REALIZAR_SIM_ASAN 1
#elif __has_feature(thread_sanitizer)
#define REALIZAR_SIM_TSAN 1
#endif
#endif

namespace realizar::sim {

class DeviceMemory;
class Stacks;
struct Block;
struct Mbarrier;

constexpr int warp_lanes = 32;

// A kernel and how to run it.
struct Launch {
  std::string name;  // for messages: "node 3, kernel attention"
  void (*run)(void** params);
  void** params;
  int blocks, threads;
  size_t shared_bytes;  // of each block
  bool must_wait;       // some edge to it is programmatic: grid_wait has something to wait for
  uint32_t seed;        // of the order of blocks and threads; 0: as written
  const DeviceMemory* memory;
};

// A stack and the thread of a block that runs on it; or, of an OS thread, its own stack.
struct Fiber {
  void* stack_pointer = nullptr;
  Fiber* next = nullptr;  // in the list that it waits on
  Block* block = nullptr;
  int thread = 0;
  bool must_wait = false;  // has yet to call grid_wait

  // For AddressSanitizer only.
  const char* stack = nullptr;  // lowest address; an OS thread's is known once it has been left
  size_t stack_bytes = 0;
  void* fake_stack = nullptr;
  Fiber* came_from = nullptr;  // who switched here last

  void* tsan_fiber = nullptr;  // for ThreadSanitizer only
};

// A fiber's stack begins below its Fiber, which ends at a multiple of this.
constexpr size_t stack_span = 256 << 10;

// The fiber that calls. Found by its stack, because thread-local storage of shared libraries is slow or scarce.
inline Fiber* current() {
  uintptr_t stack_pointer;
#if defined(__x86_64__)
  asm("mov %%rsp, %0" : "=r"(stack_pointer));
#elif defined(__aarch64__)
  asm("mov %0, sp" : "=r"(stack_pointer));
#else
#error "the host target runs on x86-64 and aarch64 only: it switches stacks in assembly"
#endif
  return (Fiber*)((stack_pointer | (stack_span - 1)) + 1 - sizeof(Fiber));
}

struct FiberList {
  Fiber* head = nullptr;
  Fiber* tail = nullptr;
  int count = 0;

  void push(Fiber* fiber) {
    fiber->next = nullptr;
    (head ? tail->next : head) = fiber;
    tail = fiber;
    count++;
  }
  // Moves all of `other` to the end of this list.
  void append(FiberList& other) {
    if (!other.head) return;
    (head ? tail->next : head) = other.head;
    tail = other.tail;
    count += other.count;
    other = {};
  }
  Fiber* pop() {
    Fiber* fiber = head;
    head = fiber->next;
    count--;
    return fiber;
  }
};

struct Warp {
  FiberList waiting;            // lanes that have arrived at the exchange
  size_t bytes = 0;             // of one lane's value in it
  int buffer = 0;               // which of the values lanes write to
  std::vector<char> values[2];  // of this exchange and the one before, 32 * bytes each
};

// The state behind an Mbarrier.
struct Barrier {
  Barrier(const Mbarrier* where, int arrivals) : where(where), arrivals(arrivals), pending(arrivals) {}

  const Mbarrier* where;
  int arrivals, pending;
  int64_t expected_bytes = 0;  // announced and not yet delivered
  int64_t unissued_bytes = 0;  // announced and not yet asked for
  unsigned phase = 0;
  bool has_copies = false;  // this phase was announced bytes
  bool observed = true;     // somebody has waited for the last complete phase, or it had no copies
  FiberList waiting;
};

// A bulk copy that has been issued and not been delivered.
struct Copy {
  uint32_t barrier;
  size_t offset, bytes;  // in shared memory
};

struct Block {
  Block(const Launch& launch, int index, Stacks& stacks);
  ~Block();
  Block(const Block&) = delete;

  // Lets every thread run until it ends, waits for what only other grids can give, or pauses the block.
  void run();
  // The grids before this one are complete: lets threads past grid_wait.
  void open_grid();
  bool ended() const { return n_ended == n_threads; }
  bool may_go_on() const;  // of a paused one: what it waits for is there

  Fiber* next();  // who runs when the current fiber cannot
  bool begin_thread(Fiber* fiber);
  bool end_thread(Fiber* fiber);
  bool deliver_copy();
  void deliver(size_t copy);
  void settle(Barrier& barrier);
  void check_stopped();
  void set_error(int thread, const char* text);
  uint32_t random();

  const Launch& launch;
  Stacks& stacks;
  Fiber main;  // the stack of the OS thread that is in run
  const int index, n_threads;
  char* shared = nullptr;
  int n_started = 0, n_ended = 0;
  bool grid_open;
  bool released = false;              // grid_release has been called
  bool paused = false;                // until the grid's other blocks have run
  const uint32_t* awaited = nullptr;  // paused until this count is at least awaited_least
  uint32_t awaited_least = 0;
  const bool permuted;
  FiberList ready, at_block_sync, at_grid_wait;
  std::vector<Warp> warps;
  std::vector<Barrier> barriers;
  std::vector<Copy> copies;
  std::unique_ptr<char[]> staged;      // what the copies read when they were issued, at their offsets
  std::vector<uint16_t> thread_order;  // when permuted
  std::vector<Fiber*> fibers;          // all that it has taken from `stacks`
  size_t n_fibers_used = 0;
  uint64_t random_state;
  std::string error;  // the first; empty if there is none
};

// Ends the block with a message that names the kernel, the block and the thread.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

extern "C" void realizar_sim_switch(void** save_stack_pointer, void* stack_pointer)
    __attribute__((visibility("hidden")));
void switch_annotated(Fiber* from, Fiber* to);

inline void switch_fibers(Fiber* from, Fiber* to) {
#if defined(REALIZAR_SIM_ASAN) || defined(REALIZAR_SIM_TSAN)
  switch_annotated(from, to);
#else
  realizar_sim_switch(&from->stack_pointer, to->stack_pointer);
#endif
}

// Lets others run until somebody puts this fiber, which is on a list, on the ready list.
inline void park() {
  Fiber* self = current();
  Block& block = *self->block;
  switch_fibers(self, block.ready.head && !block.permuted ? block.ready.pop() : block.next());
}

// ------------------------------------------------------------------ where am I
inline int thread_index() { return current()->thread; }
inline int block_index() { return current()->block->index; }
inline int block_threads() { return current()->block->n_threads; }
inline int grid_blocks() { return current()->block->launch.blocks; }
inline char* shared_memory() { return current()->block->shared; }

// ------------------------------------------------------------------ barriers and exchanges
inline void block_sync() {
  Block& block = *current()->block;
  if (block.at_block_sync.count + 1 == block.n_threads) {
    block.ready.append(block.at_block_sync);
  } else {
    block.at_block_sync.push(current());
    park();
  }
}

void open_exchange(Warp& warp, size_t bytes);
[[noreturn]] void fail_divergence(const Warp& warp, size_t bytes);

// The values of the warp's 32 lanes, `bytes` each, back to back; they stay until this lane's next exchange.
inline const void* warp_exchange(const void* value, size_t bytes) {
  Fiber* self = current();
  Warp& warp = self->block->warps[unsigned(self->thread) / warp_lanes];
  if (warp.waiting.count == 0)
    open_exchange(warp, bytes);
  else if (bytes != warp.bytes)
    fail_divergence(warp, bytes);
  char* values = warp.values[warp.buffer].data();
  if (bytes) memcpy(values + unsigned(self->thread) % warp_lanes * bytes, value, bytes);
  if (warp.waiting.count + 1 == warp_lanes) {
    // A lane that comes here again writes to the other buffer, and to this one only after all have been there.
    warp.buffer ^= 1;
    self->block->ready.append(warp.waiting);
  } else {
    warp.waiting.push(self);
    park();
  }
  return values;
}

// ------------------------------------------------------------------ order between nodes of the graph
inline void grid_wait() {
  Fiber* self = current();
  if (!self->must_wait) return;
  if (!self->block->grid_open) {
    self->block->at_grid_wait.push(self);
    park();
  }
  self->must_wait = false;
}
inline void grid_release() { current()->block->released = true; }

// Adds one to a counter that blocks tell each other with how many of them are done; returns what it was. In a permuted
// order the grid's other blocks run before anything else of this one, so that what this one has yet to write is
// missing.
uint32_t arrive(uint32_t* counter);

// Returns when the counter is at `least` or beyond, modulo 2^32; until then the grid's other blocks run. One thread of
// a block at a time.
void wait_for_count(const uint32_t* counter, uint32_t least);

[[noreturn]] void fail_early_load();
inline void check_after_grid_wait() {
  if (current()->must_wait) [[unlikely]]
    fail_early_load();
}

// ------------------------------------------------------------------ asynchronous copies into shared memory
// A barrier in shared memory, as large as the GPU's. The bytes are a tag and an index into the block's barriers, so
// that a barrier that was never initialised or has been overwritten shows.
struct Mbarrier {
  uint64_t word;

  void init(int arrivals);
  // Announces `bytes` that copies of this phase will deliver, and arrives: somebody must wait for the phase.
  void expect(int bytes);
  // Arrives where no copies complete phases.
  void arrive();
  // Returns once the phase with this parity is complete.
  void wait(int parity) {
    while ((state().phase & 1) == unsigned(parity)) {
      state().waiting.push(current());
      park();
    }
    state().observed = true;
  }

  static constexpr uint32_t tag = 0x7262626d;
  Barrier& state() const {
    std::vector<Barrier>& all = current()->block->barriers;
    const uint32_t index = uint32_t(word);
    if (word >> 32 != tag || index >= all.size() || all[index].where != this) [[unlikely]]
      fail_uninitialised();
    return all[index];
  }
  [[noreturn]] void fail_uninitialised() const;
};

// Starts copying to shared memory. The source is read at once and the destination poisoned; the bytes arrive when
// somebody waits for `done` and nothing else in the block can run (with a permuted order: at any time).
void bulk_copy(void* to, const void* from, int bytes, Mbarrier& done);
void bulk_prefetch(const void* from, int bytes);  // only checks

// ------------------------------------------------------------------ number formats
#if defined(__aarch64__)
using NativeHalf = __fp16;
#define REALIZAR_SIM_NATIVE_HALF 1
#elif defined(__F16C__) && defined(__FLT16_MAX__)
using NativeHalf = _Float16;
#define REALIZAR_SIM_NATIVE_HALF 1
#endif

inline float half_to_float(uint16_t half) {
#ifdef REALIZAR_SIM_NATIVE_HALF
  NativeHalf value;
  memcpy(&value, &half, sizeof value);
  return float(value);
#else
  const uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = half & 0x7c00, mantissa = half & 0x3ff;
  uint32_t bits = uint32_t(half & 0x7fff) << 13;
  if (exponent == 0x7c00) {
    bits |= 0x7f800000;
  } else if (exponent) {
    bits += uint32_t(127 - 15) << 23;
  } else {
    // (1 + m/1024) * 2^-14 - 2^-14 is exact, and no operand of it is subnormal.
    const uint32_t with_one = uint32_t(127 - 14) << 23 | mantissa << 13;
    float value;
    memcpy(&value, &with_one, 4);
    value -= 0x1p-14f;
    memcpy(&bits, &value, 4);
  }
  bits |= sign;
  float value;
  memcpy(&value, &bits, 4);
  return value;
#endif
}

// Rounds to nearest, ties to even.
inline uint16_t float_to_half(float value) {
#ifdef REALIZAR_SIM_NATIVE_HALF
  const NativeHalf half = NativeHalf(value);
  uint16_t bits;
  memcpy(&bits, &half, sizeof bits);
  return bits;
#else
  uint32_t bits;
  memcpy(&bits, &value, 4);
  const uint32_t sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffff;
  if (bits >= uint32_t(127 + 16) << 23) return uint16_t(sign | (bits > 0x7f800000 ? 0x7e00 : 0x7c00));
  if (bits < uint32_t(127 - 14) << 23) {
    // Adding 0.5 leaves units of 2^-24, a subnormal half's, in the mantissa; the addition rounds to nearest even.
    float magnitude;
    memcpy(&magnitude, &bits, 4);
    magnitude += 0.5f;
    memcpy(&bits, &magnitude, 4);
    return uint16_t(sign | (bits & 0x7fff));
  }
  const uint32_t odd = bits >> 13 & 1;
  return uint16_t(sign | ((bits - (uint32_t(127 - 15) << 23) + 0xfff + odd) >> 13));
#endif
}

}  // namespace realizar::sim
