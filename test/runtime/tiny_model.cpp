#include "tiny_model.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tiny {

float embedding(int token, int col) { return float((token * 7 + col * 3) % 5 - 2); }
float output(int row, int col) { return float((row * 5 + col * 11 + row * col) % 7 - 3); }

std::vector<float> expected_logits(const std::vector<int32_t>& tokens) {
  std::vector<float> logits;
  for (int v = 0; v < n_vocab; v++) {
    double sum = 0;
    for (size_t q = 0; q < tokens.size(); q++)
      for (int c = 0; c < n_cols; c++) sum += double(q + 1) * embedding(tokens[q], c) * output(v, c);
    logits.push_back(float(sum));
  }
  return logits;
}

int32_t first_largest(const std::vector<float>& logits) {
  int32_t best = 0;
  for (int32_t v = 1; v < n_vocab; v++)
    if (logits[v] > logits[best]) best = v;
  return best;
}

std::vector<int32_t> expected_continuation(std::vector<int32_t> tokens, int n) {
  const size_t given = tokens.size();
  for (int i = 0; i < n; i++) tokens.push_back(first_largest(expected_logits(tokens)));
  return {tokens.begin() + long(given), tokens.end()};
}

File::File() {
  std::string directory = std::filesystem::temp_directory_path() / "realizar-tiny-XXXXXX";
  if (!mkdtemp(directory.data())) abort();
  path_ = directory + "/tiny.gguf";
  std::ofstream file(path_, std::ios::binary);
  const std::string header = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  file << header << std::string(64 - header.size(), '\0');
  for (auto* matrix : {embedding, output})
    for (int row = 0; row < n_vocab; row++)
      for (int col = 0; col < n_cols; col++) {
        const float value = matrix(row, col);
        file.write(reinterpret_cast<const char*>(&value), sizeof value);
      }
}

File::~File() { std::filesystem::remove_all(std::filesystem::path(path_).parent_path()); }

void File::truncate(uint64_t bytes) const { std::filesystem::resize_file(path_, bytes); }

void File::overwrite(uint64_t offset, char byte) const {
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(std::streamoff(offset));
  file.put(byte);
}

}  // namespace tiny
