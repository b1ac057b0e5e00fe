// Sizes of pools on devices that are not there.
#include "../../runtime/engine/pool_size.h"

#include "../../runtime/error.h"
#include "open.h"

using namespace realizar;

namespace {

constexpr uint64_t MiB = 1 << 20;

// 1 MiB of activations and slots of 64 KiB; steps of 256 rows.
Artifact artifact_with(uint64_t page_bytes, uint64_t window_page_bytes, uint32_t window) {
  Artifact made = artifact;
  made.n_ctx = 8192;
  made.page_bytes = page_bytes, made.window_page_bytes = window_page_bytes, made.window = window;
  made.arena_bytes = MiB - 4096, made.state_bytes = 4096, made.slot_bytes = 64 << 10;
  made.programs.front().rows = 256;
  return made;
}
Artifact plain() { return artifact_with(MiB, 0, 0); }
Artifact windowed() { return artifact_with(MiB, 2 * MiB, 1024); }

std::string refused(const Artifact& made, const PoolWish& wish, uint64_t free, uint64_t total, int status) {
  try {
    size_pool(made, wish, free, total);
  } catch (const Error& error) {
    CHECK_EQUAL(int(error.status()), status);
    return error.what();
  }
  CHECK(false);
  return "";
}

}  // namespace

TEST(a_pool_has_whole_contexts_for_all_where_there_is_room) {
  const SlotCounts counts = size_pool(plain(), {.n_sequence = 4, .n_ctx = 1000}, 1000 * MiB, 2000 * MiB);
  CHECK_EQUAL(counts.slots, 4u);
  CHECK_EQUAL(counts.pages, 4u * 16);
  CHECK_EQUAL(counts.window_pages, 0u);
  CHECK_EQUAL(sequences_that_fit(plain(), counts, 1000), 4u);
  CHECK_EQUAL(sequences_that_fit(plain(), counts, 4096), 1u);
  CHECK_EQUAL(sequences_that_fit(plain(), counts, 4097), 0u);
}

TEST(a_pool_leaves_a_tenth_of_the_device_and_what_slots_take) {
  // 200 MiB stay free, a MiB is of activations and one of 16 slots. Where so much is not free, two pages come first.
  const PoolWish wish = {.n_sequence = 16, .n_ctx = 8192};
  CHECK_EQUAL(size_pool(plain(), wish, 1000 * MiB, 2000 * MiB).pages, 798u);
  CHECK_EQUAL(size_pool(plain(), wish, 204 * MiB, 2000 * MiB).pages, 2u);
  CHECK_EQUAL(size_pool(plain(), wish, 4 * MiB, 2000 * MiB).pages, 2u);
  const std::string error = refused(plain(), wish, 3 * MiB, 2000 * MiB, REALIZAR_OUT_OF_MEMORY);
  CHECK_HAS(error, std::to_string(4 * MiB) + " bytes are needed");
  CHECK_HAS(error, std::to_string(3 * MiB) + " of " + std::to_string(2000 * MiB) + " are free");
  CHECK_EQUAL(size_pool(plain(), {.n_sequence = 16, .n_ctx = 64}, 3 * MiB, 2000 * MiB).pages, 1u);
}

TEST(a_pool_of_so_many_bytes_takes_no_more) {
  const PoolWish wish = {.n_sequence = 3, .n_ctx = 8192, .kv_bytes = 200 * MiB + 5};
  CHECK_EQUAL(size_pool(plain(), wish, 0, 0).pages, 200u);
  CHECK_EQUAL(sequence_bytes(plain(), 8192), 128 * MiB);
  CHECK_EQUAL(size_pool(plain(), {.n_sequence = 3, .n_ctx = 8192, .kv_bytes = 128 * MiB}, 0, 0).pages, 128u);
  CHECK_HAS(
      refused(plain(), {.n_sequence = 3, .n_ctx = 8192, .kv_bytes = 128 * MiB - 1}, 0, 0, REALIZAR_INVALID_ARGUMENT),
      "a sequence of 8192 positions takes " + std::to_string(128 * MiB));
}

TEST(windows_have_pages_for_what_they_reach_and_the_rows_of_a_step) {
  // 16 pages of a window that begins anywhere, and 4 of rows.
  CHECK_EQUAL(sequence_bytes(windowed(), 8192), (128 + 2 * 21) * MiB);
  CHECK_EQUAL(sequence_bytes(windowed(), 100), (2 + 2 * 2) * MiB);
  const SlotCounts all = size_pool(windowed(), {.n_sequence = 4, .n_ctx = 8192}, 4000 * MiB, 4000 * MiB);
  CHECK_EQUAL(all.pages, 4u * 128);
  CHECK_EQUAL(all.window_pages, 4u * 17 + 4);
  CHECK_EQUAL(sequences_that_fit(windowed(), all, 8192), 4u);
  // Short sequences are all of their pages.
  const SlotCounts brief = size_pool(windowed(), {.n_sequence = 4, .n_ctx = 100}, 4000 * MiB, 4000 * MiB);
  CHECK_EQUAL(brief.pages, 8u);
  CHECK_EQUAL(brief.window_pages, 8u);
}

TEST(windows_take_half_at_most_unless_one_sequence_needs_more) {
  const auto of = [](uint64_t mebibytes) {
    return size_pool(windowed(), {.n_sequence = 64, .n_ctx = 8192, .kv_bytes = mebibytes * MiB}, 0, 0);
  };
  CHECK_EQUAL(of(1000).window_pages, 250u);
  CHECK_EQUAL(of(1000).pages, 500u);
  CHECK_EQUAL(of(170).window_pages, 21u);
  CHECK_EQUAL(of(170).pages, 128u);
  CHECK_EQUAL(of(200).window_pages, 36u);
  CHECK_EQUAL(of(200).pages, 128u);
  CHECK_EQUAL(of(6000).window_pages, 64u * 17 + 4);
  CHECK_EQUAL(of(6000).pages, 6000u - 2 * (64 * 17 + 4));
  // More than all need is for what has been computed, of both kinds.
  const uint64_t all = 64 * 128 + 2 * (64 * 17 + 4);
  CHECK_EQUAL(of(2 * all).window_pages, 2 * (64u * 17 + 4));
  CHECK_EQUAL(of(2 * all).pages, 2 * 64u * 128);
}

TEST(where_no_whole_context_fits_a_shorter_one_does) {
  // 200 MiB stay free, 2 MiB are of other things.
  const SlotCounts counts = size_pool(windowed(), {.n_sequence = 16, .n_ctx = 8192}, 232 * MiB, 2000 * MiB);
  CHECK_EQUAL(counts.pages, 10u);
  CHECK_EQUAL(counts.window_pages, 10u);
  CHECK_EQUAL(sequences_that_fit(windowed(), counts, 640), 1u);
}

TEST(a_pool_is_never_larger_than_it_may_be) {
  for (const uint32_t window : {100u, 1024u, 4096u})
    for (uint64_t bytes = 1; bytes < 20000 * MiB; bytes = bytes * 5 / 4 + 1)
      for (const uint32_t n : {1u, 7u, 64u}) {
        const Artifact made = artifact_with(MiB, window % 1000 * 4096 + 4096, window);
        const PoolWish wish = {.n_sequence = n, .n_ctx = 8192, .kv_bytes = bytes};
        if (bytes < sequence_bytes(made, wish.n_ctx)) continue;
        const SlotCounts counts = size_pool(made, wish, 0, 0);
        CHECK(pool_bytes(made, counts) <= bytes && pool_bytes(made, counts) + made.page_bytes > bytes);
        CHECK(sequences_that_fit(made, counts, wish.n_ctx) >= 1);
      }
}

TEST(an_engine_has_a_pool_of_the_bytes_that_are_asked_for) {
  const tiny::File file;
  const test::Model model = test::open_model(file);
  realizar_engine_options options = {};
  options.struct_size = sizeof options;
  options.n_sequence = 2, options.kv_bytes = 3 * artifact.page_bytes + 1;
  realizar_engine* engine = nullptr;
  CHECK_EQUAL(realizar_engine_open(model.get(), &options, &engine), int(REALIZAR_OK));
  realizar_engine_statistics statistics = {};
  statistics.struct_size = sizeof statistics;
  CHECK_EQUAL(realizar_engine_get_statistics(engine, &statistics), int(REALIZAR_OK));
  CHECK_EQUAL(statistics.n_page, 3u);
  CHECK_EQUAL(statistics.n_free_page, 3u);
  CHECK_EQUAL(statistics.kv_bytes, 3 * artifact.page_bytes);
  CHECK_EQUAL(realizar_engine_close(engine), int(REALIZAR_OK));
  options.kv_bytes = artifact.page_bytes;
  CHECK_EQUAL(realizar_engine_open(model.get(), &options, &engine), int(REALIZAR_INVALID_ARGUMENT));
  CHECK_HAS(realizar_last_error(), "a sequence of 100 positions takes " + std::to_string(2 * artifact.page_bytes));
  options.n_ctx = 64;
  CHECK_EQUAL(realizar_engine_open(model.get(), &options, &engine), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_engine_close(engine), int(REALIZAR_OK));
}

TEST(a_pool_may_be_of_windows_alone) {
  const Artifact made = artifact_with(0, MiB, 1000);
  const SlotCounts counts = size_pool(made, {.n_sequence = 2, .n_ctx = 8192}, 1000 * MiB, 1000 * MiB);
  CHECK_EQUAL(counts.pages, 0u);
  CHECK_EQUAL(counts.window_pages, 2u * 17 + 4);
  CHECK_EQUAL(sequences_that_fit(made, counts, 8192), 2u);
}
