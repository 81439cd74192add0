#include "common/net/poll_loop.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/unit/net/loopback.hpp"

namespace taskpipe::net {
namespace {

// An eventfd that closes itself.
class Event {
 public:
  Event() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { ::close(fd_); }
  [[nodiscard]] int fd() const { return fd_; }
  void set() const { ASSERT_EQ(::eventfd_write(fd_, 1), 0); }
  void clear() const {
    eventfd_t value = 0;
    ASSERT_EQ(::eventfd_read(fd_, &value), 0);
  }

 private:
  int fd_;
};

TEST(Poller, NothingReadableAfterTheTimeout) {
  const Event event;
  Poller poller;
  const auto index = poller.add_fd(event.fd());
  poller.wait(Millis(0));
  EXPECT_FALSE(poller.readable(index));
  poller.wait(Millis(-5));  // a deadline that has passed
  EXPECT_FALSE(poller.readable(index));
}

// With MANDATORY it is writable as soon as any peer is: a loop that waited for that would spin.
TEST(Poller, ARouterThatCouldWriteWakesNobody) {
  Context context;
  RouterSocket router(context, testing::quick_tuning());
  ASSERT_TRUE(router.bind("tcp://127.0.0.1:*").has_value());
  DealerSocket dealer(context, testing::quick_tuning());
  ASSERT_TRUE(dealer.connect(router.endpoint()).has_value());
  ReceivedMessage received;
  ASSERT_TRUE(testing::receive_probe(router, dealer, received));
  ASSERT_FALSE(router.receive(received));
  Poller poller;
  const auto index = poller.add(router.native());
  constexpr Millis kLong{100};
  const auto began = std::chrono::steady_clock::now();
  poller.wait(kLong);
  EXPECT_FALSE(poller.readable(index));
  EXPECT_GE(std::chrono::steady_clock::now() - began, kLong);
}

TEST(Poller, DescriptorsAreLevelTriggered) {
  const Event quiet;
  const Event event;
  Poller poller;
  const auto first = poller.add_fd(quiet.fd());
  const auto second = poller.add_fd(event.fd());
  event.set();
  for (int i = 0; i < 3; ++i) {
    poller.wait(std::nullopt);
    EXPECT_FALSE(poller.readable(first));
    EXPECT_TRUE(poller.readable(second));
  }
  event.clear();
  poller.wait(Millis(0));
  EXPECT_FALSE(poller.readable(second));
}

TEST(Poller, SocketsAndDescriptorsTogether) {
  Context context;
  RouterSocket router(context, testing::quick_tuning());
  ASSERT_TRUE(router.bind("inproc://poller").has_value());
  const Event event;
  Poller poller;
  const auto fd_index = poller.add_fd(event.fd());
  const auto socket_index = poller.add(router.native());
  DealerSocket dealer(context, testing::quick_tuning());
  ASSERT_TRUE(dealer.connect("inproc://poller").has_value());
  ASSERT_EQ(dealer.send(testing::ping(1)), SendStatus::sent);
  poller.wait(std::nullopt);
  EXPECT_TRUE(poller.readable(socket_index));
  EXPECT_FALSE(poller.readable(fd_index));
  event.set();
  poller.wait(std::nullopt);
  EXPECT_TRUE(poller.readable(socket_index));
  EXPECT_TRUE(poller.readable(fd_index));
}

TEST(Poller, AClosedPeerOfAPipeIsReadable) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[1]);
  Poller poller;
  const auto index = poller.add_fd(ends[0]);
  poller.wait(std::nullopt);
  EXPECT_TRUE(poller.readable(index));
  ::close(ends[0]);
}

extern "C" void do_nothing(int) {}

TEST(Poller, ASignalWakesItUp) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = do_nothing;  // without SA_RESTART
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  const Event event;
  Poller poller;
  const auto index = poller.add_fd(event.fd());
  std::atomic<bool> is_back{false};
  const pthread_t waiter = ::pthread_self();
  // Signals until the wait has returned, since the first one may come before it began.
  std::thread signaller([&] {
    while (!is_back) {
      ::pthread_kill(waiter, SIGUSR1);
      std::this_thread::yield();
    }
  });
  poller.wait(std::nullopt);
  is_back = true;
  signaller.join();
  EXPECT_FALSE(poller.readable(index));
  ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
}

}  // namespace
}  // namespace taskpipe::net
