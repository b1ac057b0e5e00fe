#include "sim_grid.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <random>

namespace realizar::sim {

Grid::Grid(const Launch& launch, Pool& pool)
    : launch_(launch), pool_(pool), order_(size_t(launch.blocks)), blocks_(size_t(launch.blocks)) {
  std::iota(order_.begin(), order_.end(), 0);
  if (!launch.seed) return;
  std::mt19937 random(launch.seed);
  for (size_t n = order_.size(); n > 1; n--) std::swap(order_[n - 1], order_[random() % n]);
}

void Grid::step(bool open) {
  const auto may_run = [&](size_t position) { return position < failed_position_.load(std::memory_order_relaxed); };
  pool_.run(order_.size(), [&](size_t position) {
    if (may_run(position)) begin(position, open);
  });
  const auto is_paused = [&](size_t position) {
    return may_run(position) && blocks_[position] && blocks_[position]->paused;
  };
  while (any_paused_.exchange(false)) {
    if (!check_paused(is_paused)) return;
    pool_.run(order_.size(), [&](size_t position) {
      if (is_paused(position)) run_block(position);
    });
  }
}

// False where all paused blocks wait for others that never come: because those have failed, or by the kernel's fault.
bool Grid::check_paused(const std::function<bool(size_t)>& is_paused) {
  size_t waiting = 0, first = 0;
  for (size_t position = 0; position < order_.size(); position++) {
    if (!is_paused(position)) continue;
    if (blocks_[position]->may_go_on()) return true;
    if (waiting++ == 0) first = position;
  }
  if (waiting > 0 && error_.empty())
    report(first, launch_.name + ", block " + std::to_string(order_[first]) + ": deadlock: " + std::to_string(waiting) +
                      " of " + std::to_string(order_.size()) +
                      " blocks wait for counts that the others have left behind");
  return false;
}

bool Grid::released() const {
  return launch_.must_wait && std::ranges::all_of(blocks_, [](const auto& block) { return !block || block->released; });
}

void Grid::run_block(size_t position) {
  std::unique_ptr<Block>& block = blocks_[position];
  block->run();
  if (!block->error.empty()) report(position, block->error);
  if (block->paused) any_paused_ = true;
  if (block->ended()) block.reset();
}

void Grid::begin(size_t position, bool open) try {
  std::unique_ptr<Block>& block = blocks_[position];
  if (!block) block = std::make_unique<Block>(launch_, order_[position], pool_.stacks());
  if (open) block->open_grid();
  run_block(position);
} catch (const std::bad_alloc&) {
  report(position, launch_.name + ": no memory for a block's shared memory of " + std::to_string(launch_.shared_bytes) +
                       " bytes");
}

void Grid::report(size_t position, const std::string& error) {
  const std::lock_guard lock(mutex_);
  if (position > failed_position_) return;
  failed_position_ = position;
  error_ = error;
}

}  // namespace realizar::sim
