// What a projection does to its rows before it adds the residual.
#pragma once
#include "numbers.h"

namespace realizar {

DEVICE float sigmoid(float v) { return 1.f / (1.f + expf(-v)); }

enum class Activation { none, silu, gelu, gelu_erf, relu_sqr, swiglu_oai };

template <Activation A>
DEVICE float activate(float v) {
  if (A == Activation::silu) return fast_divide(v, 1.f + expf(-v));
  // The tanh form; 0.797... is sqrt(2 / pi).
  if (A == Activation::gelu) return 0.5f * v * (1.f + tanhf(0.7978845608f * v * fmaf(0.044715f * v, v, 1.f)));
  if (A == Activation::gelu_erf) return 0.5f * v * (1.f + erff(0.7071067812f * v));
  if (A == Activation::relu_sqr) return maximum(v, 0.f) * maximum(v, 0.f);
  return v;
}

// The activation of two: a gate and what it multiplies.
template <Activation A>
DEVICE float gate(float g, float up) {
  if (A != Activation::swiglu_oai) return activate<A>(g) * up;
  const float clamped = minimum(g, 7.f);
  return fast_divide(clamped, 1.f + expf(-1.702f * clamped)) * (maximum(-7.f, minimum(up, 7.f)) + 1.f);
}

// Soft caps of scores and of logits.
struct NoCap {
  static DEVICE float apply(float v) { return v; }
};
template <float Cap>
struct SoftCap {
  static DEVICE float apply(float v) { return Cap * tanhf(v / Cap); }
};

}  // namespace realizar
