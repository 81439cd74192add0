#include "worker/shell/input_cache.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "common/process/file.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

Error disk_error(const std::string& what, const std::string& path, int error) {
  return {ErrorCode::storage,
          "cannot " + what + " '" + path + "': " + std::generic_category().message(error) +
              (error == ENOSPC ? "; free space in the worker's work folder" : ""),
          "inputs"};
}

// 0, or errno.
int copy_content(int from, int to) {
  if (::ioctl(to, FICLONE, from) == 0) return 0;
  constexpr std::size_t kPiece = 64U << 20U;
  bool by_kernel = true;
  while (true) {
    const ssize_t copied = by_kernel ? ::copy_file_range(from, nullptr, to, nullptr, kPiece, 0)
                                     : ::sendfile(to, from, nullptr, kPiece);
    if (copied == 0) return 0;
    if (copied > 0 || errno == EINTR) continue;
    if (!by_kernel || errno == ENOSPC || errno == EIO) return errno;
    by_kernel = false;  // not between these two
  }
}

}  // namespace

InputCache::InputCache(const fs::path& folder, std::uint64_t most_bytes)
    : folder_(folder), most_bytes_(most_bytes) {
  std::error_code error;
  fs::remove_all(folder_ / "staged", error);  // of a worker that was killed
}

std::string InputCache::path_of(const std::string& sha256) const {
  return (folder_ / sha256.substr(0, 2) / sha256).string();
}

bool InputCache::has(const TaskInput& input) {
  const std::string path = path_of(input.sha256);
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || size != input.size_bytes) return false;
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return true;
}

tl::expected<std::string, Error> InputCache::place_for(const std::string& sha256) {
  std::string path = path_of(sha256);
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return tl::unexpected(disk_error("create the folder of", path, error.value()));
  return path;
}

void InputCache::make_room(const std::vector<TaskInput>& keep) {
  struct Entry {
    fs::file_time_type used;
    fs::path path;
    std::uint64_t bytes = 0;
  };
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder_, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().filename() == "staged") it.disable_recursion_pending();
    std::error_code ignored;
    if (!it->is_regular_file(ignored)) continue;
    entries.push_back({it->last_write_time(ignored), it->path(), it->file_size(ignored)});
    total += entries.back().bytes;
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= most_bytes_) return;
    const std::string name = entry.path.filename().string();
    const bool needed = std::any_of(keep.begin(), keep.end(), [&](const TaskInput& input) {
      return name.starts_with(input.sha256);
    });
    if (needed || !fs::remove(entry.path, error)) continue;
    total -= entry.bytes;
  }
}

tl::expected<std::string, Error> InputCache::stage(const TaskInput& input) {
  const fs::path folder = folder_ / "staged";
  std::error_code error;
  fs::create_directories(folder, error);
  const std::string path = (folder / std::to_string(++staged_)).string();
  const std::string source = path_of(input.sha256);
  const auto from = process::File::open(source, O_RDONLY | O_NOFOLLOW);
  if (!from) return tl::unexpected(disk_error("read", source, from.error()));
  const auto to =
      process::File::open(path, O_WRONLY | O_CREAT | O_TRUNC, input.executable ? 0755 : 0644);
  if (!to) return tl::unexpected(disk_error("create", path, to.error()));
  if (const int failed = copy_content(from->fd(), to->fd())) {
    ::unlink(path.c_str());
    return tl::unexpected(disk_error("write", path, failed));
  }
  return path;
}

}  // namespace taskpipe::worker
