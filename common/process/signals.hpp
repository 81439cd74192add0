// Signals as something to poll for, not as interruptions.
//
// Make one at the start of main, before any thread exists: threads inherit the blocked mask, and a
// signal must find no thread that would take it the default way. Processes inherit it as well:
// whoever starts one restores the mask and SIGPIPE between fork and exec.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>

namespace taskpipe::process {

enum class Signal : std::uint8_t {
  interrupt,  // SIGINT: Ctrl-C
  terminate,  // SIGTERM: stop
  hangup,     // SIGHUP: the terminal is gone, or "reload"
};

class SignalFd {
 public:
  // Blocks the three in the calling thread and ignores SIGPIPE. Throws std::system_error.
  SignalFd();
  SignalFd(const SignalFd&) = delete;
  SignalFd& operator=(const SignalFd&) = delete;
  // Restores the calling thread's mask and SIGPIPE; signals not read yet take their course.
  ~SignalFd();

  // Readable while a signal is waiting.
  [[nodiscard]] int fd() const { return fd_; }
  // The next one, or nothing; never waits. Several of a kind may arrive as one.
  [[nodiscard]] std::optional<Signal> read();

 private:
  ::sigset_t old_mask_{};
  struct ::sigaction old_pipe_ {};
  int fd_ = -1;
};

}  // namespace taskpipe::process
