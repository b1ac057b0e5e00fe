// Conversions between float and half, all of them, against the definition of the format.
#include <cmath>

#include "../../../runtime/driver/sim.h"
#include "harness.h"

namespace realizar {
namespace {

using sim::float_to_half;
using sim::half_to_float;

// (-1)^s * 2^(e - 15) * (1 + m / 1024), or 2^-14 * m / 1024 for e = 0.
double value_of(uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const double magnitude = exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  return half >> 15 ? -magnitude : magnitude;
}

constexpr uint16_t infinity = 0x7c00, sign = 0x8000;

CASE(every_half_to_float) {
  for (int sign_bit : {0, 0x8000}) {
    for (int bits = 0; bits < infinity; bits++) {
      const uint16_t half = uint16_t(bits | sign_bit);
      EXPECT_EQ(double(half_to_float(half)), value_of(half));
      EXPECT(std::signbit(half_to_float(half)) == (sign_bit != 0));
      EXPECT_EQ(float_to_half(half_to_float(half)), half);
    }
    for (int bits = infinity + 1; bits < sign; bits++) {
      const float nan = half_to_float(uint16_t(bits | sign_bit));
      EXPECT(std::isnan(nan));
      EXPECT((float_to_half(nan) & 0x7fff) > infinity);
    }
  }
  EXPECT_EQ(half_to_float(infinity), INFINITY);
  EXPECT_EQ(half_to_float(infinity | sign), -INFINITY);
}

// Between each two neighbours: the middle goes to the even one, what is beside it to the nearer one. Above the largest
// half the next would be 65536: what rounds there is infinite.
CASE(floats_round_to_nearest_even) {
  for (uint16_t half = 0; half < infinity; half++) {
    const double above = half + 1 == infinity ? 65536 : value_of(half + 1);
    const float middle = float((value_of(half) + above) / 2);
    const float less = std::nextafterf(middle, 0), more = std::nextafterf(middle, INFINITY);
    const uint16_t even = half % 2 ? half + 1 : half;
    EXPECT_EQ(float_to_half(middle), even);
    EXPECT_EQ(float_to_half(less), half);
    EXPECT_EQ(float_to_half(more), uint16_t(half + 1));
    EXPECT_EQ(float_to_half(-middle), uint16_t(even | sign));
    EXPECT_EQ(float_to_half(-less), uint16_t(half | sign));
    EXPECT_EQ(float_to_half(-more), uint16_t((half + 1) | sign));
  }
}

CASE(floats_without_a_half) {
  EXPECT_EQ(float_to_half(INFINITY), infinity);
  EXPECT_EQ(float_to_half(-INFINITY), uint16_t(infinity | sign));
  EXPECT_EQ(float_to_half(3.4e38f), infinity);
  EXPECT_EQ(float_to_half(65536.f), infinity);
  EXPECT_EQ(float_to_half(1e-45f), uint16_t(0));
  EXPECT_EQ(float_to_half(-1e-30f), sign);
  EXPECT((float_to_half(NAN) & 0x7fff) > infinity);
}

}  // namespace
}  // namespace realizar
