// Who is charged when a worker dies: a task that kills its workers ends, and no other does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

// A worker process as the real one behaves at its worst: it runs handlers in the order in which
// they came, announces none of them, and hands results over in one batch, which is lost when one of
// them kills the process.
class FragileWorker {
 public:
  FragileWorker(CoreCluster& cluster, const std::set<TaskId>& killers)
      : cluster_(cluster), killers_(killers) {}

  enum class Death { comes_back, never_seen_again };

  void connect(std::uint32_t cpus) {
    cpus_ = cpus;
    ++incarnation_;
    peer_ = Peer{Port::worker, ++routing_};
    session_ = cluster_.connect_worker(peer_.routing, PeerUuid(6, uuid_), "fragile",
                                       offer_of("tool", cpus), incarnation_);
    cluster_.say(peer_, session_, Credit{limits::kWorkerWindowTasks, 1U << 30U});
    received_.clear();
    take();
  }

  // Runs what it was given; true when that was its death.
  bool run() {
    take();
    Result result;
    for (const AttemptKey& key : std::exchange(received_, {})) {
      ++runs_[key.task];
      if (killers_.contains(key.task)) return true;
      Outcome outcome = success();
      outcome.usage.wall_us = 100;  // short: more is sent ahead
      result.items.push_back({key, outcome});
    }
    for (std::size_t at = 0; at < result.items.size(); at += limits::kMaxBatchItems) {
      const std::size_t end = std::min(result.items.size(), at + limits::kMaxBatchItems);
      cluster_.say(peer_, session_,
                   Result{{result.items.begin() + static_cast<std::ptrdiff_t>(at),
                           result.items.begin() + static_cast<std::ptrdiff_t>(end)}});
    }
    granted_ += result.items.size();
    cluster_.say(peer_, session_, Credit{limits::kWorkerWindowTasks + granted_, 1U << 30U});
    return false;
  }

  void die(Death death) {
    cluster_.apply(command::PeerUnreachable{peer_});
    granted_ = 0;
    if (death == Death::never_seen_again) {
      ++uuid_;
      cluster_.advance(Millis(limits::kLeaseMs));
    }
    connect(cpus_);
  }

  [[nodiscard]] const std::map<TaskId, std::uint32_t>& runs() const { return runs_; }
  [[nodiscard]] std::size_t held() {
    take();
    return received_.size();
  }

 private:
  void take() {
    for (const auto& tasks : cluster_.take_all<Tasks>(peer_)) {
      for (const auto& item : tasks.items) received_.push_back(item.attempt);
    }
  }

  CoreCluster& cluster_;
  const std::set<TaskId>& killers_;
  std::uint32_t cpus_ = 1;
  std::uint64_t uuid_ = 1;
  std::uint64_t incarnation_ = 0;
  std::uint64_t routing_ = 500;
  std::uint64_t granted_ = 0;
  Peer peer_;
  SessionId session_;
  std::vector<AttemptKey> received_;
  std::map<TaskId, std::uint32_t> runs_;
};

class BrokerCoreLossesTest : public ::testing::TestWithParam<FragileWorker::Death> {
 protected:
  static TaskId id(std::uint32_t i) { return TaskIdPrefix{1000, 99}.id(i); }

  // `count` short tasks, of which some kill whoever runs them, on a worker with `cpus`.
  void run_all(std::uint32_t count, std::uint32_t cpus) {
    const SessionId client = cluster_.connect_client(1, "ann");
    FragileWorker worker(cluster_, killers_);
    worker.connect(cpus);
    // One that shows how short they are: from then on they are sent ahead.
    cluster_.say(kClient, client, submit_of(spec_of("tool"), {id(count)}));
    ASSERT_FALSE(worker.run());
    std::vector<TaskId> ids;
    for (std::uint32_t i = 0; i < count; ++i) ids.push_back(id(i));
    cluster_.say(kClient, client, submit_of(spec_of("tool"), ids));
    EXPECT_EQ(worker.held(), count) << "they are not sent ahead";
    for (std::uint32_t round = 0; round < 100 * count && cluster_.core().tasks_held() > 0;
         ++round) {
      if (worker.run()) worker.die(GetParam());
    }
    EXPECT_EQ(cluster_.core().tasks_held(), 0U);
    for (std::uint32_t i = 0; i < count; ++i) check(id(i), worker.runs());
  }

  void check(const TaskId& task, const std::map<TaskId, std::uint32_t>& runs) {
    ASSERT_TRUE(cluster_.history().contains(task));
    const Outcome& outcome = cluster_.history().at(task).outcome;
    if (killers_.contains(task)) {
      EXPECT_EQ(outcome.state, TaskState::error);
      EXPECT_EQ(outcome.failure, FailureClass::worker_lost);
      EXPECT_LE(runs.at(task), limits::kMaxWorkerLosses + 1) << "it killed too many workers";
    } else {
      EXPECT_EQ(outcome.state, TaskState::success)
          << task.to_string() << " ended with another task: " << outcome.reason;
    }
  }

  std::set<TaskId> killers_;
  CoreCluster cluster_;
};

TEST_P(BrokerCoreLossesTest, ATaskThatKillsItsWorkersEndsAloneInOneSlot) {
  killers_ = {id(50)};
  run_all(100, 1);
}

TEST_P(BrokerCoreLossesTest, ATaskThatKillsItsWorkersEndsAloneInManySlots) {
  killers_ = {id(50)};
  run_all(100, 8);
}

TEST_P(BrokerCoreLossesTest, ManySuchTasksAmongOthersEndAlone) {
  for (const std::uint32_t i : {0U, 1U, 17U, 40U, 41U, 77U, 99U}) killers_.insert(id(i));
  run_all(100, 4);
}

INSTANTIATE_TEST_SUITE_P(Deaths, BrokerCoreLossesTest,
                         ::testing::Values(FragileWorker::Death::comes_back,
                                           FragileWorker::Death::never_seen_again),
                         [](const auto& death) {
                           return death.param == FragileWorker::Death::comes_back
                                      ? "ComesBack"
                                      : "NeverSeenAgain";
                         });

class BrokerCoreCareTest : public BrokerCoreTest {
 protected:
  // Loses what the worker holds, by the death of its process, and brings it back.
  void crash(std::uint32_t cpus) {
    worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", cpus),
                                      ++incarnation_);
    cluster_.say(kWorker, worker_, Credit{100, 1'000'000});
  }
  // Leaves id(0) with one chance; it is placed, and returned here.
  std::vector<AttemptKey> use_up_chances(std::uint32_t cpus) {
    connect(cpus);
    submit(spec_of("tool"), {id(0)});
    for (std::uint32_t i = 0; i < limits::kMaxWorkerLosses; ++i) {
      EXPECT_EQ(given().size(), 1U);
      crash(cpus);
    }
    return given();
  }

  std::uint64_t incarnation_ = 1;
};

TEST_F(BrokerCoreCareTest, ABrokenConnectionCostsWhatHadNotStartedNothing) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  for (std::uint32_t i = 0; i < 3 * limits::kMaxWorkerLosses; ++i) {
    ASSERT_EQ(given().size(), 1U) << i;
    worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 1));
    cluster_.say(kWorker, worker_, Credit{100, 1'000'000});
  }
  finish(given().at(0));
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.state, TaskState::success);
}

TEST_F(BrokerCoreCareTest, ATaskWithOneChanceLeftRunsAlone) {
  const auto last = use_up_chances(4);
  ASSERT_EQ(last.size(), 1U);
  submit(spec_of("tool"), {id(1), id(2)});
  EXPECT_TRUE(given().empty()) << "it has company";
  finish(last[0]);
  EXPECT_EQ(given().size(), 2U);
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.state, TaskState::success);
}

TEST_F(BrokerCoreCareTest, ABusyWorkerIsEmptiedForATaskWithOneChanceLeft) {
  const auto last = use_up_chances(2);
  ASSERT_EQ(last.size(), 1U);
  // A second worker takes over what the first one holds, and is busy.
  const Peer second{Port::worker, 101};
  const SessionId other =
      cluster_.connect_worker(second.routing, PeerUuid(6, 6), "second", offer_of("tool", 2));
  cluster_.say(second, other, Credit{100, 1'000'000});
  submit(spec_of("tool"), {id(1), id(2), id(3), id(4)});
  std::vector<AttemptKey> running;
  for (const auto& tasks : cluster_.take_all<Tasks>(second)) {
    for (const auto& item : tasks.items) running.push_back(item.attempt);
  }
  ASSERT_EQ(running.size(), 2U);
  cluster_.say(kWorker, worker_, Returned{{last[0]}});  // and it goes away for good
  cluster_.say(kWorker, worker_, Drained{true});
  const auto end = [&](const AttemptKey& key) {
    cluster_.say(second, other, Result{{{key, success()}}});
    std::vector<AttemptKey> got;
    for (const auto& tasks : cluster_.take_all<Tasks>(second)) {
      for (const auto& item : tasks.items) got.push_back(item.attempt);
    }
    return got;
  };
  EXPECT_TRUE(end(running[0]).empty()) << "it is not kept free";
  const auto alone = end(running[1]);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0].task, id(0));
  EXPECT_EQ(end(alone[0]).size(), 2U) << "the others wait no longer";
}

TEST_F(BrokerCoreCareTest, AReservationEndsWithItsTask) {
  const auto last = use_up_chances(2);
  ASSERT_EQ(last.size(), 1U);
  const Peer second{Port::worker, 101};
  const SessionId other =
      cluster_.connect_worker(second.routing, PeerUuid(6, 6), "second", offer_of("tool", 2));
  cluster_.say(second, other, Credit{100, 1'000'000});
  submit(spec_of("tool"), {id(1)});
  ASSERT_EQ(cluster_.take_all<Tasks>(second).size(), 1U);
  cluster_.say(kWorker, worker_, Drained{true});
  submit(spec_of("tool"), {id(2)});
  EXPECT_TRUE(cluster_.take_all<Tasks>(second).empty()) << "it is kept free for id(0)";
  cluster_.say(kClient, client_, Cancel{{id(0)}, {}, 0});
  EXPECT_EQ(cluster_.take_all<Tasks>(second).size(), 1U);
}

TEST_F(BrokerCoreCareTest, LossesAreRememberedOverARestart) {
  const auto last = use_up_chances(1);
  ASSERT_EQ(last.size(), 1U);
  cluster_.restart();
  cluster_.advance(Millis(limits::kLeaseMs));
  ASSERT_TRUE(cluster_.history().contains(id(0)));
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.failure, FailureClass::worker_lost);
}

}  // namespace
}  // namespace taskpipe::broker::testing
