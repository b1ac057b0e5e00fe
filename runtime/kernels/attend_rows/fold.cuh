// A context longer than C::split_positions is split there, each split is attended to by itself, and the splits are
// added up in order, as blocks that had one each would be:
//   m' = max(m, m_s), sum' = sum e^(m - m') + sum_s e^(m_s - m'), value likewise
// One block has all splits of its queries, one after the other, and keeps what it has added up so far in memory, each
// thread its own part. A split of which a query sees nothing changes nothing of it.
#pragma once
#include "main_loop.cuh"

namespace realizar {

template <class C>
class Fold {
 public:
  using Shape = AttendRowsShape<C>;

  DEVICE explicit Fold(const AttendRowsArgs& a)
      : kept_(a.fold + (int64_t)block_index() * Shape::fold_size + thread_index()) {}
  // At the end of a split that is not the last.
  DEVICE void keep(Found<C>& found) {
    add_kept(found);
    for (int r = 0; r < 2; r++) kept(r) = found.most[r], kept(2 + r) = found.sum[r];
#pragma unroll
    for (int i = 0; i < Shape::dim_tiles; i++)
#pragma unroll
      for (int k = 0; k < 4; k++) kept(4 + 4 * i + k) = found.value[i][k];
    any_ = true, found = {};
  }
  // At the end of the last.
  DEVICE void finish(Found<C>& found) {
    add_kept(found);
    any_ = false;
  }

 private:
  DEVICE float& kept(int i) const { return kept_[i * Shape::threads]; }
  DEVICE void add_kept(Found<C>& found) const {
    warp_sum<4>(found.sum);
    if (!Shape::folds || !any_) return;
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const float before = load_global(&kept(r)), most = fmaxf(before, found.most[r]), relative = reference(most);
      const float by = fast_exp2((before - relative) * log2_e), own = fast_exp2((found.most[r] - relative) * log2_e);
      const auto add = [&](float& to, int i) { to = fmaf(load_global(&kept(i)), by, to * own); };
      found.most[r] = most;
      add(found.sum[r], 2 + r);
#pragma unroll
      for (int i = 0; i < Shape::dim_tiles; i++)
        add(found.value[i][2 * r], 4 + 4 * i + 2 * r), add(found.value[i][2 * r + 1], 5 + 4 * i + 2 * r);
    }
  }

  float* kept_;
  bool any_ = false;
};

}  // namespace realizar
