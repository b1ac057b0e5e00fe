// The GGUF file, or the files of a split one or of a folder of safetensors, that a library was compiled from, checked
// to be just that.
#pragma once
#include <deque>
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
  // One file of the model, `start` bytes into it; a model that is not split has one.
  struct Open {
    std::string path;
    FileDescriptor file;
    uint64_t start, bytes;
    Open(const std::string& path, int descriptor, uint64_t start, uint64_t bytes)
        : path(path), file(descriptor), start(start), bytes(bytes) {}
  };
  void add(const std::string& path, const Part& part, const Artifact& artifact);

  std::deque<Open> parts_;
};

}  // namespace realizar
