#include "load.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "printable.h"

namespace replay {
namespace {

struct FreeEvents {
  void operator()(realizar_events* events) const { realizar_events_free(events); }
};
using Events = std::unique_ptr<realizar_events, FreeEvents>;

Events wait(realizar_engine* engine, double ms) {
  realizar_events* events = nullptr;
  check(realizar_engine_wait(engine, int32_t(std::ceil(std::max(ms, 0.))), &events));
  return Events(events);
}

class Load {
 public:
  Load(realizar_engine* engine, const std::vector<LoadRequest>& requests)
      : engine_(engine), requests_(requests), timelines_(requests.size()) {}

  std::vector<Timeline> run() {
    for (size_t next = 0; n_ended_ < requests_.size();) {
      while (next < requests_.size() && requests_[next].at_ms <= now()) submit(next++);
      // A minute is as good as for ever.
      hear(wait(engine_, next < requests_.size() ? requests_[next].at_ms - now() : 60e3));
    }
    return std::move(timelines_);
  }

 private:
  double now() const { return now_ms() - start_; }

  void submit(size_t index) {
    const LoadRequest& wanted = requests_[index];
    realizar_request request = {};
    request.struct_size = sizeof request;
    request.tokens = wanted.tokens.data(), request.n_token = uint32_t(wanted.tokens.size());
    request.max_tokens = wanted.generate;
    request.n_sequence = 1;
    request.sampling = realizar_default_sampling();
    request.n_logprob = -1;
    uint64_t id = 0;
    timelines_[index].submitted = now();
    timelines_[index].n_prompt = request.n_token;
    check(realizar_engine_submit(engine_, &request, &id));
    by_id_[id] = index;
  }

  void hear(const Events& events) {
    const double ms = now();
    for (uint32_t i = 0; events && i < events->n_event; i++) {
      const realizar_event& event = events->events[i];
      Timeline& timeline = timelines_[by_id_.at(event.request)];
      if (event.kind == REALIZAR_EVENT_BEGUN) timeline.begun = ms, timeline.n_cached = event.n_cached;
      if (event.kind == REALIZAR_EVENT_TOKEN) timeline.tokens.push_back(ms);
      if (event.kind != REALIZAR_EVENT_END) continue;
      if (event.end != REALIZAR_END_LENGTH)
        throw Failure("a sequence has ended after " + std::to_string(timeline.tokens.size()) + " tokens" +
                      (event.end == REALIZAR_END_CONTEXT ? ": the context is full" : ": ") + event.message);
      timeline.ended = ms;
      n_ended_++;
    }
  }

  realizar_engine* engine_;
  const std::vector<LoadRequest>& requests_;
  std::vector<Timeline> timelines_;
  std::unordered_map<uint64_t, size_t> by_id_;
  size_t n_ended_ = 0;
  const double start_ = now_ms();
};

}  // namespace

std::vector<Timeline> run_load(realizar_engine* engine, const std::vector<LoadRequest>& requests) {
  return Load(engine, requests).run();
}

std::vector<int32_t> made_up_tokens(uint32_t n, uint32_t number) {
  const uint64_t n_vocab = realizar_get_info()->n_vocab;
  std::vector<int32_t> tokens(n);
  uint64_t state = number + 1;
  for (int32_t& token : tokens) {
    state = state * 6364136223846793005 + 1442695040888963407;
    token = int32_t((state >> 33) % n_vocab);
  }
  return tokens;
}

OpenEngine open_engine(const Options& options, realizar_model* model, uint32_t n_sequence, StepTrace& trace) {
  realizar_engine_options limits = {};
  limits.struct_size = sizeof limits;
  limits.n_sequence = n_sequence;
  limits.n_ctx = options.context;
  limits.deterministic = options.deterministic;
  limits.kv_bytes = options.kv_memory;
  trace.watch(limits);
  realizar_engine* engine = nullptr;
  check(realizar_engine_open(model, &limits, &engine));
  return OpenEngine(engine);
}

}  // namespace replay
