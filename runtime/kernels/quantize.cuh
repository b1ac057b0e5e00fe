// repack.cuh's sources of float matrices that are quantized on their way to the device. The blocks are those that
// ggml's reference makes (quantize_row_q8_0_ref, quantize_row_q4_0_ref), so that a model quantized here computes what
// the same model in a quantized GGUF file computes. But a block with what is no number, which that would give some
// scale, is none either.
#pragma once
#include "repack.cuh"

namespace realizar {

// Elements of Float in the file, blocks of Quant on the device.
template <class Quant, class Float>
struct Quantized {};
template <class Float>
using ToQ8_0 = Quantized<Q8_0, Float>;
template <class Float>
using ToQ4_0 = Quantized<Q4_0, Float>;

// The scale is rounded to f16 only when it is stored.
DEVICE void store_scale(uint8_t* block, float scale) {
  const uint16_t half = float_to_half(scale);
  block[0] = (uint8_t)half, block[1] = (uint8_t)(half >> 8);
}

DEVICE void quantize_block(Q8_0, const float (&values)[32], uint8_t* block) {
  float largest = 0;
  for (float v : values) largest = maximum(largest, fabsf(v));
  const float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
  store_scale(block, d);
  for (int c = 0; c < 32; c++) block[2 + c] = (uint8_t)(int8_t)roundf(values[c] * inverse);
}

DEVICE void quantize_block(Q4_0, const float (&values)[32], uint8_t* block) {
  float largest = 0;  // with its sign; of equals the first
  for (float v : values)
    if (fabsf(v) > fabsf(largest) || v != v) largest = v;
  const float d = largest / -8, inverse = d != 0 ? 1 / d : 0;
  store_scale(block, d);
  // In double: ggml's sum is fused where the processor can, and this is as exact on all of them.
  const auto quant = [&](int c) {
    const double q = (double)values[c] * (double)inverse + 8.5;
    return q < 15 ? (int)q : 15;
  };
  for (int c = 0; c < 16; c++) block[2 + c] = (uint8_t)(quant(c) | quant(c + 16) << 4);
}

template <class Quant, class Float>
struct Source<Quantized<Quant, Float>> {
  static constexpr int block_cols = 1, block_bytes = Source<Float>::block_bytes;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    float values[32];
    for (int c = 0; c < 32; c++) values[c] = read_float<Float>(row, (uint64_t)u * 32 + c);
    uint8_t block[Source<Quant>::block_bytes];
    quantize_block(Quant{}, values, block);
    Source<Quant>::pack(block, 0, 32, to);
  }
};

}  // namespace realizar
