// Pages that sequences share, against what each should hold: the device is an array of pages in which every position
// has a number that stands for all tokens up to it.
#include "../../runtime/engine/prefix_cache.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "check.h"

using namespace realizar;
using Tokens = std::vector<int32_t>;

namespace {

constexpr uint32_t page_positions = 64;
using Page = std::array<uint64_t, page_positions>;

Tokens counted(int32_t first, size_t n) {
  Tokens tokens(n);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}
Tokens joined(Tokens a, const Tokens& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
uint32_t in_common(const Tokens& a, const Tokens& b) { return uint32_t(std::ranges::mismatch(a, b).in1 - a.begin()); }

struct Sequence {
  Tokens tokens;
  uint32_t n_known;  // to the host, of the tokens
  PageTables tables;
  uint32_t n_composed = 0;
  PrefixCache::Place place = {};
  std::array<std::vector<uint32_t>, 2> sent = {};  // what the device knows of the tables

  std::span<const int32_t> known() const { return {tokens.data(), std::min(n_known, n_composed)}; }
  void send(size_t from, size_t window_from) {
    const auto copy = [](const PageTable& table, size_t first, std::vector<uint32_t>& to) {
      to.resize(table.entries().size());
      for (size_t i = first; i < to.size(); i++) to[i] = table.entries()[i];
    };
    copy(tables.all, from, sent[0]);
    copy(tables.window, window_from, sent[1]);
  }
  // What the positions hold.
  std::vector<uint64_t> numbers() const {
    std::vector<uint64_t> all;
    uint64_t number = 0;
    for (const int32_t token : tokens)
      all.push_back(number = (number ^ uint64_t(token + 1)) * 0x9e3779b97f4a7c15 + (number >> 29));
    return all;
  }
};

// Pools, what their pages hold, and the step in the making.
class Device {
 public:
  Device(uint32_t n_page, uint32_t n_window_page = 0, uint32_t window = 0)
      : pages(n_page),
        window_pages(n_window_page),
        cache(pages, window_pages, window),
        window_(window),
        held_{std::vector<Page>(n_page), std::vector<Page>(n_window_page)} {}

  Sequence sequence(Tokens tokens) {
    const uint32_t n = uint32_t(tokens.size());
    return {std::move(tokens), n, PageTables(pages, window_pages)};
  }
  // Returns how many positions were there.
  uint32_t adopt(Sequence& one) {
    const PrefixCache::Adopted adopted = cache.adopt({one.tokens.data(), one.n_known}, one.tables, one.place);
    copy(0, adopted.copy, adopted.n_position);
    copy(1, adopted.window_copy, adopted.n_position);
    one.send(0, 0);
    return one.n_composed = adopted.n_position;
  }
  // n more positions.
  bool compose(Sequence& one, uint32_t n) {
    const size_t first = one.tables.all.entries().size(), window_first = one.tables.window.entries().size();
    if (!one.tables.reserve(one.n_composed, one.n_composed + n, window_)) return false;
    one.send(first, window_first);
    for (size_t i = first; i < one.sent[0].size(); i++) held_[0][one.sent[0][i]] = {};
    for (size_t i = window_first; i < one.sent[1].size(); i++) held_[1][one.sent[1][i]] = {};
    step_.push_back({&one, one.n_composed, one.n_composed + n});
    one.n_composed += n;
    tell(one);
    return true;
  }
  void tell(Sequence& one) {
    if (const auto changed = cache.computed(one.known(), one.tables, one.place)) one.send(*changed, *changed);
  }
  // Rows may look early at positions that earlier steps have computed, or rows before them; else all write before any
  // reads.
  void launch() {
    uint32_t n_row = 0;
    for (const auto& [one, from, end] : step_) {
      CHECK(sees_its_own(*one, from, from - std::min(from, n_row)));
      n_row += end - from;
    }
    for (const auto& [one, from, end] : step_) write(*one, from, end);
    for (const auto& [one, from, end] : step_) CHECK(sees_its_own(*one, from, end));
    step_.clear();
    cache.launched();
  }
  bool has(const Sequence& one) const {
    return std::ranges::any_of(step_, [&](const Run& run) { return run.sequence == &one; });
  }
  void release(Sequence& one) { cache.release(one.known(), one.tables, one.place); }
  void release_failed(Sequence& one) { cache.release({}, one.tables, one.place); }
  // From its start to its end, a step a page or so.
  uint32_t run(Tokens tokens) {
    Sequence one = sequence(std::move(tokens));
    const uint32_t adopted = adopt(one);
    while (one.n_composed < one.tokens.size()) {
      CHECK(compose(one, std::min(50u, uint32_t(one.tokens.size()) - one.n_composed)));
      launch();
    }
    release(one);
    return adopted;
  }

  PagePool pages, window_pages;
  PrefixCache cache;

 private:
  struct Run {
    Sequence* sequence;
    uint32_t from, end;
  };
  void copy(int kind, const std::optional<PrefixCache::Copy>& pages, uint32_t n_position) {
    if (!pages) return;
    const uint32_t n = n_position % page_positions;
    held_[kind][pages->to] = {};
    std::copy_n(held_[kind][pages->from].begin(), n, held_[kind][pages->to].begin());
  }
  // What is there already others may look at.
  void write(const Sequence& one, uint32_t from, uint32_t end) {
    const std::vector<uint64_t> numbers = one.numbers();
    for (const int kind : {0, 1})
      for (uint32_t p = from; p < end && !held_[kind].empty(); p++) {
        uint64_t& at = held_[kind][one.sent[kind][p / page_positions]][p % page_positions];
        CHECK(at == 0);
        at = numbers[p];
      }
  }
  bool sees_its_own(const Sequence& one, uint32_t from, uint32_t end) const {
    const std::vector<uint64_t> numbers = one.numbers();
    for (const int kind : {0, 1})
      for (uint32_t p = kind ? first_in_window(from, window_) : 0; p < end && !held_[kind].empty(); p++)
        if (held_[kind][one.sent[kind][p / page_positions]][p % page_positions] != numbers[p]) return false;
    return true;
  }

  const uint32_t window_;
  std::array<std::vector<Page>, 2> held_;
  std::vector<Run> step_;
};

}  // namespace

TEST(a_prompt_finds_the_pages_of_an_earlier_one) {
  Device device(8);
  const Tokens tokens = counted(0, 200);
  CHECK_EQUAL(device.run(tokens), 0u);
  CHECK_EQUAL(device.pages.cached(), 4u);
  CHECK_EQUAL(device.pages.available(), 8u);
  CHECK_EQUAL(device.run(tokens), 199u);                                   // the last token is always computed
  CHECK_EQUAL(device.run(joined(counted(0, 130), counted(7, 70))), 130u);  // in the middle of a page
  CHECK_EQUAL(device.run(joined(counted(0, 130), counted(7, 90))), 200u);
  CHECK_EQUAL(device.run(counted(0, 64)), 63u);
  CHECK_EQUAL(device.run(counted(1, 64)), 0u);
  CHECK_EQUAL(device.run({0}), 0u);
  CHECK_EQUAL(device.run({0, 9}), 1u);
}

TEST(of_pages_that_begin_alike_the_most_alike_is_copied) {
  Device device(10);
  for (const int32_t other : {100, 5, 300}) device.run(joined(counted(0, 64 + other % 7), counted(other, 20)));
  // 100: 66 tokens of it, 5: 69, 300: 70.
  CHECK_EQUAL(device.run(joined(counted(0, 66), {100, 101, -1, 0})), 68u);
  CHECK_EQUAL(device.run(joined(counted(0, 69), {5, 6, 7, -2, 0})), 72u);
  CHECK_EQUAL(device.run(joined(counted(0, 70), {299, 0})), 70u);
  CHECK_EQUAL(device.run(joined(counted(0, 68), {-3, 0})), 68u);
}

TEST(what_is_the_beginning_of_a_longer_page_is_kept_once) {
  Device device(8);
  device.run(counted(0, 30));
  CHECK_EQUAL(device.pages.cached(), 1u);
  CHECK_EQUAL(device.run(counted(0, 50)), 30u);
  CHECK_EQUAL(device.pages.cached(), 1u);
  CHECK_EQUAL(device.run(counted(0, 40)), 39u);
  CHECK_EQUAL(device.pages.cached(), 1u);
  CHECK_EQUAL(device.run(counted(0, 100)), 50u);
  CHECK_EQUAL(device.pages.cached(), 2u);
}

TEST(the_longest_unused_page_is_taken_first_and_children_before_parents) {
  // Of so many positions that three have left, after so many other pages: two pages, two, and one; of the first, the
  // first page has been used again since. A sixth page is free.
  const auto left = [](int n_other) {
    std::vector<uint32_t> found;
    for (const Tokens& begin : {counted(0, 128), counted(1000, 128), counted(2000, 64)}) {
      Device device(6);
      for (const int32_t first : {0, 1000}) device.run(counted(first, 128));
      device.run(counted(2000, 64));
      device.run(counted(0, 65));
      for (int i = 0; i < n_other; i++) device.run(counted(3000 + i * 100, 64));
      found.push_back(device.run(joined(begin, {-1})));
    }
    return found;
  };
  using Found = std::vector<uint32_t>;
  CHECK((left(1) == Found{128, 128, 64}));
  CHECK((left(2) == Found{64, 128, 64}));
  CHECK((left(3) == Found{64, 64, 64}));
  CHECK((left(4) == Found{64, 0, 64}));
  CHECK((left(5) == Found{64, 0, 0}));
  CHECK((left(6) == Found{0, 0, 0}));
}

TEST(pages_of_the_step_in_the_making_are_shared_but_not_copied) {
  Device device(8);
  Sequence first = device.sequence(counted(0, 130)), second = device.sequence(counted(0, 150)),
           third = device.sequence(joined(counted(0, 100), counted(0, 100)));
  CHECK_EQUAL(device.adopt(first), 0u);
  CHECK(device.compose(first, 130));
  CHECK_EQUAL(device.adopt(second), 128u);
  CHECK(device.compose(second, 22));
  CHECK_EQUAL(device.adopt(third), 64u);
  device.release(third);
  device.launch();
  CHECK_EQUAL(device.adopt(third), 100u);
  CHECK(device.compose(third, 100));
  device.launch();
  CHECK_EQUAL(device.pages.available(), 8u - 7);
  for (Sequence* one : {&first, &second, &third}) device.release(*one);
  CHECK_EQUAL(device.pages.available(), 8u);
}

TEST(two_that_compute_the_same_share_a_page_afterwards) {
  Device device(8);
  Sequence first = device.sequence(counted(0, 200)), second = device.sequence(counted(0, 200));
  device.adopt(first), device.adopt(second);
  for (int step = 0; step < 4; step++) {
    CHECK(device.compose(first, 50) && device.compose(second, 50));
    device.launch();
  }
  device.tell(second);
  CHECK_EQUAL(device.pages.available(), 8u - 3 - 2);
  device.release(first), device.release(second);
  CHECK_EQUAL(device.pages.cached(), 4u);
}

TEST(of_a_sequence_that_failed_nothing_new_is_kept) {
  Device device(8);
  Sequence one = device.sequence(counted(0, 120));
  device.adopt(one);
  CHECK(device.compose(one, 120));
  device.launch();
  device.release_failed(one);
  CHECK_EQUAL(device.pages.cached(), 1u);  // known before it failed
  CHECK_EQUAL(device.pages.available(), 8u);
}

TEST(where_no_page_is_left_for_a_copy_whole_pages_are_shared) {
  Device device(3);
  device.run(counted(0, 100));
  Sequence other = device.sequence(counted(500, 64));
  device.adopt(other);
  CHECK(device.compose(other, 64));
  device.launch();
  // Two are left, and they are those that would be shared and copied.
  Sequence one = device.sequence(counted(0, 90));
  CHECK_EQUAL(device.adopt(one), 64u);
  CHECK_EQUAL(device.pages.available(), 1u);
  CHECK(device.compose(one, 26));
  device.launch();
  device.release(one), device.release(other);
  CHECK_EQUAL(device.pages.available(), 3u);
}

TEST(of_windows_only_the_last_pages_are_needed) {
  Device device(20, 6, 70);
  device.run(counted(0, 300));
  CHECK_EQUAL(device.pages.cached(), 5u);
  CHECK_EQUAL(device.window_pages.cached(), 5u);
  // Pages behind the window were given back first, and go first.
  device.run(counted(1000, 128));
  CHECK_EQUAL(device.window_pages.cached(), 6u);
  CHECK_EQUAL(device.run(counted(0, 300)), 299u);
  // Of the first page only what sees all is left: the others are of no use without the window's.
  const Tokens other = joined(counted(0, 70), counted(2000, 10));
  CHECK_EQUAL(device.run(other), 0u);
  CHECK_EQUAL(device.run(other), 79u);  // until somebody has computed it again
  Sequence one = device.sequence(counted(0, 301));
  CHECK_EQUAL(device.adopt(one), 300u);
  CHECK_EQUAL(device.window_pages.available(), 6u - 2);  // one is shared, one copied
  device.release(one);
}

TEST(what_nobody_can_find_again_is_free) {
  Device device(20, 3, 10);
  Sequence one = device.sequence(counted(0, 250)), other = device.sequence(counted(1000, 128));
  one.n_known = 128;
  device.adopt(one), device.adopt(other);
  for (const uint32_t n : {128, 60, 1}) {
    CHECK(device.compose(one, n));
    device.launch();
  }
  CHECK_EQUAL(device.window_pages.cached(), 2u);
  CHECK(device.compose(other, 128));  // takes both
  device.launch();
  device.release_failed(one);
  CHECK_EQUAL(device.pages.cached(), 0u);
  CHECK_EQUAL(device.pages.available(), 18u);

  Device narrow(4, 4, 1);
  Sequence ahead = narrow.sequence(counted(0, 65));
  ahead.n_known = 63;
  narrow.adopt(ahead);
  for (const uint32_t n : {64, 1}) {
    CHECK(narrow.compose(ahead, n));
    narrow.launch();
  }
  narrow.release(ahead);  // of its window there is nothing any more
  CHECK_EQUAL(narrow.pages.cached(), 0u);
}

TEST(a_model_may_have_windows_alone) {
  Device device(0, 6, 100);
  device.run(counted(0, 250));
  CHECK_EQUAL(device.run(counted(0, 260)), 250u);
  device.run(counted(1000, 3 * 64));
  CHECK_EQUAL(device.window_pages.available(), 6u);
  device.run(counted(2000, 6 * 64));
  CHECK_EQUAL(device.run(counted(0, 260)), 0u);
}

namespace {

// Sequences that begin as others did, go on, end, fail and are put back, at any time.
class Schedule {
 public:
  Schedule(uint32_t seed, uint32_t n_page, uint32_t n_window_page, uint32_t window, bool roomy)
      : random_(seed), device_(n_page, n_window_page, window), roomy_(roomy) {}

  void run(int n_step) {
    for (int i = 0; i < n_step; i++) {
      begins_step_ = true;
      while (running_.size() < 5 && below(2)) begin(prompt());
      for (size_t k = 0; k < running_.size(); k++) compose(*running_[k]);
      device_.launch();
      while (!running_.empty() && below(4) == 0) leave(below(running_.size()));
      check_pages();
    }
    while (!running_.empty()) leave(0);
    check_pages();
  }

 private:
  uint32_t below(size_t n) { return uint32_t(random_() % n); }
  Tokens prompt() {
    Tokens tokens;
    if (!seen_.empty() && below(6)) tokens = seen_[below(seen_.size())];
    tokens.resize(below(4) ? tokens.size() : below(tokens.size() + 1));
    for (uint32_t n = 1 + below(below(3) ? 10 : 150); n > 0; n--) tokens.push_back(int32_t(below(3)));
    tokens.resize(std::min<size_t>(tokens.size(), 300));
    return tokens;
  }
  void begin(Tokens tokens) {
    uint32_t least = 0, most = 0;
    const auto shared = [&](const Tokens& other) {
      return std::min(in_common(tokens, other), uint32_t(tokens.size()) - 1);
    };
    for (const Tokens& other : kept_) least = std::max(least, shared(other));
    for (const Tokens& other : seen_) most = std::max(most, shared(other));
    for (const auto& other : running_) most = std::max(most, shared(other->tokens));
    running_.push_back(std::make_unique<Sequence>(device_.sequence(std::move(tokens))));
    const uint32_t adopted = device_.adopt(*running_.back());
    check_pages();
    CHECK(adopted <= most);
    CHECK(!roomy_ || !begins_step_ || adopted >= least);
  }
  // A part of its prompt, or a token, which the host knows some steps later.
  void compose(Sequence& one) {
    begins_step_ = false;
    const uint32_t left = uint32_t(one.tokens.size()) - one.n_composed;
    if (left == 0) one.tokens.push_back(int32_t(below(3)));
    if (!device_.compose(one, left == 0 ? 1 : 1 + below(left))) return;
    if (left == 0) one.n_known = std::max(one.n_known, one.n_composed - below(3));
    if (below(3) == 0 && running_.size() < 5) begin(prompt());
  }
  void leave(size_t i) {
    const auto one = std::move(running_[i]);
    running_.erase(running_.begin() + ptrdiff_t(i));
    seen_.push_back(one->tokens);
    if (below(8) == 0) return device_.release_failed(*one);
    kept_.push_back(Tokens(one->known().begin(), one->known().end()));
    device_.release(*one);
    if (below(3) == 0) begin(Tokens(one->tokens.begin(), one->tokens.begin() + one->n_known));  // it was put back
  }
  // Those that somebody has and those that are available are all that there are.
  void check_pages() {
    std::set<uint32_t> all, window;
    const auto collect = [](const PageTable& table, std::set<uint32_t>& to) {
      for (uint32_t i = 0; i < table.entries().size(); i++)
        if (table.holds(i)) to.insert(table.entries()[i]);
    };
    for (const auto& one : running_) collect(one->tables.all, all), collect(one->tables.window, window);
    CHECK_EQUAL(device_.pages.available() + all.size(), size_t(device_.pages.total()));
    CHECK_EQUAL(device_.window_pages.available() + window.size(), size_t(device_.window_pages.total()));
  }

  std::mt19937 random_;
  Device device_;
  const bool roomy_;
  bool begins_step_ = true;
  std::vector<std::unique_ptr<Sequence>> running_;
  std::vector<Tokens> seen_, kept_;
};

}  // namespace

TEST(with_pages_for_all_everything_is_found_again) {
  for (uint32_t seed = 0; seed < 4; seed++) {
    Schedule(seed, 2000, 0, 0, true).run(60);
    Schedule(seed, 2000, 2000, 70, true).run(60);
    Schedule(seed, 0, 2000, 130, true).run(60);
  }
}

TEST(with_few_pages_every_sequence_sees_its_own_and_none_is_lost) {
  for (uint32_t seed = 0; seed < 4; seed++) {
    Schedule(seed, 8 + seed, 0, 0, false).run(80);
    Schedule(seed, 14, 7 + seed, seed % 2 ? 64 : 100, false).run(80);
    Schedule(seed, 30, 7 + seed, 1 + seed * 20, false).run(80);
    Schedule(seed, 0, 8 + seed, 90, false).run(80);
  }
}
