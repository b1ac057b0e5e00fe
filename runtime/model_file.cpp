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
  if (!S_ISREG(info.st_mode)) throw Error(REALIZAR_IO, format("%s is not a regular file; give the model's file", path));
  return uint64_t(info.st_size);
}

void hash_range(Sha256& hash, const ModelFile& file, uint64_t from, uint64_t bytes) {
  std::vector<char> buffer(std::min<uint64_t>(bytes, 1 << 20));
  for (uint64_t at = 0; at < bytes; at += buffer.size()) {
    const uint64_t part = std::min<uint64_t>(buffer.size(), bytes - at);
    file.read(from + at, buffer.data(), part);
    hash.update(buffer.data(), part);
  }
}

// "model-00001-of-00003.gguf" -> that of part i. Throws REALIZAR_IO where the path is not the first part's.
std::string part_path(const std::string& path, uint32_t i, uint32_t n) {
  const std::string of = format("-of-%05u", n);
  const size_t at = path.rfind("-00001" + of);
  if (at == std::string::npos || path.find('/', at) != std::string::npos)
    throw Error(REALIZAR_IO, format("%s: the model is split over %u files; give the first, *-00001%s.gguf",
                                    path.c_str(), n, of.c_str()));
  return path.substr(0, at) + format("-%05u", i + 1) + path.substr(at + 6);
}

// Of a part in the model's folder. Throws REALIZAR_IO where the path is none.
std::string in_folder(const char* path, const char* name) {
  struct stat info;
  if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
    throw Error(REALIZAR_IO, format("%s: the model is a folder with %s in it; give the folder", path, name));
  return std::string(path) + "/" + name;
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

ModelFile::ModelFile(const char* path, const Artifact& artifact) {
  const Part whole = {artifact.file_bytes, artifact.header_bytes};
  if (artifact.parts.empty()) add(path, whole, artifact);
  for (uint32_t i = 0; i < artifact.parts.size(); i++)
    add(artifact.parts[i].name ? in_folder(path, artifact.parts[i].name)
                               : part_path(path, i, uint32_t(artifact.parts.size())),
        artifact.parts[i], artifact);
  Sha256 hash;
  for (size_t i = 0; i < parts_.size(); i++)
    hash_range(hash, *this, parts_[i].start,
               !artifact.parts.empty() ? artifact.parts[i].header_bytes : whole.header_bytes);
  const std::string found = hash.finish();
  if (found != artifact.header_sha256)
    mismatch(path, artifact.name,
             format("the SHA-256 of its header is %s, not %s", found.c_str(), artifact.header_sha256));
}

void ModelFile::add(const std::string& path, const Part& part, const Artifact& artifact) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe would wait for a writer
  if (descriptor < 0) throw Error(REALIZAR_IO, format("cannot open %s: %s", path.c_str(), strerror(errno)));
  const uint64_t start = parts_.empty() ? 0 : parts_.back().start + parts_.back().bytes;
  parts_.emplace_back(path, descriptor, start, part.bytes);
  const uint64_t bytes = size_of(descriptor, path.c_str());
  if (bytes != part.bytes)
    mismatch(path.c_str(), artifact.name,
             format("it has %llu bytes, not %llu", (unsigned long long)bytes, (unsigned long long)part.bytes));
}

void ModelFile::read(uint64_t offset, void* to, uint64_t bytes) const {
  auto* at = static_cast<char*>(to);
  for (const Open& part : parts_) {
    while (bytes > 0 && offset >= part.start && offset < part.start + part.bytes) {
      const uint64_t here = offset - part.start;
      const ssize_t got = pread(part.file.value, at, std::min(bytes, part.bytes - here), off_t(here));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw Error(REALIZAR_IO, format("cannot read %s: %s", part.path.c_str(), strerror(errno)));
      if (got == 0)
        throw Error(REALIZAR_IO, format("%s ends at byte %llu, %llu bytes early: it was cut while it was being read",
                                        part.path.c_str(), (unsigned long long)here, (unsigned long long)bytes));
      at += got, offset += uint64_t(got), bytes -= uint64_t(got);
    }
  }
  if (bytes > 0)
    throw Error(REALIZAR_IO, format("%s: a read of %llu bytes past its end", parts_.front().path.c_str(),
                                    (unsigned long long)bytes));
}

}  // namespace realizar
