// The engine's part of the C ABI: checks arguments, copies what pointers point to, and hands events out.
#include "abi.h"

#include <algorithm>

#include "engine/engine_thread.h"
#include "engine/pool_size.h"

using namespace realizar;

namespace {

auto& engines() {
  static auto& table = *new HandleTable<realizar_engine, EngineThread>("engine");
  return table;
}

// Of a library that has only the token program: sequences that take turns at most, and where nothing else is asked for.
constexpr uint32_t most_in_turn = 64, default_in_turn = 4;
constexpr uint32_t default_at_once = 64;
constexpr uint32_t default_mask_milliseconds = 10000;

uint32_t checked_sequences(uint32_t n) {
  const Program& largest = *largest_program(artifact);
  const bool at_once = has_rows(largest);
  const uint32_t most = at_once ? largest.outputs : most_in_turn;
  if (n > most)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("n_sequence is %u; at most %u run at once: %s; requests beyond that wait", n, most,
                       at_once ? "a step chooses as many tokens" : "this library has only the program \"token\""));
  return n ? n : at_once ? std::min(most, default_at_once) : default_in_turn;
}

uint32_t checked_context(uint32_t n) {
  if (n > artifact.n_ctx)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("n_ctx is %u; this library was compiled for %u positions (realizar-compile --context)", n,
                       artifact.n_ctx));
  return n ? n : artifact.n_ctx;
}

OnStep on_step_of(const realizar_engine_options& options) {
  if (!options.on_step) return {};
  return [call = options.on_step, user = options.user](const realizar_step_info& step) { call(user, &step); };
}

std::shared_ptr<EngineThread> open_engine(std::shared_ptr<const Model> model, const realizar_engine_options& options) {
  const EngineLimits limits = {checked_context(options.n_ctx), options.deterministic != 0};
  const SlotCounts counts = size_pool(*model, {checked_sequences(options.n_sequence), limits.n_ctx, options.kv_bytes});
  return std::make_shared<EngineThread>(std::move(model), limits, counts, on_step_of(options));
}

template <typename T>
std::vector<T> copied(const T* values, uint32_t n, const char* name) {
  if (n) not_null(values, name);
  return {values, values + n};
}

// Engine::check_request looks at what one sequence can be asked for.
Request checked_request(const realizar_request& wanted) {
  check_struct_size(wanted, "realizar_request");
  check_struct_size(wanted.sampling, "realizar_request.sampling");
  if (wanted.n_sequence == 0 || wanted.n_sequence > max_sequences_of_request)
    throw Error(REALIZAR_INVALID_ARGUMENT, format("n_sequence is %u; a request has 1 to %u sequences",
                                                  wanted.n_sequence, max_sequences_of_request));
  if (wanted.max_tokens == 0 && wanted.n_sequence > 1)
    throw Error(
        REALIZAR_INVALID_ARGUMENT,
        format("max_tokens is 0 and n_sequence %u: without chosen tokens there is one sequence", wanted.n_sequence));
  if (wanted.n_logprob < -1 || wanted.n_logprob > REALIZAR_MAX_LOGPROBS)
    throw Error(REALIZAR_INVALID_ARGUMENT, format("n_logprob is %d; it must be from -1, which means none, to %d",
                                                  wanted.n_logprob, REALIZAR_MAX_LOGPROBS));
  check_sampling(wanted.sampling, artifact.n_vocab);  // before the biases are copied
  Request request = {
      .id = 0,
      .tokens = copied(wanted.tokens, wanted.n_token, "tokens"),
      .sampling = wanted.sampling,
      .biases = copied(wanted.sampling.logit_bias, wanted.sampling.n_logit_bias, "logit_bias"),
      .stop = copied(wanted.stop, wanted.n_stop, "stop"),
      .limit = wanted.max_tokens,
      .n_logprob = wanted.n_logprob,
      .prompt_logprobs = wanted.prompt_logprobs != 0,
      .priority = wanted.priority,
      .constrained = wanted.constrained != 0,
      .mask_milliseconds = wanted.mask_milliseconds ? wanted.mask_milliseconds : default_mask_milliseconds};
  request.sampling.logit_bias = nullptr;
  return request;
}

TokenMask checked_mask(uint32_t n_chosen, const uint32_t* words, uint32_t n_word) {
  if (n_word != mask_words(artifact.n_vocab))
    throw Error(REALIZAR_INVALID_ARGUMENT, format("n_word is %u; a mask of %u tokens has %u words", n_word,
                                                  artifact.n_vocab, uint32_t(mask_words(artifact.n_vocab))));
  TokenMask mask = {n_chosen, copied(words, n_word, "words")};
  if (artifact.n_vocab % 32) mask.words.back() &= (1u << artifact.n_vocab % 32) - 1;
  if (std::ranges::all_of(mask.words, [](uint32_t word) { return word == 0; }))
    throw Error(REALIZAR_INVALID_ARGUMENT,
                "the mask forbids every token: allow one that ends the sequence, or cancel it");
  return mask;
}

std::optional<TimePoint> end_of_wait(int32_t milliseconds) {
  if (milliseconds < -1)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("milliseconds is %d; it must be from -1, which means as long as it takes", milliseconds));
  if (milliseconds == -1) return {};
  return TimePoint::clock::now() + std::chrono::milliseconds(milliseconds);
}

// What the events point to is here, too.
struct Events : realizar_events {
  // Throws for want of memory, and has taken nothing then.
  explicit Events(EngineThread::Batches& taken) : realizar_events() {
    size_t n = 0, n_batch = 0;
    taken.each([&](const std::vector<EngineEvent>& batch) { n += batch.size(), n_batch++; });
    batches.reserve(n_batch), list.reserve(n);
    while (!taken.empty()) batches.push_back(taken.pop());
    for (const std::vector<EngineEvent>& batch : batches)
      for (const EngineEvent& event : batch) list.push_back(as_told(event));
    n_event = uint32_t(list.size()), events = list.data();
  }

  static realizar_event as_told(const EngineEvent& event) {
    return {.request = request_of(event.id),
            .index = index_of(event.id),
            .kind = event.kind,
            .token = event.token,
            .logprob = event.logprob,
            .n_top = uint32_t(event.top.size()),
            .top = event.top.data(),
            .end = event.end,
            .status = event.status,
            .message = event.message.c_str(),
            .n_cached = event.n_cached};
  }

  std::vector<std::vector<EngineEvent>> batches;
  std::vector<realizar_event> list;
};

}  // namespace

int realizar_engine_open(realizar_model* model, const realizar_engine_options* options, realizar_engine** out) {
  return guarded([&] {
    not_null(out, "out") = nullptr;
    if (options) check_struct_size(*options, "realizar_engine_options");
    *out = engines().add(open_engine(models().get(model), options ? *options : realizar_engine_options{}));
  });
}

int realizar_engine_close(realizar_engine* engine) {
  return guarded([&] {
    if (!engine) return;
    const std::shared_ptr<EngineThread> open = engines().get(engine);
    open->check_not_in_step("realizar_engine_close");
    engines().remove(engine);
    open->close();
  });
}

int realizar_engine_submit(realizar_engine* engine, const realizar_request* request, uint64_t* id) {
  return guarded([&] {
    not_null(id, "id") = 0;
    const std::shared_ptr<EngineThread> open = engines().get(engine);
    not_null(request, "request");
    *id = open->submit(checked_request(*request), request->n_sequence);
  });
}

int realizar_engine_cancel(realizar_engine* engine, uint64_t id) {
  return guarded([&] { engines().get(engine)->cancel(id); });
}

int realizar_engine_cancel_sequence(realizar_engine* engine, uint64_t id, uint32_t index) {
  return guarded([&] { engines().get(engine)->cancel(id, index); });
}

int realizar_engine_set_mask(realizar_engine* engine, uint64_t id, uint32_t index, uint32_t n_chosen,
                             const uint32_t* words, uint32_t n_word) {
  return guarded([&] {
    const std::shared_ptr<EngineThread> open = engines().get(engine);
    if (index >= max_sequences_of_request)
      throw Error(REALIZAR_INVALID_ARGUMENT,
                  format("index is %u; a request has at most %u sequences", index, max_sequences_of_request));
    open->set_mask(id, index, checked_mask(n_chosen, words, n_word));
  });
}

int realizar_engine_wait(realizar_engine* engine, int32_t milliseconds, realizar_events** out) {
  return guarded([&] {
    not_null(out, "out") = nullptr;
    const std::shared_ptr<EngineThread> open = engines().get(engine);
    open->check_not_in_step("realizar_engine_wait");
    EngineThread::Batches batches = open->wait(end_of_wait(milliseconds));
    if (batches.empty()) return;
    try {
      *out = new Events(batches);
    } catch (const std::bad_alloc&) {
      open->put_back(std::move(batches));
      throw;
    }
  });
}

void realizar_events_free(realizar_events* events) { delete static_cast<Events*>(events); }

int realizar_engine_get_statistics(realizar_engine* engine, realizar_engine_statistics* statistics) {
  return guarded([&] {
    check_struct_size(not_null(statistics, "statistics"), "realizar_engine_statistics");
    *statistics = engines().get(engine)->statistics();
  });
}
