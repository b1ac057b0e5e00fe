// Weights of a later projection that a node brings into L2 while memory has little to do: around attention nodes are
// short and wait for each other. They are prefetched when the node's own weights and its input are under way, and only
// so many that they have come before the node ends: what it writes would queue behind them.
#pragma once
#include "shape.cuh"

namespace realizar {

template <int Groups, int64_t GroupBytes>
struct PrefetchSegment {
  static constexpr int groups = Groups;
  static constexpr int64_t group_bytes = GroupBytes;
};

// Of a projection of so many blocks, whose groups of rows are those of the segments: the first bytes of each block's
// run.
template <int Blocks, int Bytes, class... Segments>
struct L2Prefetch {
  static constexpr int blocks = Blocks;
  static constexpr bool any = true;

  static DEVICE int64_t offset(int group) {
    int64_t bytes = 0;
    const auto add = [&](int groups, int64_t group_bytes) {
      bytes += (group < 0 ? 0 : group < groups ? group : groups) * group_bytes;
      group -= groups;
    };
    (add(Segments::groups, Segments::group_bytes), ...);
    return bytes;
  }
  // Warp `warp` of `warps` prefetches its share of a block's part.
  static DEVICE void prefetch_run(const char* weights, int block, int warp, int warps) {
    const GroupRun run((Segments::groups + ...), Blocks, block);
    const int64_t begin = offset(run.first), size = offset(run.end) - begin;
    const int bytes = size < Bytes ? (int)size : Bytes, share = (bytes / warps + 127) / 128 * 128;
    const int left = bytes - warp * share;
    if (left > 0) prefetch(weights + begin + warp * share, left < share ? left / 16 * 16 : share);
  }
};

}  // namespace realizar
