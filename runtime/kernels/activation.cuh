// What a projection does to its rows before it adds the residual.
#pragma once
#include "device.h"

namespace realizar {

enum class Activation { none, silu, gelu };

template <Activation A>
DEVICE float activate(float v) {
  if (A == Activation::silu) return v / (1.f + expf(-v));
  // The tanh form; 0.797... is sqrt(2 / pi).
  if (A == Activation::gelu) return 0.5f * v * (1.f + tanhf(0.7978845608f * v * fmaf(0.044715f * v, v, 1.f)));
  return v;
}

// cap * tanh(v / cap); no cap is 0.
DEVICE float soft_cap(float v, float cap) { return cap > 0.f ? cap * tanhf(v / cap) : v; }

}  // namespace realizar
