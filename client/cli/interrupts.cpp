#include "client/cli/interrupts.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>

#include "client/cli/exit_code.hpp"

namespace taskpipe::cli {

std::atomic<void (*)()> before_forced_exit = nullptr;

namespace {

bool is_ignored(int signal) {
  struct sigaction present {};
  return ::sigaction(signal, nullptr, &present) == 0 && present.sa_handler == SIG_IGN;
}

}  // namespace

Interrupts::Interrupts()
    : ignore_interrupt_(is_ignored(SIGINT)),
      ignore_hangup_(is_ignored(SIGHUP)),
      end_fd_(::eventfd(0, EFD_CLOEXEC)) {
  if (end_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::thread([this] { watch(); });
}

Interrupts::~Interrupts() {
  const std::uint64_t one = 1;
  // Cannot fail: the counter is far from its end.
  [[maybe_unused]] const ssize_t written = ::write(end_fd_, &one, sizeof one);
  thread_.join();
  ::close(end_fd_);
}

void Interrupts::watch() {
  std::array<::pollfd, 2> fds = {{{signals_.fd(), POLLIN, 0}, {end_fd_, POLLIN, 0}}};
  for (;;) {
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;  // EINTR
    if (fds[1].revents != 0) return;
    while (const auto signal = signals_.read()) {
      if (*signal == process::Signal::interrupt && ignore_interrupt_) continue;
      if (*signal == process::Signal::hangup && ignore_hangup_) continue;
      if (source_.request_stop()) continue;
      if (const auto last_act = before_forced_exit.load()) last_act();
      ::_exit(as_int(ExitCode::interrupted));
    }
  }
}

}  // namespace taskpipe::cli
