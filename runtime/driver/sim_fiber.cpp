#include "sim_fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

#ifdef REALIZAR_SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef REALIZAR_SIM_TSAN
#include <sanitizer/tsan_interface.h>
#endif

// Saves the registers that a call preserves on the stack, changes stacks and takes them from there. The jump (not a
// return) keeps the processor's return predictor out of it. No exception crosses a switch.
#if defined(__x86_64__)
asm(R"(
.text
.globl realizar_sim_switch
.hidden realizar_sim_switch
.type realizar_sim_switch, @function
realizar_sim_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  pop %rcx
  jmp *%rcx
.size realizar_sim_switch, .-realizar_sim_switch
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl realizar_sim_switch
.hidden realizar_sim_switch
.type realizar_sim_switch, %function
realizar_sim_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size realizar_sim_switch, .-realizar_sim_switch
)");
#endif

namespace realizar::sim {
namespace {

// Writes what realizar_sim_switch takes from the stack when it enters fiber_main.
void* first_frame(const char* top) {
  void** at = (void**)top;
#if defined(__x86_64__)
  *--at = nullptr;  // fiber_main's return address
  *--at = (void*)fiber_main;
  for (int i = 0; i < 6; i++) *--at = nullptr;
#else
  for (int i = 0; i < 20; i++) *--at = nullptr;
  at[11] = (void*)fiber_main;  // x30
#endif
  return at;
}

size_t page_bytes() { return size_t(sysconf(_SC_PAGESIZE)); }

// An aligned span of memory: a page that may not be touched, the stack, the Fiber. Pages are committed as they are
// used.
Fiber* map_fiber(size_t index) {
  void* memory = mmap(nullptr, 2 * stack_span, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  char* begin = (char*)memory;
  char* span = (char*)((uintptr_t(begin) + stack_span - 1) & ~uintptr_t(stack_span - 1));
  if (span != begin) munmap(begin, size_t(span - begin));
  munmap(span + stack_span, size_t(begin + stack_span - span));
  mprotect(span, page_bytes(), PROT_NONE);
  Fiber* fiber = new (span + stack_span - sizeof(Fiber)) Fiber;
  fiber->stack = span + page_bytes();
  // Stacks start at different places in their pages, or the live parts of all compete for the same cache lines.
  const size_t room = size_t((char*)fiber - fiber->stack) - index * 320 % 4096;
  fiber->stack_bytes = room & ~size_t(15);
  return fiber;
}

}  // namespace

Stacks::~Stacks() {
  for (Fiber* fiber : idle_) {
#ifdef REALIZAR_SIM_TSAN
    if (fiber->tsan_fiber) __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
    munmap((char*)(fiber + 1) - stack_span, stack_span);
  }
}

void Stacks::take(size_t n, std::vector<Fiber*>& to) {
  const std::lock_guard lock(mutex_);
  for (; n; n--) {
    if (idle_.empty()) {
      Fiber* fiber = map_fiber(n_mapped_);
      if (!fiber) return;
      n_mapped_++;
      idle_.push_back(fiber);
    }
    to.push_back(idle_.back());
    idle_.pop_back();
  }
}

void Stacks::give_back(std::vector<Fiber*>& from) {
  const std::lock_guard lock(mutex_);
  idle_.insert(idle_.end(), from.rbegin(), from.rend());
  from.clear();
}

void prepare(Fiber* fiber) {
#ifdef REALIZAR_SIM_ASAN
  __asan_unpoison_memory_region(fiber->stack, fiber->stack_bytes);
  fiber->fake_stack = nullptr;
#endif
#ifdef REALIZAR_SIM_TSAN
  if (!fiber->tsan_fiber) fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
  fiber->stack_pointer = first_frame(fiber->stack + fiber->stack_bytes);
}

#ifdef REALIZAR_SIM_ASAN
namespace {
// The first switch from an OS thread's own stack is how its bounds become known.
void arrive(Fiber* fiber) {
  const void* left;
  size_t left_bytes;
  __sanitizer_finish_switch_fiber(fiber->fake_stack, &left, &left_bytes);
  fiber->came_from->stack = (const char*)left;
  fiber->came_from->stack_bytes = left_bytes;
}
}  // namespace

void switch_annotated(Fiber* from, Fiber* to) {
  to->came_from = from;
  __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_bytes);
  realizar_sim_switch(&from->stack_pointer, to->stack_pointer);
  arrive(from);
}
#endif

#ifdef REALIZAR_SIM_TSAN
void switch_annotated(Fiber* from, Fiber* to) {
  from->tsan_fiber = __tsan_get_current_fiber();  // of an OS thread it is known from here on
  __tsan_switch_to_fiber(to->tsan_fiber, 0);
  realizar_sim_switch(&from->stack_pointer, to->stack_pointer);
}
#endif

// ThreadSanitizer, too, would wait for the return of this and of fiber_main.
__attribute__((no_sanitize("thread"))) void switch_for_good(Fiber* from, Fiber* to) {
#ifdef REALIZAR_SIM_ASAN
  to->came_from = from;
  __sanitizer_start_switch_fiber(nullptr, to->stack, to->stack_bytes);
#endif
#ifdef REALIZAR_SIM_TSAN
  __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
  realizar_sim_switch(&from->stack_pointer, to->stack_pointer);
  __builtin_unreachable();
}

// Never returns, so nothing would take back the marks that AddressSanitizer puts around a frame's variables.
__attribute__((no_sanitize("address", "thread"))) void fiber_main() {
  Fiber* self = current();
#ifdef REALIZAR_SIM_ASAN
  arrive(self);
#endif
  do {
    const Launch& launch = self->block->launch;
    launch.run(launch.params);
  } while (self->block->end_thread(self));
  switch_for_good(self, self->block->next());
}

}  // namespace realizar::sim
