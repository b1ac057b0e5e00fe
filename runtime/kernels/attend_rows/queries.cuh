// A warp's queries as operand A: 16 rows, of which lane l has parts of rows l / 4 and l / 4 + 8. Beyond the last that
// the work has they repeat it, and their results go nowhere.
#pragma once
#include "../matrix.cuh"
#include "load.cuh"

namespace realizar {

template <class C>
class TileQueries {
 public:
  using Shape = AttendRowsShape<C>;

  DEVICE TileQueries(const AttendRowsArgs& a, const Work<C>& work) : last_(work.queries() - 1) {
    if constexpr (Shape::queries_stay)
      load_to_registers(a, work);
    else
      load_to_shared(a, work);
  }
  DEVICE bool any() const { return first() <= last_; }
  // Of the lane's r-th row.
  DEVICE bool exists(int r) const { return own(r) <= last_; }
  DEVICE int index(int r) const { return clamped(own(r)); }
  // Of the warp's first and last.
  DEVICE int first_index() const { return clamped(first()); }
  DEVICE int last_index() const { return clamped(first() + Shape::warp_queries - 1); }
  // 16 columns of them; from Shape::steps on, of their rests.
  DEVICE const uint32_t (&step(int s))[4] {
    if (!Shape::queries_stay) load_tiles(row_ + 16 * s, tiles_[0]);
    return tiles_[Shape::queries_stay ? s : 0];
  }

 private:
  static DEVICE int first() { return thread_index() / 32 * Shape::warp_queries; }
  static DEVICE int own(int r) { return first() + thread_index() % 32 / 4 + 8 * r; }
  DEVICE int clamped(int query) const { return query < last_ ? query : last_; }
  DEVICE const uint16_t* in_memory(const AttendRowsArgs& a, const Work<C>& work, int query) const {
    return a.query + ((int64_t)work.row(query) * C::heads + work.head(query)) * Shape::query_cols;
  }
  DEVICE void load_to_registers(const AttendRowsArgs& a, const Work<C>& work) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const uint32_t* from = (const uint32_t*)in_memory(a, work, index(r)) + thread_index() % 4;
#pragma unroll
      for (int s = 0; s < Shape::query_steps; s++)
        tiles_[s][r] = load_global(from + 8 * s), tiles_[s][2 + r] = load_global(from + 8 * s + 4);
    }
  }
  // The warp's own part of it; nobody else reads it.
  DEVICE void load_to_shared(const AttendRowsArgs& a, const Work<C>& work) {
    uint16_t* own = (uint16_t*)(shared_memory() + Shape::query_at) + first() * Shape::query_row;
    const int lane = thread_index() % 32;
    warp_sync();
    constexpr int pieces = Shape::query_cols / 8;
    for (int i = lane; i < Shape::warp_queries * pieces; i += 32) {
      const int query = i / pieces, piece = i % pieces;
      const float4* from = (const float4*)in_memory(a, work, clamped(first() + query)) + piece;
      *(float4*)(own + query * Shape::query_row + 8 * piece) = load_global(from);
    }
    warp_sync();
    row_ = own + lane % 16 * Shape::query_row + lane / 16 * 8;
  }

  int last_;
  const uint16_t* row_ = nullptr;
  uint32_t tiles_[Shape::queries_stay ? Shape::query_steps : 1][4];
};

}  // namespace realizar
