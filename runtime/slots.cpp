#include "slots.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "kernels/state.h"

namespace realizar {
namespace {

// The largest thing that is sent at once, but for masks: those of a step fit a block of staging memory, so that no step
// waits for the copies of another one.
uint64_t most_sent() {
  return std::max({step_bytes(artifact), uint64_t(sizeof(SlotHead)), artifact.n_ctx * sizeof(int32_t)});
}

uint64_t mask_bytes() { return mask_words(artifact.n_vocab) * sizeof(uint32_t); }

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
    : model_(model),
      stream_(stream),
      arena_(allocate(model.device, artifact.arena_bytes, "the activations of a session")),
      kv_cache_(
          cleared(model, counts.pages * artifact.page_bytes, stream,
                  format("the KV cache, %u pages of 64 positions (realizar-compile --context)", counts.pages).c_str())),
      kv_window_(cleared(
          model, counts.window_pages * artifact.window_page_bytes, stream,
          format("the KV cache of layers with a window, %u pages of 64 positions", counts.window_pages).c_str())),
      state_(cleared(model, artifact.state_bytes, stream, "the state of a session")),
      slots_(cleared(model, counts.slots * artifact.slot_bytes, stream, "the slots of a session")),
      masks_(allocate(model.device, counts.slots * mask_bytes(), "the masks of a session")),
      bases_{model.weights.get(), arena_.get(), kv_cache_.get(), kv_window_.get(), state_.get(), slots_.get()},
      rings_(allocate_pinned(model.device, counts.slots * token_ring_size * sizeof(uint64_t), "the token rings")),
      staging_(model.device, std::max(most_sent(), counts.slots * mask_bytes()), stream),
      pages_(counts.pages),
      window_pages_(counts.window_pages),
      cache_(pages_, window_pages_, artifact.window),
      serials_(counts.slots) {
  memset(rings_.get(), 0, counts.slots * token_ring_size * sizeof(uint64_t));
  for (uint32_t i = 0; i < counts.slots; i++) {
    sequences_.push_back({PageTables(pages_, window_pages_)});
    const uint64_t address = ring_address(i);
    staging_.send(this->address(i) + slot_ring_offset, &address, sizeof address, "the address of a token ring");
  }
}

// With unified addressing, which every 64-bit driver has, pinned memory has one address for host and device.
uint64_t Slots::ring_address(uint32_t slot) const { return reinterpret_cast<uint64_t>(ring(slot)); }

DevicePtr Slots::mask_address(uint32_t slot) const { return masks_.get() + slot * mask_bytes(); }

uint32_t Slots::start(uint32_t slot, uint32_t position, int32_t token, const realizar_sampling& sampling,
                      std::span<const int32_t> stop, bool constrained) {
  // What steps of an earlier sequence still leave in the ring is not taken for this one's.
  serials_[slot] += artifact.n_ctx + 1;
  auto& head = *static_cast<SlotHead*>(staging_.room(sizeof(SlotHead)));
  head.state = {
      .token = token, .position = int32_t(position), .seq_len = int32_t(position + 1), .serial = serials_[slot]};
  head.ring = ring_address(slot);
  head.end = {.done = 0, .n_stop = uint32_t(stop.size())};
  head.mask = constrained ? mask_address(slot) : 0;
  std::ranges::copy(stop, head.stop);
  describe_sampling(sampling, head.sampling);
  head.sampling.sampling.adjusts |= constrained;
  staging_.send(address(slot), head.used_bytes(), "a slot");
  return serials_[slot];
}

void Slots::set_mask(uint32_t slot, std::span<const uint32_t> words) {
  staging_.send(mask_address(slot), words.data(), words.size_bytes(), "a mask");
}

void Slots::feed(uint32_t slot, int32_t token, uint32_t position, uint32_t serial) {
  const State state = {
      .token = token, .position = int32_t(position), .seq_len = int32_t(position + 1), .serial = serial};
  staging_.send(address(slot), &state, sizeof state, "the state");
}

// What other sequences have already takes none of the pages that are available.
bool Slots::has_room(std::span<const int32_t> tokens, uint32_t n_row) const {
  const uint32_t n = uint32_t(kv_pages(std::min<uint64_t>(tokens.size() + 1, artifact.n_ctx)));
  const uint32_t in_window = std::min(n, uint32_t(kv_pages(uint64_t(artifact.window) + n_row)) + 1);
  if (artifact.window_page_bytes && in_window > window_pages_.available()) return false;
  return !artifact.page_bytes || n <= pages_.available() || n <= pages_.available() + cache_.n_in_use(tokens);
}

uint32_t Slots::adopt(uint32_t slot, std::span<const int32_t> tokens) {
  auto& [tables, place] = sequences_[slot];
  const PrefixCache::Adopted adopted = cache_.adopt(tokens, tables, place);
  send_tables(slot, 0, 0);
  copy_page(bases_.kv_cache, artifact.page_bytes, adopted.copy);
  copy_page(bases_.kv_window, artifact.window_page_bytes, adopted.window_copy);
  // No step of the slot feeds these; penalties look at them.
  const std::span<const int32_t> fed = tokens.first(adopted.n_position);
  if (!fed.empty()) staging_.send(address(slot) + artifact.fed_offset, fed.data(), fed.size_bytes(), "fed tokens");
  return adopted.n_position;
}

bool Slots::reserve(uint32_t slot, uint32_t from, uint32_t to) {
  PageTables& tables = sequences_[slot].tables;
  const size_t first = tables.all.entries().size(), first_window = tables.window.entries().size();
  if (!tables.reserve(from, to, artifact.window)) return false;
  send_tables(slot, first, first_window);
  return true;
}

void Slots::computed(uint32_t slot, std::span<const int32_t> tokens) {
  auto& [tables, place] = sequences_[slot];
  if (const std::optional<uint32_t> changed = cache_.computed(tokens, tables, place))
    send_tables(slot, *changed, *changed);
}

void Slots::launched() { cache_.launched(); }

void Slots::release(uint32_t slot, std::span<const int32_t> tokens) {
  auto& [tables, place] = sequences_[slot];
  cache_.release(tokens, tables, place);
}

// Entries from the first ones on.
void Slots::send_tables(uint32_t slot, size_t first, size_t first_window) {
  const auto send = [&](const PageTable& table, size_t from, uint64_t offset) {
    const std::span<const uint32_t> entries = table.entries().subspan(std::min(from, table.entries().size()));
    if (!entries.empty())
      staging_.send(address(slot) + offset + from * sizeof(uint32_t), entries.data(), entries.size_bytes(),
                    "a page table");
  };
  send(sequences_[slot].tables.all, first, artifact.page_table_offset);
  send(sequences_[slot].tables.window, first_window, artifact.window_page_table_offset);
}

void Slots::copy_page(DevicePtr cache, uint64_t page_bytes, const std::optional<PrefixCache::Copy>& copy) {
  if (!copy) return;
  check(*model_.device.driver,
        model_.device.driver->memcpy_dtod_async(cache + copy->to * page_bytes, cache + copy->from * page_bytes,
                                                page_bytes, stream_),
        "cuMemcpyDtoDAsync", "a page of KV cache");
}

}  // namespace realizar
