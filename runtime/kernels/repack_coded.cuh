// repack.cuh's sources of the formats in coded.cuh, as ggml defines their blocks (ggml-common.h).
#pragma once
#include "coded.cuh"
#include "repack.cuh"

namespace realizar {

template <class Code>
DEVICE uint4 pack_codes(Code code) {
  uint32_t w[4] = {};
  for (int c = 0; c < 32; c++) w[c / 8] |= (uint32_t)(code(c) & 15) << 4 * (c % 8);
  return {w[0], w[1], w[2], w[3]};
}

template <>
struct Source<IQ4_NL> {
  static constexpr int block_cols = 32, block_bytes = 18;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)u * block_bytes;
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return b[2 + c % 16] >> (c < 16 ? 0 : 4); });
    to.plane<uint16_t>(16)[to.i] = read_u16(b);
  }
};

template <>
struct Source<MXFP4> {
  static constexpr int block_cols = 32, block_bytes = 17;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)u * block_bytes;
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return b[1 + c % 16] >> (c < 16 ? 0 : 4); });
    to.plane<uint8_t>(16)[to.i] = b[0];
  }
};

// MXFP4 as safetensors files have it, two tensors: neighbours in a byte, the first one low; an exponent a block.
struct MXFP4Codes {};
struct MXFP4Exponents {};
template <>
struct Source<MXFP4Codes> {
  static constexpr int block_cols = 32, block_bytes = 16;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)u * block_bytes;
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return b[c / 2] >> 4 * (c % 2); });
  }
};
template <>
struct Source<MXFP4Exponents> {
  static constexpr int block_cols = 32, block_bytes = 1;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) { to.plane<uint8_t>(16)[to.i] = row[u]; }
};

// The rest of a unit of the formats that derive from Coded.
template <class... Int>
DEVICE void pack_multipliers(const TileUnit& to, uint16_t d, Int... each) {
  uint16_t* super = to.plane<uint16_t>(16);
  if (to.first) super[to.s] = d;
  int8_t* multiplier = (int8_t*)(super + to.rows * ((to.units + 7) / 8)) + to.i * sizeof...(each);
  ((*multiplier++ = (int8_t)each), ...);
}

template <>
struct Source<IQ4_XS> {
  static constexpr int block_cols = 256, block_bytes = 136;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const int j = u % 8;
    const uint8_t* codes = b + 8 + 16 * j;
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return codes[c % 16] >> (c < 16 ? 0 : 4); });
    const int scale = (b[4 + j / 2] >> 4 * (j % 2) & 15) | (read_u16(b + 2) >> 2 * j & 3) << 4;
    pack_multipliers(to, read_u16(b), scale - 32);
  }
};

// Points of the format's grid, 16 bits each: 2 or 4 bits an element (compiler/model/grids.ts). The emitted kernels.cu
// defines those of the formats that the model has, after this file: so the sources below are templates of the format.
template <class F>
DEVICE const uint16_t* grid_points();

// The eight signs that seven bits stand for: the last makes the number of negatives even.
DEVICE int even_signs(int bits) {
  int parity = bits ^ bits >> 4;
  parity ^= parity >> 2;
  return bits | ((parity ^ parity >> 1) & 1) << 7;
}
// Code of column c of a unit: points of 8 columns of 2 bits each, or of 4 columns of 4 bits; bit 3 is the sign.
template <int Cols>
DEVICE int code(const int (&point)[32 / Cols], const int (&signs)[4], int c) {
  return (point[c / Cols] >> c % Cols * (16 / Cols) & (Cols == 8 ? 3 : 7)) | (signs[c / 8] >> c % 8 & 1) << 3;
}

DEVICE uint32_t read_u32(const uint8_t* p) { return read_u16(p) | (uint32_t)read_u16(p + 2) << 16; }

template <>
struct Source<IQ2_XXS> {
  static constexpr int block_cols = 256, block_bytes = 66;
  template <class F = IQ2_XXS>
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const uint8_t* q = b + 2 + 8 * (u % 8);
    const uint32_t more = read_u32(q + 4);
    int point[4], signs[4];
    for (int i = 0; i < 4; i++) point[i] = grid_points<F>()[q[i]], signs[i] = even_signs(more >> 7 * i & 127);
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return code<8>(point, signs, c); });
    const int multiplier = 2 * (more >> 28) + 1;
    pack_multipliers(to, read_u16(b), multiplier);
  }
};

template <>
struct Source<IQ2_XS> {
  static constexpr int block_cols = 256, block_bytes = 74;
  template <class F = IQ2_XS>
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    int point[4], signs[4];
    for (int i = 0; i < 4; i++) {
      const int q = read_u16(b + 2 + 8 * (u % 8) + 2 * i);
      point[i] = grid_points<F>()[q & 511], signs[i] = even_signs(q >> 9);
    }
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return code<8>(point, signs, c); });
    const int scales = b[66 + u % 8];
    pack_multipliers(to, read_u16(b), 2 * (scales & 15) + 1, 2 * (scales >> 4) + 1);
  }
};

template <>
struct Source<IQ2_S> {
  static constexpr int block_cols = 256, block_bytes = 82;
  template <class F = IQ2_S>
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const int j = u % 8, high = b[66 + j];
    int point[4], signs[4];
    for (int i = 0; i < 4; i++) {
      point[i] = grid_points<F>()[b[2 + 4 * j + i] | (high >> 2 * i & 3) << 8];
      signs[i] = b[34 + 4 * j + i];
    }
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return code<8>(point, signs, c); });
    const int scales = b[74 + j];
    pack_multipliers(to, read_u16(b), 2 * (scales & 15) + 1, 2 * (scales >> 4) + 1);
  }
};

template <>
struct Source<IQ3_XXS> {
  static constexpr int block_cols = 256, block_bytes = 98;
  template <class F = IQ3_XXS>
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const uint32_t more = read_u32(b + 66 + 4 * (u % 8));
    int point[8], signs[4];
    for (int i = 0; i < 8; i++) point[i] = grid_points<F>()[b[2 + 8 * (u % 8) + i]];
    for (int i = 0; i < 4; i++) signs[i] = even_signs(more >> 7 * i & 127);
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return code<4>(point, signs, c); });
    const int multiplier = 2 * (more >> 28) + 1;
    pack_multipliers(to, read_u16(b), multiplier);
  }
};

template <>
struct Source<IQ3_S> {
  static constexpr int block_cols = 256, block_bytes = 110;
  template <class F = IQ3_S>
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const int j = u % 8, high = b[66 + j];
    int point[8], signs[4];
    for (int i = 0; i < 8; i++) point[i] = grid_points<F>()[b[2 + 8 * j + i] | (high >> i & 1) << 8];
    for (int i = 0; i < 4; i++) signs[i] = b[74 + 4 * j + i];
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return code<4>(point, signs, c); });
    const int multiplier = 2 * (b[106 + j / 2] >> 4 * (j % 2) & 15) + 1;
    pack_multipliers(to, read_u16(b), multiplier);
  }
};

template <>
struct Source<IQ1_S> {
  static constexpr int block_cols = 256, block_bytes = 50;
  template <class F = IQ1_S>
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const int j = u % 8, high = read_u16(b + 34 + 2 * j), sign = high >> 15 ? 255 : 0;
    int point[4];
    const int signs[4] = {sign, sign, sign, sign};
    for (int i = 0; i < 4; i++) point[i] = grid_points<F>()[b[2 + 4 * j + i] | (high >> 3 * i & 7) << 8];
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return code<8>(point, signs, c); });
    const int multiplier = 2 * (high >> 12 & 7) + 1;
    pack_multipliers(to, read_u16(b), multiplier);
  }
};

template <>
struct Source<IQ1_M> {
  static constexpr int block_cols = 256, block_bytes = 56;
  template <class F = IQ1_M>
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const int j = u % 8;
    int point[4], signs[4];
    for (int i = 0; i < 4; i++) {
      const int high = b[32 + 2 * j + i / 2] >> 4 * (i % 2);
      point[i] = grid_points<F>()[b[4 * j + i] | (high & 7) << 8];
      signs[i] = high & 8 ? 255 : 0;
    }
    to.plane<uint4>(0)[to.i] = pack_codes([&](int c) { return code<8>(point, signs, c); });
    const int scales = read_u16(b + 48 + j / 2 * 2) >> 6 * (j % 2);
    int d = 0;  // its four digits are the highest of the four words of scales
    for (int k = 0; k < 4; k++) d |= read_u16(b + 48 + 2 * k) >> 12 << 4 * k;
    pack_multipliers(to, (uint16_t)d, 2 * (scales & 7) + 1, 2 * (scales >> 3 & 7) + 1);
  }
};

}  // namespace realizar
