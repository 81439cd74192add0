#include "broker/history/lock_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace taskpipe::broker {
namespace {

// The pid that the holder wrote, for the message only.
std::string holder_of(int fd) {
  std::array<char, 24> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size() - 1, 0);
  return got > 0 ? " (pid " + std::string(text.data(), static_cast<std::size_t>(got)) + ")" : "";
}

}  // namespace

LockFile::LockFile(const std::filesystem::path& path)
    : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (fd_ < 0) {
    throw std::runtime_error("cannot open the lock '" + path.string() + "': " +
                             std::strerror(errno) + "; its folder must exist and be writable");
  }
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int problem = errno;
    const std::string holder = holder_of(fd_);
    ::close(fd_);
    if (problem != EWOULDBLOCK) {
      throw std::runtime_error("cannot lock '" + path.string() + "': " + std::strerror(problem));
    }
    throw std::runtime_error("'" + path.string() + "' is locked: another broker" + holder +
                             " uses this data folder; stop it, or give this one another folder");
  }
  const std::string pid = std::to_string(::getpid());
  // For the message above alone: a failure harms nothing.
  if (::ftruncate(fd_, 0) == 0) {
    [[maybe_unused]] const ssize_t wrote = ::pwrite(fd_, pid.data(), pid.size(), 0);
  }
}

LockFile::~LockFile() { ::close(fd_); }

}  // namespace taskpipe::broker
