// A launched kernel: its blocks, spread over the pool.
#pragma once
#include <climits>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sim_pool.h"

namespace realizar::sim {

class Grid {
 public:
  // `launch` and `pool` outlive the grid.
  Grid(const Launch& launch, Pool& pool);

  // Runs every thread up to grid_wait. Nothing, if that has nothing to wait for: then all of it may come after whatever
  // the nodes after it do before their own grid_wait.
  void start() {
    if (launch_.must_wait) step(false);
  }
  // Whether the nodes after it may start although all of it but what comes before grid_wait has yet to run: every block
  // has called grid_release by then, or ended. Of a grid that has started.
  bool released() const;
  // When the grids before this one are complete: runs every thread to its end.
  void finish() { step(true); }
  // What went wrong, in the first block (in the order of execution) where something did; empty if nothing has.
  const std::string& error() const { return error_; }

 private:
  void step(bool open);
  void begin(size_t position, bool open);
  void run_block(size_t position);
  bool check_paused(const std::function<bool(size_t)>& is_paused);
  void report(size_t position, const std::string& error);

  const Launch& launch_;
  Pool& pool_;
  std::vector<int> order_;                      // the block at each position
  std::vector<std::unique_ptr<Block>> blocks_;  // by position; null where it has not begun or has ended
  std::mutex mutex_;
  std::atomic<size_t> failed_position_{SIZE_MAX};
  std::atomic<bool> any_paused_{false};
  std::string error_;
};

}  // namespace realizar::sim
