#include "worker/core/link.hpp"

#include <chrono>

#include <gtest/gtest.h>

#include "common/model/limits.hpp"

namespace taskpipe::worker {
namespace {

using Action = Link::Action;

class LinkTest : public ::testing::Test {
 protected:
  void welcome(std::uint64_t session = 1) {
    Welcome w;
    w.session = SessionId(session);
    w.epoch = Epoch(2);
    w.heartbeat_ms = 2000;
    w.lease_ms = 30'000;
    link_.on_welcome(w, now_);
  }
  void establish() {
    link_.begin(now_);
    ASSERT_EQ(link_.next_action(now_), Action::open_socket);
    link_.on_who();
    ASSERT_EQ(link_.next_action(now_), Action::say_hello);
    welcome();
  }
  void advance_ms(std::int64_t ms) { now_ = now_ + Millis{ms}; }

  Link link_{42};
  MonotonicTime now_{std::chrono::seconds(10)};
};

TEST_F(LinkTest, DoesNothingBeforeItBegins) {
  EXPECT_EQ(link_.next_action(now_), Action::none);
  EXPECT_FALSE(link_.next_deadline());
  link_.on_who();
  EXPECT_EQ(link_.next_action(now_), Action::none);
}

TEST_F(LinkTest, ShakesHands) {
  establish();
  EXPECT_TRUE(link_.established());
  EXPECT_EQ(link_.session(), SessionId(1));
  EXPECT_EQ(link_.last_epoch(), Epoch(2));
  EXPECT_EQ(link_.next_action(now_), Action::none);
}

TEST_F(LinkTest, PingsEachHeartbeat) {
  establish();
  for (int beat = 0; beat < 3; ++beat) {
    advance_ms(1999);
    link_.on_life(now_);
    EXPECT_EQ(link_.next_action(now_), Action::none);
    advance_ms(1);
    EXPECT_EQ(link_.next_deadline(), now_);
    EXPECT_EQ(link_.next_action(now_), Action::ping);
  }
}

TEST_F(LinkTest, OpensAFreshSocketAfterALeaseOfSilence) {
  establish();
  advance_ms(29'999);
  EXPECT_EQ(link_.next_action(now_), Action::ping);
  EXPECT_EQ(link_.next_action(now_), Action::none);
  advance_ms(1);
  EXPECT_EQ(link_.next_action(now_), Action::open_socket);
  EXPECT_FALSE(link_.established());
  EXPECT_EQ(link_.session(), SessionId{});
}

TEST_F(LinkTest, LosesPatienceMoreSlowlyEachTime) {
  link_.begin(now_);
  ASSERT_EQ(link_.next_action(now_), Action::open_socket);
  std::chrono::nanoseconds before{0};
  for (int failure = 0; failure < 8; ++failure) {
    const MonotonicTime until = *link_.next_deadline();
    const auto patience = until - now_;
    // With a quarter of jitter on top, doubling still makes each step at least 1.5 times longer,
    // until the bound.
    EXPECT_GE(patience, std::min<std::chrono::nanoseconds>(before * 3 / 2, Millis{30'000}));
    EXPECT_LE(patience, Millis{37'500});
    before = patience;
    now_ = until;
    EXPECT_EQ(link_.next_action(now_), Action::open_socket);
  }
}

TEST_F(LinkTest, WorkersDoNotComeBackTogether) {
  Link other(43);
  link_.begin(now_);
  other.begin(now_);
  (void)link_.next_action(now_);
  (void)other.next_action(now_);
  EXPECT_NE(link_.next_deadline(), other.next_deadline());
}

TEST_F(LinkTest, ManyWhosMakeOneHello) {
  establish();
  advance_ms(5000);
  link_.on_life(now_);
  ASSERT_EQ(link_.next_action(now_), Action::ping);
  link_.on_who();
  link_.on_who();
  EXPECT_EQ(link_.next_action(now_), Action::say_hello);
  link_.on_who();
  EXPECT_EQ(link_.next_action(now_), Action::none);
  welcome(2);
  advance_ms(1500);
  EXPECT_EQ(link_.next_action(now_), Action::none);
}

TEST_F(LinkTest, ALostHelloIsSaidAgain) {
  link_.begin(now_);
  (void)link_.next_action(now_);
  link_.on_who();
  ASSERT_EQ(link_.next_action(now_), Action::say_hello);
  const Correlation first = link_.hello_correlation();
  advance_ms(200);
  link_.on_who();  // the connection broke, and the probe of the next one was answered
  EXPECT_EQ(link_.next_action(now_), Action::none);
  EXPECT_EQ(link_.next_deadline(), now_ + Millis{800});
  advance_ms(800);
  EXPECT_EQ(link_.next_action(now_), Action::say_hello);
  EXPECT_NE(link_.hello_correlation(), first);
}

TEST_F(LinkTest, AfterByeWaitsForWhoThenOpensAFreshSocket) {
  establish();
  link_.lose(now_, Millis{20'000});
  EXPECT_FALSE(link_.established());
  EXPECT_EQ(link_.next_action(now_), Action::none);
  EXPECT_GE(*link_.next_deadline(), now_ + Millis{20'000});
  now_ = *link_.next_deadline();
  EXPECT_EQ(link_.next_action(now_), Action::open_socket);
}

}  // namespace
}  // namespace taskpipe::worker
