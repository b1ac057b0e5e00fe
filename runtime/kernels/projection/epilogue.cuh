// The epilogue of a projection, a thread a row: the chunks' sums are added up, then
//   y = cap(act(sum * scale + bias) * C::scale) + residual, or act(gate) * up of two matrices
#pragma once
#include "main_loop.cuh"
#include "router_share.cuh"

namespace realizar {

// The largest of a block's outputs, for greedy choice.
struct LargestRow {
  Best best = {-INFINITY, 0x7fffffff};

  DEVICE void keep(int row, float y) {
    if (y > best.value) best = {y, row};
  }
  // All threads.
  template <class C>
  DEVICE void store(const ProjectionArgs& a, char* shared) {
    Best* warp_best = (Best*)(shared + ProjectionShape<C>::best_at);
    best = warp_better(best);
    if (thread_index() % 32 == 0) warp_best[thread_index() / 32] = best;
    block_sync();
    if (thread_index() != 0) return;
    for (int w = 1; w < ProjectionShape<C>::warps; w++) best = better(best, warp_best[w]);
    a.best[block_index()] = best;
  }
};

// What a row is multiplied with and what is added to it, fetched while the row is computed.
struct RowTerms {
  float residual = 0, bias[2] = {}, matrix_scale[2] = {1.f, 1.f};
};

// A row of a pass: f.template operator()<segment index, S>(row in segment, row of the output).
template <class C, class F>
DEVICE void visit_row(int first_group, int end, int row, F&& f) {
  const int group = first_group + row / C::group_rows;
  if (row >= ProjectionShape<C>::pass_rows || group >= end) return;
  visit_segment<C>(group, [&]<int Index, class S>(int in_segment, int rows_before, int64_t) {
    const int in_rows = in_segment * C::group_rows + row % C::group_rows;
    if (in_rows < S::rows) f.template operator()<Index, S>(in_rows, rows_before + in_rows);
  });
}

template <class C>
DEVICE RowTerms load_terms(const ProjectionArgs& a, int first_group, int end, int pass_row) {
  RowTerms terms;
  if (!C::add_residual && !C::bias && !C::matrix_scale) return terms;
  visit_row<C>(first_group, end, pass_row, [&]<int Index, class S>(int row, int out) {
    if (C::add_residual) terms.residual = load_global(a.residual + out);
    if (S::parts == 2) {
      if (C::bias & 1) terms.bias[0] = a.bias[0][row];
      if (C::bias & 2) terms.bias[1] = a.bias[1][row];
      if (C::matrix_scale & 1) terms.matrix_scale[0] = *a.matrix_scale[0];
      if (C::matrix_scale & 2) terms.matrix_scale[1] = *a.matrix_scale[1];
    } else {
      if (C::bias >> Index & 1) terms.bias[0] = a.bias[Index][row];
      if (C::matrix_scale >> Index & 1) terms.matrix_scale[0] = *a.matrix_scale[Index];
    }
  });
  return terms;
}

// Adds up the chunks of a row and writes its output.
template <class C>
DEVICE void finish_row(const ProjectionArgs& a, int first_group, int end, int pass_row, const float* sums, float scale,
                       const RowTerms& terms, typename C::best& best, const RouterShare<C>& share) {
  using Shape = ProjectionShape<C>;
  visit_row<C>(first_group, end, pass_row, [&]<int Index, class S>(int, int out) {
    const auto total = [&](int part) {
      float sum = 0;
#pragma unroll
      for (int chunk = 0; chunk < Shape::chunks; chunk++)
        sum += sums[(part * Shape::chunks + chunk) * Shape::pass_rows + pass_row];
      return sum;
    };
    const auto biased = [&](int part) {
      const float matrix_scale = terms.matrix_scale[part];
      return fmaf(total(part), scale * matrix_scale,
                  C::scales_bias ? terms.bias[part] * matrix_scale : terms.bias[part]);
    };
    float y = activate<C::activation>(biased(0));
    if constexpr (S::parts == 2) y *= biased(1);
    y = C::cap::apply(y * C::scale) + terms.residual;
    a.output[out] = y;
    share.keep(out, y);
    best.keep(out, y);
  });
}

}  // namespace realizar
