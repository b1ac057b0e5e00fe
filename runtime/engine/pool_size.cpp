#include "pool_size.h"

#include <algorithm>

#include "../error.h"

namespace realizar {
namespace {

using Bytes = unsigned long long;

uint64_t rows_of_step(const Artifact& artifact) { return largest_program(artifact)->rows; }

// Of layers with a window: what so many sequences, of so many pages each, need at once. Those that decode reach their
// windows, which begin anywhere in a page; the rows of a step are of all sequences together.
uint64_t window_pages_for(const Artifact& artifact, uint64_t n_sequence, uint64_t n_page) {
  const uint64_t decoding = std::min(n_page, kv_pages(artifact.window) + 1);
  return std::min(n_sequence * n_page, n_sequence * decoding + kv_pages(rows_of_step(artifact)));
}

uint64_t bytes_for(const Artifact& artifact, uint64_t n_sequence, uint64_t n_page) {
  return n_sequence * n_page * artifact.page_bytes +
         window_pages_for(artifact, n_sequence, n_page) * artifact.window_page_bytes;
}

// The window's part of the memory: what all sequences need of it, but no more than half, since most sequences are
// shorter than they may be; and where the longest sequence needs more of either kind, that.
uint64_t window_pages_of(const Artifact& artifact, const PoolWish& wish, uint64_t bytes) {
  const uint64_t page = artifact.page_bytes, window_page = artifact.window_page_bytes;
  if (window_page == 0) return 0;
  if (page == 0) return bytes / window_page;
  const uint64_t n_page = kv_pages(wish.n_ctx), wanted = window_pages_for(artifact, wish.n_sequence, n_page);
  if (const uint64_t all = bytes_for(artifact, wish.n_sequence, n_page); bytes >= all)
    return uint64_t(double(wanted) * (double(bytes) / double(all)));  // more for both, to keep what has been computed
  uint64_t longest = n_page;
  while (longest > 1 && bytes_for(artifact, 1, longest) > bytes) longest--;
  const uint64_t least = window_pages_for(artifact, 1, longest), left = bytes - longest * page;
  return std::min(wanted, std::max(least, std::min(bytes / 2, left) / window_page));
}

uint64_t wished_bytes(const Artifact& artifact, const PoolWish& wish) {
  const uint64_t least = sequence_bytes(artifact, wish.n_ctx);
  if (wish.kv_bytes < least)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("%llu bytes of KV cache are too few: a sequence of %u positions takes %llu; take more, or make "
                       "the context shorter",
                       Bytes(wish.kv_bytes), wish.n_ctx, Bytes(least)));
  return wish.kv_bytes;
}

// Beside what Slots has on the device of its own, and what others may want. These come after a sequence of two pages.
uint64_t default_bytes(const Artifact& artifact, const PoolWish& wish, uint64_t free, uint64_t total) {
  const uint64_t slots = artifact.arena_bytes + artifact.state_bytes + wish.n_sequence * artifact.slot_bytes;
  const uint64_t least = sequence_bytes(artifact, std::min(wish.n_ctx, 2 * kv_page_positions));
  if (free < slots + least)
    throw Error(REALIZAR_OUT_OF_MEMORY,
                format("there is no room for a sequence: %llu bytes are needed (%llu of KV cache, %llu of activations "
                       "and slots), and %llu of %llu are free; free memory there, or use a larger device",
                       Bytes(slots + least), Bytes(least), Bytes(slots), Bytes(free), Bytes(total)));
  const uint64_t left = free - slots, margin = total / 10;
  return std::min(std::max(left > margin ? left - margin : 0, least),
                  bytes_for(artifact, wish.n_sequence, kv_pages(wish.n_ctx)));
}

}  // namespace

uint64_t sequence_bytes(const Artifact& artifact, uint32_t n_position) {
  return bytes_for(artifact, 1, kv_pages(n_position));
}

uint64_t pool_bytes(const Artifact& artifact, const SlotCounts& counts) {
  return counts.pages * artifact.page_bytes + counts.window_pages * artifact.window_page_bytes;
}

uint32_t sequences_that_fit(const Artifact& artifact, const SlotCounts& counts, uint32_t n_position) {
  const uint64_t n_page = kv_pages(n_position);
  uint32_t n = counts.slots;
  if (artifact.page_bytes) n = uint32_t(std::min<uint64_t>(n, counts.pages / n_page));
  if (artifact.window_page_bytes)
    while (n > 0 && window_pages_for(artifact, n, n_page) > counts.window_pages) n--;
  return n;
}

SlotCounts size_pool(const Artifact& artifact, const PoolWish& wish, uint64_t free, uint64_t total) {
  const uint64_t bytes = wish.kv_bytes ? wished_bytes(artifact, wish) : default_bytes(artifact, wish, free, total);
  const uint64_t window_pages = window_pages_of(artifact, wish, bytes);
  const uint64_t left = bytes - window_pages * artifact.window_page_bytes;
  return {wish.n_sequence, artifact.page_bytes ? uint32_t(left / artifact.page_bytes) : 0, uint32_t(window_pages)};
}

SlotCounts size_pool(const Model& model, const PoolWish& wish) {
  model.device.make_current();
  size_t free = 0, total = 0;
  check(*model.device.driver, model.device.driver->mem_get_info(&free, &total), "cuMemGetInfo", "the KV cache");
  return size_pool(artifact, wish, free, total);
}

}  // namespace realizar
