// What sequences have on the device: pages of KV cache, slots that know theirs, and activations of one step.
#pragma once
#include <vector>

#include "engine/prefix_cache.h"
#include "engine/sequence_memory.h"
#include "graph.h"
#include "model.h"
#include "pages.h"
#include "sampling.h"
#include "staging.h"

namespace realizar {

// How many there are of each.
struct SlotCounts {
  uint32_t slots = 1, pages = 0, window_pages = 0;
};
// Pages for the whole context in each of so many slots.
SlotCounts whole_contexts(const Artifact& artifact, uint32_t n_slot);

class Slots : public SequenceMemory {
 public:
  // Queues what makes them empty.
  Slots(const Model& model, const SlotCounts& counts, Stream stream);
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  uint32_t size() const { return uint32_t(sequences_.size()); }
  const RegionBases& bases() const { return bases_; }
  DevicePtr address(uint32_t slot) const { return bases_.slots + slot * artifact.slot_bytes; }
  Staging& staging() { return staging_; }

  // A sequence begins in a slot: steps that take the slot's token and position begin with these. Returns the serial of
  // the first token that will be chosen. The sampling has been checked; at most max_stop_tokens stop tokens.
  // constrained: before each step that chooses a token, set_mask.
  uint32_t start(uint32_t slot, uint32_t position, int32_t token, const realizar_sampling& sampling,
                 std::span<const int32_t> stop, bool constrained = false);
  // The tokens that the slot's next may be (kernels/state.h).
  void set_mask(uint32_t slot, std::span<const uint32_t> words);
  // Where the slot's tokens arrive (kernels/state.h).
  const uint64_t* ring(uint32_t slot) const {
    return static_cast<const uint64_t*>(rings_.get()) + slot * token_ring_size;
  }

  // The token program's next step on a slot feeds this, and leaves its token in the ring under this serial.
  void feed(uint32_t slot, int32_t token, uint32_t position, uint32_t serial);

  // SequenceMemory, of pages of KV cache.
  bool has_room(std::span<const int32_t> tokens, uint32_t n_row) const override;
  uint32_t adopt(uint32_t slot, std::span<const int32_t> tokens) override;
  bool reserve(uint32_t slot, uint32_t from, uint32_t to) override;
  // Cheap where no page is full.
  void computed(uint32_t slot, std::span<const int32_t> tokens) override;
  void release(uint32_t slot, std::span<const int32_t> tokens) override;
  // All steps that have been composed are queued: what follows them may copy what they leave.
  void launched();
  const PagePool& pages() const { return pages_; }
  const PagePool& window_pages() const { return window_pages_; }

 private:
  struct Sequence {
    PageTables tables;
    PrefixCache::Place place = {};
  };
  uint64_t ring_address(uint32_t slot) const;
  DevicePtr mask_address(uint32_t slot) const;
  void send_tables(uint32_t slot, size_t first, size_t first_window);
  void copy_page(DevicePtr cache, uint64_t page_bytes, const std::optional<PrefixCache::Copy>& copy);

  const Model& model_;
  const Stream stream_;
  DeviceMemory arena_, kv_cache_, kv_window_, state_, slots_, masks_;
  RegionBases bases_;
  PinnedMemory rings_;  // u64[slots][token_ring_size]
  Staging staging_;
  PagePool pages_, window_pages_;
  PrefixCache cache_;
  std::vector<Sequence> sequences_;
  std::vector<uint32_t> serials_;  // of the last start; a session counts its own
};

}  // namespace realizar
