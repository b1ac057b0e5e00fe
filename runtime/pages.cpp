#include "pages.h"

#include <algorithm>
#include <numeric>

#include "kernels/state.h"

namespace realizar {

PagePool::PagePool(uint32_t n_page) : counts_(n_page), free_(n_page) { std::iota(free_.begin(), free_.end(), 0); }

uint32_t PagePool::take() {
  const uint32_t page = free_.front();
  free_.pop_front();
  counts_[page] = 1;
  return page;
}

void PagePool::release(uint32_t page) {
  if (--counts_[page] == 0) free_.push_back(page);
}

PageTable::PageTable(PageTable&& other) noexcept
    : pool_(other.pool_), pages_(std::move(other.pages_)), n_released_(other.n_released_) {
  other.pages_.clear();
  other.n_released_ = 0;
}

uint32_t PageTable::missing(uint32_t n_position) const {
  const uint32_t n = uint32_t(kv_pages(n_position));
  return n > pages_.size() ? n - uint32_t(pages_.size()) : 0;
}

void PageTable::grow(uint32_t n_position) {
  for (uint32_t n = missing(n_position); n > 0; n--) pages_.push_back(pool_->take());
}

void PageTable::release_before(uint32_t position) {
  const uint32_t n = std::min(position / kv_page_positions, uint32_t(pages_.size()));
  for (; n_released_ < n; n_released_++) pool_->release(pages_[n_released_]);
}

void PageTable::clear() {
  for (uint32_t i = n_released_; i < pages_.size(); i++) pool_->release(pages_[i]);
  pages_.clear();
  n_released_ = 0;
}

}  // namespace realizar
