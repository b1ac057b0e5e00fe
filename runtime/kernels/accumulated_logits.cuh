// Logits of a router without a node of their own: W (norm * y) / rms(y), y the output of a projection whose blocks have
// a few rows each. Every block adds its rows' part to each logit, and leaves its rows' sum of squares
// (projection/router_share.cuh); the experts divide by the root mean square (experts/logits.cuh).
//
// What blocks add in whatever order must not depend on it, so the sums are whole numbers, of steps of 2^-28: with an
// epsilon of 1e-6 a logit is within 2e-5 of what it would be, however small y. A part beyond 2^27 of those 2^63 cannot
// be told from others when summed up: then the squares are NaN, and with them all that follows.
#pragma once
#include "device.h"

namespace realizar {

struct AccumulatedLogits {
  static constexpr float step = 1.f / (1 << 28), most = 1 << 27;
  // Of each sum, so that many parts of the L2 add at once; the sum comes first, the rest is empty. GATHERED_BYTES of
  // compiler/kernels/router.ts.
  static constexpr int bytes = 256;
  // Where the sum of logit i is; and the squares, after those of all.
  static DEVICE int64_t* sum(char* logits, int i) { return (int64_t*)(logits + (int64_t)bytes * i); }
  static DEVICE float* squares(char* logits, int n) { return (float*)(logits + (int64_t)bytes * n); }
};

}  // namespace realizar
