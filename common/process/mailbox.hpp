// Hands values from any thread to one that polls: a queue with a descriptor to wait on.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

namespace taskpipe::process {

// Unbounded: what bounds it is the protocol above (one Ended per start, credit, …). `post` from any
// thread; `fd` and `take` belong to the receiving thread, of which there is one at a time.
template <class T>
class Mailbox {
 public:
  // Throws std::system_error when the process is out of descriptors.
  Mailbox() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() { ::close(fd_); }

  void post(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    if (values_.size() > 1) return;
    const std::uint64_t one = 1;
    // Cannot fail: it is 0. Under the lock, so that `take` need not ask whether it is.
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
  }

  // Any thread.
  [[nodiscard]] bool empty() const {
    const std::lock_guard lock(mutex_);
    return values_.empty();
  }

  // Readable while something is waiting.
  [[nodiscard]] int fd() const { return fd_; }

  // Everything posted so far, oldest first; never waits. `out` is replaced.
  void take(std::vector<T>& out) {
    out.clear();
    const std::lock_guard lock(mutex_);
    if (values_.empty()) return;
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
    std::swap(out, values_);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<T> values_;
  int fd_;
};

}  // namespace taskpipe::process
