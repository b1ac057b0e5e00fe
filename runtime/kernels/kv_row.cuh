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

// Elements of a cache, [pages][kv_heads][kv_page_positions][row], before the row of a position in its page.
template <class C>
DEVICE int64_t cache_row(uint32_t page, int kv_head, int position) {
  constexpr int positions = kv_page_positions;
  return (((int64_t)page * C::kv_heads + kv_head) * positions + position % positions) * KvRow<C::head_size>::row;
}

}  // namespace realizar
