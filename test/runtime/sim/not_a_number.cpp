// What is no number stays it, in whatever gives the larger of two or clamps.
#include <cmath>

#include "../../../runtime/kernels/activation.cuh"
#include "../../../runtime/kernels/quantize.cuh"
#include "harness.h"

namespace realizar {
namespace {

CASE(the_larger_and_the_smaller_of_two) {
  for (const float a : {-INFINITY, -3.f, 0.f, 3.f, INFINITY}) {
    for (const float b : {-INFINITY, -2.f, 0.f, 4.f, INFINITY}) {
      EXPECT_EQ(maximum(a, b), std::fmax(a, b));
      EXPECT_EQ(minimum(a, b), std::fmin(a, b));
    }
    for (const float nan : {NAN, -NAN}) {
      EXPECT(std::isnan(maximum(a, nan)) && std::isnan(maximum(nan, a)));
      EXPECT(std::isnan(minimum(a, nan)) && std::isnan(minimum(nan, a)));
    }
  }
}

template <Activation A>
void expect_none() {
  EXPECT(std::isnan(activate<A>(NAN)));
  EXPECT(std::isnan(gate<A>(NAN, 1)));
  EXPECT(std::isnan(gate<A>(1, NAN)));
  EXPECT(!std::isnan(activate<A>(-3)) && !std::isnan(gate<A>(9, -9)));
}

CASE(activations) {
  expect_none<Activation::none>();
  expect_none<Activation::silu>();
  expect_none<Activation::gelu>();
  expect_none<Activation::gelu_erf>();
  expect_none<Activation::relu_sqr>();
  expect_none<Activation::swiglu_oai>();
}

CASE(blocks_that_are_quantized) {
  for (const int at : {0, 1, 31}) {
    float values[32] = {};
    for (int c = 0; c < 32; c++) values[c] = c == at ? NAN : float(c - 9);
    uint8_t block[34];
    const auto scale = [&] { return half_to_float(uint16_t(block[0] | block[1] << 8)); };
    quantize_block(Q8_0{}, values, block);
    EXPECT(std::isnan(scale()));
    quantize_block(Q4_0{}, values, block);
    EXPECT(std::isnan(scale()));
  }
}

}  // namespace
}  // namespace realizar
