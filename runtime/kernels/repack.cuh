// Weights from the file's blocks to the device layout of formats.cuh, once, when a model is opened.
// One thread a unit (32 columns of a row). Source blocks are as ggml defines them (ggml-common.h) and only 2-byte
// aligned, so they are read by bytes; this is load time, where the bus is the limit.
#pragma once
#include "formats.cuh"
#include "state.h"

namespace realizar {

// Where a thread writes: unit `i` of each plane, `s` of the planes that hold one value for 8 units (first: writes
// them).
struct TileUnit {
  char* base;
  int rows, units, i, s;
  bool first;
  // Plane that starts `unit_bytes` a unit after the tile's start, elements of T.
  template <typename T>
  DEVICE T* plane(int unit_bytes) const {
    return (T*)(base + (int64_t)rows * units * unit_bytes);
  }
};

DEVICE uint16_t read_u16(const uint8_t* p) { return p[0] | p[1] << 8; }

template <class Quant>
DEVICE uint4 pack_nibbles(Quant q) {
  uint32_t w[4] = {};
  for (int c = 0; c < 16; c++) w[c / 4] |= (uint32_t)((q(c) & 15) | (q(c + 16) & 15) << 4) << 8 * (c % 4);
  return {w[0], w[1], w[2], w[3]};
}
template <class Quant>
DEVICE uint2 pack_pairs(Quant q) {
  uint32_t w[2] = {};
  for (int c = 0; c < 32; c++) w[c / 16] |= (uint32_t)(q(c) & 3) << (2 * (c / 4 % 4) + 8 * (c % 4));
  return {w[0], w[1]};
}
template <class Quant>
DEVICE uint32_t pack_bits(Quant q) {
  uint32_t w = 0;
  for (int c = 0; c < 32; c++) w |= (uint32_t)(q(c) & 1) << (c / 4 + 8 * (c % 4));
  return w;
}

// A source format: pack(row, u, cols, to) writes unit u of a row that starts at `row` in the file.
template <class F>
struct Source;

template <>
struct Source<Q8_0> {
  static constexpr int block_cols = 32, block_bytes = 34;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)u * block_bytes;
    for (int j = 0; j < 2; j++) {
      uint32_t w[4] = {};
      for (int c = 0; c < 16; c++) w[c / 4] |= (uint32_t)b[2 + 16 * j + c] << 8 * (c % 4);
      to.plane<uint4>(16 * j)[to.i] = {w[0], w[1], w[2], w[3]};
    }
    to.plane<uint16_t>(32)[to.i] = read_u16(b);
  }
};

template <bool FifthBit, bool Min>
struct Source<Nibbles32<FifthBit, Min>> {
  static constexpr int block_cols = 32, block_bytes = 2 + (Min ? 2 : 0) + (FifthBit ? 4 : 0) + 16;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)u * block_bytes;
    const uint8_t* fifth = b + (Min ? 4 : 2);
    const uint8_t* nibbles = fifth + (FifthBit ? 4 : 0);
    to.plane<uint4>(0)[to.i] = pack_nibbles([&](int c) { return nibbles[c % 16] >> (c < 16 ? 0 : 4); });
    if (FifthBit) to.plane<uint32_t>(16)[to.i] = pack_bits([&](int c) { return fifth[c / 8] >> c % 8; });
    uint16_t* scale = to.plane<uint16_t>(FifthBit ? 20 : 16) + to.i * (Min ? 2 : 1);
    scale[0] = read_u16(b);
    if (Min) scale[1] = read_u16(b + 2);
  }
};

// The 6-bit scale and min of sub-block j of Q4_K and Q5_K, from 12 bytes.
DEVICE uint8_t scale_k4(const uint8_t* p, int j) { return j < 4 ? p[j] & 63 : (p[j + 4] & 15) | p[j - 4] >> 6 << 4; }
DEVICE uint8_t min_k4(const uint8_t* p, int j) { return j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | p[j] >> 6 << 4; }

template <bool FifthBit>
struct Source<Nibbles256<FifthBit>> {
  static constexpr int block_cols = 256, block_bytes = 4 + 12 + (FifthBit ? 32 : 0) + 128;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const int j = u % 8;
    const uint8_t* fifth = b + 16;
    const uint8_t* nibbles = fifth + (FifthBit ? 32 : 0) + j / 2 * 32;
    to.plane<uint4>(0)[to.i] = pack_nibbles([&](int c) { return nibbles[c] >> 4 * (j % 2); });
    if (FifthBit) to.plane<uint32_t>(16)[to.i] = pack_bits([&](int c) { return fifth[c] >> j; });
    uint8_t* scale = to.plane<uint8_t>(FifthBit ? 20 : 16) + to.i * 2;
    scale[0] = scale_k4(b + 4, j);
    scale[1] = min_k4(b + 4, j);
    if (to.first) {
      uint16_t* super = to.plane<uint16_t>(FifthBit ? 22 : 18) + to.s * 2;
      super[0] = read_u16(b);
      super[1] = read_u16(b + 2);
    }
  }
};

template <>
struct Source<Q6_K> {
  static constexpr int block_cols = 256, block_bytes = 210;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const int half = u % 8 / 4, j = u % 4;  // 128 columns share 64 bytes of nibbles and 32 of pairs
    const uint8_t* nibbles = b + 64 * half + 32 * (j % 2);
    const uint8_t* pairs = b + 128 + 32 * half;
    to.plane<uint4>(0)[to.i] = pack_nibbles([&](int c) { return nibbles[c] >> 4 * (j / 2); });
    to.plane<uint2>(16)[to.i] = pack_pairs([&](int c) { return pairs[c] >> 2 * j; });
    for (int h = 0; h < 2; h++) to.plane<uint8_t>(24)[to.i * 2 + h] = b[192 + 2 * (u % 8) + h];
    if (to.first) to.plane<uint16_t>(26)[to.s] = read_u16(b + 208);
  }
};

template <>
struct Source<Q3_K> {
  static constexpr int block_cols = 256, block_bytes = 110;
  // The 6-bit scale of 16 columns, 0 <= j < 16, from 12 bytes: low nibbles in the first 8, high pairs in the last 4.
  static DEVICE int8_t scale(const uint8_t* p, int j) {
    const int low = j < 8 ? p[j] & 15 : p[j - 8] >> 4;
    return (int8_t)((low | (p[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32);
  }
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const int half = u % 8 / 4, j = u % 4;
    const uint8_t* pairs = b + 32 + 32 * half;
    to.plane<uint2>(0)[to.i] = pack_pairs([&](int c) { return pairs[c] >> 2 * j; });
    to.plane<uint32_t>(8)[to.i] = pack_bits([&](int c) { return b[c] >> u % 8; });
    for (int h = 0; h < 2; h++) to.plane<int8_t>(12)[to.i * 2 + h] = scale(b + 96, 2 * (u % 8) + h);
    if (to.first) to.plane<uint16_t>(14)[to.s] = read_u16(b + 108);
  }
};

template <>
struct Source<Q2_K> {
  static constexpr int block_cols = 256, block_bytes = 84;
  static DEVICE void pack(const uint8_t* row, int u, int, const TileUnit& to) {
    const uint8_t* b = row + (int64_t)(u / 8) * block_bytes;
    const uint8_t* pairs = b + 16 + 32 * (u % 8 / 4);
    to.plane<uint2>(0)[to.i] = pack_pairs([&](int c) { return pairs[c] >> 2 * (u % 4); });
    for (int h = 0; h < 2; h++) to.plane<uint8_t>(8)[to.i * 2 + h] = b[2 * (u % 8) + h];
    if (to.first) {
      uint16_t* super = to.plane<uint16_t>(10) + to.s * 2;
      super[0] = read_u16(b + 80);
      super[1] = read_u16(b + 82);
    }
  }
};

// Columns past the row's end are zeros.
template <>
struct Source<F32> {
  static constexpr int block_cols = 1, block_bytes = 4;
  static DEVICE void pack(const uint8_t* row, int u, int cols, const TileUnit& to) {
    for (int c = 0; c < 32; c++) {
      const int col = u * 32 + c;
      uint32_t v = 0;
      if (col < cols) v = read_u16(row + col * 4) | (uint32_t)read_u16(row + col * 4 + 2) << 16;
      to.plane<uint32_t>(16 * (c / 4))[to.i * 4 + c % 4] = v;
    }
  }
};
template <bool Brain>
struct Source<Float16<Brain>> {
  static constexpr int block_cols = 1, block_bytes = 2;
  static DEVICE void pack(const uint8_t* row, int u, int cols, const TileUnit& to) {
    for (int c = 0; c < 32; c++) {
      const int col = u * 32 + c;
      to.plane<uint16_t>(16 * (c / 8))[to.i * 8 + c % 8] = col < cols ? read_u16(row + col * 2) : 0;
    }
  }
};

// Where unit u of a row goes, of rows counted from the first of the piece.
DEVICE TileUnit tile_unit(const RepackArgs& a, uint64_t row, int u) {
  const int rows = (int)a.rows_per_group, units = (int)((a.cols + 31) / 32), chunk_units = (int)(a.cols_per_chunk / 32);
  const int chunk = u / chunk_units, in_chunk = u % chunk_units, r = (int)(row % rows);
  TileUnit to;
  to.rows = rows;
  to.units = units - chunk * chunk_units < chunk_units ? units - chunk * chunk_units : chunk_units;
  to.base = (char*)a.target + (a.first_row / rows + row / rows) * a.group_stride + chunk * a.chunk_stride;
  to.i = r * to.units + in_chunk;
  to.s = r * ((to.units + 7) / 8) + in_chunk / 8;
  to.first = in_chunk % 8 == 0;
  return to;
}

// Rows (or a vector's elements) of F that take turns with another tensor's: these are the first, third, ... of both
// together, or the second, fourth, ...
template <class F>
struct Even {};
template <class F>
struct Odd {};

// Which rows of the file are the tensor's: every `step`th, from `first` on.
template <class F>
struct Rows {
  using Format = F;
  static constexpr int step = 1, first = 0;
};
template <class F>
struct Rows<Even<F>> {
  using Format = F;
  static constexpr int step = 2, first = 0;
};
template <class F>
struct Rows<Odd<F>> {
  using Format = F;
  static constexpr int step = 2, first = 1;
};

// A group's rows past the tensor's end repeat its last row: no kernel stores their results, and they stay finite.
DEVICE uint64_t source_row(const RepackArgs& a, uint64_t row) { return row < a.n_rows ? row : a.n_rows - 1; }

template <class F>
DEVICE void repack(const RepackArgs& a) {
  using From = Source<typename Rows<F>::Format>;
  const uint64_t units = (a.cols + 31) / 32,
                 rows = (a.n_rows + a.rows_per_group - 1) / a.rows_per_group * a.rows_per_group;
  const uint64_t t = (uint64_t)block_index() * repack_threads + thread_index();
  if (t >= rows * units) return;
  const uint64_t row = t / units, in_file = Rows<F>::step * source_row(a, row) + Rows<F>::first;
  const int u = (int)(t % units);
  const uint64_t row_bytes = a.cols / From::block_cols * From::block_bytes;
  From::pack((const uint8_t*)a.source + in_file * row_bytes, u, (int)a.cols, tile_unit(a, row, u));
}

// The same of float formats whose columns lie one after another: a thread gathers its 32 elements.
template <class F>
DEVICE void repack_columns(const RepackArgs& a) {
  using From = Source<typename Rows<F>::Format>;
  static_assert(From::block_cols == 1, "blocks do not lie across rows");
  constexpr int bytes = From::block_bytes;
  const uint64_t units = (a.n_cols + 31) / 32,
                 rows = (a.n_rows + a.rows_per_group - 1) / a.rows_per_group * a.rows_per_group;
  const uint64_t t = (uint64_t)block_index() * repack_threads + thread_index();
  if (t >= rows * units) return;
  const uint64_t row = t % rows, in_file = Rows<F>::step * source_row(a, row) + Rows<F>::first;
  const int in_piece = (int)(t / rows), left = (int)a.n_cols - 32 * in_piece;
  uint8_t unit[32 * bytes];
  for (int c = 0; c < 32 && c < left; c++) {
    const uint64_t element = (uint64_t)(32 * in_piece + c) * Rows<F>::step * a.n_rows + in_file;
    for (int b = 0; b < bytes; b++) unit[c * bytes + b] = ((const uint8_t*)a.source)[element * bytes + b];
  }
  From::pack(unit, 0, left, tile_unit(a, row, (int)(a.first_col / 32) + in_piece));
}

// Element i of a row of floats.
template <class F>
DEVICE float read_float(const uint8_t* row, uint64_t i) {
  if constexpr (Source<F>::block_bytes == 2)
    return F::widen(read_u16(row + 2 * i));
  else
    return bits_to_float(read_u16(row + 4 * i) | (uint32_t)read_u16(row + 4 * i + 2) << 16);
}

// A vector (norm weight, bias, rope factors) becomes f32, 32 elements a thread.
template <class F, int Plus = 0>
DEVICE void widen_vector(const RepackArgs& a) {
  const uint64_t first = ((uint64_t)block_index() * repack_threads + thread_index()) * 32;
  for (uint64_t i = first; i < first + 32 && i < a.cols; i++)
    ((float*)a.target)[i] =
        read_float<typename Rows<F>::Format>((const uint8_t*)a.source, Rows<F>::step * i + Rows<F>::first) + Plus;
}

// The same for norms whose weights lack the 1 that is added to them.
template <class F>
DEVICE void widen_vector_plus_one(const RepackArgs& a) {
  widen_vector<F, 1>(a);
}

}  // namespace realizar
