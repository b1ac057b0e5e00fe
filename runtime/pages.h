// Pages of KV cache, as numbers: which are free, and which ones have a sequence's positions. No device work.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <span>
#include <vector>

namespace realizar {

// All pages of a kind. Each is counted: when it has been released as often as taken and shared, nobody has it. Then it
// is free; or, where its contents are kept, it is cached: available as well, but with its contents until it is needed.
class PagePool {
 public:
  explicit PagePool(uint32_t n_page);
  uint32_t total() const { return uint32_t(pages_.size()); }
  // Free and cached ones.
  uint32_t available() const { return uint32_t(free_.size() + cached_.size()); }
  uint32_t cached() const { return uint32_t(cached_.size()); }

  // The page that has been free for the longest, else the one that has been cached for the longest; one must be
  // available.
  uint32_t take();
  // Of a page that somebody has, or that is cached: one more has it.
  void share(uint32_t page);
  void release(uint32_t page);

  bool in_use(uint32_t page) const { return pages_[page].count > 0; }

  // From now on its contents are kept when nobody has it.
  void keep(uint32_t page) { pages_[page].kept = true; }
  // They are not: where nobody has it, it is free.
  void forget(uint32_t page);
  // Is told of a cached page that is about to be taken; it may have others forgotten.
  void on_evict(std::function<void(uint32_t page)> evicted) { evicted_ = std::move(evicted); }

 private:
  struct Page {
    uint32_t count = 0;
    bool kept = false;
    std::list<uint32_t>::iterator cached_at = {};  // where nobody has it and it is kept
  };
  std::vector<Page> pages_;
  std::deque<uint32_t> free_;
  std::list<uint32_t> cached_;  // the longest unused first
  std::function<void(uint32_t page)> evicted_;
};

// Of a sequence: the page of each 64 positions, in order. Pages that nobody looks at any more may be given back.
class PageTable {
 public:
  explicit PageTable(PagePool& pool) : pool_(&pool) {}
  PageTable(PageTable&& other) noexcept;
  PageTable& operator=(PageTable&&) = delete;
  ~PageTable() { clear(); }

  // Of a kind that the model does not have there are no pages, and none are needed.
  bool has_kind() const { return pool_->total() > 0; }
  // Pages that the first n_position positions need beside those that there are.
  uint32_t missing(uint32_t n_position) const;
  // Takes them. The pool must have as many.
  void grow(uint32_t n_position);
  // Of an empty table: it shares these pages, all but the first n_released.
  void adopt(std::span<const uint32_t> pages, uint32_t n_released);
  // Shares another page in place of the one that it has there.
  void replace(uint32_t index, uint32_t page);
  // Gives back pages all of whose positions are before this one.
  void release_before(uint32_t position);
  // Gives all back, the last one first: of pages that are cached, those of later positions go first.
  void clear();
  // Those that were given back are what they were.
  std::span<const uint32_t> entries() const { return pages_; }
  bool holds(uint32_t index) const { return index >= n_released_ && index < pages_.size(); }
  PagePool& pool() const { return *pool_; }

 private:
  PagePool* pool_;
  std::vector<uint32_t> pages_;
  uint32_t n_released_ = 0;
};

// The first position that rows from `position` on see in layers with this window.
constexpr uint32_t first_in_window(uint32_t position, uint32_t window) {
  return position + 1 > window ? position + 1 - window : 0;
}

// Of a sequence: its pages of layers that see all positions, and of layers with a window.
struct PageTables {
  PageTables(PagePool& pages, PagePool& window_pages) : all(pages), window(window_pages) {}
  // Before a step of positions [from, to): those get pages, and what no row from there on sees is given back. false:
  // there are too few, and none has been taken.
  bool reserve(uint32_t from, uint32_t to, uint32_t window_positions);
  void clear() { all.clear(), window.clear(); }

  PageTable all, window;
};

}  // namespace realizar
