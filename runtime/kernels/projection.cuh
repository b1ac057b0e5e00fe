// y = cap(act(W norm(x) + b) * scale) + residual for one token, W streamed through shared memory.
//
// A projection has segments (q, k and v of one layer), each a matrix of some format, or a pair of matrices (gate and
// up) whose rows are combined. The rows are cut into groups of C::group_rows; groups are numbered through all segments,
// and each block owns a run of them. A group's slots lie one after another: for each chunk of columns, one slot of each
// of the segment's matrices.
//
// Each warp takes every C::warps-th group of its block and streams the slots of its groups through a ring of its own in
// shared memory. A slot is refilled by the warp that has just read it, so no barrier between warps is needed; bulk
// copies may complete in any order.
//
// Weights depend on nothing, so the first C::early slots of the block, and the norm's weights, are asked for before
// grid_wait. Not more of them: what comes after the wait, the input, would queue behind. The rest of the rings follows
// once the input is on its way.
//
// RMSNorm needs the whole input's mean square: weights multiply x * norm here, the factor follows after the dot
// product.
//
// C: cols, group_rows, chunk_cols, warps, ring (slots a warp), early (slots of the block), blocks;
//    segments, Segments<Segment<rows, Format...>...>; normalize, centred (LayerNorm), norm_bias, epsilon, activation,
//    scale, soft_cap (0: none), add_residual, find_best,
//    bias (bit i: segment i, or weight i of a gated segment, has one).
#pragma once
#include "activation.cuh"
#include "activations.cuh"
#include "weight_stream.cuh"

namespace realizar {

struct ProjectionArgs {
  const char* weights;
  const float* input;      // [cols]
  const float* norm;       // [cols]
  const float* norm_bias;  // [cols]
  const float* residual;   // [rows of all segments]
  float* output;           // [rows of all segments]
  Best* best;              // [blocks]: the largest of the block's outputs
  const float* bias[3];
};

// LayerNorm: the mean square of x - mean needs the mean first, so the input is read twice, and a third time to be
// stored.
template <class C, class F>
DEVICE float load_centred(const ProjectionArgs& a, const Activations<C>& x, float* partial, F&& loads_issued) {
  using Shape = ProjectionShape<C>;
  constexpr int steps = Shape::input_steps;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float mean = 0, scale = 0;
  for (int pass = 0; pass < 2; pass++) {
    float sum[1] = {};
    for (int step = 0; step < steps; step++) {
      const int i = step * Shape::threads + thread_index();
      const float4 v = load_columns<C, false>(a.input, i);
      const float four[4] = {v.x - mean, v.y - mean, v.z - mean, v.w - mean};
      for (int j = 0; j < 4; j++)
        if (4 * i + j < C::cols) sum[0] += pass == 0 ? four[j] : four[j] * four[j];
    }
    if (pass == 0) loads_issued();
    warp_sum(sum);
    if (lane == 0) partial[warp] = sum[0];
    block_sync();
    float all = 0;
    for (int w = 0; w < C::warps; w++) all += partial[w];
    block_sync();
    if (pass == 0)
      mean = all / C::cols;
    else
      scale = rsqrtf(all / C::cols + C::epsilon);
  }
  for (int step = 0; step < steps; step++) {
    const int i = step * Shape::threads + thread_index();
    if (step * Shape::threads + warp * 32 >= Shape::units * 8) continue;
    const float4 v = load_columns<C, false>(a.input, i), w = load_columns<C, true>(a.norm, i);
    float4 b = {};
    if constexpr (C::norm_bias) b = load_columns<C, true>(a.norm_bias, i);
    // Weights past the input's end are 0, so the columns there stay 0.
    x.store(i, {fmaf((v.x - mean) * scale, w.x, b.x), fmaf((v.y - mean) * scale, w.y, b.y),
                fmaf((v.z - mean) * scale, w.z, b.z), fmaf((v.w - mean) * scale, w.w, b.w)});
  }
  block_sync();
  return 1.f;
}

// Columns of the norm's weights that a thread multiplies its first batch of the input with. Nobody writes them.
template <class C>
DEVICE void load_norm(const ProjectionArgs& a, float4 (&weight)[ProjectionShape<C>::input_batch], int step) {
  using Shape = ProjectionShape<C>;
  if (!C::normalize || C::centred) return;
#pragma unroll
  for (int j = 0; j < Shape::input_batch; j++)
    weight[j] = load_columns<C, true>(a.norm, (step + j) * Shape::threads + thread_index());
}

// Brings x, times the norm's weights, to shared memory; returns the scale of the norm. weight: of the first batch.
// Calls loads_issued() when the first batch of x is on its way.
template <class C, class F>
DEVICE float load_input(const ProjectionArgs& a, const Activations<C>& x, float* partial,
                        float4 (&weight)[ProjectionShape<C>::input_batch], F&& loads_issued) {
  if constexpr (C::centred) return load_centred(a, x, partial, loads_issued);
  using Shape = ProjectionShape<C>;
  constexpr int steps = Shape::input_steps, batch = Shape::input_batch;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  float squares[1] = {};
  for (int step = 0; step < steps; step += batch) {
    float4 v[batch];  // all loads of a batch are under way before the first is used
#pragma unroll
    for (int j = 0; j < batch; j++)
      v[j] = load_columns<C, false>(a.input, (step + j) * Shape::threads + thread_index());
    if (step == 0)
      loads_issued();
    else
      load_norm<C>(a, weight, step);
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
  // Slots are counted through the warps' first, their second, ...: warp w has numbers w, w + C::warps, ...
  const int early = C::early / C::warps + (warp < C::early % C::warps);
  for (int i = 0; i < early; i++) stream.start();
  float4 norm[Shape::input_batch];
  load_norm<C>(a, norm, 0);
  grid_wait();

  const float scale = load_input<C>(a, {shared, 0}, partial, norm, [&] {
    for (int i = early; i < C::ring; i++) stream.start();
    // Not earlier: the next node's weights would be in the way of this one's input.
    grid_release();
  });
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
      y = activate<C::activation>(y);
      if constexpr (S::parts == 2) y *= fmaf(pick<R>(sums + R, lane), scale, bias[1]);
      y = soft_cap(y * C::scale, C::soft_cap) + residual;
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
