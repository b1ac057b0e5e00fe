// Load: columns of a tile's rows and of the router's matrix, 128 at a time, to shared memory as f32: by asynchronous
// copies, some chunks ahead, or through registers, one ahead, where the matrix is in tiles or rows are not aligned.
#pragma once
#include "shape.cuh"

namespace realizar {

// A block's rows and experts: the first ones.
struct RouteTileAt {
  int row, expert, n_rows;  // n_rows: of the step
};

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

// Rows of the tile. A warp has some of them, a lane four columns.
template <class C>
class RowLoader {
 public:
  using Shape = RouteRowsShape<C>;
  static constexpr int each = C::tile_rows / Shape::warps;
  static_assert(each * Shape::warps == C::tile_rows);

  DEVICE void load(const RouteRowsArgs& a, int first_row, int n_rows, int chunk) {
    const int col = chunk * Shape::chunk + thread_index() % 32 * 4;
#pragma unroll
    for (int k = 0; k < each; k++) {
      const int at = first_row + row(k);
      v_[k] = float4{};
      if (at < n_rows)
        v_[k] = load_columns<C>(a.input + (int64_t)at * C::cols, col, [](const auto* p) { return load_global(p); });
    }
  }
  DEVICE void store(float4* rows) const {
#pragma unroll
    for (int k = 0; k < each; k++) rows[row(k) * Shape::pieces + thread_index() % 32] = v_[k];
  }

 private:
  static DEVICE int row(int k) { return thread_index() / 32 * each + k; }
  float4 v_[each];
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

// A chunk that has come: rows [tile_rows][pieces], experts, and the norm's weights.
struct RouteChunk {
  const float4 *rows, *experts, *norm;
};
template <class C>
DEVICE RouteChunk chunk_at(const char* stage) {
  constexpr int pieces = RouteRowsShape<C>::pieces;
  const float4* rows = (const float4*)stage;
  return {rows, rows + C::tile_rows * pieces, rows + (C::tile_rows + C::tile_experts) * pieces};
}

// start() before grid_wait, rest() after it; then next() for each chunk, by all threads.
template <class C, bool Copied = RouteRowsShape<C>::copied>
class ChunkLoader {
 public:
  using Shape = RouteRowsShape<C>;
  DEVICE ChunkLoader(const RouteRowsArgs& a, const RouteTileAt& at, char* shared) : a_(a), at_(at), shared_(shared) {}
  DEVICE void start() {
    router_.load(a_, at_.expert, 0);
    load_norm(0);
  }
  DEVICE void rest() { rows_.load(a_, at_.row, at_.n_rows, 0); }
  DEVICE RouteChunk next(int chunk) {
    float4* stage = (float4*)(shared_ + chunk % 2 * Shape::chunk_bytes);
    rows_.store(stage);
    router_.store(stage + C::tile_rows * Shape::pieces);
    if (C::norm::any && thread_index() < 32) stage[(Shape::vectors - 1) * Shape::pieces + thread_index()] = norm_;
    // The other chunk's readers have done with it: they store this one first.
    block_sync();
    if (chunk + 1 < Shape::chunks) {
      rows_.load(a_, at_.row, at_.n_rows, chunk + 1);
      router_.load(a_, at_.expert, chunk + 1);
      load_norm(chunk + 1);
    }
    return chunk_at<C>((const char*)stage);
  }
  static DEVICE int piece(int expert, int piece) { return router_piece(expert, piece); }

 private:
  // The first warp's lanes.
  DEVICE void load_norm(int chunk) {
    if (C::norm::any && thread_index() < 32)
      norm_ = load_columns<C>(a_.norm, chunk * Shape::chunk + 4 * thread_index(), [](const auto* p) { return *p; });
  }
  const RouteRowsArgs& a_;
  const RouteTileAt at_;
  char* shared_;
  RowLoader<C> rows_;
  RouterLoader<C> router_;
  float4 norm_ = {};
};

// A warp copies some of the rows and some of the experts.
template <class C>
class ChunkLoader<C, true> {
 public:
  using Shape = RouteRowsShape<C>;
  DEVICE ChunkLoader(const RouteRowsArgs& a, const RouteTileAt& at, char* shared)
      : a_(a), at_(at), shared_(shared), full_((CopyBarrier*)(shared + Shape::barriers_at)) {
    if (thread_index() == 0)
      for (int i = 0; i < C::stages; i++) full_[i].init(Shape::warps);
    copy_barriers_ready();
    block_sync();
  }
  DEVICE void start() {
    for (int chunk = 0; chunk < ahead; chunk++) begin(chunk);
  }
  DEVICE void rest() {
    for (int chunk = 0; chunk < ahead; chunk++) end(chunk);
  }
  DEVICE RouteChunk next(int chunk) {
    full_[chunk % C::stages].wait(chunk / C::stages & 1);
    // All have done with the chunk before, whose stage is filled again.
    block_sync();
    begin(chunk + ahead);
    end(chunk + ahead);
    return chunk_at<C>(stage(chunk));
  }
  static DEVICE int piece(int expert, int piece) { return expert * Shape::pieces + piece; }

 private:
  static constexpr int ahead = C::stages - 1;
  DEVICE char* stage(int chunk) const { return shared_ + chunk % C::stages * Shape::chunk_bytes; }
  static DEVICE int bytes(int chunk) {
    const int left = C::cols - chunk * Shape::chunk;
    return 4 * (left < Shape::chunk ? left : Shape::chunk);
  }
  // Of so many, those that are the warp's.
  template <class Body>
  static DEVICE void each_of(int n, const Body& body) {
    for (int i = thread_index() / 32; i < n; i += Shape::warps) body(i);
  }
  DEVICE int n_rows() const { return at_.n_rows - at_.row < C::tile_rows ? at_.n_rows - at_.row : C::tile_rows; }
  DEVICE int n_experts() const {
    return Shape::logits - at_.expert < C::tile_experts ? Shape::logits - at_.expert : C::tile_experts;
  }
  DEVICE void copy(int chunk, int to_row, const float* from) const {
    copy_to_shared(stage(chunk) + to_row * Shape::chunk * 4, from + chunk * Shape::chunk, bytes(chunk),
                   full_[chunk % C::stages]);
  }
  DEVICE void begin(int chunk) const {
    if (chunk >= Shape::chunks) return;
    int copies = 0;
    each_of(n_rows(), [&](int) { copies++; });
    each_of(n_experts(), [&](int) { copies++; });
    const bool has_norm = C::norm::any && thread_index() < 32;
    if (has_norm) copies++;
    begin_copies(full_[chunk % C::stages], copies * bytes(chunk));
    each_of(n_experts(), [&](int i) {
      copy(chunk, C::tile_rows + i, (const float*)a_.router + (int64_t)(at_.expert + i) * C::cols);
    });
    if (has_norm) copy(chunk, Shape::vectors - 1, a_.norm);
  }
  DEVICE void end(int chunk) const {
    if (chunk >= Shape::chunks) return;
    each_of(n_rows(), [&](int i) { copy(chunk, i, a_.input + (int64_t)(at_.row + i) * C::cols); });
    end_copies(full_[chunk % C::stages]);
  }

  const RouteRowsArgs& a_;
  const RouteTileAt at_;
  char* shared_;
  CopyBarrier* full_;
};

}  // namespace realizar
