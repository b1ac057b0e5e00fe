// How many pages of KV cache an engine has: of layers that see all positions, and of layers with a window, of which a
// sequence needs no more pages than its window and a step's rows reach.
#pragma once
#include "../slots.h"

namespace realizar {

struct PoolWish {
  uint32_t n_sequence, n_ctx;  // sequences at once, and positions of each
  uint64_t kv_bytes = 0;  // 0: for all of them, or what is free less a tenth of the device's memory, if that is less
};

// What one sequence of so many positions takes.
uint64_t sequence_bytes(const Artifact& artifact, uint32_t n_position);
uint64_t pool_bytes(const Artifact& artifact, const SlotCounts& counts);
// Sequences of so many positions that are in the pool at once.
uint32_t sequences_that_fit(const Artifact& artifact, const SlotCounts& counts, uint32_t n_position);

// free, total: the device's bytes, before Slots has any. Throws REALIZAR_INVALID_ARGUMENT for kv_bytes that are less
// than a sequence of n_ctx positions takes, REALIZAR_OUT_OF_MEMORY where, of kv_bytes = 0, there is no room for a
// sequence of two pages.
SlotCounts size_pool(const Artifact& artifact, const PoolWish& wish, uint64_t free, uint64_t total);
// On the model's device.
SlotCounts size_pool(const Model& model, const PoolWish& wish);

}  // namespace realizar
