#include "common/process/beneath.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace taskpipe::process {
namespace {

// One part of a path at a time: openat2 could do it in one call, but is refused in some containers.
tl::expected<File, int> open_part(int parent, const std::string& name, int flags) {
  File file(::openat(parent, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return tl::unexpected(errno);
  return file;
}

// `found` was opened with O_PATH, which touches nothing.
tl::expected<File, int> open_looked_at(const File& found, FileOwner owner) {
  struct stat status {};
  if (::fstat(found.fd(), &status) != 0) return tl::unexpected(errno);
  if (S_ISLNK(status.st_mode)) return tl::unexpected(ELOOP);
  if (!S_ISREG(status.st_mode)) return tl::unexpected(EINVAL);
  if (owner && status.st_uid != *owner) return tl::unexpected(EACCES);
  // The file that was looked at, whatever has its name by now. Its owner may hold a lease on it,
  // which would have us wait until he gives it up.
  return File::open("/proc/self/fd/" + std::to_string(found.fd()), O_RDONLY | O_NONBLOCK);
}

}  // namespace

tl::expected<File, int> open_folder_at(int parent, const std::string& name) {
  return open_part(parent, name, O_RDONLY | O_DIRECTORY);
}

tl::expected<File, int> open_beneath(const std::string& folder, std::string_view name,
                                     FileOwner owner) {
  auto at = File::open(folder, O_PATH | O_DIRECTORY);
  while (at) {
    const std::size_t slash = name.find('/');
    const std::string part(name.substr(0, slash));
    if (part.empty() || part == "." || part == "..") return tl::unexpected(EINVAL);
    if (slash == std::string_view::npos) {
      at = open_part(at->fd(), part, O_PATH);
      break;
    }
    at = open_part(at->fd(), part, O_PATH | O_DIRECTORY);
    name.remove_prefix(slash + 1);
  }
  if (!at) return at;
  return open_looked_at(*at, owner);
}

tl::expected<File, int> open_regular(const std::string& path, FileOwner owner) {
  const auto found = File::open(path, O_PATH);
  if (!found) return tl::unexpected(found.error());
  return open_looked_at(*found, owner);
}

}  // namespace taskpipe::process
