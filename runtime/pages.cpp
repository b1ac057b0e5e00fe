#include "pages.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/state.h"

namespace realizar {

PagePool::PagePool(uint32_t n_page) : pages_(n_page), free_(n_page) { std::iota(free_.begin(), free_.end(), 0); }

uint32_t PagePool::take() {
  uint32_t page;
  if (!free_.empty()) {
    page = free_.front();
    free_.pop_front();
  } else {
    page = cached_.front();
    cached_.pop_front();
    pages_[page].kept = false;
    evicted_(page);
  }
  pages_[page].count = 1;
  return page;
}

void PagePool::share(uint32_t page) {
  if (pages_[page].count++ == 0) cached_.erase(pages_[page].cached_at);
}

void PagePool::release(uint32_t page) {
  if (--pages_[page].count > 0) return;
  if (pages_[page].kept)
    pages_[page].cached_at = cached_.insert(cached_.end(), page);
  else
    free_.push_back(page);
}

void PagePool::forget(uint32_t page) {
  if (!std::exchange(pages_[page].kept, false) || pages_[page].count > 0) return;
  cached_.erase(pages_[page].cached_at);
  free_.push_back(page);
}

PageTable::PageTable(PageTable&& other) noexcept
    : pool_(other.pool_), pages_(std::move(other.pages_)), n_released_(other.n_released_) {
  other.pages_.clear();
  other.n_released_ = 0;
}

uint32_t PageTable::missing(uint32_t n_position) const {
  const uint32_t n = has_kind() ? uint32_t(kv_pages(n_position)) : 0;
  return n > pages_.size() ? n - uint32_t(pages_.size()) : 0;
}

void PageTable::grow(uint32_t n_position) {
  for (uint32_t n = missing(n_position); n > 0; n--) pages_.push_back(pool_->take());
}

void PageTable::adopt(std::span<const uint32_t> pages, uint32_t n_released) {
  pages_.assign(pages.begin(), pages.end());
  n_released_ = n_released;
  for (const uint32_t page : pages.subspan(n_released)) pool_->share(page);
}

void PageTable::replace(uint32_t index, uint32_t page) {
  pool_->share(page);
  pool_->release(std::exchange(pages_[index], page));
}

void PageTable::release_before(uint32_t position) {
  const uint32_t n = std::min(position / kv_page_positions, uint32_t(pages_.size()));
  for (; n_released_ < n; n_released_++) pool_->release(pages_[n_released_]);
}

void PageTable::clear() {
  for (; pages_.size() > n_released_; pages_.pop_back()) pool_->release(pages_.back());
  pages_.clear();
  n_released_ = 0;
}

bool PageTables::reserve(uint32_t from, uint32_t to, uint32_t window_positions) {
  window.release_before(first_in_window(from, window_positions));
  if (all.missing(to) > all.pool().available() || window.missing(to) > window.pool().available()) return false;
  all.grow(to);
  window.grow(to);
  return true;
}

}  // namespace realizar
