// How groups of rows are shared out over blocks.
#pragma once
#include "device.h"

namespace realizar {

// A block's run of groups: the first blocks have one more than the others, where they do not come out even.
struct GroupRun {
  int first, end;
  DEVICE GroupRun(int groups, int blocks, int block) {
    const int share = groups / blocks, extra = groups % blocks;
    first = block * share + (block < extra ? block : extra);
    end = first + share + (block < extra);
  }
};

}  // namespace realizar
