// The model's kernels, for the host driver.
#pragma once
#include "../../../runtime/driver/host.h"
#include "../../../runtime/kernels/select.cuh"
#include "../../../runtime/kernels/select_rows.cuh"
#include "model.h"

namespace schedules {

// Offsets in a slot.
constexpr uint64_t history_at = realizar::slot_bias_offset + sizeof(realizar::LogitBias) * realizar::max_logit_bias;
constexpr uint64_t fed_at = history_at + sizeof(int32_t) * n_ctx, page_table_at = fed_at + sizeof(int32_t) * n_ctx;
constexpr uint64_t window_table_at = page_table_at + sizeof(uint32_t) * realizar::kv_pages(n_ctx);
constexpr uint64_t slot_size = (window_table_at + sizeof(uint32_t) * realizar::kv_pages(n_ctx) + 15) / 16 * 16;

struct Shape {
  static constexpr int threads = 32, blocks = 1, candidates = schedules::n_vocab, n_vocab = candidates;
  static constexpr int slot_bytes = slot_size;
};

extern const realizar::HostKernel kernels[];

}  // namespace schedules
