#include "output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "replay.h"

namespace replay {
namespace {

namespace fs = std::filesystem;

constexpr int max_links = 40;  // as many as Linux follows

// What a path names behind all links, which need not be there. The path itself where the links do not say, as those of
// /proc to what is open.
fs::path behind_links(const fs::path& path) {
  std::error_code error;
  fs::path at = path;
  for (int i = 0; i < max_links && fs::is_symlink(at, error); i++) at = at.parent_path() / fs::read_symlink(at, error);
  const bool is_there = fs::exists(path, error);
  return is_there && !fs::equivalent(path, at, error) ? path : at;
}

// Whether a finished file may take the place of what a path names.
bool is_replaceable(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return status.type() == fs::file_type::not_found || (fs::is_regular_file(status) && !fs::is_symlink(path, error));
}

// Whether a file's name is that of a part of the model whose first part has the other name.
bool is_part(const std::string& name, const std::string& first) {
  const size_t at = first.rfind("-00001-of-");
  return at != first.npos && name.size() == first.size() && name.substr(0, at + 1) == first.substr(0, at + 1) &&
         name.substr(at + 6) == first.substr(at + 6);
}

}  // namespace

OutputFile::OutputFile(const std::string& path)
    : path_(path),
      target_(behind_links(path)),
      opened_(is_replaceable(target_) ? target_ + ".part" + std::to_string(getpid()) : target_),
      file_(fopen(opened_.c_str(), "wb")) {
  if (!file_) fail("cannot write ");
}

OutputFile::~OutputFile() {
  if (file_) fclose(file_);
  if (!finished_ && is_renamed()) unlink(opened_.c_str());
}

void OutputFile::write(const void* data, size_t bytes) {
  if (fwrite(data, 1, bytes, file_) != bytes) fail("cannot write ");
}

void OutputFile::finish() {
  if (fclose(std::exchange(file_, nullptr)) != 0) fail("cannot write ");
  if (is_renamed() && rename(opened_.c_str(), target_.c_str()) != 0) fail("cannot rename the finished file to ");
  finished_ = true;
}

void OutputFile::fail(const char* what) const { throw Failure(what + path_ + ": " + strerror(errno)); }

bool is_of_model(const std::string& path, const std::string& model) {
  std::error_code error;
  if (fs::equivalent(path, model, error)) return true;
  const bool is_folder = fs::is_directory(model, error);
  const fs::path first = model, folder = is_folder ? first : first.parent_path();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.empty() ? "." : folder, error)) {
    const fs::path name = entry.path().filename();
    const bool is_file_of_folder = is_folder && (name.extension() == ".safetensors" || name.extension() == ".json");
    if ((is_file_of_folder || is_part(name, first.filename())) && fs::equivalent(entry.path(), path, error))
      return true;
  }
  return false;
}

}  // namespace replay
