// A sequence that the engine works on, and the next step, which rows of some of them make.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "../step_composer.h"
#include "mailbox.h"
#include "request.h"

namespace realizar {

class Sequence {
 public:
  explicit Sequence(Request wanted) : request(std::move(wanted)) {
    request.sampling.logit_bias = request.biases.data();
    request.sampling.n_logit_bias = uint32_t(request.biases.size());
  }
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  Request request;
  uint64_t order = 0;               // in which it came
  bool runs = false;                // or waits
  uint32_t begun = 0;               // so often: more than once after it was put back
  uint32_t started = 0;             // as often its slot was told
  uint32_t n_prompt_seen = 0;       // tokens of the prompt that had their events
  std::vector<uint32_t> mask = {};  // of the next token, until that is seen; empty: there is none
  // While it runs:
  uint32_t slot = 0, computed = 0;   // positions that queued steps compute
  uint32_t ahead = 0;                // tokens that queued steps choose and that have not been seen
  uint32_t serial = 0;               // of the next that will be chosen
  bool decodes = false;              // its next row takes what the slot has
  std::optional<TimePoint> overdue;  // when it ends, where all that it lacks is a mask

  uint32_t n_prompt() const { return uint32_t(request.tokens.size()); }
  uint32_t n_seen() const { return uint32_t(tokens().size()) - n_prompt(); }
  uint32_t n_chosen() const { return n_seen() + ahead; }
  // Its next token may be chosen: whoever is constrained has none on its way, and a mask.
  bool may_choose() const { return !request.constrained || (ahead == 0 && !mask.empty()); }
  // All that it lacks is a mask.
  bool lacks_mask() const {
    return runs && request.constrained && ahead == 0 && mask.empty() && request.limit > 0 && computed + 1 >= n_known();
  }
  // The prompt, and what has been chosen and seen.
  std::span<const int32_t> tokens() const {
    return with_chosen_.empty() ? std::span<const int32_t>(request.tokens) : with_chosen_;
  }
  void append(int32_t token) {
    if (with_chosen_.empty()) with_chosen_.assign(request.tokens.begin(), request.tokens.end());
    with_chosen_.push_back(token);
  }
  // Tokens that are fed as they are known. Where none is to be chosen, nobody asks what follows the last.
  uint32_t n_known() const { return uint32_t(tokens().size()) - (request.limit == 0); }
  // Tokens of the prompt have not had their events with log probabilities, so that none of it may come from elsewhere.
  bool wants_prompt() const { return request.prompt_logprobs && n_prompt_seen < n_prompt(); }
  // Positions that queued steps compute, of tokens that are known.
  std::span<const int32_t> computed_tokens() const {
    return tokens().first(std::min<size_t>(computed, tokens().size()));
  }
  // Before it in the order in which sequences are served.
  bool is_before(const Sequence& other) const {
    return request.priority != other.request.priority ? request.priority > other.request.priority : order < other.order;
  }

 private:
  std::vector<int32_t> with_chosen_;  // empty until there is a chosen one: before, the request's prompt is enough
};

// A part of a step: rows of a sequence.
struct StepPart {
  Sequence* sequence;
  Run run;
  uint32_t position;  // of its first row
};

struct NextStep {
  std::vector<StepPart> parts;
  uint32_t rows_left, outputs_left;

  bool has_room() const { return rows_left > 0 && outputs_left > 0; }
  uint32_t n_row() const {
    uint32_t n = 0;
    for (const StepPart& part : parts) n += part.run.n_row();
    return n;
  }
  uint32_t n_output() const {
    uint32_t n = 0;
    for (const StepPart& part : parts) n += part.run.n_output;
    return n;
  }
  void add(Sequence& sequence, const Run& run) {
    parts.push_back({&sequence, run, sequence.computed});
    rows_left -= run.n_row(), outputs_left -= run.n_output;
    sequence.computed += run.n_row();
    if (run.chooses) sequence.ahead++, sequence.decodes = true;
  }
  // Takes a sequence out that gives its pages to another one.
  void remove(Sequence& sequence) {
    const auto at = std::ranges::find(parts, &sequence, &StepPart::sequence);
    if (at == parts.end()) return;
    rows_left += at->run.n_row(), outputs_left += at->run.n_output;
    sequence.computed = at->position;
    parts.erase(at);
  }
};

}  // namespace realizar
