// Matrices of random weights in the device's layout (formats.cuh), and their numbers, for tests of products.
#pragma once
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "../../../runtime/kernels/matrix_tiling.cuh"
#include "../../../runtime/kernels/repack.cuh"

namespace realizar::test {

using std::vector;

struct Random {
  std::mt19937 engine{11};
  uint8_t byte() { return uint8_t(engine()); }
  float normal() { return std::normal_distribution<float>()(engine); }
};

inline float file_scale = 0.01f;

// A row of a matrix as the file has it: any quants, scales about file_scale.
template <class F>
vector<uint8_t> file_row(int cols, Random& random) {
  using From = Source<F>;
  vector<uint8_t> row(size_t(cols) / From::block_cols * From::block_bytes);
  const auto half_at = [&](size_t at) {
    const uint16_t half = float_to_half(file_scale * random.normal());
    row[at] = uint8_t(half), row[at + 1] = uint8_t(half >> 8);
  };
  if constexpr (is_quant<F>) {
    for (uint8_t& byte : row) byte = random.byte();
    for (size_t at = 0; at < row.size(); at += From::block_bytes) {
      half_at(std::is_same_v<F, Q6_K> ? at + 208 : at);
      if (std::is_same_v<F, Q4_K>) half_at(at + 2);
    }
  } else {
    for (int c = 0; c < cols; c++) {
      const float v = random.normal();
      const uint32_t bits = std::is_same_v<F, F16> ? float_to_half(v) : float_to_bits(v);
      for (int b = 0; b < From::block_bytes; b++)
        row[size_t(c) * From::block_bytes + size_t(b)] = uint8_t(bits >> 8 * (b + (std::is_same_v<F, BF16> ? 2 : 0)));
    }
  }
  return row;
}

// Matrices in the device's layout, and their numbers.
template <class C>
struct Matrices {
  using Shape = MatrixTiling<C>;
  vector<char> bytes;
  vector<vector<double>> weights;  // of each matrix, by rows

  template <class F>
  void add(int rows, int64_t at, int64_t group_stride, int64_t chunk_stride, Random& random) {
    constexpr int R = C::group_rows;
    const RepackArgs a = {0,
                          (DevicePtrValue)bytes.data() + (DevicePtrValue)at,
                          0,
                          uint64_t(rows),
                          C::cols,
                          R,
                          C::chunk_cols,
                          uint64_t(group_stride),
                          uint64_t(chunk_stride),
                          0,
                          C::cols};
    vector<double> numbers;
    vector<uint8_t> row;
    for (int r = 0; r < (rows + R - 1) / R * R; r++) {
      if (r < rows) row = file_row<F>(C::cols, random);
      for (int u = 0; u < Shape::units; u++) {
        const TileUnit to = tile_unit(a, uint64_t(r), u);
        Source<F>::pack(row.data(), u, C::cols, to);
        const bool last = u / Shape::chunk_units == Shape::chunks - 1;
        float4 w[8];
        expand<F>(last ? load_unit<F, R, Shape::last_units>(to.base, to.i, to.s)
                       : load_unit<F, R, Shape::chunk_units>(to.base, to.i, to.s),
                  w);
        for (int c = 0; c < 32 && r < rows && 32 * u + c < C::cols; c++) numbers.push_back((&w[c / 4].x)[c % 4]);
      }
    }
    weights.push_back(numbers);
  }
  template <int Rows, class... F>
  void add_segment(Segment<Rows, F...>, Random& random) {
    using S = Segment<Rows, F...>;
    const int64_t start = int64_t(bytes.size()), group = Shape::template group_bytes<S>;
    bytes.resize(size_t(start + group * S::template groups<C::group_rows>));
    int64_t part = 0;
    ((add<F>(Rows, start + part, group, Shape::template chunk_bytes<S>, random),
      part += tile_stride<F, C::group_rows, Shape::chunk_units>),
     ...);
  }
  // Of each, or of each of so many that lie one after another in each.
  vector<float> largest(size_t experts = 1) const {
    vector<float> of_each;
    for (const vector<double>& matrix : weights)
      for (size_t i = 0; i < matrix.size(); i++) {
        if (i % (matrix.size() / experts) == 0) of_each.push_back(0);
        of_each.back() = std::max(of_each.back(), float(std::fabs(matrix[i])));
      }
    return of_each;
  }
  // Of all segments, which may be others than C's.
  template <class... S>
  Matrices(Segments<S...>, Random& random) {
    (add_segment(S{}, random), ...);
  }
};

}  // namespace realizar::test
