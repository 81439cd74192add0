#include "broker/journal/posix_disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

namespace taskpipe::broker {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

tl::unexpected<DiskFault> fault(int code, std::string_view operation, const std::string& path) {
  return tl::unexpected(DiskFault{code, "cannot " + std::string(operation) + " " + path + ": " +
                                            std::generic_category().message(code)});
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Repeats what a signal interrupted.
template <class Call>
auto retry(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

class PosixFile final : public DiskFile {
 public:
  PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  DiskResult<std::uint64_t> size() override {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return fault(errno, "inspect", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  DiskResult<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got = retry([&] {
        return ::pread(fd_.get(), into.data() + done, into.size() - done,
                       static_cast<off_t>(offset + done));
      });
      if (got < 0) return fault(errno, "read", path_);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  DiskResult<> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put = retry([&] {
        return ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                        static_cast<off_t>(offset + done));
      });
      if (put < 0) return fault(errno, "write", path_);
      if (put == 0) return fault(ENOSPC, "write", path_);
      done += static_cast<std::size_t>(put);
    }
    return {};
  }

  DiskResult<> allocate(std::uint64_t bytes) override {
    const auto length = static_cast<off_t>(bytes);
    if (retry([&] { return ::fallocate(fd_.get(), 0, 0, length); }) == 0) return {};
    // Not every file system can reserve; the zeros that are written next do it then.
    if (errno != EOPNOTSUPP) return fault(errno, "reserve space for", path_);
    if (retry([&] { return ::ftruncate(fd_.get(), length); }) != 0) {
      return fault(errno, "extend", path_);
    }
    return {};
  }

  void start_writeback(std::uint64_t offset, std::uint64_t bytes) override {
    [[maybe_unused]] const int ignored =
        ::sync_file_range(fd_.get(), static_cast<off64_t>(offset), static_cast<off64_t>(bytes),
                          SYNC_FILE_RANGE_WRITE);
  }

  // Never repeated after a failure: the kernel has dropped the pages by then and would report
  // success.
  DiskResult<> sync_data() override {
    if (::fdatasync(fd_.get()) != 0) return fault(errno, "sync", path_);
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class PosixLock final : public DiskLock {
 public:
  explicit PosixLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

// For people who look for the holder; the lock itself does not depend on it, nor on a full disk.
void note_holder(int fd) {
  const std::string pid = std::to_string(::getpid()) + "\n";
  [[maybe_unused]] const bool noted =
      ::ftruncate(fd, 0) == 0 && ::pwrite(fd, pid.data(), pid.size(), 0) > 0;
}

// Empty when nobody is known, or when who is named has ended: a holder that may not write does not
// put itself in the place of the one before.
std::string read_holder(int fd) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  const std::string_view read(text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  pid_t pid = 0;
  const auto parsed = std::from_chars(read.data(), read.data() + read.size(), pid);
  if (parsed.ec != std::errc() || pid <= 0) return {};
  if (::kill(pid, 0) != 0 && errno == ESRCH) return {};
  return std::to_string(pid);
}

DiskResult<> take(int fd, const std::string& path) {
  if (retry([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) == 0) return {};
  const int code = errno;
  if (code == EWOULDBLOCK) return tl::unexpected(DiskFault{code, read_holder(fd)});
  return fault(code, "lock", path);
}

}  // namespace

bool DiskFault::is_full() const { return code == ENOSPC || code == EDQUOT; }

DiskResult<> PosixDisk::make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), kFolderMode) == 0) return {};
  const int code = errno;
  struct stat status {};
  if (code == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  return fault(code, "make the folder", path);
}

DiskResult<std::vector<std::string>> PosixDisk::list(const std::string& folder) {
  DIR* stream = ::opendir(folder.c_str());
  if (stream == nullptr) return fault(errno, "list", folder);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int code = errno;
  ::closedir(stream);
  if (code != 0) return fault(code, "list", folder);
  std::sort(names.begin(), names.end());
  return names;
}

DiskResult<std::unique_ptr<DiskFile>> PosixDisk::open(const std::string& path, OpenMode mode) {
  const int access = mode == OpenMode::read_only ? O_RDONLY : O_RDWR;
  const int flags = access | O_CLOEXEC | (mode == OpenMode::create_new ? O_CREAT | O_TRUNC : 0);
  Descriptor fd(retry([&] { return ::open(path.c_str(), flags, kFileMode); }));
  if (!fd.valid()) return fault(errno, "open", path);
  return std::make_unique<PosixFile>(std::move(fd), path);
}

DiskResult<> PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fault(errno, "rename to " + to, from);
  return {};
}

DiskResult<> PosixDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return fault(errno, "remove", path);
  return {};
}

DiskResult<> PosixDisk::sync_folder(const std::string& folder) {
  const Descriptor fd(
      retry([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd.valid()) return fault(errno, "open the folder", folder);
  if (::fsync(fd.get()) != 0) return fault(errno, "sync the folder", folder);
  return {};
}

DiskResult<std::uint64_t> PosixDisk::free_bytes(const std::string& folder) {
  struct statvfs status {};
  if (retry([&] { return ::statvfs(folder.c_str(), &status); }) != 0) {
    return fault(errno, "inspect the file system of", folder);
  }
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

DiskResult<std::unique_ptr<DiskLock>> PosixDisk::lock(const std::string& path) {
  Descriptor fd(
      retry([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode); }));
  if (!fd.valid()) return fault(errno, "open", path);
  if (auto taken = take(fd.get(), path); !taken) return tl::unexpected(taken.error());
  note_holder(fd.get());
  return std::make_unique<PosixLock>(std::move(fd));
}

DiskResult<std::unique_ptr<DiskLock>> PosixDisk::lock_existing(const std::string& path) {
  Descriptor fd(retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd.valid()) return fault(errno, "open", path);
  if (auto taken = take(fd.get(), path); !taken) return tl::unexpected(taken.error());
  return std::make_unique<PosixLock>(std::move(fd));
}

}  // namespace taskpipe::broker
