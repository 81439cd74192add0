#include "worker/exec/artifacts.hpp"

#include <fcntl.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "common/protocol/utf8.hpp"
#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 256U << 10U;
constexpr std::size_t kMaxPathParts = 64;  // deeper files are no artifacts

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = path.find('/');
    const std::string_view part = path.substr(0, end);
    if (part != ".") parts.emplace_back(part);
    if (end == std::string_view::npos) return parts;
    path.remove_prefix(end + 1);
  }
}

bool part_matches(const std::string& pattern, const std::string& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0;
}

// Row by row over the pattern: reachable[j] = the pattern so far matches the first j parts. Never
// exponential, however many `**` there are.
bool parts_match(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  std::vector<bool> reachable(path.size() + 1, false);
  reachable[0] = true;
  for (const std::string& part : pattern) {
    std::vector<bool> next(path.size() + 1, false);
    for (std::size_t j = 0; j <= path.size(); ++j) {
      if (part == "**") {
        const bool visible_folder = j > 0 && j < path.size() && !path[j - 1].starts_with('.');
        next[j] = reachable[j] || (visible_folder && next[j - 1]);
      } else {
        next[j] = j > 0 && reachable[j - 1] && part_matches(part, path[j - 1]);
      }
    }
    reachable = std::move(next);
  }
  return reachable[path.size()];
}

std::vector<std::string> parse_glob(std::string_view pattern) {
  auto parts = split_path(pattern);
  const bool bad = std::any_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part.empty() || part == "..";
  });
  if (bad || parts.size() > kMaxPathParts) parts.clear();
  if (!parts.empty() && parts.back() == "**") parts.emplace_back("*");
  return parts;
}

bool is_log(std::string_view name) { return name == kStdoutFile || name == kStderrFile; }

void add_artifact(const std::string& directory, std::string name, std::vector<Artifact>& out) {
  std::error_code error;
  Artifact artifact;
  artifact.path = directory + "/" + name;
  const auto status = fs::symlink_status(artifact.path, error);
  if (error || status.type() != fs::file_type::regular) return;
  artifact.size_bytes = fs::file_size(artifact.path, error);
  if (error) return;
  artifact.name = std::move(name);
  out.push_back(std::move(artifact));
}

void walk(const std::string& directory, const std::vector<std::vector<std::string>>& patterns,
          std::vector<Artifact>& out) {
  std::error_code error;
  fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied,
                                      error);
  std::size_t seen = 0;
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (++seen > limits::kMaxArtifactWalk) return;
    const std::size_t depth = static_cast<std::size_t>(it.depth()) + 1;
    if (depth >= kMaxPathParts) it.disable_recursion_pending();
    std::string name = it->path().string().substr(directory.size() + 1);
    if (is_log(name) || name.size() > limits::kMaxPathBytes || !protocol::is_utf8(name)) continue;
    const auto parts = split_path(name);
    const bool wanted = std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) {
      return parts_match(pattern, parts);
    });
    if (wanted) add_artifact(directory, std::move(name), out);
  }
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  const auto parts = parse_glob(pattern);
  return !parts.empty() && parts_match(parts, split_path(path));
}

std::vector<Artifact> find_artifacts(const std::string& directory,
                                     const std::vector<std::string>& globs) {
  std::vector<std::vector<std::string>> patterns;
  for (const std::string& glob : globs) {
    if (auto parts = parse_glob(glob); !parts.empty()) patterns.push_back(std::move(parts));
  }
  std::vector<Artifact> logs;
  add_artifact(directory, std::string(kStdoutFile), logs);
  add_artifact(directory, std::string(kStderrFile), logs);
  std::vector<Artifact> found;
  if (!patterns.empty()) walk(directory, patterns, found);
  const auto by_name = [](const Artifact& a, const Artifact& b) { return a.name < b.name; };
  std::sort(found.begin(), found.end(), by_name);
  // The logs come first in the count, so that a thousand result files cannot push them out.
  found.resize(std::min(found.size(), limits::kMaxArtifacts - logs.size()));
  found.insert(found.end(), std::make_move_iterator(logs.begin()),
               std::make_move_iterator(logs.end()));
  std::sort(found.begin(), found.end(), by_name);
  return found;
}

ArtifactHasher::ArtifactHasher(std::vector<Artifact>& artifacts) : artifacts_(artifacts) {}

bool ArtifactHasher::step(std::size_t max_bytes) {
  for (std::size_t done = 0; done < max_bytes;) {
    if (!file_.valid()) {
      if (next_ == artifacts_.size()) return false;
      open_next();
      continue;
    }
    const ssize_t got = ::read(file_.get(), buffer_.data(), buffer_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      file_.reset();  // unreadable: no fingerprint
    } else if (got == 0) {
      finish_file();
    } else {
      digest_.update(std::as_bytes(std::span(buffer_)).first(static_cast<std::size_t>(got)));
      done += static_cast<std::size_t>(got);
    }
  }
  return true;
}

void ArtifactHasher::open_next() {
  const Artifact& artifact = artifacts_[next_++];
  if (artifact.size_bytes > limits::kMaxHashBytes - hashed_bytes_) return;
  hashed_bytes_ += artifact.size_bytes;
  file_.reset(::open(artifact.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file_.valid()) return;
  buffer_.resize(kReadBytes);
  digest_ = process::Sha256();
}

void ArtifactHasher::finish_file() {
  artifacts_[next_ - 1].sha256 = digest_.finish_hex();
  file_.reset();
}

}  // namespace taskpipe::worker
