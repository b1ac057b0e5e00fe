// The engine through the C ABI, used by many threads at once, on a model's artifact. `program MODEL CASE` is silent
// where what realizar.h says holds.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "realizar.h"

using std::vector;

namespace {

#define EXPECT(condition)                                                                                   \
  do {                                                                                                      \
    if (condition) break;                                                                                   \
    fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, realizar_last_error()); \
    exit(1);                                                                                                \
  } while (false)
#define EXPECT_OK(call) EXPECT((call) == REALIZAR_OK)
#define EXPECT_REFUSED(call, expected, part) EXPECT((call) == (expected) && strstr(realizar_last_error(), part))

using Random = std::mt19937;

void pause(uint32_t milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

realizar_model* open_model(const char* path) {
  realizar_model_options options = {};
  options.struct_size = sizeof options;
  options.order_seed = 5;
  realizar_model* model = nullptr;
  EXPECT_OK(realizar_model_open(path, &options, &model));
  return model;
}

realizar_engine_options engine_options(uint32_t n_sequence) {
  realizar_engine_options options = {};
  options.struct_size = sizeof options;
  options.n_sequence = n_sequence;
  options.deterministic = 1;
  return options;
}

realizar_engine* open_engine(realizar_model* model, uint32_t n_sequence) {
  const realizar_engine_options options = engine_options(n_sequence);
  realizar_engine* engine = nullptr;
  EXPECT_OK(realizar_engine_open(model, &options, &engine));
  return engine;
}

realizar_request request_of(const vector<int32_t>& tokens, uint32_t max_tokens) {
  realizar_request request = {};
  request.struct_size = sizeof request;
  request.tokens = tokens.data(), request.n_token = uint32_t(tokens.size());
  request.max_tokens = max_tokens;
  request.n_sequence = 1;
  request.sampling = realizar_default_sampling();
  request.n_logprob = -1;
  return request;
}

realizar_engine_statistics statistics_of(realizar_engine* engine) {
  realizar_engine_statistics now = {};
  now.struct_size = sizeof now;
  EXPECT_OK(realizar_engine_get_statistics(engine, &now));
  return now;
}

// What came of a sequence.
struct Answer {
  vector<int32_t> tokens;
  vector<float> logprobs;
  int begun = 0, end = REALIZAR_END_NONE;
  std::string message;
};
using Answers = std::map<std::pair<uint64_t, uint32_t>, Answer>;

void take(const realizar_event& event, Answers& answers) {
  Answer& answer = answers[{event.request, event.index}];
  EXPECT(answer.end == REALIZAR_END_NONE);
  EXPECT((event.status != REALIZAR_OK) == (event.end == REALIZAR_END_ERROR));
  EXPECT((*event.message != 0) == (event.end == REALIZAR_END_ERROR));
  switch (event.kind) {
    case REALIZAR_EVENT_BEGUN:
      EXPECT(answer.begun++ == 0 && answer.tokens.empty() && event.token == -1);
      break;
    case REALIZAR_EVENT_TOKEN:
      EXPECT(answer.begun == 1 && event.token >= 0);
      answer.tokens.push_back(event.token), answer.logprobs.push_back(event.logprob);
      break;
    case REALIZAR_EVENT_END:
      EXPECT(event.end != REALIZAR_END_NONE && event.token == -1);
      answer.end = event.end, answer.message = event.message;
      break;
    default:
      EXPECT(event.kind == REALIZAR_EVENT_PROMPT);
  }
}

// Until so many sequences have ended.
Answers wait_for(realizar_engine* engine, size_t n_end) {
  Answers answers;
  for (size_t ended = 0; ended < n_end;) {
    realizar_events* events = nullptr;
    EXPECT_OK(realizar_engine_wait(engine, -1, &events));
    for (uint32_t i = 0; events && i < events->n_event; i++) {
      take(events->events[i], answers);
      ended += events->events[i].kind == REALIZAR_EVENT_END;
    }
    realizar_events_free(events);
  }
  return answers;
}

struct Wanted {
  vector<int32_t> prompt, stop;
  realizar_request request;
  vector<Answer> alone;  // of each of its sequences

  realizar_request as_request() const {
    realizar_request given = request;
    given.tokens = prompt.data(), given.stop = stop.data();
    return given;
  }
};

Answer answer_alone(realizar_model* model, realizar_request request) {
  realizar_engine* engine = open_engine(model, 1);
  uint64_t id;
  request.n_sequence = 1;
  EXPECT_OK(realizar_engine_submit(engine, &request, &id));
  Answers answers = wait_for(engine, 1);
  EXPECT_OK(realizar_engine_close(engine));
  return answers.begin()->second;
}

Wanted random_request(realizar_model* model, uint32_t i, Random& random) {
  const realizar_info& info = *realizar_get_info();
  // Some begin in one page and end in two.
  vector<int32_t> prompt(i % 4 ? 50 + random() % 15 : 1 + random() % std::min(info.n_ctx, 100u));
  for (int32_t& token : prompt) token = int32_t(random() % info.n_vocab);
  Wanted one = {prompt, {}, request_of(prompt, 1 + random() % 20), {}};
  realizar_request& request = one.request;
  request.n_sequence = i % 3 == 1 ? 3 : 1;
  request.n_logprob = i % 2 ? 2 : -1;
  request.priority = int32_t(random() % 3);
  request.sampling.seed = i * 77;
  if (i % 3) request.sampling.temperature = 1.5f;
  if (i % 4 == 1) request.sampling.repeat_penalty = 1.4f;
  for (uint32_t s = 0; s < request.n_sequence; s++) {
    realizar_request alone = one.as_request();
    alone.sampling.seed += s;
    one.alone.push_back(answer_alone(model, alone));
  }
  if (i % 5 == 0 && request.n_sequence == 1) {
    one.stop = {one.alone[0].tokens[one.alone[0].tokens.size() / 2]};
    request.n_stop = 1;
    one.alone[0] = answer_alone(model, one.as_request());
    EXPECT(one.alone[0].end == REALIZAR_END_STOP);
  }
  return one;
}

bool same_bits(const vector<float>& a, const vector<float>& b, size_t n) {
  return n == 0 || memcmp(a.data(), b.data(), n * sizeof(float)) == 0;
}

// Threads that submit, cancel, read statistics and wait, all at once.
void threads(realizar_model* model) {
  constexpr uint32_t n_thread = 3, n_round = 5;
  Random random(13);
  vector<Wanted> wanted;
  for (uint32_t i = 0; i < 7; i++) wanted.push_back(random_request(model, i, random));
  realizar_engine* engine = open_engine(model, 5);

  struct Given {
    const Wanted* wanted;
    bool cancelled;
  };
  std::mutex mutex;  // of the tests' own: what follows
  std::map<uint64_t, Given> given;
  std::atomic<uint32_t> n_open = 1;  // sequences, and one while threads may submit more
  std::atomic<bool> done = false;

  const auto submit = [&](uint32_t seed) {
    Random mine(seed);
    for (uint32_t round = 0; round < n_round; round++) {
      const Wanted& one = wanted[mine() % wanted.size()];
      const realizar_request request = one.as_request();
      const bool cancels = mine() % 4 == 0;
      uint64_t id;
      n_open += request.n_sequence;
      EXPECT_OK(realizar_engine_submit(engine, &request, &id));
      {
        const std::lock_guard lock(mutex);
        given[id] = {&one, cancels};
      }
      pause(mine() % 20);
      if (cancels) EXPECT_OK(realizar_engine_cancel(engine, id));
      if (cancels) EXPECT_OK(realizar_engine_cancel(engine, id));
    }
  };
  Answers answers;
  const auto wait = [&](int32_t milliseconds) {
    while (n_open > 0) {
      realizar_events* events = nullptr;
      EXPECT_OK(realizar_engine_wait(engine, milliseconds, &events));
      const std::lock_guard lock(mutex);
      for (uint32_t i = 0; events && i < events->n_event; i++) {
        const realizar_event& event = events->events[i];
        take(event, answers);
        n_open -= event.kind == REALIZAR_EVENT_END;
      }
      realizar_events_free(events);
    }
  };
  const auto look = [&] {
    uint64_t steps = 0;
    while (!done) {
      const realizar_engine_statistics now = statistics_of(engine);
      EXPECT(now.n_sequence == 5 && now.n_ctx == realizar_get_info()->n_ctx);
      EXPECT(now.n_running <= 5 && now.n_waiting <= 3 * n_thread * n_round);
      EXPECT(now.n_free_page <= now.n_page && now.n_free_window_page <= now.n_window_page);
      EXPECT(now.n_step >= steps && now.n_row >= now.n_step);
      steps = now.n_step;
      pause(1);
    }
  };
  vector<std::thread> submitting, others;
  others.emplace_back(wait, 20);
  others.emplace_back(look);
  for (uint32_t i = 0; i < n_thread; i++) submitting.emplace_back(submit, i);
  for (std::thread& thread : submitting) thread.join();
  n_open--;
  others[0].join();
  done = true;
  others[1].join();

  size_t n_sequence = 0;
  for (const auto& [id, one] : given)
    for (uint32_t i = 0; i < one.wanted->request.n_sequence; i++, n_sequence++) {
      const Answer &got = answers.at({id, i}), &alone = one.wanted->alone[i];
      EXPECT(got.end == alone.end || (one.cancelled && got.end == REALIZAR_END_CANCELLED));
      EXPECT(got.end == REALIZAR_END_CANCELLED ? got.tokens.size() <= alone.tokens.size()
                                               : got.tokens.size() == alone.tokens.size());
      EXPECT(std::equal(got.tokens.begin(), got.tokens.end(), alone.tokens.begin()));
      EXPECT(one.wanted->request.n_logprob < 0 || same_bits(got.logprobs, alone.logprobs, got.tokens.size()));
    }
  EXPECT(answers.size() == n_sequence);
  const realizar_engine_statistics now = statistics_of(engine);
  EXPECT(now.n_running == 0 && now.n_waiting == 0);
  EXPECT(now.n_free_page == now.n_page && now.n_free_window_page == now.n_window_page);
  // Of a request that is not known, too.
  EXPECT_OK(realizar_engine_cancel(engine, given.begin()->first));
  EXPECT_OK(realizar_engine_cancel(engine, 1 << 30));
  realizar_events* none = nullptr;
  EXPECT_OK(realizar_engine_wait(engine, 1, &none));
  EXPECT(none == nullptr);
  EXPECT_OK(realizar_engine_close(engine));
}

// Two engines; each is closed while threads submit to it and wait for it, and the model before them.
void close_under_load(const char* path) {
  for (int round = 0; round < 10; round++) {
    realizar_model* model = open_model(path);
    realizar_engine* const engines[] = {open_engine(model, 2), open_engine(model, 3)};
    EXPECT_OK(realizar_model_close(model));
    std::atomic<int> n_event = 0;
    vector<std::thread> others;
    for (realizar_engine* engine : engines) {
      for (int i = 0; i < 2; i++)
        others.emplace_back([&, engine] {
          int status;
          do {
            realizar_events* events = nullptr;
            status = realizar_engine_wait(engine, -1, &events);
            if (events) n_event += int(events->n_event);
            realizar_events_free(events);
          } while (status == REALIZAR_OK);
          EXPECT(status == REALIZAR_CLOSED);
        });
      others.emplace_back([engine] {
        const vector<int32_t> prompt = {1, 2, 3};
        realizar_request request = request_of(prompt, 20);
        request.n_sequence = 2;
        uint64_t id;
        int status;
        do {
          status = realizar_engine_submit(engine, &request, &id);
          pause(1);
        } while (status == REALIZAR_OK);
        EXPECT_REFUSED(status, REALIZAR_CLOSED, "closed");
      });
    }
    while (n_event < 5 * round) pause(1);
    for (realizar_engine* engine : engines) EXPECT_OK(realizar_engine_close(engine));
    for (std::thread& other : others) other.join();
  }
}

}  // namespace

int main(int, char** argv) {
  if (!strcmp(argv[2], "close")) return close_under_load(argv[1]), 0;
  realizar_model* model = open_model(argv[1]);
  if (!strcmp(argv[2], "threads")) threads(model);
  EXPECT_OK(realizar_model_close(model));
}
