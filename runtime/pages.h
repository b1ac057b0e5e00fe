// Pages of KV cache, as numbers: which are free, and which ones have a sequence's positions. No device work.
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace realizar {

// All pages of a kind. Each is counted: it is free again when it has been released as often as taken and shared.
class PagePool {
 public:
  explicit PagePool(uint32_t n_page);
  uint32_t total() const { return uint32_t(counts_.size()); }
  // Pages that take() has.
  uint32_t available() const { return uint32_t(free_.size()); }
  // Of these, those that keep what is known, until they are needed.
  uint32_t cached() const { return 0; }
  // One of those that have been free for the longest. There must be one.
  uint32_t take();
  // Of a page that somebody has: one more has it.
  void share(uint32_t page) { counts_[page]++; }
  void release(uint32_t page);

 private:
  std::vector<uint32_t> counts_;
  std::deque<uint32_t> free_;
};

// Of a sequence: the page of each 64 positions, in order. Pages that nobody looks at any more may be given back.
class PageTable {
 public:
  explicit PageTable(PagePool& pool) : pool_(&pool) {}
  PageTable(PageTable&& other) noexcept;
  PageTable& operator=(PageTable&&) = delete;
  ~PageTable() { clear(); }

  // Pages that the first n_position positions need beside those that there are.
  uint32_t missing(uint32_t n_position) const;
  // Takes them. The pool must have as many.
  void grow(uint32_t n_position);
  // Gives back pages all of whose positions are before this one.
  void release_before(uint32_t position);
  void clear();
  // Those that were given back are what they were.
  std::span<const uint32_t> entries() const { return pages_; }

 private:
  PagePool* pool_;
  std::vector<uint32_t> pages_;
  uint32_t n_released_ = 0;
};

}  // namespace realizar
