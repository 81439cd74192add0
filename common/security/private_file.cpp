#include "common/security/private_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::security {
namespace {

namespace fs = std::filesystem;

constexpr ::mode_t kSecretMode = 0600;
constexpr ::mode_t kPublicMode = 0644;
constexpr ::mode_t kOthers = S_IRWXG | S_IRWXO;

Error problem(const fs::path& path, const std::string& why) {
  return Error{ErrorCode::invalid, "key file " + path.string() + ": " + why, "keys", {}};
}

std::string reason(int error) { return std::strerror(error); }

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

tl::expected<std::string, Error> read_file(const fs::path& path, bool secret) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return tl::unexpected(problem(path, reason(errno)));
  struct ::stat status {};
  if (::fstat(file.get(), &status) != 0) return tl::unexpected(problem(path, reason(errno)));
  if (!S_ISREG(status.st_mode)) return tl::unexpected(problem(path, "is no regular file"));
  if (secret && (status.st_mode & kOthers) != 0) {
    return tl::unexpected(problem(
        path, "can be used by others than its owner, and it holds a secret; run: chmod 600 '" +
                  path.string() + "', and make new keys if others may have read it"));
  }
  std::string text(limits::kMaxKeyFileBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ::ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(problem(path, reason(errno)));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > limits::kMaxKeyFileBytes) {
    return tl::unexpected(problem(path, "is too large to be a key file"));
  }
  text.resize(size);
  return text;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ::ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void sync_folder(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) static_cast<void>(::fsync(opened.get()));
}

tl::expected<void, Error> write_file(const fs::path& path, std::string_view text, ::mode_t mode,
                                     Overwrite overwrite) {
  fs::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  // mkostemp makes it with 0600, so that a secret is never seen by others.
  std::string temporary =
      (folder / (std::string(kUnfinishedPrefix) + path.filename().string() + "-XXXXXX")).string();
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return tl::unexpected(problem(path, reason(errno)));
  int error = 0;
  if (!write_all(file.get(), text) || ::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) {
    error = errno;
  } else if (overwrite == Overwrite::yes) {
    if (::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  } else if (::link(temporary.c_str(), path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0 || overwrite == Overwrite::no) ::unlink(temporary.c_str());
  if (error == EEXIST) {
    return tl::unexpected(problem(path, "exists; choose another name, or remove it first"));
  }
  if (error != 0) return tl::unexpected(problem(path, reason(error)));
  sync_folder(path);
  return {};
}

}  // namespace

tl::expected<std::string, Error> read_public_file(const fs::path& path) {
  return read_file(path, false);
}

tl::expected<std::string, Error> read_secret_file(const fs::path& path) {
  return read_file(path, true);
}

tl::expected<void, Error> write_public_file(const fs::path& path, std::string_view text,
                                            Overwrite overwrite) {
  return write_file(path, text, kPublicMode, overwrite);
}

tl::expected<void, Error> write_secret_file(const fs::path& path, std::string_view text,
                                            Overwrite overwrite) {
  return write_file(path, text, kSecretMode, overwrite);
}

tl::expected<void, Error> make_private_folder(const fs::path& path) {
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (error) return tl::unexpected(problem(path, "cannot be made: " + error.message()));
  if (::mkdir(path.c_str(), S_IRWXU) == 0) return {};
  if (errno != EEXIST) return tl::unexpected(problem(path, "cannot be made: " + reason(errno)));
  struct ::stat status {};
  if (::stat(path.c_str(), &status) != 0) return tl::unexpected(problem(path, reason(errno)));
  if (!S_ISDIR(status.st_mode)) return tl::unexpected(problem(path, "is no folder"));
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return tl::unexpected(
        problem(path, "others may write to this folder; run: chmod go-w '" + path.string() + "'"));
  }
  return {};
}

}  // namespace taskpipe::security
