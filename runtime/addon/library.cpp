#include "library.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <mutex>

namespace addon {
namespace {

// Which file a path named when it was loaded. Building again replaces the file, so the inode or a time changes.
struct FileId {
  dev_t device;
  ino_t inode;
  timespec modified;
  bool operator==(const FileId& b) const {
    return device == b.device && inode == b.inode && modified.tv_sec == b.modified.tv_sec &&
           modified.tv_nsec == b.modified.tv_nsec;
  }
};
struct Loaded {
  FileId file;
  Library library;
};

FileId file_id(const std::string& path) {
  struct stat s;
  if (stat(path.c_str(), &s) != 0) throw bad_artifact(path + ": no such library; compile the model again");
  return {s.st_dev, s.st_ino, s.st_mtim};
}

template <typename F>
void resolve(void* handle, const std::string& path, const char* symbol, F& function) {
  function = reinterpret_cast<F>(dlsym(handle, symbol));
  if (!function)
    throw bad_artifact(path + ": exports no " + symbol + ", so it was not built by this version of realizar-compile");
}

Library open(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* reason = dlerror();
    throw bad_artifact(reason ? reason : path + ": cannot be loaded");
  }
  std::unique_ptr<void, int (*)(void*)> guard(handle, dlclose);
  Library library{};
  resolve(handle, path, "realizar_get_info", library.get_info);
  library.info = library.get_info();
  if (library.info->abi_version != REALIZAR_ABI_VERSION)
    throw bad_artifact(path + ": built for ABI version " + std::to_string(library.info->abi_version) +
                       ", but this addon needs " + std::to_string(REALIZAR_ABI_VERSION) + "; compile the model again");
#define REALIZAR_RESOLVE(name) resolve(handle, path, "realizar_" #name, library.name);
  REALIZAR_FUNCTIONS(REALIZAR_RESOLVE)
#undef REALIZAR_RESOLVE
  guard.release();
  return library;
}

}  // namespace

Failure bad_artifact(std::string message) { return {-1, "BAD_ARTIFACT", std::move(message)}; }
Failure closed(const char* what) { return {-2, "CLOSED", std::string(what) + " is closed"}; }

void Library::check(int status) const {
  if (status != REALIZAR_OK) throw Failure{status, status_name(status), last_error()};
}

const Library& load_library(const std::string& path) {
  // Never destroyed: pool threads may still use a library while the process exits.
  static auto& mutex = *new std::mutex;
  static auto& loaded = *new std::map<std::string, Loaded>;
  std::lock_guard lock(mutex);
  FileId file = file_id(path);
  auto found = loaded.find(path);
  if (found == loaded.end()) found = loaded.emplace(path, Loaded{file, open(path)}).first;
  // dlopen would answer with the old code, whatever the file holds now.
  if (found->second.file != file)
    throw bad_artifact(path + ": was built again after this process had loaded it; start a new process to use it");
  return found->second.library;
}

}  // namespace addon
