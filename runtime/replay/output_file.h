// Files that replay writes.
#pragma once
#include <cstdio>
#include <string>

namespace replay {

// A file that has its name only once it is complete. Links are followed to the file they name; what is no regular file,
// as a pipe or a device, is written to as it is.
class OutputFile {
 public:
  // This and the others throw Failure.
  explicit OutputFile(const std::string& path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();
  void write(const void* data, size_t bytes);
  void finish();

 private:
  [[noreturn]] void fail(const char* what) const;
  bool is_renamed() const { return opened_ != target_; }

  std::string path_, target_, opened_;  // as given; behind all links; what is written until it is complete
  FILE* file_;
  bool finished_ = false;
};

// Whether a path leads to the model: its file, one of the files of a split one, or one of a folder of safetensors.
bool is_of_model(const std::string& path, const std::string& model);

}  // namespace replay
