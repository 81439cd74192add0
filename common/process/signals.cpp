#include "common/process/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace taskpipe::process {

SignalFd::SignalFd() {
  ::sigset_t wanted{};
  ::sigemptyset(&wanted);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&wanted, signal);
  fd_ = ::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  if (const int problem = ::pthread_sigmask(SIG_BLOCK, &wanted, &old_mask_); problem != 0) {
    ::close(fd_);
    throw std::system_error(problem, std::generic_category(), "pthread_sigmask");
  }
  struct ::sigaction ignore {};
  ignore.sa_handler = SIG_IGN;  // NOLINT(cppcoreguidelines-pro-type-union-access)
  ::sigaction(SIGPIPE, &ignore, &old_pipe_);
}

SignalFd::~SignalFd() {
  ::sigaction(SIGPIPE, &old_pipe_, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  ::close(fd_);
}

std::optional<Signal> SignalFd::read() {
  ::signalfd_siginfo info{};
  ssize_t got = 0;
  do {
    got = ::read(fd_, &info, sizeof info);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  switch (info.ssi_signo) {
    case SIGINT: return Signal::interrupt;
    case SIGTERM: return Signal::terminate;
    case SIGHUP: return Signal::hangup;
    default: return std::nullopt;
  }
}

}  // namespace taskpipe::process
