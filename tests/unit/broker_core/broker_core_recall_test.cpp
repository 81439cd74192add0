// RECALL: who has nothing to do gets half of what another holds unstarted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

constexpr Peer kIdle{Port::worker, 101};

class BrokerCoreRecallTest : public BrokerCoreTest {
 protected:
  static Outcome of_length(std::uint64_t wall_us) {
    Outcome outcome = success();
    outcome.usage.wall_us = wall_us;
    return outcome;
  }
  // A worker that holds `count` tasks of that length, all sent ahead; their keys as they were sent.
  std::vector<AttemptKey> load(std::uint32_t count, std::uint64_t wall_us) {
    connect(2);
    submit(spec_of("tool"), {id(1'000'000)});
    finish(given().at(0), of_length(wall_us));
    cluster_.say(kWorker, worker_, Credit{5000, 1U << 30U});
    for (std::uint32_t at = 0; at < count; at += 100) {
      std::vector<TaskId> ids;
      for (std::uint32_t i = at; i < std::min(count, at + 100); ++i) ids.push_back(id(i));
      submit(spec_of("tool"), ids);
    }
    auto keys = given();
    EXPECT_EQ(keys.size(), count);
    return keys;
  }
  void connect_idle() {
    idle_ = cluster_.connect_worker(kIdle.routing, PeerUuid(6, 6), "idle", offer_of("tool", 2));
    cluster_.say(kIdle, idle_, Credit{5000, 1U << 30U});
  }
  std::vector<AttemptKey> given_to_idle() {
    std::vector<AttemptKey> keys;
    for (const auto& tasks : cluster_.take_all<Tasks>(kIdle)) {
      for (const auto& item : tasks.items) keys.push_back(item.attempt);
    }
    return keys;
  }

  SessionId idle_;
};

TEST_F(BrokerCoreRecallTest, AnIdleWorkerGetsShareOfWhatAnotherHolds) {
  const auto keys = load(200, 5000);
  connect_idle();
  const auto recalls = cluster_.take_all<Recall>(kWorker);
  ASSERT_EQ(recalls.size(), 1U);
  const auto& asked = recalls[0].attempts;
  EXPECT_EQ(asked.size(), 99U) << "half of what is beyond its two slots";
  for (const auto& key : asked) {
    EXPECT_GE(key.task, keys[keys.size() - asked.size()].task) << "the last to start go first";
  }
  cluster_.say(kWorker, worker_, Returned{asked});
  const auto moved = given_to_idle();
  EXPECT_GE(moved.size(), asked.size() / 2);
  EXPECT_EQ(moved[0].attempt, Attempt(2));
  for (const auto& key : moved) cluster_.say(kIdle, idle_, Result{{{key, of_length(5000)}}});
  for (const auto& key : moved) EXPECT_TRUE(cluster_.history().contains(key.task));
}

TEST_F(BrokerCoreRecallTest, NothingIsChargedToARecalledTask) {
  load(200, 5000);
  connect_idle();
  const auto recalls = cluster_.take_all<Recall>(kWorker);
  ASSERT_EQ(recalls.size(), 1U);
  cluster_.say(kWorker, worker_, Returned{recalls[0].attempts});
  for (const auto& [lsn, record] : cluster_.journal()) {
    if (const auto* requeued = std::get_if<record::TasksRequeued>(&record)) {
      EXPECT_EQ(requeued->cause, record::RequeueCause::returned);
    }
  }
}

TEST_F(BrokerCoreRecallTest, OneRecallAtATimeAndNoneInVain) {
  load(200, 5000);
  connect_idle();
  ASSERT_EQ(cluster_.take_all<Recall>(kWorker).size(), 1U);
  cluster_.say(kIdle, idle_, Credit{5001, 1U << 30U});
  EXPECT_TRUE(cluster_.take_all<Recall>(kWorker).empty()) << "one is open";
  cluster_.say(kWorker, worker_, Returned{});  // all of them had started
  cluster_.say(kIdle, idle_, Credit{5002, 1U << 30U});
  EXPECT_TRUE(cluster_.take_all<Recall>(kWorker).empty()) << "it was in vain, and nothing is new";
}

TEST_F(BrokerCoreRecallTest, WhatIsDoneSoonIsLeftWhereItIs) {
  load(200, 50);
  connect_idle();
  EXPECT_TRUE(cluster_.take_all<Recall>(kWorker).empty());
}

TEST_F(BrokerCoreRecallTest, WhatHasStartedOrIsCancelledIsNotRecalled) {
  const auto keys = load(100, 9000);
  Started started;
  for (std::size_t i = 90; i < 95; ++i) started.items.push_back({keys[i], 1});
  cluster_.say(kWorker, worker_, started);
  cluster_.say(kClient, client_, Cancel{{keys[95].task}, {}, 0});
  cluster_.take(kWorker);
  connect_idle();
  const auto recalls = cluster_.take_all<Recall>(kWorker);
  ASSERT_EQ(recalls.size(), 1U);
  for (std::size_t i = 90; i <= 95; ++i) {
    EXPECT_THAT(recalls[0].attempts, ::testing::Not(::testing::Contains(keys[i])));
  }
}

TEST_F(BrokerCoreRecallTest, AWorkerThatCannotRunThemAsksForNothing) {
  load(200, 5000);
  const SessionId other =
      cluster_.connect_worker(kIdle.routing, PeerUuid(6, 6), "other", offer_of("another", 2));
  cluster_.say(kIdle, other, Credit{5000, 1U << 30U});
  EXPECT_TRUE(cluster_.take_all<Recall>(kWorker).empty());
}

TEST_F(BrokerCoreRecallTest, AnUnansweredRecallEndsWithItsSession) {
  load(200, 5000);
  connect_idle();
  ASSERT_EQ(cluster_.take_all<Recall>(kWorker).size(), 1U);
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 2));
  const auto taken = given_to_idle();
  EXPECT_EQ(taken.size(), 200U) << "what the worker forgot goes to who is there";
}

}  // namespace
}  // namespace taskpipe::broker::testing
