#include "model_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "error.h"
#include "sha256.h"

namespace realizar {
namespace {

uint64_t size_of(int descriptor, const char* path) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) throw Error(REALIZAR_IO, format("%s: %s", path, strerror(errno)));
  if (!S_ISREG(info.st_mode)) throw Error(REALIZAR_IO, format("%s: not a regular file", path));
  return uint64_t(info.st_size);
}

std::string header_hash(const ModelFile& file, uint64_t bytes) {
  std::vector<char> buffer(std::min<uint64_t>(bytes, 1 << 20));
  Sha256 hash;
  for (uint64_t at = 0; at < bytes; at += buffer.size()) {
    const uint64_t part = std::min<uint64_t>(buffer.size(), bytes - at);
    file.read(at, buffer.data(), part);
    hash.update(buffer.data(), part);
  }
  return hash.finish();
}

[[noreturn]] void mismatch(const char* path, const char* model, const std::string& difference) {
  throw Error(REALIZAR_MODEL_MISMATCH,
              format("%s is not the file that this library was compiled from (%s): %s. Give it that file, or compile "
                     "this one with realizar-compile",
                     path, model, difference.c_str()));
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (value >= 0) close(value);
}

ModelFile::ModelFile(const char* path, const Artifact& artifact)
    : path_(path), file_(open(path, O_RDONLY | O_CLOEXEC)) {
  if (file_.value < 0) throw Error(REALIZAR_IO, format("cannot open %s: %s", path, strerror(errno)));
  const uint64_t bytes = size_of(file_.value, path);
  if (bytes != artifact.file_bytes)
    mismatch(path, artifact.name,
             format("it has %llu bytes, not %llu", (unsigned long long)bytes, (unsigned long long)artifact.file_bytes));
  const std::string hash = header_hash(*this, artifact.header_bytes);
  if (hash != artifact.header_sha256)
    mismatch(path, artifact.name,
             format("the SHA-256 of its header is %s, not %s", hash.c_str(), artifact.header_sha256));
}

void ModelFile::read(uint64_t offset, void* to, uint64_t bytes) const {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = pread(file_.value, at, bytes, off_t(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(REALIZAR_IO, format("cannot read %s: %s", path_.c_str(), strerror(errno)));
    if (got == 0)
      throw Error(REALIZAR_IO, format("%s ends at byte %llu, %llu bytes early: it was cut while it was being read",
                                      path_.c_str(), (unsigned long long)offset, (unsigned long long)bytes));
    at += got, offset += uint64_t(got), bytes -= uint64_t(got);
  }
}

}  // namespace realizar
