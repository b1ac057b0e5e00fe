// A model small enough that thousands of engines can run it, and in which nothing is forgiven: each position's token is
// a number in a page of the KV cache, and in a page of those that only the newest positions are seen of, and every
// logit depends on each bit of all of them. Its programs are "token", "batch_4" and "prompt_40"; what chooses tokens
// are the kernels of real models.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace schedules {

constexpr int n_vocab = 61, n_ctx = 330, window = 70, rows = 40, batch_rows = 4, outputs = 4;

constexpr uint32_t mixed(uint32_t x) {
  x = (x ^ x >> 16) * 0x7feb352d;
  x = (x ^ x >> 15) * 0x846ca68b;
  return x ^ x >> 16;
}
// What a position leaves: for all later ones, and for those of the window.
constexpr uint32_t kept(int token) { return mixed(uint32_t(token) + 1); }
constexpr uint32_t kept_in_window(int token) { return mixed(uint32_t(token) + 1000); }
// Part of a position's sum; the sum of all is its key.
constexpr uint32_t part(uint32_t kept, int position) { return mixed(kept + uint32_t(position) * 7919); }
// NaN where the key says so: then all of them are.
inline float logit(uint32_t key, int token) {
  return key % 997 == 0 ? __builtin_nanf("") : float(mixed(key + uint32_t(token) * 104729) % 4096) / 256;
}

// After the last of these tokens.
std::vector<float> logits_after(std::span<const int32_t> tokens);

}  // namespace schedules
