// What has ended is handed over at the history's pace, once each, and stays until it is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class ArchiveTest : public BrokerCoreTest {
 protected:
  ArchiveTest() { cluster_.auto_history = false; }

  // Tasks that one message ends, and so one record.
  void run(std::uint32_t first, std::uint32_t count) {
    std::vector<TaskId> ids;
    for (std::uint32_t i = first; i < first + count; ++i) ids.push_back(id(i));
    submit(spec_of("tool"), ids);
    Result result;
    for (const auto& key : given()) result.items.push_back({key, success()});
    ASSERT_THAT(result.items, SizeIs(count));
    cluster_.say(kWorker, worker_, std::move(result));
  }
  HistoryBatch offer(std::size_t most_tasks) {
    return offer(most_tasks, cluster_.core().last_lsn());
  }
  HistoryBatch offer(std::size_t most_tasks, Lsn synced) {
    cluster_.core().apply(command::HistoryReady{synced, most_tasks}, cluster_.now(),
                          cluster_.effects());
    return std::exchange(cluster_.effects().archive, {}).value_or(HistoryBatch{});
  }
  // The result of an attempt of task 0 that counts no more.
  void say_late(Attempt attempt) { finish(AttemptKey{id(0), cluster_.core().epoch(), attempt}); }
  void stored(const HistoryBatch& batch) {
    cluster_.apply(command::HistoryCommitted{batch.watermark});
  }
  static std::vector<TaskId> ids_of(const HistoryBatch& batch) {
    std::vector<TaskId> ids;
    for (const auto& task : batch.tasks) ids.push_back(task.id);
    return ids;
  }
};

TEST_F(ArchiveTest, HandsOverWhatThereIsRoomForAndGoesOnFromThere) {
  connect(8);
  run(0, 2);
  run(2, 2);
  run(4, 2);
  const HistoryBatch first = offer(1);
  EXPECT_THAT(ids_of(first), ElementsAre(id(0), id(1))) << "a record is not taken apart";
  EXPECT_EQ(first.watermark, first.tasks.back().terminal_lsn);
  const HistoryBatch second = offer(3);
  EXPECT_THAT(ids_of(second), ElementsAre(id(2), id(3), id(4), id(5)));
  EXPECT_EQ(second.watermark, cluster_.core().last_lsn());
  EXPECT_THAT(ids_of(offer(10)), ElementsAre());
  EXPECT_EQ(cluster_.core().tasks_held(), 6U) << "nothing is in the history yet";
  stored(first);
  EXPECT_EQ(cluster_.core().tasks_held(), 4U);
  run(6, 1);
  EXPECT_THAT(ids_of(offer(10)), ElementsAre(id(6)));
  stored(second);
  EXPECT_EQ(cluster_.core().tasks_held(), 1U);
}

TEST_F(ArchiveTest, WhatTheHistoryHasLeavesMemoryBitByBit) {
  constexpr std::uint32_t kRecords = 30;
  constexpr std::uint32_t kOfARecord = 100;
  connect(kOfARecord);
  cluster_.say(kWorker, worker_, Credit{kRecords * kOfARecord, 100'000'000});
  for (std::uint32_t i = 0; i < kRecords; ++i) run(i * kOfARecord, kOfARecord);
  std::size_t held = cluster_.core().tasks_held();
  ASSERT_EQ(held, kRecords * kOfARecord);
  stored(offer(held));
  std::size_t turns = 1;
  for (; cluster_.core().tasks_held() > 0; ++turns) {
    ASSERT_LT(turns, kRecords);
    EXPECT_LT(cluster_.core().tasks_held(), held);
    held = cluster_.core().tasks_held();
    EXPECT_EQ(held % kOfARecord, 0U) << "a record is not taken apart";
    ASSERT_EQ(cluster_.core().next_deadline(), MonotonicTime{}) << "nobody would go on";
    cluster_.end_turn();
  }
  EXPECT_GT(turns, 3U) << "everybody waits for a whole transaction";
  EXPECT_NE(cluster_.core().next_deadline(), MonotonicTime{});
}

TEST_F(ArchiveTest, WhatIsNotOnTheMediumIsNotHandedOver) {
  connect(8);
  run(0, 1);
  const Lsn synced = cluster_.core().last_lsn();
  run(1, 1);
  EXPECT_THAT(ids_of(offer(10, Lsn(synced.value() - 1))), ElementsAre());
  EXPECT_THAT(ids_of(offer(10, synced)), ElementsAre(id(0)));
  EXPECT_THAT(ids_of(offer(10)), ElementsAre(id(1)));
}

TEST_F(ArchiveTest, ANewCoreHandsOverAgainWhatTheHistoryDoesNotHave) {
  connect(8);
  run(0, 1);
  run(1, 1);
  stored(offer(1));
  offer(1);  // lost with the process
  cluster_.restart();
  EXPECT_THAT(ids_of(offer(10)), ElementsAre(id(0), id(1)))
      << "the test's history never learnt of the first";
}

TEST_F(ArchiveTest, WhatCameLateGoesWithItsTask) {
  connect(8);
  run(0, 1);
  say_late(Attempt(7));
  const HistoryBatch batch = offer(10);
  ASSERT_THAT(batch.tasks, SizeIs(1));
  ASSERT_THAT(batch.tasks[0].pasts, SizeIs(1));
  EXPECT_EQ(batch.tasks[0].pasts[0].kind, PastKind::late);
  EXPECT_THAT(batch.late, SizeIs(0));
}

TEST_F(ArchiveTest, WhatCameLaterStillIsGivenByItself) {
  connect(8);
  run(0, 1);
  run(1, 1);
  const HistoryBatch given = offer(1);
  say_late(Attempt(7));
  const HistoryBatch next = offer(1);
  EXPECT_THAT(ids_of(next), ElementsAre(id(1)));
  ASSERT_THAT(next.late, SizeIs(1));
  EXPECT_EQ(next.late[0].task, id(0));
  stored(given);
  stored(next);
  say_late(Attempt(8));
  EXPECT_THAT(offer(1).late, SizeIs(1)) << "its task is in the history alone";
}

TEST_F(ArchiveTest, WhatCameLateIsGivenAgainByANewCore) {
  connect(8);
  run(0, 1);
  cluster_.commit_history();
  say_late(Attempt(7));
  cluster_.restart();
  const HistoryBatch batch = offer(10);
  EXPECT_THAT(batch.tasks, SizeIs(0));
  EXPECT_THAT(batch.late, SizeIs(1));
}

TEST_F(ArchiveTest, AWorkflowFollowsItsLastTask) {
  connect(8);
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(7, 7);
  workflow.total = 2;
  workflow.specs = {spec_of("tool")};
  for (std::uint32_t i = 0; i < 2; ++i) {
    workflow.items.push_back({id(i), 0, {}, {}});
    workflow.dependencies.emplace_back();
  }
  cluster_.say(kClient, client_, std::move(workflow));
  const auto keys = given();
  ASSERT_THAT(keys, SizeIs(2));
  for (const auto& key : keys) finish(key);
  const HistoryBatch first = offer(1);
  EXPECT_THAT(first.tasks, SizeIs(1));
  EXPECT_THAT(first.workflows, SizeIs(0));
  const HistoryBatch second = offer(1);
  EXPECT_THAT(second.tasks, SizeIs(1));
  EXPECT_THAT(second.workflows, SizeIs(1));
}

}  // namespace
}  // namespace taskpipe::broker::testing
