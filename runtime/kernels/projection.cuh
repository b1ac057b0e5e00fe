// y = act(W norm(x) + b) + residual for one token, W streamed through shared memory.
//
// A projection has segments (q, k and v of one layer), each a matrix of some format, or a pair of matrices (gate and
// up) whose rows are combined. The rows are cut into groups of C::group_rows; groups are numbered through all segments,
// and each block owns a run of them. A group's slots lie one after another: for each chunk of columns, one slot of each
// of the segment's matrices.
//
// Each warp takes every C::warps-th group of its block and streams the slots of its groups through a ring of its own in
// shared memory. The ring starts filling before grid_wait: weights depend on nothing. A slot is refilled by the warp
// that has just read it, so no barrier between warps is needed; bulk copies may complete in any order.
//
// RMSNorm needs the whole input's mean square: weights multiply x * norm here, the factor follows after the dot
// product.
//
// C: cols, group_rows, chunk_cols, warps, ring (slots a warp), blocks; segments (Segments<Segment<rows,
// Format...>...>);
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
  static constexpr bool any_quant = (is_quant<Formats> || ...);
  static constexpr bool any_float = (!is_quant<Formats> || ...);
  static constexpr bool any_sums = (needs_sums<Formats> || ...);
};
template <class... S>
struct Segments {
  static constexpr bool any_quant = (S::any_quant || ...);
  static constexpr bool any_float = (S::any_float || ...);
  static constexpr bool any_sums = (S::any_sums || ...);
};

// Shapes that follow from C.
template <class C>
struct ProjectionShape {
  static constexpr int threads = C::warps * 32;
  static constexpr int units = (C::cols + 31) / 32;
  static constexpr int chunk_units = C::chunk_cols / 32;
  static constexpr int chunks = (units + chunk_units - 1) / chunk_units;
  static constexpr int last_units = units - (chunks - 1) * chunk_units;
  // Slots keep their places in a chunk, also in a shorter last one; only the last slot of a group is cut short.
  template <class S>
  static constexpr int64_t group_bytes =
      (int64_t)chunks * S::template slots_bytes<C::group_rows, chunk_units> -
      S::template last_slot<C::group_rows, chunk_units>() + S::template last_slot<C::group_rows, last_units>();
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
  static constexpr int slot_bytes = largest_slot(typename C::segments{});
  static constexpr int groups = total_groups(typename C::segments{});
  // Shared memory: the rings; x for float formats, [8][x_stride] of four columns, odd so that a unit's columns lie in
  // different banks; x for quants, planes of [units] 16 bytes: both halves' high bytes, then low bytes, and a scale and
  // the halves' sums a unit; the barriers of the rings; the best of each warp; a number a warp.
  using Kinds = typename C::segments;
  static constexpr int x_stride = units | 1, plane = units * 16 + 64;
  static constexpr int float_at = C::warps * C::ring * slot_bytes;
  static constexpr int plane_at = float_at + (Kinds::any_float ? 8 * x_stride * 16 : 0);
  static constexpr int sums_at = plane_at + (Kinds::any_quant ? 4 * plane : 0);
  static constexpr int scale_at = sums_at + (Kinds::any_sums ? units * 8 : 0);
  static constexpr int barriers_at = round_up(scale_at + (Kinds::any_quant ? units * 4 : 0), 16);
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

  // Visits the segment that holds a group: f.template operator()<S>(segment index, group in segment, rows before, bytes
  // before).
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
      copy_one(ring + at * Shape::slot_bytes, weights + before + in_segment * Shape::template group_bytes<S> + offset,
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

// The activations in shared memory, from unit `first` on.
template <class C>
struct Activations {
  using Shape = ProjectionShape<C>;
  char* shared;
  int first;

  DEVICE FloatActivations floats(int u) const {
    FloatActivations v;
#pragma unroll
    for (int k = 0; k < 8; k++) v.x[k] = ((const float4*)(shared + Shape::float_at))[k * Shape::x_stride + first + u];
    return v;
  }
  template <bool Sums>
  DEVICE IntUnit ints(int u) const {
    IntUnit v;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const uint4 high = plane(half)[first + u], low = plane(2 + half)[first + u];
#pragma unroll
      for (int k = 0; k < 4; k++) v.high[4 * half + k] = word(high, k), v.low[4 * half + k] = word(low, k);
    }
    v.scale = scales()[first + u];
    if (Sums) v.sums[0] = sums()[2 * (first + u)], v.sums[1] = sums()[2 * (first + u) + 1];
    return v;
  }
  DEVICE uint4* plane(int i) const { return (uint4*)(shared + Shape::plane_at + i * Shape::plane); }
  DEVICE float* scales() const { return (float*)(shared + Shape::scale_at); }
  DEVICE int* sums() const { return (int*)(shared + Shape::sums_at); }

  // Stores columns 4i..4i+3. Lanes 8j..8j+7 hold a unit: its scale makes the largest of it 32767. All lanes of a warp.
  DEVICE void store(int i, const float4& v) const {
    const bool inside = i < Shape::units * 8;
    if (Shape::Kinds::any_float && inside) ((float4*)(shared + Shape::float_at))[i % 8 * Shape::x_stride + i / 8] = v;
    if (!Shape::Kinds::any_quant) return;
    float largest = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
#pragma unroll
    for (int mask = 1; mask < 8; mask *= 2) largest = fmaxf(largest, warp_shuffle_xor(largest, mask));
    const float by = largest > 0.f ? 32767.f / largest : 0.f;
    const int q[4] = {round_to_int(v.x * by), round_to_int(v.y * by), round_to_int(v.z * by), round_to_int(v.w * by)};
    int sum = q[0] + q[1] + q[2] + q[3];
    if (Shape::Kinds::any_sums) {
      sum += warp_shuffle_xor(sum, 1);
      sum += warp_shuffle_xor(sum, 2);
    }
    if (!inside) return;
    uint32_t high = 0, low = 0;
#pragma unroll
    for (int k = 0; k < 4; k++) high |= (uint32_t)(q[k] >> 8 & 255) << 8 * k, low |= (uint32_t)(q[k] & 255) << 8 * k;
    const int u = i / 8, half = i % 8 / 4, at = u * 4 + i % 4;
    ((uint32_t*)plane(half))[at] = high;
    ((uint32_t*)plane(2 + half))[at] = low;
    if (i % 8 == 0) scales()[u] = largest * (1.f / 32767.f);
    if (Shape::Kinds::any_sums && i % 4 == 0) sums()[2 * u + half] = sum;
  }
};

// Columns 4i..4i+3 of the input; zeros past its end.
template <class C>
DEVICE float4 load_columns(const float* from, int i) {
  if (4 * i + 3 < C::cols) return load_global((const float4*)from + i);
  float4 v = {};
  if (C::cols % 4 && 4 * i < C::cols) {
    v.x = load_global(from + 4 * i);
    if (4 * i + 1 < C::cols) v.y = load_global(from + 4 * i + 1);
    if (4 * i + 2 < C::cols) v.z = load_global(from + 4 * i + 2);
  }
  return v;
}

// Brings x, times the norm's weights, to shared memory; returns the scale of the norm.
template <class C>
DEVICE float load_input(const ProjectionArgs& a, const Activations<C>& x, float* partial) {
  using Shape = ProjectionShape<C>;
  constexpr int steps = (Shape::units * 8 + Shape::threads - 1) / Shape::threads, batch = steps < 4 ? steps : 4;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float squares[1] = {};
  for (int step = 0; step < steps; step += batch) {
    float4 v[batch], weight[batch];  // all loads of a batch are under way before the first is used
#pragma unroll
    for (int j = 0; j < batch; j++) {
      const int i = (step + j) * Shape::threads + thread_index();
      v[j] = load_columns<C>(a.input, i);
      if (C::normalize) weight[j] = load_columns<C>(a.norm, i);
    }
    // Not earlier: the next node fills its rings as soon as it may, and these loads would wait behind that.
    if (step == 0) grid_release();
#pragma unroll
    for (int j = 0; j < batch; j++) {
      if (C::normalize) {
        squares[0] = dot(v[j], v[j], squares[0]);
        v[j] = {v[j].x * weight[j].x, v[j].y * weight[j].y, v[j].z * weight[j].z, v[j].w * weight[j].w};
      }
      if ((step + j) * Shape::threads + warp * 32 < Shape::units * 8)
        x.store((step + j) * Shape::threads + thread_index(), v[j]);
    }
  }
  if (C::normalize) {
    warp_sum(squares);
    if (lane == 0) partial[warp] = squares[0];
  }
  block_sync();
  if (!C::normalize) return 1.f;
  float mean_square = 0;
#pragma unroll
  for (int w = 0; w < C::warps; w++) mean_square += partial[w];
  return rsqrtf(mean_square / C::cols + C::epsilon);
}

// sums[r] += rows of a slot times x; lanes take units in turn.
template <class F, int Units, class C>
DEVICE void dot_slot(const char* slot, const Activations<C>& x, int lane, float* sums) {
  constexpr int R = C::group_rows;
#pragma unroll 2
  for (int u = lane; u < Units; u += 32) {
    const auto unit = [&] {
      if constexpr (is_quant<F>)
        return x.template ints<needs_sums<F>>(u);
      else
        return x.floats(u);
    }();
#pragma unroll
    for (int r = 0; r < R; r++)
      sums[r] += dot<F>(F::template unit<R, Units>(slot, r * Units + u, r * super_units<Units> + u / 8), unit);
  }
}

// One chunk of every matrix of a segment; then a whole group: sums[part * R + r] = rows of the part times x.
template <int Units, class C, class... Formats>
DEVICE void dot_chunk(Stream<C>& stream, const Activations<C>& x, int lane, float* sums) {
  int part = 0;
  ((dot_slot<Formats, Units>(stream.wait(), x, lane, sums + part * C::group_rows), stream.next(), part++), ...);
}
template <class C, int Rows, class... Formats>
DEVICE void dot_group(Stream<C>& stream, Segment<Rows, Formats...>, char* shared, int lane, float* sums) {
  using Shape = ProjectionShape<C>;
  for (int chunk = 0; chunk < Shape::chunks - 1; chunk++)
    dot_chunk<Shape::chunk_units, C, Formats...>(stream, {shared, chunk * Shape::chunk_units}, lane, sums);
  dot_chunk<Shape::last_units, C, Formats...>(stream, {shared, (Shape::chunks - 1) * Shape::chunk_units}, lane, sums);
}

DEVICE float silu(float v) { return v / (1.f + expf(-v)); }

// The lane's row of R sums: lane r has row r.
template <int R>
DEVICE float pick(const float* sums, int lane) {
  float mine = sums[0];
#pragma unroll
  for (int r = 1; r < R; r++)
    if (lane == r) mine = sums[r];
  return mine;
}

template <class C>
DEVICE void projection(const ProjectionArgs& a) {
  using Shape = ProjectionShape<C>;
  constexpr int R = C::group_rows;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  char* shared = shared_memory();
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
  grid_wait();

  const float scale = load_input<C>(a, {shared, 0}, partial);
  Best best = {-INFINITY, 0x7fffffff};
  for (int group = first + warp; group < end; group += C::warps) {
    Stream<C>::visit(group, [&]<int Index, class S>(int in_segment, int rows_before, int64_t) {
      const int row = in_segment * R + lane, out = rows_before + row;
      const bool mine = lane < R && row < S::rows;
      // Fetched now: they arrive while the rows are computed.
      float residual = 0, bias[2] = {};
      if (C::add_residual && mine) residual = load_global(a.residual + out);
      if (S::parts == 2) {
        if (C::bias & 1 && mine) bias[0] = a.bias[0][row];
        if (C::bias & 2 && mine) bias[1] = a.bias[1][row];
      } else {
        if (C::bias >> Index & 1 && mine) bias[0] = a.bias[Index][row];
      }
      float sums[S::parts * R] = {};
      dot_group(stream, S{}, shared, lane, sums);
      warp_sum(sums);
      float y = fmaf(pick<R>(sums, lane), scale, bias[0]);
      if constexpr (S::parts == 2) y = silu(y) * fmaf(pick<R>(sums + R, lane), scale, bias[1]);
      y += residual;
      if (mine) a.output[out] = y;
      if (C::find_best && mine && y > best.value) best = {y, out};
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
