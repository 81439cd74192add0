#include "client/src/event_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace taskpipe::client {
namespace {

using Topics = std::vector<std::string>;

class EventStreamTest : public ::testing::Test {
 protected:
  Events events(std::uint64_t previous, std::uint64_t seq, std::uint64_t epoch = 1) {
    Events result;
    result.epoch = Epoch{epoch};
    result.prev_seq = previous;
    result.seq = seq;
    return result;
  }
  // What the calls got of one message: (call, gap).
  std::vector<std::pair<std::uint64_t, bool>> receive(const std::string& topic, Events message) {
    Effects out;
    stream_.on_events(topic, std::move(message), now_, out);
    return delivered(out);
  }
  static std::vector<std::pair<std::uint64_t, bool>> delivered(const Effects& out) {
    std::vector<std::pair<std::uint64_t, bool>> result;
    for (const auto& one : out.deliveries) {
      result.emplace_back(one.call.value(), std::get<delivery::EventsArrived>(one.what).batch->gap);
    }
    return result;
  }

  using Got = std::vector<std::pair<std::uint64_t, bool>>;
  EventStream stream_;
  MonotonicTime now_{std::chrono::seconds(50)};
};

TEST_F(EventStreamTest, SubscribesOnceWhateverTheNumberOfCalls) {
  EXPECT_EQ(stream_.add(CallId{1}, {"a.", "a.", "b."}, now_).added,
            (Topics{"a.", "b.", "heartbeat."}));
  EXPECT_TRUE(stream_.add(CallId{2}, {"a."}, now_).added.empty());
  EXPECT_EQ(stream_.topics(), (Topics{"a.", "b.", "heartbeat."}));
  EXPECT_EQ(stream_.remove(CallId{1}).removed, (Topics{"b."}));
  EXPECT_EQ(stream_.remove(CallId{2}).removed, (Topics{"a.", "heartbeat."}));
  EXPECT_TRUE(stream_.remove(CallId{2}).removed.empty());
  EXPECT_TRUE(stream_.empty());
}

TEST_F(EventStreamTest, DeliversByPrefixToWhoAsked) {
  (void)stream_.add(CallId{1}, {"task."}, now_);
  (void)stream_.add(CallId{2}, {"task.shell."}, now_);
  EXPECT_EQ(receive("task.shell.", events(0, 1)), (Got{{1, false}, {2, false}}));
  EXPECT_EQ(receive("task.lammps.", events(0, 1)), (Got{{1, false}}));
  EXPECT_TRUE(receive("worker.", events(0, 1)).empty());
}

TEST_F(EventStreamTest, AGapShowsAtTheNextMessage) {
  (void)stream_.add(CallId{1}, {"a."}, now_);
  EXPECT_EQ(receive("a.", events(4, 5)), (Got{{1, false}}));  // the first one: nothing to miss
  EXPECT_EQ(receive("a.", events(5, 9)), (Got{{1, false}}));
  EXPECT_EQ(receive("a.", events(10, 11)), (Got{{1, true}}));
  EXPECT_EQ(receive("a.", events(11, 11)), (Got{{1, false}}));
}

TEST_F(EventStreamTest, ANewEpochIsAGap) {
  (void)stream_.add(CallId{1}, {"a."}, now_);
  receive("a.", events(4, 5));
  EXPECT_EQ(receive("a.", events(0, 1, 2)), (Got{{1, true}}));
}

TEST_F(EventStreamTest, AHeartbeatShowsWhatIsMissingAtTheEnd) {
  (void)stream_.add(CallId{1}, {"a.", "b."}, now_);
  receive("a.", events(4, 5));
  Events beat = events(0, 1);
  beat.positions = {{"a.", 7}, {"b.", 3}, {"c.", 1}};
  EXPECT_EQ(receive("heartbeat.", beat), (Got{{1, true}}));  // of a; b was never heard of
  EXPECT_TRUE(receive("heartbeat.", beat).empty());
}

TEST_F(EventStreamTest, ARestartIsAGapOfQuietTopicsAtTheNextHeartbeat) {
  (void)stream_.add(CallId{1}, {"a."}, now_);
  (void)stream_.add(CallId{2}, {"b."}, now_);                   // never heard of
  EXPECT_TRUE(receive("heartbeat.", events(0, 0, 1)).empty());  // the first is no restart
  EXPECT_EQ(receive("a.", events(0, 8)), (Got{{1, false}}));
  EXPECT_EQ(receive("heartbeat.", events(0, 0, 2)), (Got{{1, true}, {2, true}}));
  EXPECT_TRUE(receive("heartbeat.", events(0, 0, 2)).empty());   // told once
  EXPECT_EQ(receive("a.", events(0, 3, 2)), (Got{{1, false}}));  // the first of the new broker
  EXPECT_EQ(receive("a.", events(5, 6, 2)), (Got{{1, true}}));
}

TEST_F(EventStreamTest, ARestartIsToldOnceWhereAnEventCameFirst) {
  (void)stream_.add(CallId{1}, {"a."}, now_);
  (void)receive("heartbeat.", events(0, 0, 1));
  (void)receive("a.", events(0, 8));
  EXPECT_EQ(receive("a.", events(0, 9, 2)), (Got{{1, true}}));
  EXPECT_TRUE(receive("heartbeat.", events(0, 0, 2)).empty());
}

TEST_F(EventStreamTest, ARestartIsToldByTheFirstEventEverHeardOnATopic) {
  (void)stream_.add(CallId{1}, {"a."}, now_);
  (void)stream_.add(CallId{2}, {"b."}, now_);
  (void)receive("heartbeat.", events(0, 0, 1));
  EXPECT_EQ(receive("a.", events(0, 1, 2)), (Got{{1, true}}));
  EXPECT_EQ(receive("heartbeat.", events(0, 0, 2)), (Got{{2, true}}));
  EXPECT_EQ(receive("a.x.", events(0, 1, 2)), (Got{{1, false}}));  // of a broker that is known
}

TEST_F(EventStreamTest, ARestartBeforeTheFirstHeartbeatIsTold) {
  (void)stream_.add(CallId{1}, {"a."}, now_);
  EXPECT_EQ(receive("a.", events(0, 8, 1)), (Got{{1, false}}));
  EXPECT_EQ(receive("heartbeat.", events(0, 0, 2)), (Got{{1, true}}));
}

TEST_F(EventStreamTest, WhatAnotherSubscriptionCoversStaysHeardOf) {
  (void)stream_.add(CallId{1}, {"task."}, now_);
  (void)stream_.add(CallId{2}, {"task.shell."}, now_);
  (void)receive("task.shell.", events(0, 1));
  EXPECT_EQ(stream_.remove(CallId{2}).removed, (Topics{"task.shell."}));
  EXPECT_EQ(receive("task.shell.", events(2, 3)), (Got{{1, true}}));
}

TEST_F(EventStreamTest, HeartbeatsAreDeliveredOnlyToWhoAskedForThem) {
  (void)stream_.add(CallId{1}, {"a."}, now_);
  (void)stream_.add(CallId{2}, {"heartbeat."}, now_);
  EXPECT_EQ(receive("heartbeat.", events(0, 1)), (Got{{2, false}}));
}

TEST_F(EventStreamTest, AReconnectIsAGapOfEveryTopicHeardOf) {
  (void)stream_.add(CallId{1}, {"a.", "b."}, now_);
  receive("a.", events(0, 5));
  Effects out;
  stream_.on_reconnect(now_, out);
  EXPECT_EQ(delivered(out), (Got{{1, true}}));
}

TEST_F(EventStreamTest, SilenceCountsOnlyWhileSomebodySubscribes) {
  EXPECT_FALSE(stream_.silent_at());
  (void)stream_.add(CallId{1}, {"a."}, now_);
  EXPECT_EQ(stream_.silent_at(), now_ + EventStream::kSilence);
  now_ = now_ + Millis(5000);
  receive("heartbeat.", events(0, 1));
  EXPECT_EQ(stream_.silent_at(), now_ + EventStream::kSilence);
}

}  // namespace
}  // namespace taskpipe::client
