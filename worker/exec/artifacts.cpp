#include "worker/exec/artifacts.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "common/model/limits.hpp"
#include "common/protocol/utf8.hpp"
#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

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

// Lists by open folders, one below the other: a name that is exchanged for a link meanwhile leads
// nowhere.
class Walk {
 public:
  Walk(const std::string& directory, process::FileOwner owner)
      : directory_(directory), owner_(owner) {}

  void add(int folder, const std::string& leaf, std::string name,
           std::vector<Artifact>& out) const {
    struct stat status {};
    if (::fstatat(folder, leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (!S_ISREG(status.st_mode) || (owner_ && status.st_uid != *owner_)) return;
    Artifact artifact;
    artifact.path = directory_ + "/" + name;
    artifact.name = std::move(name);
    artifact.size_bytes = static_cast<std::uint64_t>(status.st_size);
    out.push_back(std::move(artifact));
  }

  // `prefix`: the folder's name with a slash, empty for the first.
  void list(const process::File& folder, const std::string& prefix, std::size_t depth,
            const std::vector<std::vector<std::string>>& patterns, std::vector<Artifact>& out) {
    std::vector<std::string> folders;
    for (Listing listing(folder); const dirent* entry = listing.next();) {
      const std::string leaf = static_cast<const char*>(entry->d_name);
      if (leaf == "." || leaf == "..") continue;
      if (++seen_ > limits::kMaxArtifactWalk) return;
      if (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) folders.push_back(leaf);
      std::string name = prefix + leaf;
      if (is_log(name) || name.size() > limits::kMaxPathBytes || !protocol::is_utf8(name)) continue;
      const auto parts = split_path(name);
      const bool wanted = std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) {
        return parts_match(pattern, parts);
      });
      if (wanted) add(folder.fd(), leaf, std::move(name), out);
    }
    if (depth >= kMaxPathParts) return;
    for (const std::string& leaf : folders) {
      const auto below = process::open_folder_at(folder.fd(), leaf);
      if (below) list(*below, prefix + leaf + "/", depth + 1, patterns, out);
    }
  }

 private:
  class Listing {
   public:
    explicit Listing(const process::File& folder)
        : stream_(::fdopendir(::fcntl(folder.fd(), F_DUPFD_CLOEXEC, 0))) {}
    Listing(const Listing&) = delete;
    Listing& operator=(const Listing&) = delete;
    ~Listing() {
      if (stream_ != nullptr) ::closedir(stream_);
    }
    [[nodiscard]] const dirent* next() { return stream_ != nullptr ? ::readdir(stream_) : nullptr; }

   private:
    DIR* stream_;
  };

  const std::string& directory_;
  process::FileOwner owner_;
  std::size_t seen_ = 0;
};

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  const auto parts = parse_glob(pattern);
  return !parts.empty() && parts_match(parts, split_path(path));
}

std::vector<Artifact> find_artifacts(const std::string& directory,
                                     const std::vector<std::string>& globs,
                                     process::FileOwner owner) {
  std::vector<std::vector<std::string>> patterns;
  for (const std::string& glob : globs) {
    if (auto parts = parse_glob(glob); !parts.empty()) patterns.push_back(std::move(parts));
  }
  std::vector<Artifact> logs;
  std::vector<Artifact> found;
  const auto folder = process::File::open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!folder) return found;
  Walk walk(directory, owner);
  for (const std::string_view log : {kStdoutFile, kStderrFile}) {
    walk.add(folder->fd(), std::string(log), std::string(log), logs);
  }
  if (!patterns.empty()) walk.list(*folder, "", 1, patterns, found);
  const auto by_name = [](const Artifact& a, const Artifact& b) { return a.name < b.name; };
  std::sort(found.begin(), found.end(), by_name);
  // The logs come first in the count, so that a thousand result files cannot push them out.
  found.resize(std::min(found.size(), limits::kMaxArtifacts - logs.size()));
  found.insert(found.end(), std::make_move_iterator(logs.begin()),
               std::make_move_iterator(logs.end()));
  std::sort(found.begin(), found.end(), by_name);
  return found;
}

ArtifactHasher::ArtifactHasher(std::vector<Artifact>& artifacts, std::string directory,
                               process::FileOwner owner)
    : artifacts_(artifacts), directory_(std::move(directory)), owner_(owner) {}

bool ArtifactHasher::step(std::size_t max_bytes) {
  for (std::size_t done = 0; done < max_bytes;) {
    if (!file_.valid()) {
      if (next_ == artifacts_.size()) return false;
      open_next();
      continue;
    }
    const ssize_t got = ::read(file_.fd(), buffer_.data(), buffer_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      file_ = process::File();  // unreadable: no fingerprint
    } else if (got == 0) {
      finish_file();
    } else if (static_cast<std::uint64_t>(got) > left_bytes_) {
      file_ = process::File();  // it grew, and might do so for ever: no fingerprint
    } else {
      left_bytes_ -= static_cast<std::uint64_t>(got);
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
  auto opened = process::open_beneath(directory_, artifact.name, owner_);
  if (!opened) return;
  file_ = std::move(*opened);
  left_bytes_ = artifact.size_bytes;
  buffer_.resize(kReadBytes);
  digest_ = process::Sha256();
}

void ArtifactHasher::finish_file() {
  if (left_bytes_ == 0) artifacts_[next_ - 1].sha256 = digest_.finish_hex();
  file_ = process::File();
}

}  // namespace taskpipe::worker
