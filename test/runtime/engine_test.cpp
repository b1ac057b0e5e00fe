// The engine through the C ABI on the tiny model, whose sequences take turns: bad input, callbacks, and what a failure
// of the device leaves.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

#include "../../runtime/driver/host.h"
#include "fail_each_call.h"
#include "open.h"

using namespace test;

namespace {

struct CloseEngine {
  void operator()(realizar_engine* engine) const { CHECK_EQUAL(realizar_engine_close(engine), int(REALIZAR_OK)); }
};
using Engine = std::unique_ptr<realizar_engine, CloseEngine>;

realizar_engine_options engine_options() {
  realizar_engine_options options = {};
  options.struct_size = sizeof options;
  return options;
}

Engine open_engine(const Model& model, const realizar_engine_options& options = engine_options()) {
  realizar_engine* engine = nullptr;
  CHECK_EQUAL(realizar_engine_open(model.get(), &options, &engine), int(REALIZAR_OK));
  return Engine(engine);
}

const std::vector<int32_t> prompt = {3, 1, 4};

realizar_request request_of(const std::vector<int32_t>& tokens, uint32_t max_tokens) {
  realizar_request request = {};
  request.struct_size = sizeof request;
  request.tokens = tokens.data(), request.n_token = uint32_t(tokens.size());
  request.max_tokens = max_tokens;
  request.n_sequence = 1;
  request.sampling = realizar_default_sampling();
  request.n_logprob = -1;
  return request;
}

uint64_t submit(const Engine& engine, const realizar_request& request) {
  uint64_t id = 0;
  CHECK_EQUAL(realizar_engine_submit(engine.get(), &request, &id), int(REALIZAR_OK));
  return id;
}

// What a sequence's events say.
struct Answer {
  std::vector<int32_t> tokens;
  int begun = 0, prompt = 0, ended = 0, end = REALIZAR_END_NONE, status = REALIZAR_OK;
  std::string message;
};
using Answers = std::map<std::pair<uint64_t, uint32_t>, Answer>;

Answers wait_for(const Engine& engine, int n_end) {
  Answers answers;
  while (n_end > 0) {
    realizar_events* events = nullptr;
    CHECK_EQUAL(realizar_engine_wait(engine.get(), -1, &events), int(REALIZAR_OK));
    if (!events) continue;
    for (uint32_t i = 0; i < events->n_event; i++) {
      const realizar_event& event = events->events[i];
      Answer& answer = answers[{event.request, event.index}];
      CHECK_EQUAL(answer.ended, 0);
      answer.begun += event.kind == REALIZAR_EVENT_BEGUN;
      answer.prompt += event.kind == REALIZAR_EVENT_PROMPT;
      if (event.kind == REALIZAR_EVENT_TOKEN) answer.tokens.push_back(event.token);
      if (event.kind != REALIZAR_EVENT_END) continue;
      answer.ended++, n_end--;
      answer.end = event.end, answer.status = event.status, answer.message = event.message;
    }
    realizar_events_free(events);
  }
  return answers;
}

void check_whole(const Engine& engine) {
  const uint64_t id = submit(engine, request_of(prompt, 5));
  const Answer answer = wait_for(engine, 1)[{id, 0}];
  CHECK_EQUAL(answer.end, int(REALIZAR_END_LENGTH));
  CHECK(answer.tokens == tiny::expected_continuation(prompt, 5));
}

realizar_engine_statistics statistics_of(const Engine& engine) {
  realizar_engine_statistics now = {};
  now.struct_size = sizeof now;
  CHECK_EQUAL(realizar_engine_get_statistics(engine.get(), &now), int(REALIZAR_OK));
  return now;
}

// A mask of these tokens.
std::vector<uint32_t> mask_of(const std::vector<int32_t>& tokens) {
  std::vector<uint32_t> words((tiny::n_vocab + 31) / 32);
  for (const int32_t token : tokens) words[size_t(token) / 32] |= 1u << token % 32;
  return words;
}

int set_mask(const Engine& engine, uint64_t id, uint32_t index, uint32_t n_chosen, const std::vector<int32_t>& tokens) {
  const std::vector<uint32_t> words = mask_of(tokens);
  return realizar_engine_set_mask(engine.get(), id, index, n_chosen, words.data(), uint32_t(words.size()));
}

// Two sequences that may say their script and nothing else, each mask after the event of the token before it.
void check_scripts(const Engine& engine, float temperature) {
  const std::vector<int32_t> scripts[] = {{9, 0, 2, 2}, {1, 7, 7, 3}};
  realizar_request request = request_of(prompt, 4);
  request.n_sequence = 2, request.constrained = 1;
  request.sampling.temperature = temperature;
  const uint64_t id = submit(engine, request);
  std::vector<int32_t> said[2];
  for (uint32_t i : {0, 1}) CHECK_EQUAL(set_mask(engine, id, i, 0, {scripts[i][0]}), int(REALIZAR_OK));
  for (int n_end = 0; n_end < 2;) {
    realizar_events* events = nullptr;
    CHECK_EQUAL(realizar_engine_wait(engine.get(), -1, &events), int(REALIZAR_OK));
    for (uint32_t e = 0; events && e < events->n_event; e++) {
      const realizar_event& event = events->events[e];
      if (event.kind == REALIZAR_EVENT_END) CHECK_EQUAL(event.end, int(REALIZAR_END_LENGTH)), n_end++;
      if (event.kind != REALIZAR_EVENT_TOKEN) continue;
      std::vector<int32_t>& tokens = said[event.index];
      tokens.push_back(event.token);
      if (tokens.size() < 4)
        CHECK_EQUAL(set_mask(engine, id, event.index, uint32_t(tokens.size()), {scripts[event.index][tokens.size()]}),
                    int(REALIZAR_OK));
    }
    realizar_events_free(events);
  }
  for (uint32_t i : {0, 1}) CHECK(said[i] == scripts[i]);
}

#define CHECK_REFUSED(call, status, part)   \
  do {                                      \
    CHECK_EQUAL(call, int(status));         \
    CHECK_HAS(realizar_last_error(), part); \
  } while (false)

}  // namespace

TEST(engines_of_one_model_answer_beside_each_other) {
  const tiny::File file;
  Model model = open_model(file);
  const Engine one = open_engine(model), other = open_engine(model);
  model.reset();
  const std::vector<int32_t> longer = {1, 2, 3, 4, 5, 6};
  realizar_request request = request_of(longer, 200);
  request.n_sequence = 3;
  const uint64_t id = submit(one, request);
  check_whole(other);
  const Answers answers = wait_for(one, 3);
  CHECK_EQUAL(answers.size(), size_t(3));
  for (const auto& [key, answer] : answers) {
    CHECK_EQUAL(key.first, id);
    CHECK_EQUAL(answer.end, int(REALIZAR_END_CONTEXT));
    CHECK(answer.tokens == tiny::expected_continuation(longer, tiny::n_ctx + 1 - int(longer.size())));
  }
  const realizar_engine_statistics now = statistics_of(one);
  CHECK_EQUAL(now.n_sequence, 4u);
  CHECK_EQUAL(now.n_ctx, uint32_t(tiny::n_ctx));
  CHECK_EQUAL(now.n_running + now.n_waiting, 0u);
  CHECK_EQUAL(now.n_free_page, now.n_page);
  CHECK_EQUAL(now.n_chosen_token, uint64_t(3 * (tiny::n_ctx + 1 - longer.size())));
}

TEST(log_probabilities_of_a_prompt_are_of_the_first_sequence) {
  const tiny::File file;
  const Model model = open_model(file);
  const Engine engine = open_engine(model);
  realizar_request request = request_of(prompt, 2);
  request.n_sequence = 2, request.prompt_logprobs = 1, request.n_logprob = 1;
  const uint64_t id = submit(engine, request);
  Answers answers = wait_for(engine, 2);
  CHECK_EQUAL((answers[{id, 0}].prompt), 3);
  CHECK_EQUAL((answers[{id, 1}].prompt), 0);
  for (uint32_t i = 0; i < 2; i++) CHECK((answers[{id, i}].tokens == tiny::expected_continuation(prompt, 2)));
  request = request_of(prompt, 0);
  request.prompt_logprobs = 1;
  const uint64_t none = submit(engine, request);
  answers = wait_for(engine, 1);
  CHECK_EQUAL((answers[{none, 0}].prompt), 3);
  CHECK_EQUAL((answers[{none, 0}].end), int(REALIZAR_END_LENGTH));
}

TEST(engines_are_not_opened_with_wrong_options) {
  const tiny::File file;
  realizar_model* closed = open_model(file).release();
  CHECK_EQUAL(realizar_model_close(closed), int(REALIZAR_OK));
  const Model model = open_model(file);
  realizar_engine* engine = nullptr;
  const auto open = [&](const realizar_engine_options& options) {
    const int status = realizar_engine_open(model.get(), &options, &engine);
    CHECK(engine == nullptr);
    return status;
  };
  realizar_engine_options options = engine_options();
  options.struct_size = 4;
  CHECK_REFUSED(open(options), REALIZAR_INVALID_ARGUMENT, "realizar_engine_options.struct_size is 4");
  options = engine_options();
  options.n_ctx = tiny::n_ctx + 1;
  CHECK_REFUSED(open(options), REALIZAR_INVALID_ARGUMENT,
                "n_ctx is 101; this library was compiled for 100 positions (realizar-compile --context)");
  options = engine_options();
  options.n_sequence = 65;
  CHECK_REFUSED(open(options), REALIZAR_INVALID_ARGUMENT,
                "n_sequence is 65; at most 64 run at once: this library has only the program \"token\"");
  CHECK_REFUSED(realizar_engine_open(closed, nullptr, &engine), REALIZAR_CLOSED, "no open model of this library");
  CHECK_REFUSED(realizar_engine_open(nullptr, nullptr, &engine), REALIZAR_INVALID_ARGUMENT, "model is null");
  CHECK_REFUSED(realizar_engine_open(model.get(), nullptr, nullptr), REALIZAR_INVALID_ARGUMENT, "out is null");
  CHECK_EQUAL(realizar_engine_open(model.get(), nullptr, &engine), int(REALIZAR_OK));
  check_whole(Engine(engine));
}

TEST(wrong_requests_are_refused) {
  const tiny::File file;
  const Model model = open_model(file);
  realizar_engine_options options = engine_options();
  options.n_ctx = 10;
  const Engine engine = open_engine(model, options);
  const auto refused = [&](int status, const char* part, auto&& change) {
    realizar_request request = request_of(prompt, 5);
    change(request);
    uint64_t id = 7;
    CHECK_REFUSED(realizar_engine_submit(engine.get(), &request, &id), status, part);
    CHECK_EQUAL(id, uint64_t(0));
  };
  const auto invalid = [&](const char* part, auto&& change) { refused(REALIZAR_INVALID_ARGUMENT, part, change); };
  const std::vector<int32_t> unknown = {1, 10}, eleven(11, 1);
  invalid("realizar_request.struct_size is 8", [](auto& request) { request.struct_size = 8; });
  invalid("realizar_request.sampling.struct_size is 0", [](auto& request) { request.sampling = {}; });
  invalid("the request has no tokens", [](auto& request) { request.n_token = 0; });
  invalid("tokens is null", [](auto& request) { request.tokens = nullptr; });
  invalid("stop is null", [](auto& request) { request.n_stop = 1; });
  invalid("logit_bias is null", [](auto& request) { request.sampling.n_logit_bias = 1; });
  invalid("1025 logit biases", [](auto& request) { request.sampling.n_logit_bias = 1025; });
  invalid("token 10 is outside", [&](auto& request) { request.tokens = unknown.data(), request.n_token = 2; });
  invalid("token 10 is outside", [&](auto& request) { request.stop = unknown.data(), request.n_stop = 2; });
  invalid("nothing would be computed", [](auto& request) { request.max_tokens = 0; });
  invalid("max_tokens is 0 and n_sequence 2",
          [](auto& request) { request.max_tokens = 0, request.n_sequence = 2, request.prompt_logprobs = 1; });
  invalid("n_sequence is 0; a request has 1 to 1024", [](auto& request) { request.n_sequence = 0; });
  invalid("n_sequence is 2000", [](auto& request) { request.n_sequence = 2000; });
  invalid("n_logprob is 1000", [](auto& request) { request.n_logprob = 1000; });
  invalid("n_logprob is -2", [](auto& request) { request.n_logprob = -2; });
  invalid("temperature is nan", [](auto& request) { request.sampling.temperature = NAN; });
  refused(REALIZAR_CONTEXT_FULL, "the request has 11 tokens; a sequence has 10 positions",
          [&](auto& request) { request.tokens = eleven.data(), request.n_token = 11; });
  uint64_t id = 7;
  const realizar_request request = request_of(prompt, 5);
  CHECK_REFUSED(realizar_engine_submit(engine.get(), nullptr, &id), REALIZAR_INVALID_ARGUMENT, "request is null");
  CHECK_REFUSED(realizar_engine_submit(engine.get(), &request, nullptr), REALIZAR_INVALID_ARGUMENT, "id is null");
  CHECK_REFUSED(realizar_engine_submit(nullptr, &request, &id), REALIZAR_INVALID_ARGUMENT, "engine is null");

  realizar_events* events = nullptr;
  CHECK_REFUSED(realizar_engine_wait(engine.get(), -2, &events), REALIZAR_INVALID_ARGUMENT, "milliseconds is -2");
  CHECK_REFUSED(realizar_engine_wait(engine.get(), 0, nullptr), REALIZAR_INVALID_ARGUMENT, "out is null");
  realizar_engine_statistics statistics = {};
  CHECK_REFUSED(realizar_engine_get_statistics(engine.get(), &statistics), REALIZAR_INVALID_ARGUMENT,
                "struct_size is 0");
  CHECK_REFUSED(realizar_engine_get_statistics(engine.get(), nullptr), REALIZAR_INVALID_ARGUMENT, "statistics is null");
  realizar_events_free(nullptr);
  // None of these has left anything.
  CHECK_EQUAL(realizar_engine_wait(engine.get(), 0, &events), int(REALIZAR_OK));
  CHECK(events == nullptr);
  check_whole(engine);
}

TEST(closed_engines_are_refused) {
  const tiny::File file;
  const Model model = open_model(file);
  CHECK_EQUAL(realizar_engine_close(nullptr), int(REALIZAR_OK));
  const size_t before = realizar::host_live_objects();
  realizar_engine* engine = open_engine(model).release();
  const realizar_request request = request_of(prompt, 90);
  uint64_t id = 0;
  CHECK_EQUAL(realizar_engine_submit(engine, &request, &id), int(REALIZAR_OK));
  realizar_events* kept = nullptr;
  CHECK_EQUAL(realizar_engine_wait(engine, -1, &kept), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_engine_close(engine), int(REALIZAR_OK));
  CHECK_EQUAL(realizar::host_live_objects(), before);
  CHECK_EQUAL(kept->events[0].kind, int(REALIZAR_EVENT_BEGUN));
  realizar_events_free(kept);

  realizar_events* events = nullptr;
  realizar_engine_statistics statistics = {};
  statistics.struct_size = sizeof statistics;
  CHECK_REFUSED(realizar_engine_close(engine), REALIZAR_CLOSED, "no open engine of this library");
  CHECK_REFUSED(realizar_engine_submit(engine, &request, &id), REALIZAR_CLOSED, "no open engine");
  CHECK_REFUSED(realizar_engine_cancel(engine, 1), REALIZAR_CLOSED, "no open engine");
  CHECK_REFUSED(realizar_engine_wait(engine, -1, &events), REALIZAR_CLOSED, "no open engine");
  CHECK_REFUSED(realizar_engine_get_statistics(engine, &statistics), REALIZAR_CLOSED, "no open engine");
  const Session session = open_session(model);
  CHECK_EQUAL(realizar_engine_cancel(reinterpret_cast<realizar_engine*>(session.get()), 1), int(REALIZAR_CLOSED));
}

// An engine whose thread waits in its first step until it is told to go on.
namespace {
struct Held {
  std::atomic<bool> reached = false, go_on = false;
  static void on_step(void* user, const realizar_step_info*) {
    auto& held = *static_cast<Held*>(user);
    held.reached = true;
    while (!held.go_on) std::this_thread::yield();
  }
};
}  // namespace

TEST(requests_are_cancelled_before_the_engine_has_seen_them) {
  const tiny::File file;
  const Model model = open_model(file);
  Held held;
  realizar_engine_options options = engine_options();
  options.on_step = Held::on_step, options.user = &held;
  const Engine engine = open_engine(model, options);
  const uint64_t first = submit(engine, request_of(prompt, 90));
  while (!held.reached) std::this_thread::yield();
  realizar_request request = request_of(prompt, 90);
  request.n_sequence = 2;
  const uint64_t second = submit(engine, request);
  CHECK_EQUAL(statistics_of(engine).n_running + statistics_of(engine).n_waiting, 3u);
  CHECK_EQUAL(realizar_engine_cancel(engine.get(), second), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_engine_cancel(engine.get(), second), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_engine_cancel(engine.get(), 12345), int(REALIZAR_OK));
  const uint64_t third = submit(engine, request);
  CHECK_EQUAL(realizar_engine_cancel_sequence(engine.get(), third, 1), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_engine_cancel_sequence(engine.get(), third, 7), int(REALIZAR_OK));
  held.go_on = true;
  Answers answers = wait_for(engine, 5);
  CHECK_EQUAL((answers[{third, 0}].end), int(REALIZAR_END_LENGTH));
  CHECK_EQUAL((answers[{third, 1}].end), int(REALIZAR_END_CANCELLED));
  CHECK_EQUAL((answers[{first, 0}].end), int(REALIZAR_END_LENGTH));
  for (uint32_t i = 0; i < 2; i++) {
    CHECK_EQUAL((answers[{second, i}].end), int(REALIZAR_END_CANCELLED));
    CHECK_EQUAL((answers[{second, i}].begun), 0);
  }
  CHECK_EQUAL(realizar_engine_cancel(engine.get(), first), int(REALIZAR_OK));
  check_whole(engine);
}

TEST(on_step_may_use_the_engine_but_not_wait_for_it) {
  const tiny::File file;
  const Model model = open_model(file);
  struct Traced {
    realizar_engine* engine = nullptr;
    uint64_t n_step = 0;
  };
  static Traced traced;
  realizar_engine_options options = engine_options();
  options.user = &traced;
  options.on_step = [](void* user, const realizar_step_info* step) {
    CHECK(user == &traced);
    CHECK_EQUAL(step->step, traced.n_step++);
    CHECK_EQUAL(std::string(step->program), std::string("token"));
    CHECK_EQUAL(step->n_run, 1u);
    CHECK_EQUAL(step->runs[0].request, uint64_t(1));
    CHECK(step->runs[0].index < 2);
    realizar_events* events = nullptr;
    CHECK_REFUSED(realizar_engine_wait(traced.engine, 0, &events), REALIZAR_BUSY, "was called in on_step");
    CHECK_REFUSED(realizar_engine_close(traced.engine), REALIZAR_BUSY, "was called in on_step");
    realizar_engine_statistics now = {};
    now.struct_size = sizeof now;
    CHECK_EQUAL(realizar_engine_get_statistics(traced.engine, &now), int(REALIZAR_OK));
    if (traced.n_step == 5) CHECK_EQUAL(realizar_engine_cancel(traced.engine, step->runs[0].request), int(REALIZAR_OK));
  };
  const Engine engine = open_engine(model, options);
  traced.engine = engine.get();
  realizar_request request = request_of(prompt, 90);
  request.n_sequence = 2;
  submit(engine, request);
  for (const auto& [key, answer] : wait_for(engine, 2)) CHECK_EQUAL(answer.end, int(REALIZAR_END_CANCELLED));
}

TEST(events_are_kept_until_somebody_takes_them) {
  const tiny::File file;
  const Model model = open_model(file);
  const Engine engine = open_engine(model);
  realizar_events* events = nullptr;
  CHECK_EQUAL(realizar_engine_wait(engine.get(), 3, &events), int(REALIZAR_OK));
  CHECK(events == nullptr);
  submit(engine, request_of(prompt, 5));
  while (statistics_of(engine).n_chosen_token < 5 || statistics_of(engine).n_running > 0) std::this_thread::yield();
  uint32_t n = 0;
  while (n < 7) {  // it has begun, five tokens, its end
    CHECK_EQUAL(realizar_engine_wait(engine.get(), -1, &events), int(REALIZAR_OK));
    n += events->n_event;
    realizar_events_free(events);
  }
  CHECK_EQUAL(n, 7u);
}

TEST(every_call_of_opening_an_engine_may_fail) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const size_t before = realizar::host_live_objects();
  const auto open = [&] {
    realizar_engine* engine = nullptr;
    const int status = realizar_engine_open(model.get(), nullptr, &engine);
    CHECK((status == REALIZAR_OK) == (engine != nullptr));
    if (driver.failed().empty()) driver.arm(-1);
    realizar_engine_close(engine);
    return status;
  };
  const int calls = fail_each_call(driver, open, [&](int) { CHECK_EQUAL(realizar::host_live_objects(), before); });
  CHECK(calls > 10);
}

// Whatever call of its thread fails, all sequences end, and another engine can be opened.
TEST(every_call_of_an_engines_steps_may_fail) {
  const tiny::File file;
  FaultyDriver driver;
  const Model model = open_model(file);
  const size_t before = realizar::host_live_objects();
  int n_failed = 0;
  for (int n = 0;; n++) {
    Engine engine = open_engine(model);
    driver.arm(n, n % 2 ? out_of_memory : invalid_value);
    realizar_request request = request_of(prompt, 3);
    request.n_logprob = 1, request.n_sequence = 2;
    submit(engine, request);
    uint64_t id = 0;
    int sequences = 2;
    const int second = realizar_engine_submit(engine.get(), &request, &id);
    if (second == REALIZAR_OK) sequences += 2;
    const Answers answers = wait_for(engine, sequences);
    const std::string failed = driver.failed();
    CHECK_EQUAL(answers.size(), size_t(sequences));
    CHECK_EQUAL(statistics_of(engine).n_running + statistics_of(engine).n_waiting, 0u);
    int n_error = 0;
    for (const auto& [key, answer] : answers) {
      const std::vector<int32_t> expected = tiny::expected_continuation(prompt, 3);
      CHECK(std::equal(answer.tokens.begin(), answer.tokens.end(), expected.begin()));
      if (answer.end == REALIZAR_END_LENGTH) continue;
      n_error++;
      CHECK_EQUAL(answer.end, int(REALIZAR_END_ERROR));
      CHECK_EQUAL(answer.status, int(n % 2 ? REALIZAR_OUT_OF_MEMORY : REALIZAR_DRIVER));
      CHECK_HAS(answer.message, n % 2 ? "" : "failed for ");
      // So says whoever asks for more.
      CHECK_REFUSED(realizar_engine_submit(engine.get(), &request, &id), answer.status, answer.message.c_str());
    }
    n_failed += n_error > 0;
    CHECK(n_error == 0 || !failed.empty());
    if (failed.empty()) {
      CHECK_EQUAL(second, int(REALIZAR_OK));
      break;
    }
    driver.arm(-1);
    engine.reset();
    CHECK_EQUAL(realizar::host_live_objects(), before);
    if (n % 8 == 0) check_whole(open_engine(model));
  }
  CHECK(n_failed > 20);
}

// In a step, but not in a kernel: LeakSanitizer does not know the stack below a simulated thread's.
TEST(a_process_may_exit_while_an_engine_runs) {
  const tiny::File file;
  const Model model = open_model(file);
  static Held held;
  realizar_engine_options options = engine_options();
  options.on_step = Held::on_step, options.user = &held;
  static realizar_engine* const engine = open_engine(model, options).release();
  realizar_request request = request_of(prompt, 90);
  request.n_sequence = 1000;
  uint64_t id;
  CHECK_EQUAL(realizar_engine_submit(engine, &request, &id), int(REALIZAR_OK));
  std::thread([] {
    realizar_events* events = nullptr;
    for (;;) realizar_engine_wait(engine, -1, &events);
  }).detach();
  while (!held.reached) std::this_thread::yield();
  remove(file.path());  // exit does not unwind
  exit_in_calls();
}

TEST(constrained_sequences_say_what_their_masks_allow) {
  const tiny::File file;
  const Model model = open_model(file);
  const Engine engine = open_engine(model);
  check_scripts(engine, 0);
  check_scripts(engine, 1.5f);
  // Beside others.
  const uint64_t plain = submit(engine, request_of(prompt, 5));
  realizar_request request = request_of(prompt, 1);
  request.constrained = 1;
  const uint64_t id = submit(engine, request);
  CHECK_EQUAL(set_mask(engine, id, 0, 0, {8}), int(REALIZAR_OK));
  Answers answers = wait_for(engine, 2);
  CHECK((answers[{plain, 0}].tokens == tiny::expected_continuation(prompt, 5)));
  CHECK((answers[{id, 0}].tokens == std::vector<int32_t>{8}));
}

TEST(a_mask_that_does_not_come_ends_its_sequence_alone) {
  const tiny::File file;
  const Model model = open_model(file);
  const Engine engine = open_engine(model);
  realizar_request request = request_of(prompt, 4);
  request.constrained = 1, request.mask_milliseconds = 1;
  const uint64_t late = submit(engine, request), plain = submit(engine, request_of(prompt, 5));
  Answers answers = wait_for(engine, 2);
  CHECK_EQUAL((answers[{late, 0}].status), int(REALIZAR_NO_MASK));
  CHECK_HAS((answers[{late, 0}].message.c_str()), "no mask came for chosen token 0 within 1 milliseconds");
  CHECK((answers[{plain, 0}].tokens == tiny::expected_continuation(prompt, 5)));
  CHECK_EQUAL(std::string(realizar_status_name(REALIZAR_NO_MASK)), std::string("REALIZAR_NO_MASK"));
  // Cancelled, it is gone at once, whatever its limit; closing does not wait for masks either.
  request.mask_milliseconds = 0;
  const uint64_t id = submit(engine, request);
  CHECK_EQUAL(realizar_engine_cancel(engine.get(), id), int(REALIZAR_OK));
  CHECK_EQUAL((wait_for(engine, 1)[{id, 0}].end), int(REALIZAR_END_CANCELLED));
  CHECK_EQUAL(set_mask(engine, id, 0, 0, {1}), int(REALIZAR_OK));  // nobody has it any more
  submit(engine, request);
  check_whole(engine);
}

TEST(bad_masks_are_refused) {
  const tiny::File file;
  const Model model = open_model(file);
  const Engine engine = open_engine(model);
  realizar_request request = request_of(prompt, 4);
  request.constrained = 1;
  const uint32_t words[] = {0xfffffc00, 1};  // beyond the vocabulary
  const auto given = [&](const uint32_t* at, uint32_t n, uint32_t index = 0) {
    return realizar_engine_set_mask(engine.get(), 1, index, 0, at, n);
  };
  CHECK_REFUSED(given(words, 2), REALIZAR_INVALID_ARGUMENT, "n_word is 2; a mask of 10 tokens has 1 words");
  CHECK_REFUSED(given(words, 1), REALIZAR_INVALID_ARGUMENT, "forbids every token");
  CHECK_REFUSED(given(nullptr, 1), REALIZAR_INVALID_ARGUMENT, "words is null");
  CHECK_REFUSED(given(words, 1, 1024), REALIZAR_INVALID_ARGUMENT, "index is 1024");
  // Out of turn, twice, and of one that takes none.
  const uint64_t early = submit(engine, request);
  CHECK_EQUAL(set_mask(engine, early, 0, 1, {1}), int(REALIZAR_OK));
  CHECK_HAS((wait_for(engine, 1)[{early, 0}].message.c_str()), "for chosen token 1; wanted is one for token 0");
  request.n_sequence = 4;  // have all slots, so that the next one cannot end by itself
  const uint64_t holding = submit(engine, request), plain = submit(engine, request_of(prompt, 4));
  CHECK_EQUAL(set_mask(engine, plain, 0, 0, {1}), int(REALIZAR_OK));
  CHECK_HAS((wait_for(engine, 1)[{plain, 0}].message.c_str()), "was not submitted as constrained");
  CHECK_EQUAL(set_mask(engine, holding, 1, 0, {1}), int(REALIZAR_OK));
  CHECK_EQUAL(realizar_engine_cancel(engine.get(), holding), int(REALIZAR_OK));
  wait_for(engine, 4);
}
