#include "worker/shell/own_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <string>
#include <system_error>

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // as the kernel's, which ends circles

Error refusal(const fs::path& path, const std::string& what) {
  return {ErrorCode::invalid, "--run-as: '" + path.string() + "' " + what, "work-dir"};
}

Error cannot(const fs::path& path, int error) {
  return refusal(path, "cannot be made or entered: " + std::generic_category().message(error));
}

Error not_own(const fs::path& path, const std::string& why) {
  return refusal(path, why +
                           ", so that others could choose what the worker writes as root; choose a "
                           "--work-dir in folders that are root's and that root alone can write to "
                           "(the default is /var/lib/taskpipe/worker), or make it one: chown root, "
                           "chmod go-w");
}

tl::expected<void, Error> check(const fs::path& path, const struct stat& status, bool may_stick) {
  if (status.st_uid != ::geteuid()) {
    return tl::unexpected(
        not_own(path, "belongs to the user with the number " + std::to_string(status.st_uid)));
  }
  if (S_ISLNK(status.st_mode)) return {};  // its mode says nothing
  if (!S_ISDIR(status.st_mode)) return tl::unexpected(cannot(path, ENOTDIR));
  const bool by_group = (status.st_mode & S_IWGRP) != 0 && status.st_gid != 0;
  const bool by_others = by_group || (status.st_mode & S_IWOTH) != 0;
  if (!by_others || (may_stick && (status.st_mode & S_ISVTX) != 0)) return {};
  return tl::unexpected(not_own(path, "can be written to by others"));
}

int look_at(const fs::path& path, struct stat& status) {
  return ::lstat(path.c_str(), &status) == 0 ? 0 : errno;
}

// Whoever makes it first: it is looked at afterwards.
int make_and_look_at(const fs::path& path, struct stat& status) {
  const int error = look_at(path, status);
  if (error != ENOENT) return error;
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return errno;
  return look_at(path, status);
}

}  // namespace

tl::expected<void, Error> make_own_folder(const fs::path& path) {
  const fs::path whole = fs::absolute(path);
  std::deque<fs::path> left(whole.begin(), whole.end());
  fs::path reached;  // without links, so that its parent is what `..` means
  struct stat status {};
  for (int links = 0; !left.empty();) {
    const fs::path part = left.front();
    left.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      reached = reached.parent_path();
      continue;
    }
    const fs::path next = reached / part;
    if (const int error = make_and_look_at(next, status))
      return tl::unexpected(cannot(next, error));
    if (auto own = check(next, status, true); !own) return own;
    if (!S_ISLNK(status.st_mode)) {
      reached = next;
      continue;
    }
    std::error_code error;
    const fs::path target = fs::read_symlink(next, error);
    if (error) return tl::unexpected(cannot(next, error.value()));
    if (++links > kMaxLinks) return tl::unexpected(cannot(next, ELOOP));
    left.insert(left.begin(), target.begin(), target.end());
  }
  if (const int error = look_at(reached, status)) return tl::unexpected(cannot(reached, error));
  return check(reached, status, false);
}

tl::expected<void, Error> check_own_folder(const Descriptor& folder, const fs::path& path) {
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return tl::unexpected(cannot(path, errno));
  return check(path, status, false);
}

}  // namespace taskpipe::worker
