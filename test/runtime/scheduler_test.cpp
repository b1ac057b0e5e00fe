// The scheduler without a device: pages are counted, and every step computes at once what it was asked for.
#include <cmath>
#include <map>
#include <random>

#include "../../runtime/engine/scheduler.h"
#include "check.h"

using namespace realizar;

namespace {

// Pages that nobody shares.
class CountedPages : public SequenceMemory {
 public:
  CountedPages(uint32_t n_slot, uint32_t n_page) : free(n_page), slots_(n_slot) {}
  bool has_room(std::span<const int32_t> tokens, uint32_t) const override {
    return kv_pages(tokens.size() + 1) <= free;
  }
  uint32_t adopt(uint32_t, std::span<const int32_t>) override { return 0; }
  bool reserve(uint32_t slot, uint32_t, uint32_t to) override {
    const uint32_t wanted = uint32_t(kv_pages(to)), more = wanted > slots_[slot] ? wanted - slots_[slot] : 0;
    if (more > free) return false;
    free -= more, slots_[slot] += more;
    return true;
  }
  void computed(uint32_t, std::span<const int32_t>) override {}
  void release(uint32_t slot, std::span<const int32_t>) override { free += std::exchange(slots_[slot], 0); }

  uint32_t free;

 private:
  std::vector<uint32_t> slots_;  // pages of each
};

Request request_of(uint64_t id, uint32_t n_prompt, uint32_t limit, int32_t priority = 0) {
  return {.id = id,
          .tokens = std::vector<int32_t>(n_prompt, 1),
          .sampling = realizar_default_sampling(),
          .limit = limit,
          .priority = priority};
}

// A scheduler whose steps are done as soon as they are composed.
struct World {
  World(const SchedulerLimits& limits, uint32_t n_page)
      : pages(limits.slots, n_page), scheduler(pages, limits, events) {}

  // Tokens are chosen, sequences end at their limits. Returns the step's parts as id to rows.
  std::map<uint64_t, uint32_t> step() {
    NextStep step = scheduler.next_step();
    std::map<uint64_t, uint32_t> rows;
    std::vector<uint64_t> chosen;
    for (const StepPart& part : step.parts) {
      rows[part.sequence->request.id] = part.run.n_row();
      if (part.run.chooses) chosen.push_back(part.sequence->request.id);
    }
    for (const uint64_t id : chosen) {
      Sequence& sequence = *scheduler.find_running(id);
      sequence.ahead--;
      sequence.append(2);
      if (sequence.tokens().size() - sequence.n_prompt() == sequence.request.limit)
        scheduler.end(id, {.id = id, .kind = REALIZAR_EVENT_END, .end = REALIZAR_END_LENGTH});
    }
    return rows;
  }
  std::vector<uint64_t> ids(realizar_event_kind kind) const {
    std::vector<uint64_t> ids;
    for (const EngineEvent& event : events)
      if (event.kind == kind) ids.push_back(event.id);
    return ids;
  }

  CountedPages pages;
  std::vector<EngineEvent> events;
  Scheduler scheduler;
};

using Rows = std::map<uint64_t, uint32_t>;

}  // namespace

TEST(prompts_ride_with_those_who_decode_in_chunks_of_what_is_left_of_512_rows) {
  World world({.slots = 4, .n_ctx = 10000, .rows = 2048, .outputs = 64}, 1000);
  world.scheduler.submit(request_of(1, 3000, 10));
  CHECK(world.step() == (Rows{{1, 2048}}));  // nobody waits for it
  CHECK(world.step() == (Rows{{1, 952}}));
  world.scheduler.submit(request_of(2, 1000, 10));
  CHECK(world.step() == (Rows{{1, 1}, {2, 511}}));
  CHECK(world.step() == (Rows{{1, 1}, {2, 489}}));
  CHECK(world.step() == (Rows{{1, 1}, {2, 1}}));
}

TEST(first_come_is_first_served_within_a_priority) {
  World world({.slots = 1, .n_ctx = 100, .rows = 64, .outputs = 8}, 10);
  for (const uint64_t id : {1, 2, 3}) world.scheduler.submit(request_of(id, 5, 2));
  world.scheduler.submit(request_of(4, 5, 2, 1));
  world.scheduler.submit(request_of(5, 5, 2, -1));
  while (!world.scheduler.idle()) world.step();
  CHECK(world.ids(REALIZAR_EVENT_BEGUN) == (std::vector<uint64_t>{4, 1, 2, 3, 5}));
}

TEST(where_pages_run_out_the_last_one_waits_and_an_older_prompt_does_not) {
  World world({.slots = 3, .n_ctx = 1000, .rows = 64, .outputs = 8}, 8);
  world.scheduler.submit(request_of(1, 300, 5));  // five pages, in chunks of 64
  CHECK(world.step() == (Rows{{1, 64}}));
  world.scheduler.submit(request_of(2, 60, 300));
  CHECK(world.step() == (Rows{{1, 64}}));  // the older one has all rows
  for (int i = 0; i < 3; i++) world.step();
  while (!world.scheduler.idle()) {
    world.step();
    CHECK(world.pages.free <= 8u);
  }
  CHECK(world.ids(REALIZAR_EVENT_END) == (std::vector<uint64_t>{1, 2}));
  CHECK_EQUAL(world.pages.free, 8u);

  // Two that decode at the end of a page each, with one page left: the older one gets it.
  World two({.slots = 2, .n_ctx = 1000, .rows = 64, .outputs = 8}, 3);
  two.scheduler.submit(request_of(1, 63, 20));
  two.scheduler.submit(request_of(2, 1, 200));
  for (int i = 0; i < 4; i++) two.step();
  CHECK_EQUAL(two.scheduler.n_preemption(), uint64_t(0));
  for (int i = 0; i < 10; i++) two.step();
  two.scheduler.submit(request_of(3, 64, 5));
  while (!two.scheduler.idle()) two.step();
  CHECK(two.ids(REALIZAR_EVENT_END).back() == 3 || two.ids(REALIZAR_EVENT_END).back() == 2);
  CHECK_EQUAL(two.pages.free, 3u);
}

TEST(one_that_is_alone_and_has_no_room_ends) {
  World world({.slots = 2, .n_ctx = 1000, .rows = 64, .outputs = 8}, 2);
  world.scheduler.submit(request_of(1, 100, 100));
  while (!world.scheduler.idle()) world.step();
  const EngineEvent& end = world.events.back();
  CHECK_EQUAL(int(end.end), int(REALIZAR_END_ERROR));
  CHECK_EQUAL(int(end.status), int(REALIZAR_OUT_OF_MEMORY));
  CHECK_HAS(end.message.c_str(), "no pages for position 128");
}

TEST(steps_of_one_row_take_turns) {
  World world({.slots = 3, .n_ctx = 100, .rows = 1, .outputs = 1}, 10);
  for (const uint64_t id : {1, 2, 3}) world.scheduler.submit(request_of(id, 3, 2));
  std::vector<uint64_t> order;
  while (!world.scheduler.idle())
    for (const auto& [id, rows] : world.step()) order.push_back(id);
  CHECK(order == (std::vector<uint64_t>{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}));
}

// Arrivals at random times, lengths as of the internet's: most are short, some are very long.
TEST(a_thousand_sequences_are_served_fairly) {
  World world({.slots = 64, .n_ctx = 8192, .rows = 2048, .outputs = 64}, 150);
  std::mt19937 random(5);
  std::lognormal_distribution<double> prompt(5, 1.2), answer(4, 1);
  std::exponential_distribution<double> gap(1 / 2.);
  std::map<uint64_t, uint32_t> last_row;
  uint64_t id = 0;
  double next = 0;
  for (uint32_t step = 0; id < 1000 || !world.scheduler.idle(); step++) {
    for (; id < 1000 && next <= step; next += gap(random)) {
      const uint32_t n_prompt = uint32_t(std::clamp(prompt(random), 1., 6000.));
      world.scheduler.submit(request_of(++id, n_prompt, uint32_t(std::clamp(answer(random), 1., 1500.))));
    }
    const Rows rows = world.step();
    uint32_t n_row = 0, n_decoding = 0;
    for (const auto& [sequence, n] : rows) n_row += n, n_decoding += n == 1;
    CHECK(n_row <= 2048);
    if (n_decoding > 0 && rows.size() > n_decoding) CHECK(n_row <= 512);
    // Nobody who decodes and keeps its pages misses a step.
    for (const auto& [sequence, n] : rows) {
      const auto before = last_row.find(sequence);
      const Sequence* running = world.scheduler.find_running(sequence);
      if (before != last_row.end() && running && running->begun == 1 && running->decodes &&
          running->tokens().size() > running->n_prompt() + 1)
        CHECK(before->second + 1 == step);
      last_row[sequence] = step;
    }
  }
  const std::vector<uint64_t> begun = world.ids(REALIZAR_EVENT_BEGUN);
  CHECK_EQUAL(begun.size(), size_t(1000));
  CHECK(std::ranges::is_sorted(begun));  // nobody who came later begins before
  CHECK_EQUAL(world.ids(REALIZAR_EVENT_END).size(), size_t(1000));
  CHECK(world.scheduler.n_preemption() > 0);
  CHECK_EQUAL(world.pages.free, 150u);
}
