// Load: activations of a tile's rows, 128 columns a stage, by bulk copies; and weights that come soon, into L2. By a
// warpgroup of its own: its first warp copies, the others prefetch.
#pragma once
#include "weights.cuh"

namespace realizar {

template <class C>
class ActivationPipeline {
 public:
  using Shape = MatmulShape<C>;
  static constexpr int prefetchers = C::prefetch_steps > 0 ? 3 : 0;  // warps that only follow

  DEVICE explicit ActivationPipeline(char* shared)
      : stages_(shared),
        full_((CopyBarrier*)(shared + Shape::barriers_at)),
        empty_((ArrivalBarrier*)full_ + C::stages) {
    if (thread_index() == 0)
      for (int i = 0; i < C::stages; i++) full_[i].init(), empty_[i].init(Shape::warps + prefetchers);
    copy_barriers_ready();
    block_sync();
  }
  // One warp: fills the next stage with the columns of a step of so many rows, once it is free.
  DEVICE void load(const uint16_t* input, int first_row, int n_rows, int step) {
    if (n_ >= C::stages) empty_[stage_].wait(phase_ ^ 1);
    const int bytes = n_rows * swizzled_row_bytes;
    begin_copies(full_[stage_], 2 * bytes);
#pragma unroll
    for (int half = 0; half < 2; half++)
      copy_to_shared(stages_ + stage_ * Shape::stage_bytes + half * Shape::half_stage_bytes,
                     input + ((int64_t)(2 * step + half) * C::rows + first_row) * 64, bytes, full_[stage_]);
    end_copies(full_[stage_]);
    advance();
  }
  // The warps that multiply.
  DEVICE void wait() const { full_[stage_].wait(phase_); }
  // 64 columns of the stage that has come.
  DEVICE const char* half(int half) const {
    return stages_ + stage_ * Shape::stage_bytes + half * Shape::half_stage_bytes;
  }
  // The warp has done with all before the stage that has come: the one before it may be filled.
  DEVICE void release_last() const {
    if (n_ > 0) release(stage_ == 0 ? C::stages - 1 : stage_ - 1);
  }
  // A warp that follows: waits for the next stage and leaves it.
  DEVICE void follow() {
    wait();
    release(stage_);
    advance();
  }
  DEVICE void advance() {
    n_++;
    if (++stage_ == C::stages) stage_ = 0, phase_ ^= 1;
  }

 private:
  DEVICE void release(int stage) const {
    warp_sync();
    if (thread_index() % 32 == 0) empty_[stage].arrive();
  }

  char* stages_;
  CopyBarrier* full_;
  ArrivalBarrier* empty_;
  int stage_ = 0, phase_ = 0, n_ = 0;
};

// Brings what is read of a tile's weights in a step into L2. Called by `threads` threads, number `thread` of which
// takes every threads-th matrix row.
template <class C, class First, class Second>
DEVICE void prefetch_weights(const MatmulArgs& a, const OutputTileOf<C>& tile, int step, int thread, int threads) {
  using Shape = MatmulShape<C>;
  for (int i = thread; i < Shape::parts * Shape::tile_outputs; i += threads) {
    const int row = tile.inside(tile.first + i % Shape::tile_outputs);
    if (i < Shape::tile_outputs)
      MatrixRow<C, First>(a, tile, row, 0).visit(step, prefetch_line);
    else
      MatrixRow<C, Second>(a, tile, row, tile_stride<First, C::group_rows, Shape::chunk_units>)
          .visit(step, prefetch_line);
  }
}

}  // namespace realizar
