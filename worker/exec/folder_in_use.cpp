#include "worker/exec/folder_in_use.hpp"

#include <mutex>
#include <unordered_set>
#include <utility>

namespace taskpipe::worker {
namespace {

// One of the process, as a lock would be: executor and sweeper need not know each other.
struct Registry {
  std::mutex mutex;
  std::unordered_set<std::string> paths;  // bounded by the attempts that run
};

Registry& registry() {
  static Registry of_process;
  return of_process;
}

}  // namespace

std::optional<FolderInUse> FolderInUse::claim(std::string path) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (!all.paths.insert(path).second) return std::nullopt;
  return FolderInUse(std::move(path));
}

FolderInUse::FolderInUse(FolderInUse&& other) noexcept : path_(std::exchange(other.path_, {})) {}

FolderInUse& FolderInUse::operator=(FolderInUse&& other) noexcept {
  if (this == &other) return *this;
  release();
  path_ = std::exchange(other.path_, {});
  return *this;
}

FolderInUse::~FolderInUse() { release(); }

void FolderInUse::release() {
  if (path_.empty()) return;
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.paths.erase(path_);
  path_.clear();
}

}  // namespace taskpipe::worker
