// Sequences side by side in programs of many rows, on a model's artifact. `program MODEL CASE` is silent where every
// row has the bits that its sequence has alone, and every token is the one that it chooses alone.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "engine/engine.h"
#include "error.h"
#include "rows_program.h"
#include "session.h"

using namespace realizar;
using std::vector;

namespace {

#define EXPECT(condition)                                           \
  do {                                                              \
    if (condition) break;                                           \
    fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
    exit(1);                                                        \
  } while (false)

using SharedModel = std::shared_ptr<const Model>;

vector<int32_t> random_tokens(size_t n, std::mt19937& random) {
  vector<int32_t> tokens(n);
  for (int32_t& token : tokens) token = int32_t(random() % artifact.n_vocab);
  return tokens;
}

// Of every token, by a session, which has nothing beside it.
vector<float> logits_alone(const SharedModel& model, const vector<int32_t>& tokens) {
  Session session(model);
  vector<float> logits(tokens.size() * artifact.n_vocab);
  session.feed_rows(
      *largest_program(artifact), tokens, 0, logits.data(), [](uint32_t) { return true; }, REALIZAR_EAGER);
  return logits;
}

// Slots, and the programs that step them.
class Steps {
 public:
  Steps(const SharedModel& model, const SlotCounts& counts)
      : model_(model), stream_(create_stream(model->device)), slots(*model, counts, stream_.get()) {
    for (const Program& program : artifact.programs)
      if (has_rows(program)) {
        programs.emplace_back(*model, program, slots, stream_.get());
        programs.back().build();
      }
  }
  ~Steps() { wait(); }
  void wait() { synchronize(model_->device, stream_.get(), "steps"); }
  vector<float> logits(const RowsProgram& program, uint32_t n_output) {
    vector<float> values(size_t(n_output) * artifact.n_vocab);
    check(*model_->device.driver,
          model_->device.driver->memcpy_dtoh_async(values.data(), program.logits(), values.size() * sizeof(float),
                                                   stream_.get()),
          "cuMemcpyDtoHAsync", "logits");
    wait();
    return values;
  }
  int32_t token(uint32_t slot, uint32_t serial) {
    wait();
    const uint64_t entry = slots.ring(slot)[serial % token_ring_size];
    EXPECT(uint32_t(entry >> 32) == serial);
    return int32_t(entry);
  }

 private:
  const SharedModel model_;
  OwnedStream stream_;

 public:
  Slots slots;
  vector<RowsProgram> programs;
};

struct Sequence {
  uint32_t slot;
  vector<int32_t> tokens;
  vector<float> logits;
  uint32_t fed = 0;
};

bool same_bits(const float* a, const float* b) { return memcmp(a, b, artifact.n_vocab * sizeof(float)) == 0; }

// A step of random rows of those that are not at their end, in any order.
void random_step(Steps& steps, vector<Sequence>& sequences, std::mt19937& random) {
  RowsProgram& program = steps.programs[random() % steps.programs.size()];
  std::shuffle(sequences.begin(), sequences.end(), random);
  uint32_t rows = program.program().rows, outputs = program.program().outputs;
  vector<Run> runs;
  vector<const float*> expected;
  for (Sequence& one : sequences) {
    const uint32_t left = uint32_t(one.tokens.size()) - one.fed;
    if (left == 0 || rows == 0 || random() % 4 == 0) continue;
    const uint32_t n = std::min({left, rows, 1 + uint32_t(random() % 3 ? random() % 4 : random() % rows)});
    const uint32_t n_output = std::min({outputs, n, uint32_t(random() % 3)});
    const uint32_t first = n_output ? uint32_t(random() % (n - n_output + 1)) : 0;
    if (!steps.slots.reserve(one.slot, one.fed, one.fed + n)) continue;
    runs.push_back({.slot = one.slot,
                    .position = int32_t(one.fed),
                    .tokens = {&one.tokens[one.fed], n},
                    .first_output = first,
                    .n_output = n_output});
    for (uint32_t i = 0; i < n_output; i++)
      expected.push_back(&one.logits[size_t(one.fed + first + i) * artifact.n_vocab]);
    one.fed += n, rows -= n, outputs -= n_output;
  }
  if (runs.empty()) return;
  program.write_step(runs);
  program.launch(random() % 2 ? REALIZAR_GRAPH : REALIZAR_EAGER);
  const vector<float> logits = steps.logits(program, uint32_t(expected.size()));
  for (size_t i = 0; i < expected.size(); i++) EXPECT(same_bits(&logits[i * artifact.n_vocab], expected[i]));
}

// n at once, one after another in the same slots and pages: of windows' pages each has only what the window reaches.
void mixture(const SharedModel& model, uint32_t n_slot, uint32_t longest) {
  std::mt19937 random(n_slot);
  const uint32_t window_pages = artifact.window_page_bytes ? n_slot * uint32_t(kv_pages(artifact.window + 128) + 1) : 0;
  const uint32_t pages = artifact.page_bytes ? n_slot * uint32_t(kv_pages(longest)) : 0;
  Steps steps(model, {n_slot, pages, window_pages});
  vector<uint32_t> order(n_slot);
  for (int round = 0; round < (n_slot < 10 ? 2 : 1); round++) {
    for (uint32_t i = 0; i < n_slot; i++) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    vector<Sequence> sequences;
    for (const uint32_t slot : order) {
      const vector<int32_t> tokens = random_tokens(1 + random() % longest, random);
      sequences.push_back({slot, tokens, logits_alone(model, tokens)});
    }
    const auto is_done = [](const Sequence& one) { return one.fed == one.tokens.size(); };
    while (!std::ranges::all_of(sequences, is_done)) random_step(steps, sequences, random);
    for (const uint32_t slot : order) steps.slots.release(slot, {});
    EXPECT(steps.slots.pages().available() == pages && steps.slots.window_pages().available() == window_pages);
  }
}

realizar_sampling sampling_of(uint32_t i) {
  realizar_sampling s = {sizeof s, 0, 0, 1, 0, i * 77, 64, 1, 0, 0, nullptr, 0};
  if (i % 3) s.temperature = 1.5f, s.top_p = 0.9f;
  if (i % 2) s.repeat_penalty = 1.4f, s.frequency_penalty = 0.3f, s.repeat_last_n = -1;
  return s;
}

constexpr uint32_t n_token = 24;

// One token after another, each fed by the host.
vector<int32_t> generate_alone(const SharedModel& model, const vector<int32_t>& prompt, uint32_t i) {
  Steps steps(model, whole_contexts(artifact, 1));
  steps.slots.reserve(0, 0, artifact.n_ctx);
  uint32_t serial = steps.slots.start(0, 0, 0, sampling_of(i), {});
  vector<int32_t> tokens;
  Run run = {.tokens = prompt, .first_output = uint32_t(prompt.size()) - 1, .n_output = 1, .chooses = true};
  run.position = 0;
  for (RowsProgram* program = &steps.programs.back(); tokens.size() < n_token; program = &steps.programs.front()) {
    program->write_step({&run, 1});
    program->launch(REALIZAR_GRAPH);
    tokens.push_back(steps.token(0, serial++));
    run.position += int32_t(run.n_row());
    run.tokens = {&tokens.back(), 1};
    run.first_output = 0;
  }
  return tokens;
}

// All at once, steps queued ahead that take what the slots have; one of them stops.
void ahead(const SharedModel& model) {
  constexpr uint32_t n = 6, stopping = 2;
  std::mt19937 random(7);
  vector<vector<int32_t>> prompts, alone;
  for (uint32_t i = 0; i < n; i++) {
    prompts.push_back(random_tokens(3 + random() % 18, random));
    alone.push_back(generate_alone(model, prompts[i], i));
  }
  const int32_t stop = alone[stopping][8];
  const uint32_t n_stopped = uint32_t(std::ranges::find(alone[stopping], stop) - alone[stopping].begin()) + 1;
  Steps steps(model, whole_contexts(artifact, n));
  vector<uint32_t> serials;
  vector<Run> runs;
  for (uint32_t i = 0; i < n; i++) {
    const uint32_t length = uint32_t(prompts[i].size());
    const vector<int32_t> stops(i == stopping, stop);
    serials.push_back(steps.slots.start(i, 0, 0, sampling_of(i), stops));
    EXPECT(steps.slots.reserve(i, 0, length + n_token));
    runs.push_back({.slot = i, .tokens = prompts[i], .first_output = length - 1, .n_output = 1, .chooses = true});
    runs.back().position = 0;
  }
  std::shuffle(runs.begin(), runs.end(), random);
  steps.programs.back().write_step(runs);
  steps.programs.back().launch(REALIZAR_GRAPH);
  for (Run& run : runs) run = {.slot = run.slot, .n_output = 1, .chooses = true, .n_seen = 20};
  steps.programs.front().write_step(runs);
  for (uint32_t i = 1; i < n_token; i++) steps.programs.front().launch(REALIZAR_GRAPH);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t t = 0; t < (i == stopping ? n_stopped : n_token); t++)
      EXPECT(steps.token(i, serials[i] + t) == alone[i][t]);
  // Its later steps have left nothing.
  const uint32_t next = serials[stopping] + n_stopped;
  EXPECT(uint32_t(steps.slots.ring(stopping)[next % token_ring_size] >> 32) != next);
}

Request request_of(uint64_t id, const vector<int32_t>& tokens, uint32_t i, uint32_t limit) {
  return {.id = id, .tokens = tokens, .sampling = sampling_of(i), .limit = limit};
}

// What an engine makes of a request, alone and a row at a time where `by_token`.
vector<int32_t> answer_alone(const SharedModel& model, const Request& request, bool by_token = false) {
  Engine engine(model, {artifact.n_ctx, !by_token}, whole_contexts(artifact, 1));
  vector<int32_t> tokens;
  engine.submit(request);
  while (!engine.idle()) {
    engine.advance();
    for (const EngineEvent& event : engine.take_events())
      if (event.kind == REALIZAR_EVENT_TOKEN) tokens.push_back(event.token);
  }
  return tokens;
}

// A sequence that is alone goes on by the token program, from any slot, and goes on by others when one comes.
void alone(const SharedModel& model) {
  std::mt19937 random(3);
  const vector<int32_t> first = random_tokens(9, random), second = random_tokens(70, random);
  const Request requests[] = {request_of(1, first, 0, 30), request_of(2, second, 1, 12)};
  vector<int32_t> session;
  Session one(model);
  one.build();
  one.set_sampling(requests[0].sampling);
  one.prefill(
      first, [](uint32_t) { return true; }, REALIZAR_GRAPH);
  one.generate(
      30, [&](int32_t token) { return session.push_back(token), true; }, REALIZAR_GRAPH);
  EXPECT(answer_alone(model, requests[0], true) == session);

  vector<std::string> programs;
  const auto note = [&](const realizar_step_info& step) { programs.push_back(step.program); };
  Engine engine(model, {artifact.n_ctx, false}, whole_contexts(artifact, 3), note);
  vector<int32_t> tokens[2];
  engine.submit(requests[0]);
  bool is_beside = false;
  for (size_t ended = 0; ended < 2;) {
    if (tokens[0].size() == 6 && !is_beside) engine.submit(requests[1]), is_beside = true;
    engine.advance();
    for (const EngineEvent& event : engine.take_events()) {
      if (event.kind == REALIZAR_EVENT_TOKEN) tokens[event.id - 1].push_back(event.token);
      ended += event.kind == REALIZAR_EVENT_END;
    }
  }
  EXPECT(tokens[0].size() == 30 && tokens[1].size() == 12);
  // Until the other came, what the token program chooses, by its own logits; they are a little different. The second
  // one was never alone.
  EXPECT(std::equal(tokens[0].begin(), tokens[0].begin() + 6, session.begin()));
  EXPECT(tokens[1] == answer_alone(model, requests[1]));
  EXPECT(std::ranges::count(programs, "token") > 12 && std::ranges::count(programs, "batch_8") > 6);
}

struct Answer {
  uint32_t n_cached = 0;
  vector<int32_t> tokens;
  vector<float> logprobs;
};

// Of an engine that had other sequences before.
vector<Answer> answers_of(Engine& engine, const vector<Request>& requests) {
  vector<Answer> answers(requests.size());
  for (const Request& request : requests) engine.submit(request);
  while (!engine.idle()) {
    engine.advance();
    for (const EngineEvent& event : engine.take_events()) {
      Answer& answer = answers[event.id];
      if (event.kind == REALIZAR_EVENT_BEGUN) answer.n_cached = event.n_cached;
      if (event.kind == REALIZAR_EVENT_TOKEN)
        answer.tokens.push_back(event.token), answer.logprobs.push_back(event.logprob);
    }
  }
  return answers;
}

// Prompts that begin as earlier ones did, in the middle of a page and in the same step too: what they find in pages has
// the bits that they would have computed, also for penalties.
void prefixes(const SharedModel& model) {
  std::mt19937 random(5);
  const vector<int32_t> first = random_tokens(150, random), other = random_tokens(150, random);
  const auto prompt_of = [&](uint32_t n_first, uint32_t n_other) {
    vector<int32_t> prompt(first.begin(), first.begin() + n_first);
    prompt.insert(prompt.end(), other.begin(), other.begin() + n_other);
    return prompt;
  };
  struct Case {
    uint32_t n_first, n_other, n_cached;
  };
  // One after the other; and then two at once, the second of which has the first's pages, which the same step computes.
  const vector<vector<Case>> rounds = {{{150, 0, 0}}, {{150, 8, 150}}, {{100, 9, 100}}, {{0, 140, 0}, {0, 141, 128}}};
  Engine engine(model, {artifact.n_ctx, true}, whole_contexts(artifact, 3));
  for (uint32_t i = 0; i < rounds.size(); i++) {
    vector<Request> requests;
    for (const Case& one : rounds[i])
      requests.push_back(request_of(requests.size(), prompt_of(one.n_first, one.n_other), 2 * i + 1, 4));
    for (Request& request : requests) request.n_logprob = 0;
    const vector<Answer> answers = answers_of(engine, requests);
    for (size_t k = 0; k < requests.size(); k++) {
      EXPECT(answers[k].n_cached == rounds[i][k].n_cached);
      if (answers[k].n_cached == 0) continue;
      Engine fresh(model, {artifact.n_ctx, true}, whole_contexts(artifact, 1));
      requests[k].id = 0;
      const Answer alone = answers_of(fresh, {requests[k]})[0];
      EXPECT(answers[k].tokens == alone.tokens && answers[k].tokens.size() == 4);
      EXPECT(memcmp(answers[k].logprobs.data(), alone.logprobs.data(), 4 * sizeof(float)) == 0);
    }
  }
}

// Of an engine: sequences at once, and pages, too few for all of them.
struct Room {
  uint32_t n_request, n_sequence, n_page, n_window_page;
};

// Requests that come and go at any time, some of which begin alike, with too few pages and slots for all: each gets the
// tokens that it gets alone, or the first of them where it was cancelled; no page is lost.
void engine(const SharedModel& model, const Room& room, uint32_t seed) {
  const uint32_t n = room.n_request;
  std::mt19937 random(seed);
  const vector<int32_t> start = random_tokens(40, random);
  vector<Request> requests;
  vector<vector<int32_t>> alone, got(n);
  vector<realizar_end> ends(n, REALIZAR_END_NONE);
  for (uint32_t i = 0; i < n; i++) {
    // Most begin in one page and end in two.
    const size_t n_prompt = i % 4 ? 45 + random() % 15 : 1 + random() % 130;
    vector<int32_t> prompt = random_tokens(n_prompt, random);
    if (i % 3 == 1) std::copy_n(start.begin(), std::min(start.size(), n_prompt), prompt.begin());
    requests.push_back(request_of(i, prompt, i, 8 + uint32_t(random() % 24)));
    alone.push_back(answer_alone(model, requests[i]));
    if (i % 3) continue;
    requests[i].stop = vector<int32_t>{alone[i][alone[i].size() / 2]};
    alone[i].resize(size_t(std::ranges::find(alone[i], requests[i].stop[0]) - alone[i].begin()) + 1);
  }
  const uint32_t n_page = artifact.page_bytes ? room.n_page : 0;
  const uint32_t n_window_page = artifact.window_page_bytes ? room.n_window_page : 0;
  Engine engine(model, {artifact.n_ctx, true}, {room.n_sequence, n_page, n_window_page});
  uint32_t submitted = 0;
  while (submitted < n || !engine.idle()) {
    while (submitted < n && random() % 3) engine.submit(requests[submitted++]);
    if (submitted > 0 && random() % 40 == 0) engine.cancel(random() % submitted);
    engine.advance();
    for (const EngineEvent& event : engine.take_events()) {
      EXPECT(ends[event.id] == REALIZAR_END_NONE);
      ends[event.id] = event.end;
      if (event.kind == REALIZAR_EVENT_TOKEN) got[event.id].push_back(event.token);
    }
  }
  for (uint32_t i = 0; i < n; i++) {
    EXPECT(got[i].size() <= alone[i].size() && std::equal(got[i].begin(), got[i].end(), alone[i].begin()));
    if (ends[i] == REALIZAR_END_CANCELLED) continue;
    EXPECT(got[i].size() == alone[i].size());
    EXPECT(ends[i] == (requests[i].stop.empty() ? REALIZAR_END_LENGTH : REALIZAR_END_STOP));
  }
  EXPECT(std::ranges::count(ends, REALIZAR_END_CANCELLED) < n / 2);
  EXPECT(engine.statistics().preemptions > 0);
  EXPECT(engine.slots().pages().available() == engine.slots().pages().total());
  EXPECT(engine.slots().window_pages().available() == engine.slots().window_pages().total());
}

}  // namespace

int main(int, char** argv) try {
  realizar_model_options options = {};
  options.struct_size = sizeof options;
  options.order_seed = 5;
  const SharedModel model = open_model(argv[1], options);
  if (!strcmp(argv[2], "mixture")) mixture(model, 4, 140);
  if (!strcmp(argv[2], "many")) mixture(model, 64, 5);
  if (!strcmp(argv[2], "ahead")) ahead(model);
  if (!strcmp(argv[2], "alone")) alone(model);
  if (!strcmp(argv[2], "prefixes")) prefixes(model);
  if (!strcmp(argv[2], "engine")) engine(model, {8, 5, 4, 9}, 13);
  // On a GPU: the simulator would take hours.
  if (!strcmp(argv[2], "engine64"))
    for (uint32_t seed = 1; seed <= 3; seed++) engine(model, {192, 64, 40, 72}, seed);
} catch (const Error& error) {
  fprintf(stderr, "%s\n", error.what());
  return 1;
}
