// What an engine does where there is no memory of the host: each allocation of its thread, and of who waits for events,
// fails once.
#include <atomic>
#include <cstdlib>
#include <map>
#include <new>

#include "fail_each_call.h"
#include "open.h"

namespace {

// The allocation before which so many more succeed, of threads whose may fail. The driver's are not the runtime's.
std::atomic<int> left = 1 << 30;
thread_local bool may_fail = false;

void* allocate(size_t bytes) {
  if (may_fail && test::in_driver == 0 && left-- == 0) throw std::bad_alloc();
  if (void* memory = malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes); }
void* operator new[](size_t bytes) { return allocate(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return malloc(bytes ? bytes : 1); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

using namespace test;

namespace {

struct Answer {
  std::vector<int32_t> tokens;
  int status = REALIZAR_OK, end = REALIZAR_END_NONE, ended = 0;
};
using Answers = std::map<std::pair<uint64_t, uint32_t>, Answer>;

realizar_request request_of(const std::vector<int32_t>& tokens, uint32_t n_sequence) {
  realizar_request request = {};
  request.struct_size = sizeof request;
  request.tokens = tokens.data(), request.n_token = uint32_t(tokens.size());
  request.max_tokens = 4, request.n_sequence = n_sequence, request.n_logprob = 1;
  request.sampling = realizar_default_sampling();
  return request;
}

// A wait that has no memory is asked again.
void hear(realizar_engine* engine, Answers& answers, int& n_end) {
  realizar_events* events = nullptr;
  may_fail = true;
  const int status = realizar_engine_wait(engine, -1, &events);
  may_fail = false;
  CHECK(status == REALIZAR_OK || status == REALIZAR_OUT_OF_MEMORY);
  CHECK((events != nullptr) == (status == REALIZAR_OK));
  for (uint32_t i = 0; events && i < events->n_event; i++) {
    const realizar_event& event = events->events[i];
    Answer& answer = answers[{event.request, event.index}];
    CHECK_EQUAL(answer.ended, 0);
    if (event.kind == REALIZAR_EVENT_TOKEN) answer.tokens.push_back(event.token);
    if (event.kind != REALIZAR_EVENT_END) continue;
    answer.ended++, n_end--;
    answer.status = event.status, answer.end = event.end;
  }
  realizar_events_free(events);
}

}  // namespace

TEST(every_allocation_of_an_engine_may_fail_and_no_event_is_lost) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const std::vector<int32_t> prompt = {3, 1, 4};
  const std::vector<int32_t> expected = tiny::expected_continuation(prompt, 4);
  int n_failed = 0;
  for (int n = 0;; n++) {
    realizar_engine_options options = {};
    options.struct_size = sizeof options;
    options.on_step = [](void*, const realizar_step_info*) { may_fail = true; };  // it is on the engine's thread
    realizar_engine* engine = nullptr;
    CHECK_EQUAL(realizar_engine_open(model.get(), &options, &engine), int(REALIZAR_OK));
    const realizar_request request = request_of(prompt, 2);
    uint64_t id = 0;
    Answers answers;
    CHECK_EQUAL(realizar_engine_submit(engine, &request, &id), int(REALIZAR_OK));
    for (int n_end = 2; n_end > 0;) hear(engine, answers, n_end);

    left = n;
    int n_end = 0;
    for (int i = 0; i < 2; i++)
      if (realizar_engine_submit(engine, &request, &id) == REALIZAR_OK) n_end += 2;
    const size_t n_sequence = 2 + size_t(n_end);
    while (n_end > 0) hear(engine, answers, n_end);
    const bool failed = left < 0;
    left = 1 << 30;
    CHECK_EQUAL(answers.size(), n_sequence);
    for (const auto& [key, answer] : answers) {
      CHECK_EQUAL(answer.ended, 1);
      CHECK(std::equal(answer.tokens.begin(), answer.tokens.end(), expected.begin()));
      if (answer.end == REALIZAR_END_LENGTH)
        CHECK_EQUAL(answer.tokens.size(), expected.size());
      else
        CHECK_EQUAL(answer.status, int(REALIZAR_OUT_OF_MEMORY)), n_failed++;
    }
    CHECK_EQUAL(realizar_engine_close(engine), int(REALIZAR_OK));
    if (!failed) break;
  }
  CHECK(n_failed > 20);
}
