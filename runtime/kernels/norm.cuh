// Norms of a vector x:
//   RmsNorm    x / sqrt(mean(x^2) + Epsilon) * weight
//   LayerNorm  (x - mean(x)) / sqrt(mean((x - mean(x))^2) + Epsilon) * weight, + bias
// And where a kernel has its vector from:
//   PlainInput   it is there
//   SummedInput  RmsNorm(input) + residual, of what an earlier projection made; stored for later nodes, or not
#pragma once

namespace realizar {

struct NoNorm {
  static constexpr bool any = false;
};
template <float Epsilon>
struct RmsNorm {
  static constexpr bool any = true;
  static constexpr float epsilon = Epsilon;
};
template <float Epsilon, bool Bias>
struct LayerNorm {
  static constexpr bool any = true, bias = Bias;
  static constexpr float epsilon = Epsilon;
};

struct PlainInput {};
template <float Epsilon, bool Stored>
struct SummedInput {};

}  // namespace realizar
