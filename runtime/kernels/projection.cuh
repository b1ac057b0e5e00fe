// y = act(W norm(x) + b) + residual for one token, W streamed through shared memory.
//
// A projection has segments (q, k and v of one layer), each a matrix of some format, or a pair of matrices (gate and up)
// whose rows are combined. The rows are cut into groups of C::group_rows; groups are numbered through all segments, and
// each block owns a run of them. A group's slots lie one after another: for each chunk of columns, one slot of each of
// the segment's matrices.
//
// Each warp takes every C::warps-th group of its block and streams the slots of its groups through a ring of its own in
// shared memory. The ring starts filling before grid_wait: weights depend on nothing. A slot is refilled by the warp that
// has just read it, so no barrier between warps is needed; bulk copies may complete in any order.
//
// RMSNorm needs the whole input's mean square: weights multiply x * norm here, the factor follows after the dot product.
//
// C: cols, group_rows, chunk_cols, warps, ring (slots a warp), blocks; segments (Segments<Segment<rows, Format...>...>);
//    normalize, epsilon, add_residual, find_best, bias (bit i: segment i, or weight i of a gated segment, has one).
#pragma once
#include "formats.cuh"

namespace realizar {

struct alignas(8) Best {
  float value;
  int row;
};
DEVICE Best better(Best a, Best b) { return b.value > a.value || (b.value == a.value && b.row < a.row) ? b : a; }
DEVICE Best warp_better(Best best) {
#pragma unroll
  for (int mask = 16; mask; mask >>= 1)
    best = better(best, Best{warp_shuffle_xor(best.value, mask), warp_shuffle_xor(best.row, mask)});
  return best;
}

struct ProjectionArgs {
  const char* weights;
  const float* input;     // [cols]
  const float* norm;      // [cols]
  const float* residual;  // [rows of all segments]
  float* output;          // [rows of all segments]
  Best* best;             // [blocks]: the largest of the block's outputs
  const float* bias[3];
};

template <int Rows, class... Formats>
struct Segment {
  static constexpr int rows = Rows, parts = sizeof...(Formats);
  template <int GroupRows>
  static constexpr int groups = (Rows + GroupRows - 1) / GroupRows;
  template <int R, int Units>
  static constexpr int slots_bytes = (Formats::template bytes<R, Units> + ...);
  template <int R, int Units>
  static constexpr int largest_slot() {
    int most = 0;
    ((most = Formats::template bytes<R, Units> > most ? Formats::template bytes<R, Units> : most), ...);
    return most;
  }
  template <int R, int Units>
  static constexpr int last_slot() {
    int last = 0;
    ((last = Formats::template bytes<R, Units>), ...);
    return last;
  }
  static constexpr bool any_min = (has_min<Formats> || ...);
};
template <class... S>
struct Segments {};

// Shapes that follow from C.
template <class C>
struct ProjectionShape {
  static constexpr int threads = C::warps * 32;
  static constexpr int units = (C::cols + 31) / 32, x_stride = units | 1;  // odd: no bank conflicts between columns of x
  static constexpr int chunk_units = C::chunk_cols / 32;
  static constexpr int chunks = (units + chunk_units - 1) / chunk_units;
  static constexpr int last_units = units - (chunks - 1) * chunk_units;
  // Slots keep their places in a chunk, also in a shorter last one; only the last slot of a group is cut short.
  template <class S>
  static constexpr int64_t group_bytes = (int64_t)chunks * S::template slots_bytes<C::group_rows, chunk_units> -
                                         S::template last_slot<C::group_rows, chunk_units>() +
                                         S::template last_slot<C::group_rows, last_units>();
  template <class... S>
  static constexpr int largest_slot(Segments<S...>) {
    int most = 0;
    ((most = S::template largest_slot<C::group_rows, chunk_units>() > most
                 ? S::template largest_slot<C::group_rows, chunk_units>()
                 : most),
     ...);
    return most;
  }
  template <class... S>
  static constexpr int total_groups(Segments<S...>) {
    return (S::template groups<C::group_rows> + ...);
  }
  template <class... S>
  static constexpr bool any_min(Segments<S...>) {
    return (S::any_min || ...);
  }
  static constexpr int slot_bytes = largest_slot(typename C::segments{});
  static constexpr int groups = total_groups(typename C::segments{});
  static constexpr bool needs_sums = any_min(typename C::segments{});
  // Shared memory: rings, x, sums of x, copy barriers, one number a warp, best of each warp.
  static constexpr int ring_bytes = C::warps * C::ring * slot_bytes;
  static constexpr int x_at = ring_bytes, sums_at = x_at + 8 * x_stride * 16;
  static constexpr int barriers_at = sums_at + (needs_sums ? units * 8 : 0);
  static constexpr int best_at = barriers_at + C::warps * C::ring * 16;
  static constexpr int partial_at = best_at + C::warps * (int)sizeof(Best);
  static constexpr int shared_bytes = round_up(partial_at + C::warps * 4, 16);
  static_assert(sizeof(CopyBarrier) <= 16 && C::group_rows <= 32 && C::chunk_cols % 32 == 0);
};

// The slots of one warp, in order: start(t) begins to copy the t-th one, wait(t) returns it when it has arrived.
template <class C>
struct Stream {
  using Shape = ProjectionShape<C>;
  const char* weights;
  int group, end;  // the next group to start copying, and the end of the block's run
  char* ring;
  CopyBarrier* barriers;
  int slot = 0, issued = 0, taken = 0;  // slot: of that group

  // Visits the segment that holds a group: f.template operator()<S>(segment index, group in segment, rows before, bytes before).
  template <class F>
  static DEVICE void visit(int group, F&& f) {
    visit_from<0>(group, 0, 0, f, typename C::segments{});
  }
  template <int Index, class F, class S, class... Rest>
  static DEVICE void visit_from(int group, int rows, int64_t bytes, F& f, Segments<S, Rest...>) {
    constexpr int groups = S::template groups<C::group_rows>;
    if constexpr (sizeof...(Rest) > 0) {
      if (group >= groups) {
        visit_from<Index + 1>(group - groups, rows + S::rows, bytes + groups * Shape::template group_bytes<S>, f,
                              Segments<Rest...>{});
        return;
      }
    }
    f.template operator()<Index, S>(group, rows, bytes);
  }

  template <class F, class... Rest>
  static DEVICE void slot_place(int part, int chunk, int64_t before, int& bytes, int64_t& offset) {
    constexpr int mine = F::template bytes<C::group_rows, Shape::chunk_units>;
    if constexpr (sizeof...(Rest) > 0) {
      if (part > 0) {
        slot_place<Rest...>(part - 1, chunk, before + mine, bytes, offset);
        return;
      }
    }
    bytes = chunk < Shape::chunks - 1 ? mine : F::template bytes<C::group_rows, Shape::last_units>;
    offset = before;
  }
  template <int Rows, class... Formats>
  static DEVICE void slot_place(Segment<Rows, Formats...>, int slot, int& bytes, int64_t& offset) {
    constexpr int parts = sizeof...(Formats);
    using S = Segment<Rows, Formats...>;
    const int chunk = slot / parts;
    slot_place<Formats...>(slot % parts, chunk,
                              (int64_t)chunk * S::template slots_bytes<C::group_rows, Shape::chunk_units>, bytes, offset);
  }

  // All lanes: starts copying the next slot, if there is one left.
  DEVICE void start() {
    if (group >= end) return;
    const int at = issued % C::ring;
    int slots = 0;
    visit(group, [&]<int Index, class S>(int in_segment, int, int64_t before) {
      int bytes;
      int64_t offset;
      slot_place(S{}, slot, bytes, offset);
      copy_to_shared(ring + at * Shape::slot_bytes, weights + before + in_segment * Shape::template group_bytes<S> + offset,
                     bytes, barriers[at]);
      slots = Shape::chunks * S::parts;
    });
    issued++;
    if (++slot == slots) slot = 0, group += C::warps;
  }
  DEVICE const char* wait() {
    const int at = taken % C::ring;
    barriers[at].wait(taken / C::ring & 1);
    return ring + at * Shape::slot_bytes;
  }
  // All lanes have read the slot that wait() returned.
  DEVICE void next() {
    warp_sync();
    taken++;
    start();
  }
};

// sums[r] += rows of a slot times x; lanes take units in turn.
template <class F, int R, int Units>
DEVICE void dot_slot(const char* slot, const float4* x, int x_stride, const float2* x_sums, int lane, float (&sums)[R]) {
#pragma unroll 2
  for (int u = lane; u < Units; u += 32) {
    float4 xs[8];
#pragma unroll
    for (int k = 0; k < 8; k++) xs[k] = x[k * x_stride + u];
    const float2 two = has_min<F> ? x_sums[u] : float2{};
#pragma unroll
    for (int r = 0; r < R; r++)
      sums[r] += dot<F>(F::template unit<R, Units>(slot, r * Units + u, r * super_units<Units> + u / 8), xs, two);
  }
}

// Brings x to shared memory as [8][units] of four columns, times the norm's weights; returns the scale of the norm.
template <class C>
DEVICE float load_input(const ProjectionArgs& a, float4* x, float2* x_sums, float* partial) {
  using Shape = ProjectionShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float squares[1] = {};
  for (int base = warp * 32; base < Shape::units * 8; base += Shape::threads) {
    const int i = base + lane;  // four columns
    float4 v = {};
    if (4 * i + 3 < C::cols) {
      v = load_global((const float4*)a.input + i);
    } else if (C::cols % 4 && 4 * i < C::cols) {
      v.x = load_global(a.input + 4 * i);
      if (4 * i + 1 < C::cols) v.y = load_global(a.input + 4 * i + 1);
      if (4 * i + 2 < C::cols) v.z = load_global(a.input + 4 * i + 2);
    }
    if (C::normalize) {
      squares[0] = dot(v, v, squares[0]);
      if (4 * i < C::cols) {
        v.x *= a.norm[4 * i];
        if (C::cols % 4 == 0 || 4 * i + 1 < C::cols) v.y *= a.norm[4 * i + 1];
        if (C::cols % 4 == 0 || 4 * i + 2 < C::cols) v.z *= a.norm[4 * i + 2];
        if (C::cols % 4 == 0 || 4 * i + 3 < C::cols) v.w *= a.norm[4 * i + 3];
      }
    }
    if (i < Shape::units * 8) x[i % 8 * Shape::x_stride + i / 8] = v;
    if (Shape::needs_sums) {
      float sum = v.x + v.y + v.z + v.w;  // of 4 columns, then of 16: lanes 8j and 8j + 4 get a unit's halves
      sum += warp_shuffle_xor(sum, 1);
      sum += warp_shuffle_xor(sum, 2);
      if (lane % 4 == 0 && i < Shape::units * 8) ((float*)x_sums)[i / 4] = sum;
    }
  }
  if (C::normalize) {
    warp_sum(squares);
    if (lane == 0) partial[warp] = squares[0];
  }
  block_sync();
  if (!C::normalize) return 1.f;
  float mean_square = 0;
  for (int w = 0; w < C::warps; w++) mean_square += partial[w];
  return rsqrtf(mean_square / C::cols + C::epsilon);
}

// One chunk of every matrix of a segment; then a whole group: sums[part * R + r] = rows of the part times x.
template <int Units, class C, class... Formats>
DEVICE void dot_chunk(Stream<C>& stream, const float4* x, const float2* x_sums, int lane, float* sums) {
  constexpr int R = C::group_rows;
  int part = 0;
  ((dot_slot<Formats, R, Units>(stream.wait(), x, ProjectionShape<C>::x_stride, x_sums, lane, *(float(*)[R])(sums + part * R)),
    stream.next(), part++),
   ...);
}
template <class C, int Rows, class... Formats>
DEVICE void dot_group(Stream<C>& stream, Segment<Rows, Formats...>, const float4* x, const float2* x_sums, int lane,
                      float* sums) {
  using Shape = ProjectionShape<C>;
  for (int chunk = 0; chunk < Shape::chunks - 1; chunk++)
    dot_chunk<Shape::chunk_units, C, Formats...>(stream, x + chunk * Shape::chunk_units, x_sums + chunk * Shape::chunk_units,
                                                 lane, sums);
  constexpr int done = (Shape::chunks - 1) * Shape::chunk_units;
  dot_chunk<Shape::last_units, C, Formats...>(stream, x + done, x_sums + done, lane, sums);
}

DEVICE float silu(float v) { return v / (1.f + expf(-v)); }

template <class C>
DEVICE void projection(const ProjectionArgs& a) {
  using Shape = ProjectionShape<C>;
  constexpr int R = C::group_rows;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  char* shared = shared_memory();
  float4* x = (float4*)(shared + Shape::x_at);
  float2* x_sums = (float2*)(shared + Shape::sums_at);
  float* partial = (float*)(shared + Shape::partial_at);
  Best* warp_best = (Best*)(shared + Shape::best_at);

  // The block's run of groups: the first `extra` blocks have one more.
  const int share = Shape::groups / C::blocks, extra = Shape::groups % C::blocks, b = block_index();
  const int first = b * share + (b < extra ? b : extra), end = first + share + (b < extra);
  Stream<C> stream{a.weights, first + warp, end, shared + warp * C::ring * Shape::slot_bytes,
                   (CopyBarrier*)(shared + Shape::barriers_at) + warp * C::ring};
  if (lane == 0)
    for (int i = 0; i < C::ring; i++) stream.barriers[i].init();
  copy_barriers_ready();
  warp_sync();
  for (int i = 0; i < C::ring; i++) stream.start();
  grid_release();
  grid_wait();

  const float scale = load_input<C>(a, x, x_sums, partial);
  Best best = {-INFINITY, 0x7fffffff};
  for (int group = first + warp; group < end; group += C::warps) {
    Stream<C>::visit(group, [&]<int Index, class S>(int in_segment, int rows_before, int64_t) {
      float sums[S::parts * R] = {};
      dot_group(stream, S{}, x, x_sums, lane, sums);
      warp_sum(sums);
#pragma unroll
      for (int r = 0; r < R; r++) {
        const int row = in_segment * R + r, out = rows_before + row;
        if (lane != r || row >= S::rows) continue;
        float y = sums[r] * scale;
        if constexpr (S::parts == 2) {
          float up = sums[R + r] * scale;
          if (C::bias & 1) y += a.bias[0][row];
          if (C::bias & 2) up += a.bias[1][row];
          y = silu(y) * up;
        } else {
          if (C::bias >> Index & 1) y += a.bias[Index][row];
        }
        if (C::add_residual) y += load_global(a.residual + out);
        a.output[out] = y;
        if (C::find_best && y > best.value) best = {y, out};
      }
    });
  }
  if (C::find_best) {
    best = warp_better(best);
    if (lane == 0) warp_best[warp] = best;
    block_sync();
    if (thread_index() == 0) {
      for (int w = 1; w < C::warps; w++) best = better(best, warp_best[w]);
      a.best[block_index()] = best;
    }
  }
}

}  // namespace realizar
