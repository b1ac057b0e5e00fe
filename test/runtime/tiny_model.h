// A model small enough to work out by hand, with the shape of a real one: an embedding, a cache that grows, a
// projection whose weights are repacked, a selection that advances the state. All its numbers are small integers, so
// every order of additions gives the same bits.
//
//   x[c]      = embedding[token][c]
//   mix[c]    = sum over positions q of (q + 1) * x of position q [c]
//   logits[v] = sum over c of output[v][c] * mix[c]
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../../runtime/realizar.h"

namespace tiny {

constexpr int n_vocab = 10, n_ctx = 100, n_cols = 40;

float embedding(int token, int col);
float output(int row, int col);
std::vector<float> expected_logits(const std::vector<int32_t>& tokens);
int32_t first_largest(const std::vector<float>& logits);
// `n` tokens chosen greedily after `tokens`.
std::vector<int32_t> expected_continuation(std::vector<int32_t> tokens, int n);

// The model file, in a temporary directory; removed with this object.
class File {
 public:
  File();
  File(const File&) = delete;
  ~File();
  const char* path() const { return path_.c_str(); }
  void truncate(uint64_t bytes) const;
  void overwrite(uint64_t offset, char byte) const;

 private:
  std::string path_;
};

// Where the repacked matrix starts in the weights region, and how far its row groups are apart.
constexpr uint64_t output_device_offset = n_vocab * n_cols * sizeof(float);
constexpr uint32_t rows_per_group = 4, cols_per_chunk = 32;
constexpr uint64_t chunk_stride = rows_per_group * cols_per_chunk * sizeof(float);
constexpr uint64_t group_stride = rows_per_group * n_cols * sizeof(float);
constexpr uint64_t weights_bytes =
    output_device_offset + (n_vocab + rows_per_group - 1) / rows_per_group * group_stride;

}  // namespace tiny
