// What the session does for a followed stream: asking, credit, reconnects, snapshots.
#include "tests/unit/client/session_harness.hpp"

namespace taskpipe::client::testing {
namespace {

class WatchesTest : public SessionHarness {
 protected:
  CallId follow(std::optional<std::uint64_t> after = std::nullopt) {
    command::Watch watch;
    watch.filter.stream = "task.tool.";
    watch.after_seq = after;
    return begin(std::move(watch));
  }
  static Events events(std::uint64_t prev, std::uint64_t seq) {
    Events message;
    message.epoch = Epoch(1);
    message.prev_seq = prev;
    message.seq = seq;
    return message;
  }
  void error(ErrorCode code) {
    receive(ErrorReply{Error{code, "told so", "after_seq", {}}}, asked_);
  }
  // The one message of that kind that was sent.
  template <class T>
  T asked(const Effects& effects) {
    T found{};
    std::size_t count = 0;
    for (const auto& outgoing : effects.sends) {
      if (const auto* message = std::get_if<T>(&outgoing.message)) {
        found = *message;
        asked_ = outgoing.correlation;
        ++count;
      }
    }
    EXPECT_EQ(count, 1U);
    return found;
  }

  Correlation asked_;
};

TEST_F(WatchesTest, AsksFromItsNumberOnAndHandsOnWhatComes) {
  connect();
  const CallId call = follow(41);
  const auto watch = asked<Watch>(turn());
  EXPECT_EQ(watch.filter.stream, "task.tool.");
  EXPECT_EQ(watch.after_seq, 41U);
  EXPECT_FALSE(watch.epoch);
  EXPECT_EQ(watch.credit, limits::kFollowCredit);
  receive(events(41, 43), asked_);
  const auto arrived = delivered<delivery::ChangesArrived>(turn());
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_EQ(arrived[0].second.events.seq, 43U);
  EXPECT_EQ(arrived[0].first.call, call);
}

TEST_F(WatchesTest, GoesOnInTheNextSession) {
  connect();
  follow(41);
  asked<Watch>(turn());
  receive(events(41, 50), asked_);
  turn();
  const auto watch = asked<Watch>(establish());
  EXPECT_EQ(watch.after_seq, 50U);
  EXPECT_EQ(watch.epoch, Epoch(1));
}

TEST_F(WatchesTest, FromNowOnStaysSoUntilItIsAnswered) {
  connect();
  follow();
  EXPECT_FALSE(asked<Watch>(turn()).after_seq);
  EXPECT_FALSE(asked<Watch>(establish()).after_seq);
  receive(events(7, 7), asked_);
  turn();
  EXPECT_EQ(asked<Watch>(establish()).after_seq, 7U);
}

TEST_F(WatchesTest, CreditFollowsWhatTheCallerHasTaken) {
  connect();
  const CallId call = follow(0);
  asked<Watch>(turn());
  for (std::uint64_t i = 0; i < limits::kFollowCredit; ++i) receive(events(i, i + 1), asked_);
  EXPECT_TRUE(sent<WatchCredit>(turn()).empty());
  core_.watch_report(call, {limits::kFollowCredit / 2 - 1, {}, {}, true});
  EXPECT_TRUE(sent<WatchCredit>(turn()).empty());
  core_.watch_report(call, {1, {}, {}, true});
  const auto credit = sent<WatchCredit>(turn());
  ASSERT_EQ(credit.size(), 1U);
  EXPECT_EQ(std::get<WatchCredit>(credit[0].message).total,
            limits::kFollowCredit + limits::kFollowCredit / 2);
}

TEST_F(WatchesTest, IsEndedWhileItIsNotWanted) {
  connect();
  const CallId call = follow(0);
  asked<Watch>(turn());
  const Correlation first = asked_;
  core_.watch_report(call, {0, 20, Epoch(1), false});
  EXPECT_TRUE(asked<WatchCredit>(turn()).end);
  EXPECT_EQ(asked_, first);
  receive(events(0, 5), first);  // was on its way
  turn();
  core_.watch_report(call, {0, 33, Epoch(1), true});
  EXPECT_EQ(asked<Watch>(turn()).after_seq, 33U);
}

TEST_F(WatchesTest, TakesASnapshotWhereTheChangesAreGone) {
  connect();
  const CallId call = follow(3);
  asked<Watch>(turn());
  error(ErrorCode::gap_too_old);
  EXPECT_EQ(asked<Snapshot>(turn()).cursor, 0U);
  Snap first;
  first.epoch = Epoch(1);
  first.seq = 100;
  first.next = 7;
  receive(first, asked_);
  EXPECT_EQ(asked<Snapshot>(turn()).cursor, 7U);
  ASSERT_EQ(delivered<delivery::SnapshotArrived>(last_).size(), 1U);
  EXPECT_TRUE(delivered<delivery::SnapshotArrived>(last_)[0].second.first);
  Snap last;
  last.epoch = Epoch(1);
  last.seq = 120;
  receive(last, asked_);
  EXPECT_EQ(asked<Watch>(turn()).after_seq, 100U);
  EXPECT_FALSE(delivered<delivery::SnapshotArrived>(last_)[0].second.first);
  core_.watch_report(call, {2, {}, {}, true});
}

TEST_F(WatchesTest, ASnapshotBeginsAnewInTheNextSession) {
  connect();
  follow(3);
  asked<Watch>(turn());
  error(ErrorCode::gap_too_old);
  asked<Snapshot>(turn());
  Snap first;
  first.next = 7;
  receive(first, asked_);
  asked<Snapshot>(turn());
  EXPECT_EQ(asked<Snapshot>(establish()).cursor, 0U);
}

TEST_F(WatchesTest, NumbersMeanNothingToABrokerWithOtherData) {
  connect();
  follow(3);
  asked<Watch>(turn());
  receive(events(3, 4), asked_);
  turn();
  receive_in(SessionId{}, Who{epoch_});
  turn();
  session_ = session_.next();
  Welcome other = welcome();
  other.broker = BrokerUuid(77, 77);
  receive(other);
  EXPECT_EQ(asked<Snapshot>(turn()).cursor, 0U);
}

TEST_F(WatchesTest, ABusyBrokerIsAskedAgain) {
  connect();
  follow(3);
  asked<Watch>(turn());
  receive(ErrorReply{Error{ErrorCode::busy, "later", {}, 500}}, asked_);
  EXPECT_TRUE(sent<Watch>(turn()).empty());
  advance(Millis(501));
  EXPECT_EQ(asked<Watch>(turn()).after_seq, 3U);
}

TEST_F(WatchesTest, OtherErrorsEndTheCall) {
  connect();
  const CallId call = follow(3);
  asked<Watch>(turn());
  error(ErrorCode::invalid);
  turn();
  ASSERT_EQ(delivered<delivery::Failed>(last_).size(), 1U);
  EXPECT_EQ(last_.deliveries[0].call, call);
}

TEST_F(WatchesTest, WhoIsForgottenIsEndedAtTheBroker) {
  connect();
  const CallId call = follow(3);
  asked<Watch>(turn());
  core_.forget(call);
  EXPECT_TRUE(asked<WatchCredit>(turn()).end);
  receive(events(3, 4), asked_);
  EXPECT_TRUE(turn().deliveries.empty());
}

TEST_F(WatchesTest, ThePresentNumberIsOnePage) {
  connect();
  command::Watch position;
  position.filter.tasks = {TaskId{}};
  position.only_position = true;
  begin(std::move(position));
  asked<Snapshot>(turn());
  Snap page;
  page.seq = 9;
  receive(page, asked_);
  turn();
  ASSERT_EQ(last_.deliveries.size(), 1U);
  EXPECT_TRUE(last_.deliveries[0].last);
}

}  // namespace
}  // namespace taskpipe::client::testing
