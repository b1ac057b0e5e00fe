// Bulk copies and the barriers that they complete.
#include "sim.h"
#include "sim_memory.h"

namespace realizar::sim {
namespace {

// Where `bytes` at `p` are in the block's shared memory, or SIZE_MAX if they are not all in it.
size_t shared_offset(const Block& block, const void* p, size_t bytes) {
  const uintptr_t at = uintptr_t(p), begin = uintptr_t(block.shared), size = block.launch.shared_bytes;
  return at < begin || bytes > size || at - begin > size - bytes ? SIZE_MAX : at - begin;
}

}  // namespace

void Mbarrier::init(int arrivals) {
  Block& block = *current()->block;
  if (shared_offset(block, this, sizeof *this) == SIZE_MAX) fail("a copy barrier outside this block's shared memory");
  if (arrivals < 1) fail("a copy barrier for %d arrivals", arrivals);
  for (const Barrier& other : block.barriers)
    if (other.where == this) fail("a copy barrier initialised twice");
  word = uint64_t(tag) << 32 | block.barriers.size();
  block.barriers.emplace_back(this, arrivals);
}

void Mbarrier::fail_uninitialised() const { fail("uses a copy barrier that was not initialised or is overwritten"); }

void Mbarrier::expect(int bytes) {
  Barrier& barrier = state();
  if (bytes < 0) fail("a copy barrier told to expect %d bytes", bytes);
  if (!barrier.observed) fail("a copy barrier armed again before anybody waited for its last phase");
  barrier.has_copies = true;
  barrier.expected_bytes += bytes;
  barrier.unissued_bytes += bytes;
  arrive();
}

void Mbarrier::arrive() {
  Barrier& barrier = state();
  if (barrier.pending == 0) fail("more than %d arrivals in one phase of a copy barrier", barrier.arrivals);
  barrier.pending--;
  current()->block->settle(barrier);
}

void Block::settle(Barrier& barrier) {
  if (barrier.pending || barrier.expected_bytes) return;
  barrier.phase++;
  barrier.pending = barrier.arrivals;
  barrier.observed = barrier.waiting.head || !barrier.has_copies;
  barrier.has_copies = false;
  ready.append(barrier.waiting);
}

void bulk_copy(void* to, const void* from, int bytes, Mbarrier& done) {
  Block& block = *current()->block;
  Barrier& barrier = done.state();
  if (bytes < 0 || bytes % 16 || uintptr_t(to) % 16 || uintptr_t(from) % 16)
    fail("a bulk copy of %d bytes from %p to %p: all three must be multiples of 16", bytes, from, to);
  const size_t size = size_t(bytes), offset = shared_offset(block, to, size);
  if (offset == SIZE_MAX) fail("a bulk copy of %d bytes to %p, outside this block's shared memory", bytes, to);
  if (!block.launch.memory->contains(from, size))
    fail("a bulk copy of %d bytes from %p, which is not inside one allocation of device memory", bytes, from);
  for (const Copy& other : block.copies)
    if (offset < other.offset + other.bytes && other.offset < offset + size)
      fail("a bulk copy into shared memory that another one under way writes to");
  if (barrier.unissued_bytes < bytes)
    fail("a bulk copy of %d bytes, but its barrier expects only %lld more", bytes, (long long)barrier.unissued_bytes);
  barrier.unissued_bytes -= bytes;
  if (!block.staged) block.staged = std::make_unique_for_overwrite<char[]>(block.launch.shared_bytes);
  memcpy(block.staged.get() + offset, from, size);
  memset(to, 0xff, size);
  block.copies.push_back({uint32_t(done.word), offset, size});
}

void bulk_prefetch(const void* from, int bytes) {
  if (bytes < 0 || bytes % 16 || uintptr_t(from) % 16)
    fail("a prefetch of %d bytes from %p: both must be multiples of 16", bytes, from);
  if (!current()->block->launch.memory->contains(from, size_t(bytes)))
    fail("a prefetch of %d bytes from %p, which is not inside one allocation of device memory", bytes, from);
}

void Block::deliver(size_t copy) {
  const Copy delivered = copies[copy];
  copies.erase(copies.begin() + ptrdiff_t(copy));
  memcpy(shared + delivered.offset, staged.get() + delivered.offset, delivered.bytes);
  Barrier& barrier = barriers[delivered.barrier];
  barrier.expected_bytes -= int64_t(delivered.bytes);
  settle(barrier);
}

// Delivers one copy if somebody waits for one; false if no waiting thread can be helped that way.
bool Block::deliver_copy() {
  for (size_t i = 0; i < copies.size(); i++) {
    if (!barriers[copies[i].barrier].waiting.head) continue;
    deliver(permuted ? random() % copies.size() : i);
    return true;
  }
  return false;
}

}  // namespace realizar::sim
