// The largest logit so far and its token; of equal ones the first, so that the choice does not depend on any order.
#pragma once
#include "device.h"

namespace realizar {

struct alignas(8) Best {
  float value;
  int row;
};
DEVICE Best better(Best a, Best b) { return b.value > a.value || (b.value == a.value && b.row < a.row) ? b : a; }
DEVICE Best warp_better(Best best) {
#pragma unroll
  for (int mask = 16; mask; mask >>= 1)
    best = better(best, Best{warp_shuffle_xor(best.value, mask), warp_shuffle_xor(best.row, mask)});
  return best;
}

}  // namespace realizar
