// The matrices of the experts that a token chooses, streamed through shared memory; of the others nothing is read.
//
// Without C::sum: y[j] = act(W_j norm(x) + b_j), or act(gate) * up of two matrices, for each chosen expert j, one after
// the other. With it, of an input for each: y = (sum_j weight_j (W_j x_j + b_j) + shared) * scale + residual. Products
// with a matrix that has a scale are multiplied with it before what else is done with them.
//
// All experts' matrices lie one after another, and no group of rows belongs to two experts. What blocks share out does
// not depend on which are chosen: without a sum, runs of the groups of all chosen ones, counted through; with it, runs
// of groups of rows, each for all chosen ones. A warp takes every C::warps-th item of its block, a group of one expert,
// and streams its slots through a ring of its own. The products of a row that are to be summed meet in shared memory,
// where one thread adds them up, best expert first: the result does not depend on who was faster.
//
// Every block chooses the experts for itself. Without a sum this stands between grid_wait and the first copy. With it,
// between the node of the logits and this one is one without a sum, which releases those after it only after its own
// grid_wait (plan/lower.ts checks that): so they are there, and the first C::early slots of each warp are asked for
// before grid_wait.
//
// C: cols, rows (of an expert), experts, used; over_all, sigmoid, weights_scale (Routing::weigh), scored,
//    biased (Routing::score), expert_groups and expert_groups_used (Routing::sum_groups), formats (ExpertFormats),
//    group_rows, chunk_cols, warps, ring and early (slots a warp), blocks; sum, gated (the shared output, by the last
//    logit), add_shared, add_residual, scale; normalize, epsilon, activation, bias and matrix_scale (bit i: matrix i
//    has one); gathers (blocks that the logits are sums of: accumulated_logits.cuh; 0: they are there), router_cols,
//    router_epsilon.
#pragma once
#include "accumulated_logits.cuh"
#include "activation.cuh"
#include "experts_input.cuh"
#include "experts_route.cuh"
#include "group_run.cuh"

namespace realizar {

struct ExpertsArgs {
  const char* weights;
  const float* input;            // [cols], or [used][cols]
  char* logits;                  // [experts] f32, or one more; or AccumulatedLogits
  const float* norm;             // [cols]
  const float* shared;           // [rows]
  const float* residual;         // [rows]
  float* output;                 // [used][rows], or [rows]
  const float* bias[2];          // [experts][rows]
  const float* matrix_scale[2];  // [experts]
  const float* selection;        // [experts]
};

// A group of rows of a chosen expert.
struct ExpertItem {
  int chosen, group;
};

// The slots of one warp, in order: start() begins to copy the next one, wait() returns the next that has arrived.
template <class C>
struct ExpertStream {
  using Shape = ExpertsShape<C>;
  const char* weights;
  const int* chosen;
  int first, item, end;  // of the block's run; the next to start copying; one past the block's last
  char* ring;
  CopyBarrier* barriers;
  int chunk = 0, issued = 0, taken = 0;  // chunk: of that item

  static DEVICE ExpertItem at(int first, int item) {
    if (C::sum) return {item % C::used, first + item / C::used};
    return {(first + item) / Shape::groups, (first + item) % Shape::groups};
  }
  // All lanes: starts copies until so many have been started in all, or none is left.
  DEVICE void start_until(int n) {
    while (issued < n && item < end) {
      const auto [j, group] = at(first, item);
      const int64_t group_index = (int64_t)chosen[j] * Shape::groups + group;
      const int slot = issued % C::ring;
      copy_one(ring + slot * Shape::slot_bytes,
               weights + group_index * Shape::group_bytes + (int64_t)chunk * Shape::slot_bytes,
               chunk < Shape::chunks - 1 ? Shape::slot_bytes : Shape::last_bytes, barriers[slot]);
      issued++;
      if (++chunk == Shape::chunks) chunk = 0, item += C::warps;
    }
  }
  DEVICE const char* wait() {
    const int slot = taken % C::ring;
    barriers[slot].wait(taken / C::ring & 1);
    return ring + slot * Shape::slot_bytes;
  }
  // All lanes have read the slot that wait() returned; its place is filled again.
  DEVICE void next() {
    warp_sync();
    taken++;
    start_until(taken + C::ring);
  }
};

// sums[part * R + r] += rows of a chunk of each matrix times x from unit `first` on; lanes take units in turn.
template <class C, int Units, class... F>
DEVICE void dot_experts(const char* slot, ExpertFormats<F...>, const ExpertInput<C>& x, int first, float* sums) {
  using Shape = ExpertsShape<C>;
  constexpr int R = C::group_rows, at_once = R * Shape::parts > 2 ? 1 : 2;
#pragma unroll at_once
  for (int u = thread_index() % 32; u < Units; u += 32) {
    IntUnit ints;
    FloatActivations floats;
    if constexpr (Shape::Formats::any_quant) ints = x.ints(first + u);
    if constexpr (Shape::Formats::any_float) floats = x.floats(first + u);
    int at = 0, part = 0;
    const auto one = [&]<class G>(G) {
#pragma unroll
      for (int r = 0; r < R; r++) {
        const auto unit = G::template unit<R, Units>(slot + at, r * Units + u, r * super_units<Units> + u / 8);
        if constexpr (is_quant<G>)
          sums[part * R + r] += dot<G>(unit, ints);
        else
          sums[part * R + r] += dot<G>(unit, floats);
      }
      at += tile_stride<G, R, Shape::chunk_units>;
      part++;
    };
    (one(F{}), ...);
  }
}

// One of the sums of an item, part by part and row by row: of Shape::sum_lanes neighbours each.
template <class C>
DEVICE float dot_item(ExpertStream<C>& stream, const ExpertInput<C>& x, int chosen) {
  using Shape = ExpertsShape<C>;
  const int first = C::sum ? chosen * Shape::units : 0;
  float sums[Shape::parts * C::group_rows] = {};
  for (int chunk = 0; chunk < Shape::chunks - 1; chunk++) {
    dot_experts<C, Shape::chunk_units>(stream.wait(), typename C::formats{}, x, first + chunk * Shape::chunk_units,
                                       sums);
    stream.next();
  }
  dot_experts<C, Shape::last_units>(stream.wait(), typename C::formats{}, x,
                                    first + (Shape::chunks - 1) * Shape::chunk_units, sums);
  stream.next();
  return warp_sums<32>(sums);
}

// The rest of an input of more than a batch, x to shared memory, and the scale of the norm.
template <class C>
DEVICE float store_input(const ExpertsArgs& a, const ExpertInput<C>& x, float4 (&v)[ExpertsShape<C>::input_batch],
                         float4 (&norm)[ExpertsShape<C>::input_batch], float* partial) {
  using Shape = ExpertsShape<C>;
  using Input = ExpertInput<C>;
  constexpr int batch = Shape::input_batch;
  const int warp = thread_index() / 32;
  float squares[1] = {};
  for (int step = 0; step < Shape::input_steps; step += batch) {
    const auto index = [&](int j) { return (step + j) * Shape::threads + thread_index(); };
    if (step > 0) {
#pragma unroll
      for (int j = 0; j < batch; j++) v[j] = Input::template load<false>(a.input, index(j));
      if (C::normalize) {
#pragma unroll
        for (int j = 0; j < batch; j++) norm[j] = Input::template load<true>(a.norm, index(j));
      }
    }
#pragma unroll
    for (int j = 0; j < batch; j++) {
      if (C::normalize) {
        squares[0] = dot(v[j], v[j], squares[0]);
        v[j] = {v[j].x * norm[j].x, v[j].y * norm[j].y, v[j].z * norm[j].z, v[j].w * norm[j].w};
      }
      if ((step + j) * Shape::threads + warp * 32 < Shape::x_units * 8) x.store(index(j), v[j]);
    }
  }
  if (C::normalize) {
    warp_sum(squares);
    if (thread_index() % 32 == 0) partial[warp] = squares[0];
  }
  block_sync();
  if (!C::normalize) return 1.f;
  float mean_square = 0;
#pragma unroll
  for (int w = 0; w < C::warps; w++) mean_square += partial[w];
  return rsqrtf(mean_square / C::cols + C::epsilon);
}

// The block's rows of each chosen expert.
template <class C>
DEVICE void write_rows(const ExpertsArgs& a, ExpertStream<C>& stream, const ExpertInput<C>& x, int count, float scale) {
  using Shape = ExpertsShape<C>;
  constexpr int R = C::group_rows, lanes = Shape::sum_lanes;
  const int lane = thread_index() % 32;
  const bool writes = lane % lanes == 0 && lane < R * lanes;
  for (int item = thread_index() / 32; item < count; item += C::warps) {
    const auto [j, group] = stream.at(stream.first, item);
    const int row = group * R + lane / lanes;
    const int64_t of_expert = (int64_t)stream.chosen[j] * C::rows + row;
    float bias[2] = {};  // fetched now: they arrive while the rows are computed
    if (C::bias & 1 && writes) bias[0] = a.bias[0][of_expert];
    if (C::bias & 2 && writes) bias[1] = a.bias[1][of_expert];
    float scales[2] = {scale, scale};
    if (C::matrix_scale & 1) scales[0] *= a.matrix_scale[0][stream.chosen[j]];
    if (C::matrix_scale & 2) scales[1] *= a.matrix_scale[1][stream.chosen[j]];
    const float sum = dot_item(stream, x, j);
    float y = fmaf(sum, scales[0], bias[0]);
    if constexpr (Shape::parts == 2)  // the other half of the lanes has the other part
      y = gate<C::activation>(y, fmaf(warp_shuffle_xor(sum, 16), scales[1], bias[1]));
    else
      y = activate<C::activation>(y);
    if (writes) a.output[j * C::rows + row] = y;
  }
}

// What a row of the sum needs besides its products, fetched while they are computed.
template <class C>
struct SumExtras {
  float residual = 0, shared = 0, bias[C::used] = {};

  DEVICE SumExtras(const ExpertsArgs& a, const int* chosen, int row, bool wanted) {
    if (!wanted) return;
    if (C::add_residual) residual = load_global(a.residual + row);
    if (C::add_shared) shared = load_global(a.shared + row);
    if constexpr (C::bias != 0) {
#pragma unroll
      for (int j = 0; j < C::used; j++) bias[j] = a.bias[0][(int64_t)chosen[j] * C::rows + row];
    }
  }
};

// The block's rows of the weighted sum over the chosen experts.
template <class C>
DEVICE void sum_rows(const ExpertsArgs& a, ExpertStream<C>& stream, const ExpertInput<C>& x, const Routing<C>& routing,
                     int groups) {
  using Shape = ExpertsShape<C>;
  constexpr int R = C::group_rows;
  const int lane = thread_index() % 32, first = stream.first * R, rows = groups * R;
  float* products = (float*)(routing.shared + Shape::sums_at);
  SumExtras<C> extras(a, stream.chosen, first + thread_index(), thread_index() < rows);
  for (int item = thread_index() / 32; item < groups * C::used; item += C::warps) {
    const float sum = dot_item(stream, x, stream.at(stream.first, item).chosen);
    if (lane % Shape::sum_lanes == 0) products[item * R + lane / Shape::sum_lanes] = sum;
  }
  block_sync();
  for (int i = thread_index(); i < rows; i += Shape::threads) {
    if (i >= Shape::threads) extras = SumExtras<C>(a, stream.chosen, first + i, true);
    float y = 0;
#pragma unroll
    for (int j = 0; j < C::used; j++) {
      float product = products[(i / R * C::used + j) * R + i % R];
      if (C::matrix_scale) product *= a.matrix_scale[0][stream.chosen[j]];
      y = fmaf(routing.weights()[j], product + extras.bias[j], y);
    }
    if (C::add_shared) y = fmaf(routing.shared_weight(), extras.shared, y);
    a.output[first + i] = fmaf(y, C::scale, extras.residual);
  }
}

// The logits, on their way to where experts are chosen. Settled: no node that may still run writes them.
// AccumulatedLogits ones are not divided by the root mean square for it: which are the largest does not depend on it.
template <class C, bool Settled>
class Logits {
 public:
  DEVICE void load(const ExpertsArgs& a) {
    const auto get = [](const auto* p) { return Settled ? load_settled(p) : load_global(p); };
    if (has_squares) {
      const float* squares = AccumulatedLogits::squares(a.logits, C::experts);
      for (int i = thread_index(); i < C::gathers; i += Shape::threads) squares_[0] += get(squares + i);
    }
#pragma unroll
    for (int j = 0; j < Shape::logits_each; j++) {
      const int i = thread_index() + j * Shape::threads;
      if (i >= Shape::logits) continue;
      if constexpr (C::gathers > 0)
        values_[j] = (float)get(AccumulatedLogits::sum(a.logits, i)) * AccumulatedLogits::step;
      else
        values_[j] = get((const float*)a.logits + i);
    }
  }
  // partial: a number a warp in shared memory.
  DEVICE void store(const Routing<C>& routing, float* partial) {
    if (has_squares) {
      warp_sum(squares_);
      if (thread_index() % 32 == 0) partial[thread_index() / 32] = squares_[0];
    }
#pragma unroll
    for (int j = 0; j < Shape::logits_each; j++) {
      const int i = thread_index() + j * Shape::threads;
      if (i < Shape::logits) routing.set(i, values_[j]);
    }
  }
  // What those that were stored are to be multiplied with. Of a sum, after a barrier.
  DEVICE float scale(const float* partial) const {
    if (!has_squares) return 1.f;
    float mean_square = 0;
#pragma unroll
    for (int w = 0; w < C::warps; w++) mean_square += partial[w];
    return rsqrtf(mean_square / C::router_cols + C::router_epsilon);
  }

 private:
  using Shape = ExpertsShape<C>;
  static constexpr bool has_squares = C::gathers > 0 && C::sum;
  float squares_[1] = {}, values_[Shape::logits_each];
};

template <class C>
DEVICE void experts(const ExpertsArgs& a) {
  using Shape = ExpertsShape<C>;
  using Input = ExpertInput<C>;
  constexpr int batch = Shape::input_batch;
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  char* shared = shared_memory();
  const Routing<C> routing = {shared};
  const ExpertInput<C> x = {{shared + Shape::input_at}};

  const auto [first, end] = GroupRun(Shape::shared_out, C::blocks, block_index());
  const int groups = end - first;
  ExpertStream<C> stream{a.weights,
                         routing.chosen(),
                         first,
                         warp,
                         C::sum ? groups * C::used : groups,
                         shared + warp * C::ring * Shape::slot_bytes,
                         (CopyBarrier*)(shared + Shape::barriers_at) + warp * C::ring};
  if (lane == 0)
    for (int i = 0; i < C::ring; i++) stream.barriers[i].init();
  copy_barriers_ready();
  float4 norm[batch], v[batch];
  float* partial = (float*)(shared + Shape::squares_at);
  Logits<C, C::sum> logits;
  const auto choose = [&](int slots) {
    logits.store(routing, partial);
    block_sync();
    if constexpr (C::scored) {
      routing.score(a.selection);
      block_sync();
    }
    if constexpr (C::expert_groups > 1) {
      routing.sum_groups();
      block_sync();
      routing.drop_groups();
      block_sync();
    }
    routing.choose();
    block_sync();
    stream.start_until(slots);
  };
  const auto load_input = [&] {
#pragma unroll
    for (int j = 0; j < batch; j++) v[j] = Input::template load<false>(a.input, j * Shape::threads + thread_index());
  };
  if constexpr (C::sum) {
    logits.load(a);
    choose(C::early);
    if (warp == 0) routing.weigh(logits.scale(partial));
    grid_wait();
    load_input();
    stream.start_until(C::ring);
  } else {
    if (C::normalize) {
#pragma unroll
      for (int j = 0; j < batch; j++) norm[j] = Input::template load<true>(a.norm, j * Shape::threads + thread_index());
    }
    grid_wait();
    logits.load(a);
    load_input();
    choose(C::ring);
  }
  // Not earlier: the next node's weights would be in the way; and it counts on this one having waited.
  grid_release();
  const float scale = store_input<C>(a, x, v, norm, partial);
  if constexpr (C::sum)
    sum_rows<C>(a, stream, x, routing, groups);
  else
    write_rows<C>(a, stream, x, groups, scale);
}

}  // namespace realizar
