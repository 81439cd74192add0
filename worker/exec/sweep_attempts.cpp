// The removal of old attempts; declared in attempt_directory.hpp.
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBlockBytes = 512;  // unit of st_blocks

struct Candidate {
  fs::path path;
  std::int64_t modified_s = 0;  // since 1970
  std::uint64_t bytes = 0;

  friend bool operator<(const Candidate& a, const Candidate& b) {
    return std::tie(a.modified_s, a.path) < std::tie(b.modified_s, b.path);
  }
};

// Adds up what the folder and everything in it occupies, and finds the latest change.
void measure(const fs::path& path, Candidate& into) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return;
  into.bytes += static_cast<std::uint64_t>(info.st_blocks) * kBlockBytes;
  into.modified_s = std::max<std::int64_t>(into.modified_s, info.st_mtim.tv_sec);
}

Candidate describe(const fs::path& path) {
  Candidate candidate;
  candidate.path = path;
  measure(path, candidate);
  std::error_code error;
  fs::recursive_directory_iterator it(path, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    measure(it->path(), candidate);
  }
  return candidate;
}

bool is_task_folder(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_directory(error) && !entry.is_symlink(error) &&
         TaskId::parse(entry.path().filename().string()).has_value();
}

bool is_attempt_folder(const fs::directory_entry& entry) {
  std::error_code error;
  const std::string name = entry.path().filename().string();
  return entry.is_directory(error) && !entry.is_symlink(error) && name.front() != '.' &&
         name.find_first_not_of("0123456789-") == std::string::npos;
}

std::vector<Candidate> find_candidates(const std::string& root) {
  std::vector<Candidate> found;
  std::error_code error;
  for (fs::directory_iterator task(root, error), end; !error && task != end;
       task.increment(error)) {
    if (!is_task_folder(*task)) continue;
    std::error_code inner;
    for (fs::directory_iterator it(task->path(), inner); !inner && it != end; it.increment(inner)) {
      if (is_attempt_folder(*it)) found.push_back(describe(it->path()));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

SweepResult sweep_attempts(const std::string& root, std::uint64_t keep_bytes,
                           std::chrono::seconds keep_age) {
  SweepResult result;
  const auto candidates = find_candidates(root);
  for (const Candidate& candidate : candidates) result.kept_bytes += candidate.bytes;
  result.kept = candidates.size();
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  for (const Candidate& candidate : candidates) {
    const bool old = now.count() - candidate.modified_s > keep_age.count();
    if (!old && result.kept_bytes <= keep_bytes) break;
    // Nobody begins to use it while it is removed.
    const auto claim = FolderInUse::claim(candidate.path.string());
    if (!claim) continue;
    std::error_code error;
    fs::remove_all(candidate.path, error);
    if (error) {
      result.errors.push_back("cannot remove '" + candidate.path.string() +
                              "': " + error.message());
    } else {
      result.kept_bytes -= candidate.bytes;
      result.freed_bytes += candidate.bytes;
      --result.kept;
      ++result.removed;
    }
    std::error_code ignored;
    fs::remove(candidate.path.parent_path(), ignored);  // the task's folder, once it is empty
  }
  return result;
}

}  // namespace taskpipe::worker
