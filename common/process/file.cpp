#include "common/process/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace taskpipe::process {

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

tl::expected<File, int> File::open(const std::string& path, int flags, unsigned mode) {
  File file(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!file.valid()) return tl::unexpected(errno);
  return file;
}

tl::expected<std::size_t, int> File::read_at(std::uint64_t offset,
                                             std::span<std::byte> into) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

int File::write_at(std::uint64_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return 0;
}

tl::expected<std::uint64_t, int> File::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return tl::unexpected(errno);
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace taskpipe::process
