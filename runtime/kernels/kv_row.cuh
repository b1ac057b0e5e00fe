// A key or a value of one position as the KV cache has it: f16, the head's size rounded up to 16 elements, zeros after
// it. Its 16-byte pieces are swizzled by the position, so that those of eight positions are in different banks.
#pragma once
#include "numbers.h"
#include "state.h"

namespace realizar {

template <int HeadSize>
struct KvRow {
  static_assert(HeadSize % 2 == 0);
  static constexpr int row = (HeadSize + 15) / 16 * 16, pieces = row / 8;
  static constexpr int twists = pieces % 8 == 0 ? 8 : pieces % 4 == 0 ? 4 : 2;
  static DEVICE int twist(int position) { return position / (8 / twists) % twists; }
  // Where piece i lies.
  static DEVICE int swizzle(int position, int i) { return i ^ twist(position); }
  // Where element d lies.
  static DEVICE int element(int position, int d) { return swizzle(position, d / 8) * 8 + d % 8; }
};

// Elements of a cache before the row of a position in its page. From a page to the next there are C::page_stride, of
// which this cache's keys, and its values, are [kv_heads][kv_page_positions][row].
template <class C>
DEVICE int64_t cache_row(uint32_t page, int kv_head, int position) {
  constexpr int positions = kv_page_positions;
  return page * C::page_stride + (int64_t)(kv_head * positions + position % positions) * KvRow<C::head_size>::row;
}
// The page of a position.
DEVICE uint32_t page_of(const uint32_t* page_table, int position) {
  return load_settled(page_table + position / kv_page_positions);
}

}  // namespace realizar
