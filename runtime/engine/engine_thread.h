// An engine and its thread. Any thread may submit, cancel, wait for events and read statistics; the engine's thread
// waits for none of them: requests come to it, and events go, through mailboxes.
#pragma once
#include <optional>
#include <set>
#include <shared_mutex>
#include <thread>

#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/published.h"

namespace realizar {

// Sequences of a request that can be told apart.
constexpr uint32_t max_sequences_of_request = 1024;
// How an engine knows a sequence of a request, and back.
constexpr uint64_t sequence_id(uint64_t request, uint32_t index) { return request * max_sequences_of_request + index; }
constexpr uint64_t request_of(uint64_t id) { return id / max_sequences_of_request; }
constexpr uint32_t index_of(uint64_t id) { return uint32_t(id % max_sequences_of_request); }

class EngineThread {
 public:
  // Of a step, or of several: in order.
  using Batches = Mailbox<std::vector<EngineEvent>>::Letters;

  // on_step hears of requests and indices.
  EngineThread(std::shared_ptr<const Model> model, const EngineLimits& limits, const SlotCounts& counts,
               const OnStep& on_step);
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;
  ~EngineThread() { close(); }

  // n_sequence of this request, its id but for that. Throws what Engine::check_request does, and the engine's failure.
  // Returns the request's number.
  uint64_t submit(Request request, uint32_t n_sequence);
  // All of its sequences, or one.
  void cancel(uint64_t request, std::optional<uint32_t> index = {});
  // Of a constrained one. One that is not known stays as it was.
  void set_mask(uint64_t request, uint32_t index, TokenMask mask);
  // Their ids are sequence_id's. None: there were none until then.
  Batches wait(std::optional<TimePoint> until);
  // What was waited for and could not be handed on: the next wait has it.
  void put_back(Batches batches) noexcept { outbox_.put_back(std::move(batches)); }
  realizar_engine_statistics statistics() const;
  // Throws REALIZAR_BUSY in on_step.
  void check_not_in_step(const char* what) const;
  // The device's memory is free afterwards.
  void close();

 private:
  struct Message {
    uint64_t request;
    std::vector<Request> sequences = {};  // none, and no mask: it is cancelled, all of it or this one
    std::set<uint64_t> ids = {};          // of these
    std::optional<uint32_t> index = {};
    std::optional<TokenMask> mask = {};  // of this one
  };

  void check_open() const;
  // What the engine's thread does.
  void run();
  void step();
  void accept(Message message);
  void fail(realizar_status status);
  void end_all();
  void prepare();
  void publish(std::vector<EngineEvent> events) noexcept;
  void publish_statistics();

  const EngineLimits limits_;
  std::unique_ptr<Engine> engine_;
  std::shared_mutex closing_;  // while others look at the engine it is not destroyed; its thread does not ask

  Mailbox<Message> inbox_;
  Mailbox<std::vector<EngineEvent>> outbox_;
  std::atomic<uint64_t> n_request_ = 0, n_submitted_ = 0;
  // The text is written before the status, once.
  std::atomic<realizar_status> failure_ = REALIZAR_OK;
  char failure_text_[2048] = "";

  struct Snapshot {
    realizar_engine_statistics statistics;
    uint64_t n_ended;  // sequences
  };
  Published<Snapshot> published_;

  // Of the engine's thread.
  Mailbox<Message>::Letters taken_;
  std::set<uint64_t> open_;  // sequences that have no end yet
  Mailbox<std::vector<EngineEvent>>::Envelope envelope_;
  uint64_t n_ended_ = 0;

  std::thread thread_;
};

}  // namespace realizar
