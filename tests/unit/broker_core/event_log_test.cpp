// The ring of changes alone: what goes in comes out, and what is given up is told.
#include "broker/core/event_log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace taskpipe::broker {
namespace {

TaskId logged_id(std::uint64_t number) { return TaskId(1, number); }

Change change_of(std::uint64_t lsn, std::string_view tool = "lammps") {
  Change change;
  change.id = logged_id(lsn);
  change.lsn = Lsn(lsn);
  change.at = WallTime{static_cast<std::int64_t>(1000 + lsn)};
  change.tool = tool;
  change.script = "in.melt";
  return change;
}

std::vector<TaskEvent> read_after(const EventLog& log, std::uint64_t lsn) {
  std::vector<TaskEvent> events;
  auto cursor = log.after(Lsn(lsn));
  while (log.at(cursor)) {
    events.push_back(log.event(cursor));
    ++cursor.entry;
  }
  return events;
}

TEST(EventLog, TellsAChangeAsItWasPutIn) {
  EventLog log;
  Change change = change_of(7);
  change.state = TaskState::failure;
  change.failure = FailureClass::oom;
  change.attempt = Attempt(3);
  change.worker = WorkerSlot(2);
  change.worker_name = "node-2";
  change.reason = "killed for exceeding its memory";
  change.workflow = WorkflowEvent{WorkflowId(4, 5), 10, 3, 2};
  log.append(change);

  auto cursor = log.after(Lsn(6));
  ASSERT_TRUE(log.at(cursor));
  TaskEvent expected;
  expected.id = logged_id(7);
  expected.state = TaskState::failure;
  expected.failure = FailureClass::oom;
  expected.attempt = Attempt(3);
  expected.tool = "lammps";
  expected.script = "in.melt";
  expected.worker = "node-2";
  expected.message = "killed for exceeding its memory";
  expected.at = WallTime{1007};
  expected.seq = 7;
  EXPECT_EQ(log.event(cursor), expected);
  EXPECT_EQ(log.workflow(cursor), (WorkflowEvent{WorkflowId(4, 5), 10, 3, 2}));
}

TEST(EventLog, ASuccessIsAllDone) {
  EventLog log;
  Change change = change_of(1);
  change.state = TaskState::success;
  log.append(change);
  EXPECT_EQ(read_after(log, 0).at(0).percent, 100.0);
}

TEST(EventLog, IsReadFromAnyNumber) {
  EventLog log;
  for (std::uint64_t lsn = 2; lsn <= 20'000; lsn += 2) log.append(change_of(lsn));
  EXPECT_EQ(read_after(log, 0).size(), 10'000U);
  EXPECT_EQ(read_after(log, 9'999).front().seq, 10'000U);
  EXPECT_EQ(read_after(log, 10'000).front().seq, 10'002U);
  EXPECT_TRUE(read_after(log, 20'000).empty());
  EXPECT_TRUE(read_after(log, 30'000).empty());
}

TEST(EventLog, AReaderAtTheEndGoesOnWithWhatComes) {
  EventLog log;
  auto cursor = log.end();
  EXPECT_FALSE(log.at(cursor));
  for (std::uint64_t lsn = 1; lsn <= 10'000; ++lsn) {
    log.append(change_of(lsn));
    const auto view = log.at(cursor);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->lsn, Lsn(lsn));
    ++cursor.entry;
    ASSERT_FALSE(log.at(cursor));
  }
}

TEST(EventLog, GivesUpTheOldestWithinItsBound) {
  constexpr std::uint64_t kBytes = 64U << 10U;
  EventLog log(kBytes);
  auto left_behind = log.end();
  std::uint64_t most = 0;
  for (std::uint64_t lsn = 1; lsn <= 100'000; ++lsn) {
    Change change = change_of(lsn, lsn % 100 == 0 ? "shell" : "lammps");
    if (lsn % 7 == 0) change.reason = "a reason that takes some room";
    log.append(change);
    most = std::max(most, log.bytes());
  }
  EXPECT_LE(most, kBytes + kBytes / 8);
  EXPECT_TRUE(log.overtaken(left_behind));
  EXPECT_GT(log.floor(), Lsn(98'000));
  const auto kept = read_after(log, log.floor().value());
  ASSERT_EQ(kept.size(), 100'000 - log.floor().value());
  EXPECT_EQ(kept.front().seq, log.floor().value() + 1);
  EXPECT_EQ(kept.back().id, logged_id(100'000));
}

TEST(EventLog, HoldsAboutAMillionChangesInItsDefault) {
  EventLog log;
  for (std::uint64_t lsn = 1; lsn <= 1'200'000; ++lsn) log.append(change_of(lsn));
  EXPECT_GT(log.entries(), 1'000'000U);
  EXPECT_LE(log.bytes(), limits::kEventRetentionBytes + (1U << 20U));
}

// As a batch of tasks is submitted: alike but for their ids.
Change change_of_batch(std::uint64_t lsn, std::uint64_t number) {
  Change change = change_of(lsn);
  change.id = logged_id(number);
  return change;
}

TEST(EventLog, ABatchTakesNoMoreRoomThanOneOfIt) {
  EventLog one;
  one.append(change_of_batch(1, 1));
  EventLog log;
  constexpr std::uint64_t kTasks = 100'000;
  for (std::uint64_t number = 1; number <= kTasks; ++number) log.append(change_of_batch(1, number));
  EXPECT_EQ(log.bytes(), one.bytes());
  EXPECT_EQ(log.entries(), kTasks);
  const auto events = read_after(log, 0);
  ASSERT_EQ(events.size(), kTasks);
  for (std::uint64_t i = 0; i < kTasks; ++i) ASSERT_EQ(events[i].id, logged_id(i + 1));
}

TEST(EventLog, WhatDiffersInABatchIsTold) {
  std::vector<Change> changes;
  for (std::uint64_t number = 1; number <= 12; ++number) {
    changes.push_back(change_of_batch(3, number));
  }
  changes[1].id = TaskId(2, 2);
  changes[2].state = TaskState::failure;
  changes[3].failure = FailureClass::oom;
  changes[4].attempt = Attempt(2);
  changes[5].tool = "shell";
  changes[6].script = "in.other";
  changes[7].worker = WorkerSlot(1);
  changes[7].worker_name = "node-1";
  changes[8].reason = "for a reason";
  changes[9].workflow = WorkflowEvent{WorkflowId(1, 2), 4, 1, 1};
  changes[11].id = logged_id(14);
  EventLog log;
  for (const Change& change : changes) log.append(change);
  const auto events = read_after(log, 2);
  ASSERT_EQ(events.size(), changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(events[i].id, changes[i].id);
    EXPECT_EQ(events[i].state, changes[i].state);
    EXPECT_EQ(events[i].failure, changes[i].failure);
    EXPECT_EQ(events[i].attempt, changes[i].attempt);
    EXPECT_EQ(events[i].tool, changes[i].tool);
    EXPECT_EQ(events[i].script, changes[i].script);
    EXPECT_EQ(events[i].worker, changes[i].worker_name);
    EXPECT_EQ(events[i].message, changes[i].reason);
  }
}

// Batches of many sizes: a cursor that jumps finds the same as one that walks.
TEST(EventLog, IsReadFromWithinABatch) {
  EventLog log;
  std::uint64_t number = 0;
  for (std::uint64_t lsn = 1; lsn <= 9'000; ++lsn, ++number) {  // more than one chunk
    for (std::uint64_t i = 0; i < lsn % 5; ++i) log.append(change_of_batch(lsn, ++number));
  }
  auto walk = log.after(Lsn(0));
  std::uint64_t seen = 0;
  for (; log.at(walk); ++walk.entry, ++seen) {
    EventLog::Cursor jump{walk.chunk, walk.entry, 0};
    const auto view = log.at(jump);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->id, log.at(walk)->id);
    EXPECT_EQ(view->lsn, log.at(walk)->lsn);
    EXPECT_EQ(log.event({walk.chunk, walk.entry, 0}), log.event(walk));
  }
  EXPECT_EQ(seen, log.entries());
}

TEST(EventLog, AWorkersPastKeepsItsFormerName) {
  EventLog log;
  for (const auto* name : {"old", "old", "new"}) {
    Change change = change_of(log.entries() + 1);
    change.worker = WorkerSlot(9);
    change.worker_name = name;
    log.append(change);
  }
  const auto events = read_after(log, 0);
  EXPECT_EQ(events[0].worker, "old");
  EXPECT_EQ(events[1].worker, "old");
  EXPECT_EQ(events[2].worker, "new");
}

TEST(EventLog, WhatCannotBeToldRaisesTheFloor) {
  EventLog log;
  log.append(change_of(5));
  log.uncovered(Lsn(8));
  EXPECT_EQ(log.floor(), Lsn(8));
  log.append(change_of(9));
  EXPECT_EQ(read_after(log, 8).size(), 1U);
}

TEST(EventLog, RemembersWhereEachToolStands) {
  EventLog log(limits::kMinEventRetentionBytes);
  log.append(change_of(3, "shell"));
  for (std::uint64_t lsn = 4; lsn < 1000; ++lsn) log.append(change_of(lsn));
  ASSERT_EQ(log.tools().size(), 2U);
  EXPECT_EQ(log.tools()[0].tool, "shell");
  EXPECT_EQ(log.tools()[0].last, Lsn(3));
  EXPECT_EQ(log.tools()[1].last, Lsn(999));
}

}  // namespace
}  // namespace taskpipe::broker
