#include "slots.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "kernels/state.h"

namespace realizar {
namespace {

// The largest thing that is sent at once.
uint64_t most_sent() {
  return std::max({step_bytes(artifact), uint64_t(sizeof(SlotHead)), kv_pages(artifact.n_ctx) * sizeof(uint32_t)});
}

DeviceMemory cleared(const Model& model, uint64_t bytes, Stream stream, const char* what) {
  if (bytes == 0) return {};
  DeviceMemory memory = allocate(model.device, bytes, what);
  check(*model.device.driver, model.device.driver->memset_d8_async(memory.get(), 0, bytes, stream), "cuMemsetD8Async",
        what);
  return memory;
}

}  // namespace

SlotCounts whole_contexts(const Artifact& artifact, uint32_t n_slot) {
  const uint32_t pages = n_slot * uint32_t(kv_pages(artifact.n_ctx));
  return {n_slot, artifact.page_bytes ? pages : 0, artifact.window_page_bytes ? pages : 0};
}

Slots::Slots(const Model& model, const SlotCounts& counts, Stream stream)
    : arena_(allocate(model.device, artifact.arena_bytes, "the activations of a session")),
      kv_cache_(
          cleared(model, counts.pages * artifact.page_bytes, stream,
                  format("the KV cache, %u pages of 64 positions (realizar-compile --context)", counts.pages).c_str())),
      kv_window_(cleared(
          model, counts.window_pages * artifact.window_page_bytes, stream,
          format("the KV cache of layers with a window, %u pages of 64 positions", counts.window_pages).c_str())),
      state_(cleared(model, artifact.state_bytes, stream, "the state of a session")),
      slots_(cleared(model, counts.slots * artifact.slot_bytes, stream, "the slots of a session")),
      bases_{model.weights.get(), arena_.get(), kv_cache_.get(), kv_window_.get(), state_.get(), slots_.get()},
      rings_(allocate_pinned(model.device, counts.slots * token_ring_size * sizeof(uint64_t), "the token rings")),
      staging_(model.device, most_sent(), stream),
      pages_(counts.pages),
      window_pages_(counts.window_pages),
      serials_(counts.slots) {
  memset(rings_.get(), 0, counts.slots * token_ring_size * sizeof(uint64_t));
  for (uint32_t i = 0; i < counts.slots; i++) {
    tables_.push_back({PageTable(pages_), PageTable(window_pages_)});
    const uint64_t address = ring_address(i);
    staging_.send(this->address(i) + slot_ring_offset, &address, sizeof address, "the address of a token ring");
  }
}

// With unified addressing, which every 64-bit driver has, pinned memory has one address for host and device.
uint64_t Slots::ring_address(uint32_t slot) const { return reinterpret_cast<uint64_t>(ring(slot)); }

uint32_t Slots::start(uint32_t slot, uint32_t position, int32_t token, const realizar_sampling& sampling,
                      std::span<const int32_t> stop) {
  // What steps of an earlier sequence still leave in the ring is not taken for this one's.
  serials_[slot] += artifact.n_ctx + 1;
  auto& head = *static_cast<SlotHead*>(staging_.room(sizeof(SlotHead)));
  head.state = {
      .token = token, .position = int32_t(position), .seq_len = int32_t(position + 1), .serial = serials_[slot]};
  head.ring = ring_address(slot);
  head.end = {.done = 0, .n_stop = uint32_t(stop.size())};
  std::ranges::copy(stop, head.stop);
  describe_sampling(sampling, head.sampling);
  staging_.send(address(slot), head.used_bytes(), "a slot");
  return serials_[slot];
}

void Slots::feed(uint32_t slot, int32_t token, uint32_t position, uint32_t serial) {
  const State state = {
      .token = token, .position = int32_t(position), .seq_len = int32_t(position + 1), .serial = serial};
  staging_.send(address(slot), &state, sizeof state, "the state");
}

bool Slots::has_room(std::span<const int32_t> tokens, uint32_t n_row) const {
  const uint32_t n = uint32_t(kv_pages(std::min<uint64_t>(tokens.size() + 1, artifact.n_ctx)));
  const uint32_t in_window = std::min(n, uint32_t(kv_pages(uint64_t(artifact.window) + n_row)) + 1);
  return (!artifact.page_bytes || n <= pages_.available()) &&
         (!artifact.window_page_bytes || in_window <= window_pages_.available());
}

bool Slots::reserve(uint32_t slot, uint32_t from, uint32_t to) {
  auto& [all, window] = tables_[slot];
  const bool has_all = artifact.page_bytes > 0, has_window = artifact.window_page_bytes > 0;
  if (has_window && from + 1 > artifact.window) window.release_before(from + 1 - artifact.window);
  if (has_all && all.missing(to) > pages_.available()) return false;
  if (has_window && window.missing(to) > window_pages_.available()) return false;
  if (has_all) grow(all, to, address(slot) + artifact.page_table_offset);
  if (has_window) grow(window, to, address(slot) + artifact.window_page_table_offset);
  return true;
}

void Slots::grow(PageTable& table, uint32_t n_position, DevicePtr to) {
  const size_t before = table.entries().size();
  table.grow(n_position);
  const std::span<const uint32_t> grown = table.entries().subspan(before);
  if (!grown.empty()) staging_.send(to + before * sizeof(uint32_t), grown.data(), grown.size_bytes(), "a page table");
}

uint32_t Slots::adopt(uint32_t, std::span<const int32_t>) { return 0; }

void Slots::computed(uint32_t, std::span<const int32_t>) {}

void Slots::launched() {}

void Slots::release(uint32_t slot, std::span<const int32_t>) {
  tables_[slot].all.clear();
  tables_[slot].window.clear();
}

}  // namespace realizar
