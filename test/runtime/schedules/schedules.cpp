// Random schedules of an engine: `program FIRST N` runs so many, each with a number of its own, and is silent where
// every sequence has got what it gets alone: the same tokens, the same bits of log probabilities, one end with a
// reason, and no page is lost. `program NUMBER` says what one of them did.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <ranges>

#include "../../../runtime/engine/engine.h"
#include "../../../runtime/engine/logprobs.h"
#include "../../../runtime/error.h"
#include "../faulty_driver.h"
#include "../tiny_model.h"
#include "model.h"

using namespace realizar;
using std::vector;

namespace {

uint32_t schedule = 0;

#define EXPECT(condition)                                                                  \
  do {                                                                                     \
    if (condition) break;                                                                  \
    fprintf(stderr, "schedule %u: %s:%d: %s\n", schedule, __FILE__, __LINE__, #condition); \
    exit(1);                                                                               \
  } while (false)

using Random = std::mt19937;
using SharedModel = std::shared_ptr<const Model>;
using LogProbs = vector<realizar_token_logprob>;

bool same_bits(float a, float b) { return memcmp(&a, &b, sizeof a) == 0; }
bool same_bits(const LogProbs& a, const LogProbs& b) {
  const auto same = [](const auto& x, const auto& y) { return x.token == y.token && same_bits(x.logprob, y.logprob); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

// All that a sequence gets.
struct Answer {
  vector<EngineEvent> prompt, tokens;
  EngineEvent end = {.id = 0, .kind = REALIZAR_EVENT_END};
  bool begun = false;

  void take(const EngineEvent& event) {
    EXPECT(end.end == REALIZAR_END_NONE);  // after the end there is nothing
    if (event.kind == REALIZAR_EVENT_END) {
      EXPECT(event.end != REALIZAR_END_NONE);
      end = event;
    } else if (event.kind == REALIZAR_EVENT_BEGUN) {
      EXPECT(!begun && prompt.empty() && tokens.empty());
      begun = true;
    } else {
      EXPECT(begun);
      (event.kind == REALIZAR_EVENT_TOKEN ? tokens : prompt).push_back(event);
    }
  }
};

// Is the beginning of the other, or all of it.
bool begins(const vector<EngineEvent>& part, const vector<EngineEvent>& whole) {
  if (part.size() > whole.size()) return false;
  for (size_t i = 0; i < part.size(); i++)
    if (part[i].token != whole[i].token || !same_bits(part[i].logprob, whole[i].logprob) ||
        !same_bits(part[i].top, whole[i].top))
      return false;
  return true;
}

// ------------------------------------------------------------------ what is asked for

vector<int32_t> random_tokens(size_t n, Random& random) {
  vector<int32_t> tokens(n);
  for (int32_t& token : tokens) token = int32_t(random() % schedules::n_vocab);
  return tokens;
}

// Most begin as others do.
vector<int32_t> random_prompt(Random& random) {
  static const vector<vector<int32_t>> beginnings = [] {
    Random random(1);
    vector<vector<int32_t>> made;
    for (int i = 0; i < 3; i++) made.push_back(random_tokens(200, random));
    made.push_back(made[0]);
    std::ranges::copy(made[1] | std::views::take(100), made[3].begin() + 100);
    return made;
  }();
  vector<int32_t> tokens;
  if (random() % 4) {
    const vector<int32_t>& beginning = beginnings[random() % beginnings.size()];
    tokens.assign(beginning.begin(), beginning.begin() + int(random() % 201));
  }
  const vector<int32_t> rest = random_tokens(random() % 4 ? random() % 12 : random() % 90, random);
  tokens.insert(tokens.end(), rest.begin(), rest.end());
  if (tokens.empty()) tokens.push_back(5);
  return tokens;
}

Request random_request(Random& random) {
  realizar_sampling sampling = realizar_default_sampling();
  if (random() % 2) sampling.temperature = 1.5f, sampling.top_p = 0.9f, sampling.seed = random() % 5;
  if (random() % 4 == 0) sampling.repeat_penalty = 1.3f, sampling.repeat_last_n = random() % 2 ? -1 : 40;
  Request request = {
      .id = 0, .tokens = random_prompt(random), .sampling = sampling, .limit = 1 + uint32_t(random() % 50)};
  if (random() % 8 == 0) request.limit = 1000;  // as many as there is room for
  if (random() % 4 == 0) request.stop = random_tokens(1 + random() % 3, random);
  if (random() % 4 == 0) request.biases = vector<realizar_logit_bias>{{int32_t(random() % schedules::n_vocab), 3.f}};
  if (random() % 3 == 0) request.n_logprob = int32_t(random() % 4);
  if (random() % 6 == 0) request.prompt_logprobs = true;
  if (random() % 16 == 0 && request.prompt_logprobs && request.tokens.size() > 1) request.limit = 0;
  if (random() % 4 == 0) request.priority = int32_t(random() % 3) - 1;
  if (random() % 3 == 0) request.constrained = true, request.mask_milliseconds = 1000000;
  return request;
}

// What may follow these tokens: a word in a language that depends on each of them; mostly few tokens, sometimes one.
vector<uint32_t> mask_after(const vector<int32_t>& tokens) {
  uint32_t key = 0;
  for (size_t i = 0; i < tokens.size(); i++) key += schedules::part(schedules::kept(tokens[i]), int(i) + 7);
  vector<uint32_t> words(mask_words(schedules::n_vocab));
  for (int token = 0; token < schedules::n_vocab; token++)
    if (schedules::mixed(key + uint32_t(token) * 31) % 8 == 0) words[size_t(token) / 32] |= 1u << token % 32;
  const uint32_t one = key % schedules::n_vocab;
  words[one / 32] |= 1u << one % 32;
  return words;
}
bool allowed(const vector<uint32_t>& words, int32_t token) { return words[size_t(token) / 32] >> token % 32 & 1; }

// Of a request's prompt and the tokens that have followed.
vector<int32_t> all_tokens(const Request& request, const vector<EngineEvent>& chosen) {
  vector<int32_t> tokens(request.tokens.begin(), request.tokens.end());
  for (const EngineEvent& event : chosen) tokens.push_back(event.token);
  return tokens;
}

// By the model's formulas where tokens are chosen greedily and nothing is adjusted; else by an engine of one slot,
// which keeps no other sequence.
Answer answer_by_formula(const Request& request) {
  Answer answer;
  vector<int32_t> tokens(request.tokens.begin(), request.tokens.end());
  for (bool more = true; more;) {
    const vector<float> logits = schedules::logits_after(tokens);
    vector<float> choice = logits;
    if (const vector<uint32_t> mask = mask_after(tokens); request.constrained)
      for (int32_t token = 0; token < schedules::n_vocab; token++)
        if (!allowed(mask, token)) choice[size_t(token)] = -INFINITY;
    const auto best = std::ranges::max_element(choice);
    EngineEvent event = {.id = 0, .kind = REALIZAR_EVENT_TOKEN, .token = int32_t(best - choice.begin())};
    if (std::isnan(logits[0])) {
      answer.end = {.id = 0, .kind = REALIZAR_EVENT_END, .end = REALIZAR_END_ERROR, .status = REALIZAR_NOT_A_NUMBER};
      break;
    }
    if (request.n_logprob >= 0) {
      const LogProbabilities probabilities(logits);
      event.logprob = probabilities.of(event.token), event.top = probabilities.top(uint32_t(request.n_logprob));
    }
    answer.tokens.push_back(event);
    tokens.push_back(event.token);
    const realizar_end end = std::ranges::count(request.stop, event.token) ? REALIZAR_END_STOP
                             : answer.tokens.size() == request.limit       ? REALIZAR_END_LENGTH
                             : tokens.size() > size_t(schedules::n_ctx)    ? REALIZAR_END_CONTEXT
                                                                           : REALIZAR_END_NONE;
    answer.end.end = end;
    more = end == REALIZAR_END_NONE;
  }
  return answer;
}

bool follows_formula(const Request& request) {
  return request.sampling.temperature == 0 && request.sampling.repeat_penalty == 1 && request.biases.empty() &&
         !request.prompt_logprobs;
}

Answer answer_alone(const SharedModel& model, const Request& request) {
  if (follows_formula(request)) return answer_by_formula(request);
  Engine engine(model, {schedules::n_ctx, true}, whole_contexts(artifact, 1));
  engine.submit(request);
  Answer answer;
  for (size_t masked = 0; !engine.idle();) {
    if (request.constrained && masked == answer.tokens.size())
      engine.set_mask(request.id, {uint32_t(masked++), mask_after(all_tokens(request, answer.tokens))});
    engine.advance();
    for (const EngineEvent& event : engine.take_events()) answer.take(event);
  }
  return answer;
}

// ------------------------------------------------------------------ schedules

struct Wanted {
  Request request;
  Answer alone, got = {};
  bool submitted = false, cancelled = false;
  uint32_t n_mask = 0;  // that it was given

  bool wants_mask() const {
    return submitted && request.constrained && got.end.end == REALIZAR_END_NONE && n_mask == got.tokens.size();
  }
};

// What all schedules together have seen.
struct Seen {
  uint64_t preemptions = 0, hits = 0, cancelled = 0, failed = 0, stopped = 0, not_a_number = 0, token_steps = 0;
  uint64_t masked = 0, sleeps = 0;
};

// No step has a sequence twice, or more rows than its program.
void check_step(const realizar_step_info& step, Seen& seen) {
  const Program* program = find_program(artifact, step.program);
  EXPECT(program && step.n_row <= program->rows && step.n_run > 0);
  std::map<uint64_t, int> runs;
  for (uint32_t i = 0; i < step.n_run; i++) EXPECT(runs[step.runs[i].request]++ == 0 && step.runs[i].n_row > 0);
  seen.token_steps += program->rows == 1;
}

void check(const Wanted& wanted, bool failed) {
  const auto& [request, alone, got, submitted, cancelled, n_mask] = wanted;
  EXPECT(begins(got.tokens, alone.tokens) && begins(got.prompt, alone.prompt));
  if (got.end.end == REALIZAR_END_CANCELLED) {
    EXPECT(cancelled);
  } else if (got.end.status == REALIZAR_DRIVER) {
    EXPECT(failed);
  } else {
    EXPECT(got.end.end == alone.end.end && got.end.status == alone.end.status);
    EXPECT(got.tokens.size() == alone.tokens.size() && got.prompt.size() == alone.prompt.size());
  }
}

void run(const SharedModel& model, test::FaultyDriver& driver, Seen& seen) {
  Random random(schedule);
  vector<Wanted> all(3 + random() % 10);
  for (size_t i = 0; i < all.size(); i++) {
    Request request = random_request(random);
    if (i > 0 && random() % 6 == 0) request = all[i - 1].request;  // the same again, as for several choices
    request.id = i;
    all[i] = {request, answer_alone(model, request)};
  }
  const uint32_t n_slot = 1 + random() % schedules::outputs, whole = uint32_t(kv_pages(schedules::n_ctx));
  const SlotCounts counts = {n_slot, whole + uint32_t(random() % (2 * whole)), 4 + uint32_t(random() % 10)};
  const bool deterministic = random() % 2, fails = random() % 8 == 0;
  bool failed = false;
  {
    Engine engine(model, {schedules::n_ctx, deterministic}, counts,
                  [&](const realizar_step_info& step) { check_step(step, seen); });
    const auto hear = [&](const vector<EngineEvent>& events) {
      for (const EngineEvent& event : events) all[event.id].got.take(event);
    };
    if (fails) driver.arm(int(random() % 400));
    for (size_t next = 0; next < all.size() || !engine.idle();) {
      while (next < all.size() && random() % 3 == 0) {
        engine.check_request(all[next].request);
        engine.submit(all[next].request);
        all[next++].submitted = true;
      }
      if (next > 0 && random() % 30 == 0) {
        Wanted& one = all[random() % next];
        one.cancelled = true;
        engine.cancel(one.request.id);
        if (random() % 2) engine.cancel(one.request.id);
      }
      // Masks come late, and in any order.
      for (Wanted& one : all)
        if (one.wants_mask() && random() % 3 == 0) {
          engine.set_mask(one.request.id, {one.n_mask++, mask_after(all_tokens(one.request, one.got.tokens))});
          seen.masked++;
        }
      try {
        engine.advance();
        hear(engine.take_events());
        seen.sleeps += engine.sleeps_until().has_value();
      } catch (const Error& error) {
        EXPECT(fails && error.status() == REALIZAR_DRIVER);
        driver.arm(-1);
        engine.fail(error.status(), error.what());
        hear(engine.take_events());
        failed = true;
        break;
      }
    }
    driver.arm(-1);
    const EngineStatistics statistics = engine.statistics();
    EXPECT(statistics.running == 0 && statistics.waiting == 0);
    if (!failed) {  // an engine whose device has failed begins nothing again
      EXPECT(engine.slots().pages().available() == counts.pages);
      EXPECT(engine.slots().window_pages().available() == counts.window_pages);
    }
    seen.preemptions += statistics.preemptions, seen.hits += statistics.prefix_hit_tokens;
  }
  for (const Wanted& one : all) {
    if (!one.submitted) continue;
    EXPECT(one.got.end.end != REALIZAR_END_NONE);
    check(one, failed);
    seen.cancelled += one.got.end.end == REALIZAR_END_CANCELLED;
    seen.stopped += one.got.end.end == REALIZAR_END_STOP;
    seen.failed += one.got.end.status == REALIZAR_DRIVER;
    seen.not_a_number += one.got.end.status == REALIZAR_NOT_A_NUMBER;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const tiny::File file;
  test::FaultyDriver driver;
  realizar_model_options options = {};
  options.struct_size = sizeof options;
  options.order_seed = 3;
  options.poison = 1;
  const SharedModel model = open_model(file.path(), options);
  Seen seen;
  const uint32_t first = uint32_t(atoi(argv[1])), n = argc > 2 ? uint32_t(atoi(argv[2])) : 1;
  for (schedule = first; schedule < first + n; schedule++) run(model, driver, seen);
  printf(
      "preemptions %llu, hits %llu, cancelled %llu, stopped %llu, failed %llu, not a number %llu, token steps %llu, "
      "masked %llu, sleeps %llu\n",
      (unsigned long long)seen.preemptions, (unsigned long long)seen.hits, (unsigned long long)seen.cancelled,
      (unsigned long long)seen.stopped, (unsigned long long)seen.failed, (unsigned long long)seen.not_a_number,
      (unsigned long long)seen.token_steps, (unsigned long long)seen.masked, (unsigned long long)seen.sleeps);
} catch (const std::exception& error) {
  fprintf(stderr, "schedule %u: %s\n", schedule, error.what());
  return 1;
}
