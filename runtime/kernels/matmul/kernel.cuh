// Y = cap(act(W X + b) * scale) + residual for the rows of a step, on tensor cores.
// Shapes: X f16 [rows][cols] in operand form, with a power of two a row (operand.cuh); W of one or more segments
// [outputs] [cols] each, in any format, dequantised to f16 in registers, or of a gate and an up matrix, whose rows are
// combined, act(gate) * up; Y f32 [rows][outputs of all segments]; sums in f32. Its tests alone: npx vitest run
// test/runtime/sim.test.ts -t matmul
//
// Parts: config.cuh (arguments, what is compile-time), shape.cuh (tiles, shared memory), tiles.cuh (which outputs a
// lane has), weights.cuh (W, in registers), load.cuh (the pipeline of X), main_loop.cuh (products), epilogue.cuh (what
// follows).
//
// A tile is 64 outputs a warpgroup by C::tile_rows rows of the step. W is the left operand, so that its values go from
// device memory through registers, where they become halves, to the tensor cores, each once a tile; X is the right one,
// from shared memory. Blocks take tiles in turn, those of the same outputs one after another, so that they find the
// weights in L2; of experts those of the same rows, of which each expert's weights are read once or a few times.
//
// Row invariance: a row's sums depend on nothing but its own X: columns are added in the same order in every tile, and
// splits of the columns, whoever computes them, are added in order.
#pragma once
#include "epilogue.cuh"
#include "main_loop.cuh"

namespace realizar {

// Calls body.template operator()<First, Second>() with the formats of the lane's two rows of a tile.
template <class Body, int Rows, class Gate, class Up>
DEVICE void with_tile_formats(int, Segments<Segment<Rows, Gate, Up>>, Body&& body) {
  body.template operator()<Gate, Up>();
}
template <class Body, class... S>
DEVICE void with_tile_formats(int format, Segments<S...>, Body&& body) {
  with_format(format, typename Segments<S...>::formats{}, [&]<class F>() { body.template operator()<F, F>(); });
}

// A block's work, tile after tile.
template <class C>
class MatmulBlock {
 public:
  using Shape = MatmulShape<C>;
  DEVICE MatmulBlock(const MatmulArgs& a, char* shared) : a_(a), first_(a.step), input_(shared) {}
  DEVICE void run() {
    if (thread_index() / 128 == C::warpgroups) {
      release_registers<Shape::loader_registers>();
      if (thread_index() % 128 < 32)
        load();
      else if (C::prefetch_steps > 0)
        prefetch();
    } else {
      acquire_registers<Shape::multiplier_registers>();
      multiply();
    }
  }

 private:
  using Tiles = TilesOf<C>;
  DEVICE void load() {
    grid_wait();
    for (Tiles at = first_; at.more(); at.advance())
#pragma unroll 1
      for (int step = at.first_step(); step < at.end_step(); step++)
        input_.load(a_.input, at.first_row(), at.load_rows(), step);
  }
  // Weights are constant, so this need not wait for the nodes before. It keeps a distance by the stages of activations
  // that have come.
  DEVICE void prefetch() {
    Tiles next = first_;  // to be fetched
    int step = next.first_step(), n = 0;
    for (Tiles at = first_; at.more(); at.advance())
      for (int i = at.first_step(); i < at.end_step(); i++) {
        for (; n < C::prefetch_steps && next.more(); n++) {
          const OutputTileOf<C> tile = output_tile<C>(next);
          with_tile_formats(tile.format, typename C::segments{}, [&]<class First, class Second>() {
            prefetch_weights<C, First, Second>(a_, tile, step, thread_index() % 128 - 32,
                                               32 * ActivationPipeline<C>::prefetchers);
          });
          if (++step < next.end_step()) continue;
          next.advance();
          step = next.first_step();
        }
        n--;
        input_.follow();
      }
  }
  DEVICE void multiply() {
    for (Tiles at = first_; at.more(); at.advance()) {
      const OutputTileOf<C> tile = output_tile<C>(at);
      with_tile_formats(tile.format, typename C::segments{},
                        [&]<class First, class Second>() { multiply_tile<First, Second>(at, tile); });
    }
  }
  template <class First, class Second>
  DEVICE void multiply_tile(const Tiles& at, const OutputTileOf<C>& tile) {
    float sums[Shape::sums];
    TileWeights<C, First, Second> weights(a_, tile);
    const int begin = at.first_step(), end = at.end_step();
#pragma unroll
    for (int slot = 0; slot < C::depth; slot++)
      if (begin + slot < end) weights.load(slot, begin + slot);
    accumulate_tile(weights, input_, begin, C::apart ? end : Shape::split_end(0), end, sums);
    grid_wait();
    if constexpr (C::apart && Shape::splits > 1)
      if (!add_splits<C>(a_, at.tile(), at.split(), sums)) return;
    if constexpr (!C::apart) {
#pragma unroll 1
      for (int split = 1; split < Shape::splits; split++) {
        float more[Shape::sums];
        accumulate_tile(weights, input_, split * Shape::split_steps, Shape::split_end(split), end, more);
#pragma unroll
        for (int i = 0; i < Shape::sums; i++) sums[i] += more[i];
      }
    }
    store_tile<C>(a_, tile, at.first_row(), at.end_row(), sums);
  }

  const MatmulArgs& a_;
  const Tiles first_;
  ActivationPipeline<C> input_;
};

template <class C>
DEVICE void matmul(const MatmulArgs& a) {
  char* shared = shared_memory();
  MatmulBlock<C> block(a, shared + (swizzle_bytes - shared_offset(shared) % swizzle_bytes) % swizzle_bytes);
  grid_release();
  block.run();
  grid_wait();  // also of threads that only prefetch, and of blocks without a tile: the node is not complete before
}

}  // namespace realizar
