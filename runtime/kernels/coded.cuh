// Formats whose quants are 4-bit codes of a table's numbers: IQ4_NL, IQ4_XS, MXFP4, and the i-quants whose files name
// points of a grid (repack.cuh writes a code for each number of the point; the device keeps 4 bits a weight for them).
#pragma once
#include "formats.cuh"

namespace realizar {

// 16 signed bytes, the first in the lowest byte of the first word.
struct CodeTable {
  uint32_t word[4];
};
// The table's numbers of four codes, one a byte.
template <CodeTable Table>
DEVICE uint32_t decode_word(uint32_t codes) {
  constexpr uint32_t a = Table.word[0], b = Table.word[1], c = Table.word[2], d = Table.word[3];
  uint32_t low = codes & 0x07070707u;  // the lowest three bits of each code, as the digits of a selector
  low = (low | low >> 4) & 0x00ff00ffu;
  low = (low | low >> 8) & 0xffffu;
  const uint32_t upper = (codes >> 3 & 0x01010101u) * 0xffu;
  return (select_bytes(a, b, low) & ~upper) | (select_bytes(c, d, low) & upper);
}

constexpr CodeTable nonlinear_table = {{0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u}};
constexpr CodeTable mxfp4_table = {{0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu}};
// The grids' magnitudes, and negated in the upper half.
constexpr CodeTable iq2_table = {{0x002b1908u, 0u, 0x00d5e7f8u, 0u}};
constexpr CodeTable iq3_xxs_table = {{0x1c140c04u, 0x3e342c24u, 0xe4ecf4fcu, 0xc2ccd4dcu}};
constexpr CodeTable iq3_s_table = {{0x07050301u, 0x0f0d0b09u, 0xf9fbfdffu, 0xf1f3f5f7u}};
// Eighths: -1, 0 and 1, with 1/8 added or, in the upper half, taken away.
constexpr CodeTable iq1_table = {{0x000901f9u, 0u, 0x0007fff7u, 0u}};

// IQ4_NL: codes, d as f16.
struct IQ4_NL {
  static constexpr int offset = 0, scales = 1;
  static constexpr bool has_min = false;
  template <int R, int U>
  static constexpr int content = R * U * 18;
  template <int R, int U>
  static DEVICE QuantUnit unit(const char* slot, int i, int) {
    const uint4 codes = ((const uint4*)slot)[i];
    const float d = half_to_float(((const uint16_t*)(slot + R * U * 16))[i]);
    QuantUnit v = {{}, {d, d}, {}};
#pragma unroll
    for (int k = 0; k < 8; k++) v.q[k] = decode_word<nonlinear_table>(nibble_word(codes, k));
    return v;
  }
};

// MXFP4: codes of doubled numbers, an exponent a unit: 2^(e - 128).
struct MXFP4 {
  static constexpr int offset = 0, scales = 1;
  static constexpr bool has_min = false;
  template <int R, int U>
  static constexpr int content = R * U * 17;
  template <int R, int U>
  static DEVICE QuantUnit unit(const char* slot, int i, int) {
    const uint4 codes = ((const uint4*)slot)[i];
    const uint32_t e = ((const uint8_t*)(slot + R * U * 16))[i];
    const float d = bits_to_float(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    QuantUnit v = {{}, {d, d}, {}};
#pragma unroll
    for (int k = 0; k < 8; k++) v.q[k] = decode_word<mxfp4_table>(nibble_word(codes, k));
    return v;
  }
};

// Codes, d as f16 for 256 columns, a signed multiplier for each 32 or 16: scale = d * multiplier / Divisor.
template <CodeTable Table, int Divisor, int Multipliers>
struct Coded {
  static constexpr int offset = 0, scales = Multipliers;
  static constexpr bool has_min = false;
  template <int R, int U>
  static constexpr int content = R * U * (16 + Multipliers) + R * super_units<U> * 2;
  template <int R, int U>
  static DEVICE QuantUnit unit(const char* slot, int i, int s) {
    const uint4 codes = ((const uint4*)slot)[i];
    const float d = half_to_float(((const uint16_t*)(slot + R * U * 16))[s]) * (1.f / Divisor);
    const int8_t* multiplier = (const int8_t*)(slot + R * U * 16 + R * super_units<U> * 2) + i * Multipliers;
    QuantUnit v = {{}, {d * multiplier[0], d * multiplier[Multipliers - 1]}, {}};
#pragma unroll
    for (int k = 0; k < 8; k++) v.q[k] = decode_word<Table>(nibble_word(codes, k));
    return v;
  }
};
// A type each, because their sources differ (repack_coded.cuh).
struct IQ4_XS : Coded<nonlinear_table, 1, 1> {};
struct IQ2_XXS : Coded<iq2_table, 8, 1> {};
struct IQ2_XS : Coded<iq2_table, 8, 2> {};
struct IQ2_S : Coded<iq2_table, 8, 2> {};
struct IQ3_XXS : Coded<iq3_xxs_table, 4, 1> {};
struct IQ3_S : Coded<iq3_s_table, 1, 1> {};
struct IQ1_S : Coded<iq1_table, 8, 1> {};
struct IQ1_M : Coded<iq1_table, 8, 2> {};

}  // namespace realizar
