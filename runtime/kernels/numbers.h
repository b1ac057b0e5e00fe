// Arithmetic on bytes and bits, and number formats, twice as device.h: what the hardware does in one or a few
// instructions.
#pragma once
#include "device.h"

#if defined(__CUDACC__)
#include <cuda_fp16.h>

namespace realizar {

// ------------------------------------------------------------------ integer arithmetic
// sum + the four products of bytes, each signed or not.
template <bool ASigned, bool BSigned>
DEVICE int dot4(uint32_t a, uint32_t b, int sum) {
  if (ASigned && BSigned) asm("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
  if (ASigned && !BSigned) asm("dp4a.s32.u32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
  if (!ASigned && BSigned) asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
  if (!ASigned && !BSigned) asm("dp4a.u32.u32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
  return sum;
}
// Bytes of b:a (a's are 0 to 3) that the four lowest digits of `digits` name; with 8 more, copies of their highest bit.
DEVICE uint32_t select_bytes(uint32_t a, uint32_t b, uint32_t digits) {
  uint32_t selected;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(selected) : "r"(a), "r"(b), "r"(digits));
  return selected;
}
// Byte Index of each, the first one lowest.
template <int Index>
DEVICE uint32_t four_bytes(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  constexpr int digits = Index + 0x10 * (4 + Index);
  return __byte_perm(__byte_perm(a, b, digits), __byte_perm(c, d, digits), 0x5410);
}
// Byte i of four, 0 to 255: as the last bits of 2^23 + byte, which costs an addition where a conversion takes four.
DEVICE float byte_to_float(uint32_t bytes, int i) {
  return __uint_as_float(__byte_perm(bytes, 0x4b000000u, 0x7440 + i)) - 8388608.f;
}
DEVICE float signed_byte_to_float(uint32_t bytes, int i) {  // -128 to 127
  return __uint_as_float(__byte_perm(bytes ^ 0x80808080u, 0x4b000000u, 0x7440 + i)) - 8388736.f;
}
// What is no number stays it: fmaxf and fminf would give the other one.
DEVICE float maximum(float a, float b) {
  float v;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(v) : "f"(a), "f"(b));
  return v;
}
DEVICE float minimum(float a, float b) {
  float v;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(v) : "f"(a), "f"(b));
  return v;
}
DEVICE int64_t round_to_int64(float v) { return __float2ll_rn(v); }  // what no number is gives some number
DEVICE float fast_divide(float a, float b) { return __fdividef(a, b); }
DEVICE float fast_exp(float v) { return __expf(v); }  // relative error |v| 2^-23 or so
DEVICE float fast_exp2(float v) {                     // 1 of 0, 0 of -infinity
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(v));
  return power;
}

// ------------------------------------------------------------------ number formats
DEVICE float half_to_float(uint16_t h) { return __half2float(__ushort_as_half(h)); }
DEVICE uint16_t float_to_half(float f) { return __half_as_ushort(__float2half_rn(f)); }
// Two halves, the first lowest.
DEVICE uint32_t pack_halves(float a, float b) {
  uint32_t halves;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(halves) : "f"(b), "f"(a));
  return halves;
}
DEVICE float bits_to_float(uint32_t bits) { return __uint_as_float(bits); }
DEVICE uint32_t float_to_bits(float f) { return __float_as_uint(f); }

// ------------------------------------------------------------------ pairs of halves, the first in the low bits
DEVICE __half2 bits_to_pair(uint32_t bits) { return *(const __half2*)&bits; }
DEVICE uint32_t pair_to_bits(__half2 pair) { return *(const uint32_t*)&pair; }
DEVICE uint32_t pair_subtract(uint32_t a, uint32_t b) {
  return pair_to_bits(__hsub2_rn(bits_to_pair(a), bits_to_pair(b)));
}
DEVICE uint32_t pair_multiply(uint32_t a, uint32_t b) {
  return pair_to_bits(__hmul2_rn(bits_to_pair(a), bits_to_pair(b)));
}
DEVICE uint32_t pair_fma(uint32_t a, uint32_t b, uint32_t c) {
  return pair_to_bits(__hfma2(bits_to_pair(a), bits_to_pair(b), bits_to_pair(c)));
}

}  // namespace realizar

#else
#include <cmath>

namespace realizar {

template <bool ASigned, bool BSigned>
DEVICE int dot4(uint32_t a, uint32_t b, int sum) {
  for (int i = 0; i < 32; i += 8)
    sum += (ASigned ? int8_t(a >> i) : uint8_t(a >> i)) * (BSigned ? int8_t(b >> i) : uint8_t(b >> i));
  return sum;
}
DEVICE uint32_t select_bytes(uint32_t a, uint32_t b, uint32_t digits) {
  const uint64_t bytes = (uint64_t)b << 32 | a;
  uint32_t selected = 0;
  for (int i = 0; i < 4; i++) {
    const uint32_t digit = digits >> 4 * i & 15, byte = bytes >> 8 * (digit & 7) & 255;
    selected |= (digit < 8 ? byte : byte >> 7 ? 255u : 0u) << 8 * i;
  }
  return selected;
}
template <int Index>
DEVICE uint32_t four_bytes(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  const auto byte = [](uint32_t v) { return v >> 8 * Index & 255; };
  return byte(a) | byte(b) << 8 | byte(c) << 16 | byte(d) << 24;
}
DEVICE float byte_to_float(uint32_t bytes, int i) { return (float)(bytes >> 8 * i & 255); }
DEVICE float signed_byte_to_float(uint32_t bytes, int i) { return (float)(int8_t)(bytes >> 8 * i); }
DEVICE float maximum(float a, float b) { return a != a || a > b ? a : b; }
DEVICE float minimum(float a, float b) { return a != a || a < b ? a : b; }
DEVICE int64_t round_to_int64(float v) { return fabsf(v) < 9e18f ? (int64_t)llrintf(v) : INT64_MIN; }
DEVICE float fast_divide(float a, float b) { return a / b; }
DEVICE float fast_exp(float v) { return expf(v); }
DEVICE float fast_exp2(float v) { return exp2f(v); }

DEVICE float rsqrtf(float v) { return 1.f / sqrtf(v); }
DEVICE float bits_to_float(uint32_t bits) {
  float f;
  memcpy(&f, &bits, 4);
  return f;
}
DEVICE uint32_t float_to_bits(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  return bits;
}
DEVICE float half_to_float(uint16_t h) { return sim::half_to_float(h); }
DEVICE uint16_t float_to_half(float f) { return sim::float_to_half(f); }
DEVICE uint32_t pack_halves(float a, float b) { return float_to_half(a) | (uint32_t)float_to_half(b) << 16; }

template <class F>
DEVICE uint32_t for_each_of_pair(F&& f) {
  return pack_halves(f(0), f(16));
}
DEVICE uint32_t pair_subtract(uint32_t a, uint32_t b) {
  return for_each_of_pair([&](int at) { return half_to_float(a >> at) - half_to_float(b >> at); });
}
DEVICE uint32_t pair_multiply(uint32_t a, uint32_t b) {
  return for_each_of_pair([&](int at) { return half_to_float(a >> at) * half_to_float(b >> at); });
}
DEVICE uint32_t pair_fma(uint32_t a, uint32_t b, uint32_t c) {
  return for_each_of_pair(
      [&](int at) { return fmaf(half_to_float(a >> at), half_to_float(b >> at), half_to_float(c >> at)); });
}

}  // namespace realizar
#endif

namespace realizar {
// v, within 2^21, rounded to a whole number, in the last bits of another number: those of 1.5 * 2^23 + v, which costs
// an addition where a conversion takes four.
constexpr uint32_t fixed_point_zero = 0x4b400000;
DEVICE uint32_t fixed_point(float v) { return float_to_bits(v + 12582912.f); }
DEVICE float bf16_to_float(uint16_t h) { return bits_to_float((uint32_t)h << 16); }
}  // namespace realizar
