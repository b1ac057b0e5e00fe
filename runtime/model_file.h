// The GGUF file that a library was compiled from, checked to be just that.
#pragma once
#include <string>

#include "artifact.h"

namespace realizar {

struct FileDescriptor {
  int value;
  explicit FileDescriptor(int opened) : value(opened) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor();  // closes it
};

// Read with pread rather than mapped: a file that is cut while it is being read is then an error, not a signal.
class ModelFile {
 public:
  // Throws REALIZAR_IO, or REALIZAR_MODEL_MISMATCH where size or header hash are not the artifact's.
  ModelFile(const char* path, const Artifact& artifact);

  // Throws REALIZAR_IO unless all `bytes` from `offset` on can be read.
  void read(uint64_t offset, void* to, uint64_t bytes) const;

 private:
  std::string path_;
  FileDescriptor file_;
};

}  // namespace realizar
