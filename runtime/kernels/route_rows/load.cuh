// Load: columns of a tile's rows and of the router's matrix, 128 at a time, from global memory through registers to
// shared memory, as f32.
#pragma once
#include "shape.cuh"

namespace realizar {

// Columns col..col+3 of a row of C::cols; zeros beyond its end. `get` loads.
template <class C, class Get>
DEVICE float4 load_columns(const float* row, int col, const Get& get) {
  float4 v = {};
  if (C::cols % 4 == 0) return col < C::cols ? get((const float4*)(row + col)) : v;
  if (col < C::cols) v.x = get(row + col);
  if (col + 1 < C::cols) v.y = get(row + col + 1);
  if (col + 2 < C::cols) v.z = get(row + col + 2);
  if (col + 3 < C::cols) v.w = get(row + col + 3);
  return v;
}

// Rows, times the norm's weights; and their sums of squares. A warp has some of the tile's rows, a lane the same
// columns whatever the tile is: so a row's sum does not depend on it.
template <class C>
class RowLoader {
 public:
  using Shape = RouteRowsShape<C>;
  static constexpr int each = C::tile_rows / Shape::warps;
  static_assert(each * Shape::warps == C::tile_rows);

  DEVICE static int row(int k) { return thread_index() / 32 * each + k; }
  DEVICE void load(const RouteRowsArgs& a, int first_row, int n_rows, int chunk) {
    const int col = chunk * Shape::chunk + thread_index() % 32 * 4;
    if (C::norm::any) norm_ = load_columns<C>(a.norm, col, [](const auto* p) { return *p; });
#pragma unroll
    for (int k = 0; k < each; k++) {
      const int at = first_row + row(k);
      v_[k] = float4{};
      if (at < n_rows)
        v_[k] = load_columns<C>(a.input + (int64_t)at * C::cols, col, [](const auto* p) { return load_global(p); });
    }
  }
  DEVICE void store(float4* rows) {
#pragma unroll
    for (int k = 0; k < each; k++) {
      float4 v = v_[k];
      if (C::norm::any) {
        squares_[k] = dot(v, v, squares_[k]);
        v = {v.x * norm_.x, v.y * norm_.y, v.z * norm_.z, v.w * norm_.w};
      }
      rows[row(k) * Shape::pieces + thread_index() % 32] = v;
    }
  }
  // What the logits of each row are multiplied with.
  DEVICE void store_factors(float* factors) {
    warp_sum(squares_);
#pragma unroll
    for (int k = 0; k < each; k++) {
      float factor = 1.f;
      if constexpr (C::norm::any) factor = rsqrtf(squares_[k] / C::cols + C::norm::epsilon);
      if (thread_index() % 32 == 0) factors[row(k)] = factor;
    }
  }

 private:
  float4 v_[each], norm_;
  float squares_[each] = {};
};

// Where piece `piece` of an expert lies: permuted among eight, so that threads which store a unit each, and lanes which
// read a row, find theirs in different banks.
DEVICE int router_piece(int expert, int piece) { return expert * 32 + (piece ^ (piece / 8 + 4 * (expert % 2))); }

// The matrix of f32 rows.
template <class C, class Router = typename C::router>
class RouterLoader {
 public:
  using Shape = RouteRowsShape<C>;
  static constexpr int each = C::tile_experts * Shape::pieces / Shape::threads;

  DEVICE void load(const RouteRowsArgs& a, int first_expert, int chunk) {
#pragma unroll
    for (int k = 0; k < each; k++) {
      const int expert = first_expert + item(k) / Shape::pieces;
      const int col = chunk * Shape::chunk + item(k) % Shape::pieces * 4;
      v_[k] = float4{};
      if (expert < Shape::logits)
        v_[k] =
            load_columns<C>((const float*)a.router + (int64_t)expert * C::cols, col, [](const auto* p) { return *p; });
    }
  }
  DEVICE void store(float4* experts) const {
#pragma unroll
    for (int k = 0; k < each; k++) experts[router_piece(item(k) / Shape::pieces, item(k) % Shape::pieces)] = v_[k];
  }

 private:
  static DEVICE int item(int k) { return k * Shape::threads + thread_index(); }
  float4 v_[each];
};

// The matrix in tiles (formats.cuh), of any format: a thread has a unit of an expert. A gate's row is a segment of its
// own.
template <class C, class... S>
class RouterLoader<C, TiledRouter<S...>> {
 public:
  using Shape = RouteRowsShape<C>;
  using Tiling = MatrixTiling<C>;
  static constexpr int units = Shape::chunk / unit_cols;

  DEVICE void load(const RouteRowsArgs& a, int first_expert, int chunk) {
#pragma unroll
    for (int k = 0; k < 8; k++) w_[k] = float4{};
    const int expert = first_expert + thread_index() / units, u = chunk * units + thread_index() % units;
    if (thread_index() / units < C::tile_experts && expert < Shape::logits && u < Tiling::units)
      in_segment(a.router, expert, u, Segments<S...>{});
  }
  DEVICE void store(float4* experts) const {
    if (thread_index() / units >= C::tile_experts) return;
#pragma unroll
    for (int k = 0; k < 8; k++) experts[router_piece(thread_index() / units, thread_index() % units * 8 + k)] = w_[k];
  }

 private:
  template <class T, class... Rest>
  DEVICE void in_segment(const char* router, int row, int u, Segments<T, Rest...>) {
    constexpr int64_t group = Tiling::template group_bytes<T>;
    if constexpr (sizeof...(Rest) > 0)
      if (row >= T::rows)
        return in_segment(router + T::template groups<C::group_rows> * group, row - T::rows, u, Segments<Rest...>{});
    load_row(router + row / C::group_rows * group, row % C::group_rows, u, T{});
  }
  template <int Rows, class F>
  DEVICE void load_row(const char* tiles, int in_group, int u, Segment<Rows, F>) {
    const int chunk = u / Tiling::chunk_units, i = u % Tiling::chunk_units;
    const char* tile = tiles + (int64_t)chunk * Tiling::template chunk_bytes<Segment<Rows, F>>;
    const auto load_in = [&]<int Units>() {
      expand<F>(load_unit<F, C::group_rows, Units>(tile, in_group * Units + i, in_group * super_units<Units> + i / 8),
                w_);
    };
    if (chunk < Tiling::chunks - 1)
      load_in.template operator()<Tiling::chunk_units>();
    else
      load_in.template operator()<Tiling::last_units>();
  }
  float4 w_[8];
};

}  // namespace realizar
