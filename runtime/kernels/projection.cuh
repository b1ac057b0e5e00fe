// y = cap(act(W norm(x) + b) * scale) + residual for one token, W streamed through shared memory.
//
// A projection has segments (q, k and v of one layer), each a matrix of some format, or a pair of matrices (gate and
// up) whose rows are combined. The rows are cut into groups of C::group_rows, numbered through all segments, and each
// block owns a run of them. The columns are cut into chunks, one a warp: a group's slots lie one after another, for
// each chunk one slot of each of the segment's matrices.
//
// So a warp needs only its chunk of the input, and has it in registers: it begins as soon as that has come, without a
// barrier, and all warps of a block have the same to do, however few its rows are. C::row_warps groups are under way
// together where one chunk a warp leaves warps over. A warp's slots come through a ring of its own, which it refills
// itself; bulk copies may complete in any order. The chunks' sums of a round of rows meet in shared memory, where a
// thread a row adds them up.
//
// Weights depend on nothing, so the first C::early slots of each warp, and the norm's weights, are asked for before
// grid_wait. Not more of them at once: what comes after the wait, the input, would queue behind, and so would what the
// nodes before this one wait for. Up to C::paced slots follow before grid_wait, each when an earlier one has come; the
// rest of the rings once the input is on its way.
//
// RMSNorm needs the whole input's mean square: weights multiply x * norm here, the factor follows after the dot
// product.
//
// Where x is a sum, of the norm of what an earlier projection made and a residual, each block works it out for itself:
// cheaper than a node. It needs a mean square before the rest, so a barrier. One block stores the sum for later nodes.
//
// C: cols, group_rows, chunk_cols, row_warps, ring, early and paced (slots a warp), round_groups, blocks;
//    segments, Segments<Segment<rows, Format...>...>; sum_input (the input is RMSNorm(input) + sum_residual),
//    store_sum, sum_epsilon; normalize, centred (LayerNorm), norm_bias, epsilon, activation, scale, soft_cap (0: none),
//    add_residual, find_best, bias and matrix_scale (bit i: segment i, or weight i of a gated segment, has one),
//    scales_bias (the latter is of the bias too); ahead (ahead.cuh); routes (logits that the block adds its share of
//    the output to: router.cuh; 0: none).
#pragma once
#include "activation.cuh"
#include "activations.cuh"
#include "router.cuh"
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
  const char* ahead;             // weights of a later projection
  const float* matrix_scale[3];  // [1]: what the products of a matrix are multiplied with
  const float* sum_norm;         // [cols]
  const float* sum_residual;     // [cols]
  float* sum;                    // [cols]
  const float* router;           // [routes][rows]
  const float* router_norm;      // [rows]
  char* logits;                  // Gathered: [routes] sums and [blocks] squares
};

// The sum of what one lane of each warp has, of the warps with the first groups of rows. Used: `partial` may still be
// read.
template <class C, bool Used = true>
DEVICE float sum_of_chunks(float mine, float* partial) {
  float sum[1] = {mine};
  warp_sum(sum);
  const int warp = thread_index() / 32;
  if (Used) block_sync();
  if (thread_index() % 32 == 0 && warp < ProjectionShape<C>::chunks) partial[warp] = sum[0];
  block_sync();
  float all = 0;
  for (int chunk = 0; chunk < ProjectionShape<C>::chunks; chunk++) all += partial[chunk];
  return all;
}

// input = RMSNorm(input) + residual.
template <class C>
DEVICE void sum_input(const InputColumns<C>& weight, const InputColumns<C>& residual, float* partial,
                      InputColumns<C>& input) {
  static_assert(!C::centred);
  const float squares = input.squares();
  input.multiply(weight);
  const float mean_square = sum_of_chunks<C, false>(squares, partial) / C::cols;
  input.scale_add(rsqrtf(mean_square + C::sum_epsilon), residual);
}

// LayerNorm: the mean square of x - mean needs the mean first, and the sums of all chunks need barriers.
template <class C>
DEVICE void centre(const ProjectionArgs& a, int chunk, const InputColumns<C>& weight, float* partial,
                   InputColumns<C>& input) {
  InputColumns<C> plus = {};
  if constexpr (C::norm_bias) plus.template load<true>(a.norm_bias, chunk);
  const float mean = sum_of_chunks<C>(input.sum_around(chunk, 0.f, false), partial) / C::cols;
  const float variance = sum_of_chunks<C>(input.sum_around(chunk, mean, true), partial) / C::cols;
  // Weights past the input's end are 0, so the columns there stay 0.
  input.normalize(mean, rsqrtf(variance + C::epsilon), weight, plus);
}

// sums[step] = the lane's row of a slot times the warp's chunk of x.
template <class F, int Units, class C>
DEVICE void dot_slot(const char* slot, const Activations<C>& x, float (&sums)[ProjectionShape<C>::steps]) {
  using Shape = ProjectionShape<C>;
  constexpr int R = C::group_rows;
  const int lane = thread_index() % 32, k = lane % Shape::lanes_k;
#pragma unroll
  for (int step = 0; step < Shape::steps; step++) {
    const int row = step * Shape::lanes_r + lane / Shape::lanes_k;
    sums[step] = 0;
    if (R % Shape::lanes_r && row >= R) continue;
#pragma unroll
    for (int j = 0; j < Shape::unit_sets; j++) {
      const int u = k + 32 * j;
      if (Shape::lanes_k + 32 * (Shape::unit_sets - 1) > Units && u >= Units) continue;
      const auto unit = F::template unit<R, Units>(slot, row * Units + u, row * super_units<Units> + u / 8);
      if constexpr (is_quant<F>)
        sums[step] += dot<F>(unit, x.ints[j]);
      else
        sums[step] += dot<F>(unit, x.floats[j]);
    }
  }
}

// What the warps leave for each other: [part][chunk][row of the round].
template <class C>
DEVICE float* chunk_sums(float* partial, int round) {
  return partial + (ProjectionShape<C>::rounds > 1 ? round % 2 * ProjectionShape<C>::sums_size : 0);
}

// Calls body.template operator()<F>() with the format at an index of a list: the code of a format is there once,
// however many segments and parts have it.
template <int Index = 0, class F, class... Rest, class Body>
DEVICE void with_format(int index, FormatList<F, Rest...>, Body&& body) {
  if constexpr (sizeof...(Rest) > 0)
    if (index > Index) return with_format<Index + 1>(index, FormatList<Rest...>{}, body);
  body.template operator()<F>();
}

// One group of rows of the warp: the sums of its chunk go to sums[part][chunk][row..].
template <class C>
DEVICE void dot_group(Stream<C>& stream, int group, const Activations<C>& x, float* to) {
  using Shape = ProjectionShape<C>;
  using Formats = typename C::segments::formats;
  const int lane = thread_index() % 32, k = lane % Shape::lanes_k;
#pragma unroll 1
  for (int part = 0; part < Shape::parts; part++) {
    int format = 0;
    Stream<C>::visit(group, [&]<int Index, class S>(int, int, int64_t) {
      format = part == 0 ? S::template first_format<Formats> : S::template last_format<Formats>;
    });
    float sums[Shape::steps];
    const char* slot = stream.wait();
    with_format(format, Formats{}, [&]<class F>() {
      if (Shape::last_units == Shape::chunk_units || stream.chunk < Shape::chunks - 1)
        dot_slot<F, Shape::chunk_units>(slot, x, sums);
      else
        dot_slot<F, Shape::last_units>(slot, x, sums);
    });
    stream.next();
    const float sum = warp_sums<Shape::lanes_k>(sums);
    constexpr int sharers = Shape::lanes_k / Shape::steps;
    const int row = k / sharers * Shape::lanes_r + lane / Shape::lanes_k;
    if (k % sharers == 0 && row < C::group_rows)
      to[(part * Shape::chunks + stream.chunk) * Shape::round_rows + row] = sum;
  }
}

// What a row is multiplied with and what is added to it, fetched while the row is computed.
struct RowExtras {
  float residual = 0, bias[2] = {}, matrix_scale[2] = {1.f, 1.f};
};

// A row of a round: f.template operator()<segment index, S>(row in segment, row of the output).
template <class C, class F>
DEVICE void visit_row(int first_group, int end, int row, F&& f) {
  const int group = first_group + row / C::group_rows;
  if (row >= ProjectionShape<C>::round_rows || group >= end) return;
  Stream<C>::visit(group, [&]<int Index, class S>(int in_segment, int rows_before, int64_t) {
    const int in_rows = in_segment * C::group_rows + row % C::group_rows;
    if (in_rows < S::rows) f.template operator()<Index, S>(in_rows, rows_before + in_rows);
  });
}

template <class C>
DEVICE RowExtras fetch_extras(const ProjectionArgs& a, int first_group, int end, int round_row) {
  RowExtras extras;
  if (!C::add_residual && !C::bias && !C::matrix_scale) return extras;
  visit_row<C>(first_group, end, round_row, [&]<int Index, class S>(int row, int out) {
    if (C::add_residual) extras.residual = load_global(a.residual + out);
    if (S::parts == 2) {
      if (C::bias & 1) extras.bias[0] = a.bias[0][row];
      if (C::bias & 2) extras.bias[1] = a.bias[1][row];
      if (C::matrix_scale & 1) extras.matrix_scale[0] = *a.matrix_scale[0];
      if (C::matrix_scale & 2) extras.matrix_scale[1] = *a.matrix_scale[1];
    } else {
      if (C::bias >> Index & 1) extras.bias[0] = a.bias[Index][row];
      if (C::matrix_scale >> Index & 1) extras.matrix_scale[0] = *a.matrix_scale[Index];
    }
  });
  return extras;
}

// Adds up the chunks of a row and writes its output.
template <class C>
DEVICE void finish_row(const ProjectionArgs& a, int first_group, int end, int round_row, const float* sums, float scale,
                       const RowExtras& extras, Best& best, const RouterShare<C>& share) {
  using Shape = ProjectionShape<C>;
  visit_row<C>(first_group, end, round_row, [&]<int Index, class S>(int, int out) {
    const auto total = [&](int part) {
      float sum = 0;
#pragma unroll
      for (int chunk = 0; chunk < Shape::chunks; chunk++)
        sum += sums[(part * Shape::chunks + chunk) * Shape::round_rows + round_row];
      return sum;
    };
    const auto biased = [&](int part) {
      const float matrix_scale = extras.matrix_scale[part];
      return fmaf(total(part), scale * matrix_scale,
                  C::scales_bias ? extras.bias[part] * matrix_scale : extras.bias[part]);
    };
    float y = activate<C::activation>(biased(0));
    if constexpr (S::parts == 2) y *= biased(1);
    y = soft_cap(y * C::scale, C::soft_cap) + extras.residual;
    a.output[out] = y;
    share.keep(out, y);
    if (C::find_best && y > best.value) best = {y, out};
  });
}

template <class C>
DEVICE void store_best(const ProjectionArgs& a, Best best, Best* warp_best) {
  best = warp_better(best);
  if (thread_index() % 32 == 0) warp_best[thread_index() / 32] = best;
  block_sync();
  if (thread_index() != 0) return;
  for (int w = 1; w < ProjectionShape<C>::warps; w++) best = better(best, warp_best[w]);
  a.best[block_index()] = best;
}

template <class C>
DEVICE void projection(const ProjectionArgs& a) {
  using Shape = ProjectionShape<C>;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  const int chunk = warp % Shape::chunks, row_warp = warp / Shape::chunks;
  char* shared = shared_memory();
  float* partial = (float*)(shared + Shape::partial_at);
  float* squares = (float*)(shared + Shape::squares_at);

  const GroupRun run(Shape::groups, C::blocks, block_index());
  const auto [first, end] = run;
  Stream<C> stream{a.weights,
                   chunk,
                   first + row_warp,
                   end,
                   shared + warp * C::ring * Shape::slot_bytes,
                   (CopyBarrier*)(shared + Shape::barriers_at) + warp * C::ring,
                   a.ahead};
  if (C::whole) grid_release();
  if (lane == 0)
    for (int i = 0; i < C::ring; i++) stream.barriers[i].init();
  copy_barriers_ready();
  warp_sync();
  if (stream.group < end) stream.enter_segment();
  for (int i = 0; i < C::early; i++) stream.start(i);
  const RouterShare<C> share(a.router, a.router_norm, run, shared + Shape::rows_at);
  InputColumns<C> sum_norm, norm;
  if constexpr (C::sum_input) sum_norm.template load<true>(a.sum_norm, chunk);
  if constexpr (C::normalize) norm.template load<true>(a.norm, chunk);
  for (int i = C::early; i < C::paced; i++) {
    if (stream.group < end) stream.barriers[i - C::early].wait(0);
    stream.start(i);
  }
  grid_wait();

  InputColumns<C> input;
  input.template load<false>(a.input, chunk);
  InputColumns<C> residual;
  if constexpr (C::sum_input) residual.template load<false>(a.sum_residual, chunk);
  RowExtras extras = fetch_extras<C>(a, first, end, thread_index());
  for (int i = C::paced; i < C::ring; i++) stream.start(i);
  stream.look_ahead();
  // Not earlier: the next node's weights would be in the way of this one's input.
  if (!C::whole) grid_release();
  if constexpr (C::sum_input) {
    // What has come early is behind each lane's wait before the block's barriers: racecheck takes a barrier as the end
    // of what it knows of a copy.
    for (int i = 0; i < C::early; i++)
      if (first + row_warp + i / Shape::parts * C::row_warps < end) stream.barriers[i].wait(0);
    // What is at best_at is used at the end only.
    sum_input<C>(sum_norm, residual, (float*)(shared + Shape::best_at), input);
    // The last block has the least to do.
    if (C::store_sum && block_index() == C::blocks - 1 && row_warp == 0) input.store(a.sum, chunk);
  }
  if constexpr (C::normalize && !C::centred) {
    float sum[1] = {input.squares()};
    warp_sum(sum);
    if (lane == 0 && row_warp == 0) squares[chunk] = sum[0];
    input.multiply(norm);
  }
  if constexpr (C::centred) centre<C>(a, chunk, norm, squares, input);
  Activations<C> x;
  x.set(input, shared + Shape::input_at + warp * Shape::input_bytes);

  Best best = {-INFINITY, 0x7fffffff};
  float scale = 1.f;
  for (int round = 0; round < Shape::rounds; round++) {
    const int from = first + round * C::round_groups;
    float* sums = chunk_sums<C>(partial, round);
    if (round > 0) extras = fetch_extras<C>(a, from, end, thread_index());
    for (int g = row_warp; g < C::round_groups && from + g < end; g += C::row_warps)
      dot_group(stream, from + g, x, sums + g * C::group_rows);
    block_sync();
    if (round == 0 && C::normalize && !C::centred) {
      float mean_square = 0;
#pragma unroll
      for (int i = 0; i < Shape::chunks; i++) mean_square += squares[i];
      scale = rsqrtf(mean_square / C::cols + C::epsilon);
    }
    finish_row<C>(a, from, end, thread_index(), sums, scale, extras, best, share);
    for (int row = thread_index() + Shape::threads; row < Shape::round_rows; row += Shape::threads)
      finish_row<C>(a, from, end, row, sums, scale, fetch_extras<C>(a, from, end, row), best, share);
  }
  share.add(a.logits);
  if (C::find_best) store_best<C>(a, best, (Best*)(shared + Shape::best_at));
}

}  // namespace realizar
