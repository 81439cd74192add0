#include "common/process/signals.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

namespace taskpipe::process {
namespace {

bool is_readable(int fd) {
  ::pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, 0) == 1;
}

bool is_blocked(int signal) {
  ::sigset_t mask{};
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return ::sigismember(&mask, signal) == 1;
}

TEST(SignalFd, ReadsEachSignalOnce) {
  SignalFd signals;
  EXPECT_FALSE(is_readable(signals.fd()));
  EXPECT_EQ(signals.read(), std::nullopt);
  ::raise(SIGTERM);
  EXPECT_TRUE(is_readable(signals.fd()));
  EXPECT_EQ(signals.read(), Signal::terminate);
  EXPECT_EQ(signals.read(), std::nullopt);
  ::raise(SIGINT);
  EXPECT_EQ(signals.read(), Signal::interrupt);
  ::raise(SIGHUP);
  EXPECT_EQ(signals.read(), Signal::hangup);
  EXPECT_EQ(signals.read(), std::nullopt);
}

TEST(SignalFd, KeepsSeveralKinds) {
  SignalFd signals;
  ::raise(SIGHUP);
  ::raise(SIGINT);
  ::raise(SIGTERM);
  int count = 0;
  while (signals.read()) ++count;
  EXPECT_EQ(count, 3);
}

TEST(SignalFd, TakesSignalsOfThreadsStartedLater) {
  SignalFd signals;
  std::thread([] { ::kill(::getpid(), SIGTERM); }).join();
  EXPECT_EQ(signals.read(), Signal::terminate);
}

TEST(SignalFd, ABrokenPipeIsAnErrorAndNoSignal) {
  SignalFd signals;
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  EXPECT_EQ(::write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  ::close(ends[1]);
}

TEST(SignalFd, RestoresWhatWas) {
  ASSERT_FALSE(is_blocked(SIGTERM));
  struct ::sigaction before {};
  ::sigaction(SIGPIPE, nullptr, &before);
  {
    SignalFd signals;
    EXPECT_TRUE(is_blocked(SIGTERM));
    EXPECT_TRUE(is_blocked(SIGINT));
    EXPECT_TRUE(is_blocked(SIGHUP));
  }
  EXPECT_FALSE(is_blocked(SIGTERM));
  EXPECT_FALSE(is_blocked(SIGINT));
  EXPECT_FALSE(is_blocked(SIGHUP));
  struct ::sigaction after {};
  ::sigaction(SIGPIPE, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace taskpipe::process
