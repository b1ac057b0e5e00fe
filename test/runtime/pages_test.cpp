// Pages: who has which, against a list of owners.
#include "../../runtime/pages.h"

#include <algorithm>
#include <map>
#include <random>

#include "check.h"

using realizar::PagePool;
using realizar::PageTable;

TEST(a_pool_hands_out_each_page_once_and_the_longest_free_first) {
  PagePool pool(3);
  CHECK_EQUAL(pool.take(), 0u);
  CHECK_EQUAL(pool.take(), 1u);
  pool.release(1);
  pool.release(0);
  CHECK_EQUAL(pool.available(), 3u);
  CHECK_EQUAL(pool.take(), 2u);
  CHECK_EQUAL(pool.take(), 1u);
  CHECK_EQUAL(pool.take(), 0u);
  CHECK_EQUAL(pool.available(), 0u);
  CHECK_EQUAL(pool.total(), 3u);
}

TEST(a_shared_page_is_free_when_all_have_released_it) {
  PagePool pool(1);
  const uint32_t page = pool.take();
  pool.share(page);
  pool.release(page);
  CHECK_EQUAL(pool.available(), 0u);
  pool.release(page);
  CHECK_EQUAL(pool.available(), 1u);
}

TEST(a_table_has_a_page_for_each_64_positions) {
  PagePool pool(4);
  PageTable table(pool);
  CHECK_EQUAL(table.missing(0), 0u);
  CHECK_EQUAL(table.missing(1), 1u);
  CHECK_EQUAL(table.missing(64), 1u);
  CHECK_EQUAL(table.missing(65), 2u);
  table.grow(65);
  CHECK_EQUAL(table.entries().size(), size_t(2));
  CHECK_EQUAL(table.missing(128), 0u);
  table.grow(10);
  CHECK_EQUAL(pool.available(), 2u);
  table.release_before(63);
  CHECK_EQUAL(pool.available(), 2u);
  table.release_before(64);
  table.release_before(64);
  CHECK_EQUAL(pool.available(), 3u);
  table.release_before(1000);
  CHECK_EQUAL(pool.available(), 4u);
  table.grow(200);  // positions after those that were given back
  CHECK_EQUAL(pool.available(), 2u);
  table.clear();
  CHECK_EQUAL(pool.available(), 4u);
  CHECK_EQUAL(table.missing(64), 1u);
}

TEST(tables_never_share_a_page_and_lose_none) {
  std::mt19937 random(1);
  PagePool pool(20);
  {
    std::vector<PageTable> tables;
    for (int i = 0; i < 5; i++) tables.emplace_back(pool);
    std::vector<uint32_t> seen_from(tables.size());
    for (int round = 0; round < 2000; round++) {
      const size_t i = random() % tables.size();
      const uint32_t n = random() % 500;
      switch (random() % 3) {
        case 0:
          if (tables[i].missing(n) <= pool.available()) tables[i].grow(n);
          break;
        case 1:
          seen_from[i] = std::max(seen_from[i], std::min(n / 64, uint32_t(tables[i].entries().size())));
          tables[i].release_before(n);
          break;
        case 2:
          if (n > 400) tables[i].clear(), seen_from[i] = 0;
      }
      std::map<uint32_t, int> owners;
      for (size_t t = 0; t < tables.size(); t++)
        for (const uint32_t page : tables[t].entries().subspan(seen_from[t])) owners[page]++;
      for (const auto& [page, count] : owners) CHECK(page < 20 && count == 1);
      CHECK_EQUAL(pool.available() + owners.size(), size_t(20));
    }
  }
  CHECK_EQUAL(pool.available(), 20u);
}
