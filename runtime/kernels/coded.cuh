// Formats whose quants are 4-bit codes of a table's numbers: IQ4_NL, IQ4_XS, MXFP4, and the i-quants whose files name
// points of a grid (repack.cuh writes a code for each number of the point; the device keeps 4 bits a weight for them).
// Codes of columns 8j..8j+7 are word j of 16 bytes, the first lowest.
#pragma once
#include "formats.cuh"

namespace realizar {

// 16 signed bytes, the first in the lowest byte of the first word.
struct CodeTable {
  uint32_t word[4];

  constexpr int number(int code) const { return (int8_t)(word[code / 4] >> code % 4 * 8); }
  constexpr int largest(int sign) const {
    int most = -128;
    for (int code = 0; code < 16; code++) most = sign * number(code) > most ? sign * number(code) : most;
    return most;
  }
};

// A table's quants: its numbers, all made negative where they are close enough, which decodes in fewer steps.
template <CodeTable Table>
struct CodeQuants {
  static constexpr bool negative = Table.largest(1) + Table.largest(-1) < 128;
  static constexpr int offset = negative ? -1 - Table.largest(1) : 0;
  static constexpr uint32_t four(int first) {
    uint32_t bytes = 0;
    for (int i = 0; i < 4; i++) bytes |= (uint32_t)((Table.number(first + i) + offset) & 255) << 8 * i;
    return bytes;
  }
  static constexpr uint32_t a = four(0), b = four(4), c = four(8), d = four(12);
};

// The quants of eight codes, a byte each, of the first four and of the others.
template <class Quants>
DEVICE void decode_codes(uint32_t codes, uint32_t& first, uint32_t& second) {
  constexpr uint32_t a = Quants::a, b = Quants::b, c = Quants::c, d = Quants::d;
  if constexpr (Quants::negative) {
    // Where a code is of the other half of the table, its digit asks for the sign of a quant: all bits.
    const uint32_t other = codes ^ 0x88888888u;
    first = select_bytes(a, b, codes) & select_bytes(c, d, other);
    second = select_bytes(a, b, codes >> 16) & select_bytes(c, d, other >> 16);
  } else {
    const uint32_t in_half = codes & 0x77777777u, raised = codes << 4;
    // Copies of the codes' highest bits.
    const uint32_t upper = select_bytes(codes, raised, 0x9d8c), upper_second = select_bytes(codes, raised, 0xbfae);
    first = (select_bytes(a, b, in_half) & ~upper) | (select_bytes(c, d, in_half) & upper);
    second = (select_bytes(a, b, in_half >> 16) & ~upper_second) | (select_bytes(c, d, in_half >> 16) & upper_second);
  }
}
template <CodeTable Table>
DEVICE void decode_unit(const uint4& codes, uint32_t (&q)[8]) {
#pragma unroll
  for (int j = 0; j < 4; j++) decode_codes<CodeQuants<Table>>(word(codes, j), q[2 * j], q[2 * j + 1]);
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
  static constexpr int offset = CodeQuants<nonlinear_table>::offset, scales = 1;
  static constexpr bool has_min = false;
  static constexpr bool is_signed = true;
  template <int R, int U>
  static constexpr int content = R * U * 18;
  struct Stored {
    uint4 codes;
    uint16_t scale;
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int) {
    return {((const uint4*)tile)[i], ((const uint16_t*)(tile + R * U * 16))[i]};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int, F&& f) {
    f(tile + i * 16), f(tile + R * U * 16 + i * 2);
  }
  static DEVICE QuantUnit decode(const Stored& from) {
    const float d = half_to_float(from.scale);
    QuantUnit v = {{}, {d, d}, {}};
    decode_unit<nonlinear_table>(from.codes, v.q);
    return v;
  }
};

// MXFP4: codes of doubled numbers, an exponent a unit: 2^(e - 128).
struct MXFP4 {
  static constexpr int offset = CodeQuants<mxfp4_table>::offset, scales = 1;
  static constexpr bool has_min = false;
  static constexpr bool is_signed = true;
  template <int R, int U>
  static constexpr int content = R * U * 17;
  struct Stored {
    uint4 codes;
    uint8_t exponent;
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int) {
    return {((const uint4*)tile)[i], ((const uint8_t*)(tile + R * U * 16))[i]};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int, F&& f) {
    f(tile + i * 16), f(tile + R * U * 16 + i);
  }
  static DEVICE QuantUnit decode(const Stored& from) {
    const uint32_t e = from.exponent;
    const float d = bits_to_float(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    QuantUnit v = {{}, {d, d}, {}};
    decode_unit<mxfp4_table>(from.codes, v.q);
    return v;
  }
};

// Codes, d as f16 for 256 columns, a signed multiplier for each 32 or 16: scale = d * multiplier / Divisor.
template <CodeTable Table, int Divisor, int Multipliers>
struct Coded {
  static constexpr int offset = CodeQuants<Table>::offset, scales = Multipliers;
  static constexpr bool has_min = false;
  static constexpr bool is_signed = true;
  template <int R, int U>
  static constexpr int content = R * U * (16 + Multipliers) + R * super_units<U> * 2;
  struct Stored {
    uint4 codes;
    uint16_t super;
    int8_t multiplier[2];
  };
  template <int R, int U>
  static DEVICE Stored load(const char* tile, int i, int s) {
    const int8_t* multiplier = (const int8_t*)(tile + R * U * 16 + R * super_units<U> * 2) + i * Multipliers;
    return {((const uint4*)tile)[i],
            ((const uint16_t*)(tile + R * U * 16))[s],
            {multiplier[0], multiplier[Multipliers - 1]}};
  }
  template <int R, int U, class F>
  static DEVICE void visit(const char* tile, int i, int s, F&& f) {
    f(tile + i * 16), f(tile + R * U * 16 + s * 2), f(tile + R * U * 16 + R * super_units<U> * 2 + i * Multipliers);
  }
  static DEVICE QuantUnit decode(const Stored& from) {
    const float d = half_to_float(from.super) * (1.f / Divisor);
    QuantUnit v = {{}, {d * from.multiplier[0], d * from.multiplier[1]}, {}};
    decode_unit<Table>(from.codes, v.q);
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
