// Where sequences keep what they have computed: a slot each, and pages of KV cache. Slots is one; tests of the
// scheduler have one without a device.
#pragma once
#include <cstdint>
#include <span>

namespace realizar {

class SequenceMemory {
 public:
  virtual ~SequenceMemory() = default;

  // There are pages for a new sequence of these tokens and one more, whose steps have n_row rows at most.
  virtual bool has_room(std::span<const int32_t> tokens, uint32_t n_row) const = 0;
  // A sequence of these tokens begins in a slot. Returns how many of the first are there already, from sequences before
  // it: fewer than all.
  virtual uint32_t adopt(uint32_t slot, std::span<const int32_t> tokens) = 0;
  // Before a step that computes positions [from, to) of a slot is queued: its positions get pages, and those that no
  // later one sees are given back. false: there are too few, and none has been taken.
  virtual bool reserve(uint32_t slot, uint32_t from, uint32_t to) = 0;
  // The steps composed so far compute the slot's first positions, and these are their tokens: others may adopt them.
  virtual void computed(uint32_t slot, std::span<const int32_t> tokens) = 0;
  // The slot is free; of its sequence these positions are kept while there is room. Steps that are queued may still use
  // its pages.
  virtual void release(uint32_t slot, std::span<const int32_t> tokens) = 0;
};

}  // namespace realizar
