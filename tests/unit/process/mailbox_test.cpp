#include "common/process/mailbox.hpp"

#include <poll.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace taskpipe::process {
namespace {

bool wait_readable(int fd, int timeout_ms) {
  ::pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, timeout_ms) == 1;
}

TEST(Mailbox, DeliversInOrderAndOnce) {
  Mailbox<int> mailbox;
  EXPECT_FALSE(wait_readable(mailbox.fd(), 0));
  for (int i = 0; i < 5; ++i) mailbox.post(i);
  EXPECT_TRUE(wait_readable(mailbox.fd(), 0));
  std::vector<int> out = {99};
  mailbox.take(out);
  EXPECT_EQ(out, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_FALSE(wait_readable(mailbox.fd(), 0));
  mailbox.take(out);
  EXPECT_TRUE(out.empty());
}

TEST(Mailbox, CarriesWhatCannotBeCopied) {
  Mailbox<std::unique_ptr<int>> mailbox;
  mailbox.post(std::make_unique<int>(7));
  std::vector<std::unique_ptr<int>> out;
  mailbox.take(out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(*out.front(), 7);
}

TEST(Mailbox, LosesNoWakeUpBetweenThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  Mailbox<std::pair<int, int>> mailbox;
  std::vector<std::thread> senders;
  senders.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    senders.emplace_back([&mailbox, t] {
      for (int i = 0; i < kEach; ++i) mailbox.post({t, i});
    });
  }
  std::vector<int> next(kThreads, 0);
  std::vector<std::pair<int, int>> batch;
  for (int received = 0; received < kThreads * kEach;) {
    ASSERT_TRUE(wait_readable(mailbox.fd(), 10'000)) << received << " received";
    mailbox.take(batch);
    for (const auto& [thread, number] : batch) {
      EXPECT_EQ(number, next[static_cast<std::size_t>(thread)]++);
      ++received;
    }
  }
  for (std::thread& sender : senders) sender.join();
}

}  // namespace
}  // namespace taskpipe::process
