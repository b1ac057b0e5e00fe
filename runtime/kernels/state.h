// What kernels and the runtime share: pages, slots, and the arguments of the kernels that load and measure.
#pragma once
#include <cstdint>

namespace realizar {

using DevicePtrValue = uint64_t;  // an address in device memory

// A page of KV cache has so many positions of all caches of its kind, one cache after the other: keys
// [heads][kv_page_positions][row], then values likewise. Position p is in page page_table[p / kv_page_positions].
constexpr uint32_t kv_page_positions = 64;
constexpr uint64_t kv_pages(uint64_t n_ctx) { return (n_ctx + kv_page_positions - 1) / kv_page_positions; }

// A slot, where a sequence is: State, the address of its ring, SlotEnd, the address of its mask, stop tokens, Sampling,
// its logit biases, and then, at offsets that the plan knows, int32 history[n_ctx] and fed[n_ctx], and u32
// page_table[kv_pages(n_ctx)] of each kind of pages. The region `slots` has as many as it was opened with; the token
// program works on the first.
struct State {
  int32_t token;     // fed by this step
  int32_t position;  // of that token, from 0: its rope angle and its row in the KV cache
  int32_t seq_len;   // positions that attention sees, position + 1
  uint32_t serial;   // of this step, counted by the runtime from 1: where its token goes in the ring
};
// The runtime writes a State before a step that the host feeds; the last node advances it. After it, written once:
constexpr uint64_t slot_ring_offset = sizeof(State);  // u64, the address of the ring
// When a sequence ends: a chosen token that is one of n_stop, or the lack of one, makes the slot done. The runtime
// writes it, and programs of many rows look at it: what later rows of a slot that is done leave is never seen.
struct SlotEnd {
  uint32_t done, n_stop;
};
constexpr uint64_t slot_end_offset = slot_ring_offset + 8, slot_stop_offset = 64;
// u64, the address of a mask: a bit for each token of the vocabulary, 1 where the slot's next may be this one; 32 a
// word, the lowest first. 0: every token may. What has one has Sampling::adjusts.
constexpr uint64_t slot_mask_offset = slot_end_offset + sizeof(SlotEnd);
constexpr uint64_t mask_words(uint64_t n_vocab) { return (n_vocab + 31) / 32; }
constexpr uint32_t max_stop_tokens = 64;  // int32 each

// Chosen tokens on their way to the host: u64 ring[token_ring_size] in host memory that the device writes to. The step
// `serial` leaves serial << 32 | token in entry serial % token_ring_size, in one store.
constexpr uint32_t token_ring_size = 64;
constexpr int32_t no_token = -1;  // in the ring and the history: no logit was a number

// The region `state`, which all slots share: u32 counters[state_counters], zero between nodes, each reset by its last
// user; u32 seen[n_vocab]; SampleMeeting (kernels/sample.cuh); and the step (kernels/step.h).
constexpr uint32_t state_counters = 1024;

// How tokens are chosen, from realizar_sampling. All zero: the greedy token of the logits as they are.
struct Sampling {
  uint32_t adjusts;           // biases, penalties or a mask change the logits
  uint32_t draws;             // temperature > 0
  float inverse_temperature;  // finite
  int32_t top_k;              // 0: all
  float top_p;                // 1: all
  float log_min_p;            // <= 0: tokens whose logit is further below the largest are out; -infinity: none
  int32_t last_n;             // positions that the penalties look at, up to and with this step's
  float repeat_penalty, presence_penalty, frequency_penalty;
  uint32_t n_bias;
  uint32_t reserved;
  uint64_t seed;
};
struct LogitBias {
  int32_t token;
  float bias;
};
static_assert(sizeof(Sampling) == 56 && sizeof(LogitBias) == 8);
constexpr uint64_t slot_sampling_offset = slot_stop_offset + 4 * max_stop_tokens,
                   slot_bias_offset = slot_sampling_offset + 64;
constexpr uint32_t max_logit_bias = 1024;  // distinct tokens

// What the runtime passes to a repack kernel, by value: turns `n_rows` rows of a tensor of the file, which start at row
// `first_row` (a multiple of rows_per_group), into the device layout. One thread for each 32 columns of each row of
// each touched group: ceil(n_rows / rows_per_group) * rows_per_group * ceil(n_cols / 32) threads in blocks of
// repack_threads. Rows past n_rows in the last group repeat its last row.
struct RepackArgs {
  DevicePtrValue source;  // n_rows rows as in the file, back to back; by columns: n_cols columns of all rows
  DevicePtrValue target;  // where the tensor's row group 0 starts
  uint64_t first_row, n_rows, cols;
  uint64_t rows_per_group, cols_per_chunk, group_stride, chunk_stride;
  uint64_t first_col, n_cols;  // by columns: a multiple of 32, and how many; else 0 and cols
};
constexpr uint32_t repack_threads = 256;

// What the runtime passes to the kernel "realizar_read_ceiling": every thread of the grid reads its share of n 16-byte
// words and writes to sink only if their bits match a pattern that they do not have. Blocks of read_ceiling_threads.
struct ReadCeilingArgs {
  DevicePtrValue data;
  uint64_t n;
  DevicePtrValue sink;  // u32
};
constexpr uint32_t read_ceiling_threads = 512;

// What the runtime passes to the kernel "realizar_f16_ceiling", which libraries with programs of many rows have: each
// warpgroup multiplies 64 x 64 halves by 64 x f16_ceiling_rows, so often.
struct F16CeilingArgs {
  DevicePtrValue sink;  // f32
  uint32_t repeats;
};
constexpr uint32_t f16_ceiling_threads = 256, f16_ceiling_rows = 256;
constexpr uint32_t f16_ceiling_shared_bytes = (f16_ceiling_rows + 8) * 128;
constexpr double f16_ceiling_flops = 2. * 64 * 64 * f16_ceiling_rows * (f16_ceiling_threads / 128);  // of a block

}  // namespace realizar
