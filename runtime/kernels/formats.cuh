// The weight formats on the device, and how a kernel reads 32 columns ("a unit") of one row.
//
// A matrix is cut into tiles: rows_per_group rows by cols_per_chunk columns, the piece that one bulk copy brings into
// shared memory. Inside a tile the parts of a format lie in planes, one after another, widest element first; a plane is
// [row][unit], or [row][unit / 8] where a format scales 256 columns together. So the 32 lanes of a warp, each with a
// unit of its own, read each plane at consecutive addresses, 16 bytes a lane where there is that much. The tile is
// padded to 16 bytes, and to 128, a line of the L2, where that takes no more than a 32nd of it.
// compiler/kernels/formats.ts has the same table; the emitted kernels.cu asserts that the sizes agree.
//
// Quants are kept as the file has them (the same bits a weight), reordered so that shift and mask give four columns
// 4k..4k+3 as the bytes of word k:
//   nibbles   16 bytes: byte i holds column i (low) and column i + 16 (high)
//   pairs      8 bytes: bits 2(k % 4) + 8b of word k / 4 hold column 4k + b
//   bits       4 bytes: bit k + 8b holds column 4k + b
#pragma once
#include "numbers.h"

namespace realizar {

constexpr int unit_cols = 32;

// 32 quants of one row as bytes (signed in Q8_0, else unsigned below 64), and what turns them into weights:
// scale[h] * (q - offset) - min[h], h = the half. Where the format is raised, those of the second half are 16 times as
// large: they are nibbles that have not been shifted down.
struct QuantUnit {
  uint32_t q[8];
  float scale[2], min[2];
};

// Elements a row of a plane that holds one for 8 units.
template <int Units>
constexpr int super_units = (Units + 7) / 8;
constexpr int round_up(int n, int to) { return (n + to - 1) / to * to; }
constexpr int round_up_to_power_of_two(int n) { return n <= 1 ? 1 : 2 * round_up_to_power_of_two((n + 1) / 2); }
// 1 to 32.
constexpr int round_down_to_power_of_two(int n) {
  return n < 2 ? 1 : n >= 32 ? 32 : 2 * round_down_to_power_of_two(n / 2);
}
constexpr int padded(int n) { return round_up(n, 128) - n <= n / 32 ? round_up(n, 128) : round_up(n, 16); }
// Bytes of a tile that are read, and from it to the next.
template <class F, int Rows, int Units>
constexpr int tile_content = round_up(F::template content<Rows, Units>, 16);
template <class F, int Rows, int Units>
constexpr int tile_stride = padded(F::template content<Rows, Units>);

// Word k of each packing, k = 0..7.
DEVICE uint32_t word(const uint4& v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }
DEVICE uint32_t nibble_word(const uint4& v, int k) { return word(v, k % 4) >> (k < 4 ? 0 : 4) & 0x0f0f0f0fu; }
DEVICE uint32_t raised_word(const uint4& v, int k) { return word(v, k % 4) & (k < 4 ? 0x0f0f0f0fu : 0xf0f0f0f0u); }
DEVICE uint32_t pair_word(const uint2& v, int k) { return (k < 4 ? v.x : v.y) >> 2 * (k % 4) & 0x03030303u; }
DEVICE uint32_t bit_word(uint32_t v, int k) { return v >> k & 0x01010101u; }

// Every format below has: content<Rows, Units>, the bytes of a tile, offset (of the quants), scales (1 or 2 a unit),
// has_min, and then the middle of its quants; raised where it is, and load<Rows, Units>(tile, i, s): the unit at index
// i = row * Units + u of a plane, s = row * super_units + u / 8, as Stored: the bytes as they are, so that they can be
// on their way while something else is computed. decode(stored) makes numbers of them. visit<Rows, Units>(tile, i, s,
// f) calls f with where load reads.

struct Q8_0 {
  static constexpr int offset = 0, scales = 1;
  static constexpr bool is_signed = true;
  static constexpr bool has_min = false;
  template <int R, int U>
  static constexpr int content = R * U * 34;
  struct Stored {
    uint4 a, b;
    uint16_t scale;
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int) {
    return {((const uint4*)tile)[i], ((const uint4*)tile)[R * U + i], ((const uint16_t*)(tile + R * U * 32))[i]};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int, F&& f) {
    f(tile + i * 16), f(tile + (R * U + i) * 16), f(tile + R * U * 32 + i * 2);
  }
  static DEVICE QuantUnit decode(const Stored& v) {
    const float d = half_to_float(v.scale);
    return {{v.a.x, v.a.y, v.a.z, v.a.w, v.b.x, v.b.y, v.b.z, v.b.w}, {d, d}, {}};
  }
};

// Q4_0, Q4_1, Q5_0, Q5_1: nibbles, then the fifth bits, then d (and m) as f16.
template <bool FifthBit, bool Min>
struct Nibbles32 {
  static constexpr int middle = FifthBit ? 16 : 8, offset = Min ? 0 : middle, scales = 1;
  static constexpr bool has_min = Min;
  static constexpr bool raised = !FifthBit;
  static constexpr int unit_bytes = 16 + (FifthBit ? 4 : 0) + (Min ? 4 : 2);
  template <int R, int U>
  static constexpr int content = R * U * unit_bytes;
  struct Stored {
    uint4 low;
    uint32_t high;
    uint16_t scale, min;
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int) {
    const uint16_t* scale = (const uint16_t*)(tile + R * U * (FifthBit ? 20 : 16)) + i * (Min ? 2 : 1);
    return {((const uint4*)tile)[i], FifthBit ? ((const uint32_t*)(tile + R * U * 16))[i] : 0, scale[0],
            Min ? scale[1] : uint16_t(0)};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int, F&& f) {
    f(tile + i * 16), f(tile + R * U * (FifthBit ? 20 : 16) + i * (Min ? 4 : 2));
    if (FifthBit) f(tile + R * U * 16 + i * 4);
  }
  static DEVICE QuantUnit decode(const Stored& from) {
    QuantUnit v;
#pragma unroll
    for (int k = 0; k < 8; k++)
      v.q[k] = FifthBit ? nibble_word(from.low, k) | bit_word(from.high, k) << 4 : raised_word(from.low, k);
    v.scale[0] = v.scale[1] = half_to_float(from.scale);
    v.min[0] = v.min[1] = Min ? -half_to_float(from.min) : 0.f;
    return v;
  }
};
using Q4_0 = Nibbles32<false, false>;
using Q4_1 = Nibbles32<false, true>;
using Q5_0 = Nibbles32<true, false>;
using Q5_1 = Nibbles32<true, true>;

// Q4_K, Q5_K: nibbles, fifth bits, {scale, min} as bytes; {d, dmin} as f16 for 256 columns.
template <bool FifthBit>
struct Nibbles256 {
  static constexpr int middle = FifthBit ? 16 : 8, offset = 0, scales = 1;
  static constexpr bool has_min = true;
  static constexpr bool raised = !FifthBit;
  static constexpr int unit_bytes = 18 + (FifthBit ? 4 : 0);
  template <int R, int U>
  static constexpr int content = R * U * unit_bytes + R * super_units<U> * 4;
  struct Stored {
    uint4 low;
    uint32_t high, supers;
    uint16_t scales;
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int s) {
    return {((const uint4*)tile)[i], FifthBit ? ((const uint32_t*)(tile + R * U * 16))[i] : 0,
            ((const uint32_t*)(tile + R * U * unit_bytes))[s],
            ((const uint16_t*)(tile + R * U * (FifthBit ? 20 : 16)))[i]};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int s, F&& f) {
    f(tile + i * 16), f(tile + R * U * (FifthBit ? 20 : 16) + i * 2), f(tile + R * U * unit_bytes + s * 4);
    if (FifthBit) f(tile + R * U * 16 + i * 4);
  }
  static DEVICE QuantUnit decode(const Stored& from) {
    QuantUnit v;
#pragma unroll
    for (int k = 0; k < 8; k++)
      v.q[k] = FifthBit ? nibble_word(from.low, k) | bit_word(from.high, k) << 4 : raised_word(from.low, k);
    v.scale[0] = v.scale[1] = half_to_float(from.supers & 0xffff) * byte_to_float(from.scales, 0);
    v.min[0] = v.min[1] = half_to_float(from.supers >> 16) * byte_to_float(from.scales, 1);
    return v;
  }
};
using Q4_K = Nibbles256<false>;
using Q5_K = Nibbles256<true>;

// Q6_K: nibbles, pairs (bits 4 and 5), a signed scale for each 16 columns; d as f16 for 256.
struct Q6_K {
  static constexpr int offset = 32, scales = 2;
  static constexpr bool has_min = false;
  template <int R, int U>
  static constexpr int content = R * U * 26 + R * super_units<U> * 2;
  struct Stored {
    uint4 low;
    uint2 high;
    uint16_t scales, super;
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int s) {
    return {((const uint4*)tile)[i], ((const uint2*)(tile + R * U * 16))[i], ((const uint16_t*)(tile + R * U * 24))[i],
            ((const uint16_t*)(tile + R * U * 26))[s]};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int s, F&& f) {
    f(tile + i * 16), f(tile + R * U * 16 + i * 8), f(tile + R * U * 24 + i * 2), f(tile + R * U * 26 + s * 2);
  }
  static DEVICE QuantUnit decode(const Stored& from) {
    const float d = half_to_float(from.super);
    QuantUnit v;
#pragma unroll
    for (int k = 0; k < 8; k++) v.q[k] = nibble_word(from.low, k) | pair_word(from.high, k) << 4;
    v.scale[0] = d * signed_byte_to_float(from.scales, 0);
    v.scale[1] = d * signed_byte_to_float(from.scales, 1);
    v.min[0] = v.min[1] = 0;
    return v;
  }
};

// Q3_K: pairs, third bits, a signed scale for each 16 columns; d as f16 for 256.
struct Q3_K {
  static constexpr int offset = 4, scales = 2;
  static constexpr bool has_min = false;
  template <int R, int U>
  static constexpr int content = R * U * 14 + R * super_units<U> * 2;
  struct Stored {
    uint2 low;
    uint32_t high;
    int8_t scale[2];
    uint16_t super;
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int s) {
    const int8_t* scale = (const int8_t*)(tile + R * U * 12) + i * 2;
    return {((const uint2*)tile)[i],
            ((const uint32_t*)(tile + R * U * 8))[i],
            {scale[0], scale[1]},
            ((const uint16_t*)(tile + R * U * 14))[s]};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int s, F&& f) {
    f(tile + i * 8), f(tile + R * U * 8 + i * 4), f(tile + R * U * 12 + i * 2), f(tile + R * U * 14 + s * 2);
  }
  static DEVICE QuantUnit decode(const Stored& from) {
    const float d = half_to_float(from.super);
    QuantUnit v;
#pragma unroll
    for (int k = 0; k < 8; k++) v.q[k] = pair_word(from.low, k) | bit_word(from.high, k) << 2;
    v.scale[0] = d * from.scale[0];
    v.scale[1] = d * from.scale[1];
    v.min[0] = v.min[1] = 0;
    return v;
  }
};

// Q2_K: pairs, a byte for each 16 columns (scale in the low nibble, min in the high one); {d, dmin} as f16 for 256.
struct Q2_K {
  static constexpr int middle = 2, offset = 0, scales = 2;
  static constexpr bool has_min = true;
  template <int R, int U>
  static constexpr int content = R * U * 10 + R * super_units<U> * 4;
  struct Stored {
    uint2 low;
    uint8_t scale[2];
    uint16_t super[2];
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int s) {
    const uint8_t* scale = (const uint8_t*)(tile + R * U * 8) + i * 2;
    const uint16_t* super = (const uint16_t*)(tile + R * U * 10) + s * 2;
    return {((const uint2*)tile)[i], {scale[0], scale[1]}, {super[0], super[1]}};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int s, F&& f) {
    f(tile + i * 8), f(tile + R * U * 8 + i * 2), f(tile + R * U * 10 + s * 4);
  }
  static DEVICE QuantUnit decode(const Stored& from) {
    const float d = half_to_float(from.super[0]), dmin = half_to_float(from.super[1]);
    QuantUnit v;
#pragma unroll
    for (int k = 0; k < 8; k++) v.q[k] = pair_word(from.low, k);
#pragma unroll
    for (int h = 0; h < 2; h++) v.scale[h] = d * (from.scale[h] & 15), v.min[h] = dmin * (from.scale[h] >> 4);
    return v;
  }
};

// F32, F16, BF16: planes of 16 bytes, each [row][unit]; plane j holds the j-th 16 bytes of every unit.
struct FloatUnit {
  float4 w[8];
};
struct F32 {
  template <int R, int U>
  static constexpr int content = R * U * 128;
  using Stored = FloatUnit;
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int) {
    Stored v;
#pragma unroll
    for (int j = 0; j < 8; j++) v.w[j] = ((const float4*)tile)[j * R * U + i];
    return v;
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int, F&& f) {
#pragma unroll
    for (int j = 0; j < 8; j++) f(tile + (j * R * U + i) * 16);
  }
  static DEVICE FloatUnit decode(const Stored& v) { return v; }
};
template <bool Brain>
struct Float16 {
  static DEVICE float widen(uint32_t bits) { return Brain ? bf16_to_float(bits) : half_to_float(bits); }
  template <int R, int U>
  static constexpr int content = R * U * 64;
  struct Stored {
    uint4 eight[4];
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int) {
    Stored v;
#pragma unroll
    for (int j = 0; j < 4; j++) v.eight[j] = ((const uint4*)tile)[j * R * U + i];
    return v;
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int, F&& f) {
#pragma unroll
    for (int j = 0; j < 4; j++) f(tile + (j * R * U + i) * 16);
  }
  static DEVICE FloatUnit decode(const Stored& from) {
    FloatUnit v;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const uint32_t a = word(from.eight[j / 2], j % 2 * 2), b = word(from.eight[j / 2], j % 2 * 2 + 1);
      v.w[j] = {widen(a & 0xffff), widen(a >> 16), widen(b & 0xffff), widen(b >> 16)};
    }
    return v;
  }
};
using F16 = Float16<false>;
using BF16 = Float16<true>;

template <class F>
constexpr bool is_quant = requires { F::offset; };
// Does a product with the format need the sums of the activations?
template <class F>
constexpr bool needs_sums = requires { requires F::has_min || F::offset != 0; };

// ------------------------------------------------------------------ what kernels do with a unit
template <class F, int Rows, int Units>
DEVICE auto load_unit(const char* tile, int i, int s) {
  return F::decode(F::template load<Rows, Units>(tile, i, s));
}

// 32 activations as x = scale * (256 * high + low), high a signed byte and low an unsigned one: 16 bits each, finer
// than f16 where it counts, and products with quants are exact in integers. sums: of both halves, as 256 * high + low.
struct IntUnit {
  uint32_t high[8], low[8];
  float scale;
  int sums[2];
};
struct FloatActivations {
  float4 x[8];
};

DEVICE float dot(const float4& a, const float4& b, float sum) {
  return fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, fmaf(a.w, b.w, sum))));
}
template <class F>
DEVICE float dot(const FloatUnit& v, const FloatActivations& x) {
  float sum[2] = {};
#pragma unroll
  for (int k = 0; k < 8; k++) sum[k % 2] = dot(v.w[k], x.x[k], sum[k % 2]);
  return sum[0] + sum[1];
}
template <class F>
constexpr bool is_raised = requires { requires F::raised; };
// Bytes of quants are signed; others are below 64, or raised.
template <class F>
constexpr bool has_signed_quants = requires { requires F::is_signed; };
// Sum of four words' products; at most 64 * 128 * 2^15 a half, so that two halves fit in 32 bits.
template <bool Signed>
DEVICE int dot_words(const uint32_t* q, const uint32_t* high, const uint32_t* low) {
  int sum = 0;
#pragma unroll
  for (int k = 0; k < 4; k++) sum = dot4<Signed, true>(q[k], high[k], sum);
  sum *= 256;
#pragma unroll
  for (int k = 0; k < 4; k++) sum = dot4<Signed, false>(q[k], low[k], sum);
  return sum;
}
template <class F>
DEVICE float dot(const QuantUnit& v, const IntUnit& x) {
  const int second = dot_words<!is_raised<F>>(v.q + 4, x.high + 4, x.low + 4);
  const int a = dot_words<true>(v.q, x.high, x.low) - F::offset * x.sums[0];
  const int b = (is_raised<F> ? second >> 4 : second) - F::offset * x.sums[1];
  float sum = F::scales == 1 ? v.scale[0] * (float)(a + b) : fmaf(v.scale[0], (float)a, v.scale[1] * (float)b);
  if (F::has_min)
    sum -= F::scales == 1 ? v.min[0] * (float)(x.sums[0] + x.sums[1])
                          : fmaf(v.min[0], (float)x.sums[0], v.min[1] * (float)x.sums[1]);
  return sum * x.scale;
}
template <class F>
DEVICE void expand(const FloatUnit& v, float4 (&w)[8]) {
#pragma unroll
  for (int k = 0; k < 8; k++) w[k] = v.w[k];
}
template <class F>
DEVICE void expand(const QuantUnit& v, float4 (&w)[8]) {
#pragma unroll
  for (int k = 0; k < 8; k++) {
    const float scale = v.scale[k / 4], min = F::has_min ? v.min[k / 4] : 0.f;
    const uint32_t q = is_raised<F> && k > 3 ? v.q[k] >> 4 : v.q[k];
    const auto weight = [&](int byte) { return fmaf(scale, float(int8_t(q >> 8 * byte) - F::offset), -min); };
    w[k] = {weight(0), weight(1), weight(2), weight(3)};
  }
}

}  // namespace realizar
