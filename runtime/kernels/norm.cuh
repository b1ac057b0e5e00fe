// Norms of a vector x:
//   RmsNorm    x / sqrt(mean(x^2) + Epsilon) * weight
//   LayerNorm  (x - mean(x)) / sqrt(mean((x - mean(x))^2) + Epsilon) * weight, + bias
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

}  // namespace realizar
