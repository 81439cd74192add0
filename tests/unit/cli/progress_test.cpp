#include "client/cli/progress.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

const TaskId kFirst(1, 1);
const TaskId kSecond(1, 2);

TaskEvent event_of(TaskState state, double percent = -1.0, std::string message = "") {
  TaskEvent event;
  event.id = kFirst;
  event.state = state;
  event.attempt = Attempt(state == TaskState::pending ? 0 : 1);
  event.percent = percent;
  event.message = std::move(message);
  event.worker = "node-a";
  return event;
}

Progress one_task() { return Progress(std::vector{kFirst}, {"lammps in.melt"}); }

TEST(Progress, EqualLabelsAreNumbered) {
  const Progress progress(std::vector{kFirst, kSecond, TaskId(1, 3)}, {"a", "b", "a"});
  EXPECT_EQ(progress.tasks()[0].label, "a [1]");
  EXPECT_EQ(progress.tasks()[1].label, "b");
  EXPECT_EQ(progress.tasks()[2].label, "a [2]");
}

TEST(Progress, FollowsATaskToItsEnd) {
  Progress progress = one_task();
  const TrackedTask& task = progress.tasks().front();
  EXPECT_FALSE(task.elapsed(Millis(0)));
  EXPECT_EQ(progress.apply(event_of(TaskState::running), Millis(1000)), 0U);
  EXPECT_EQ(task.elapsed(Millis(3000)), Millis(2000));
  EXPECT_EQ(progress.apply(event_of(TaskState::running, 25.0, "step 1 of 4"), Millis(3000)), 0U);
  EXPECT_EQ(task.remaining(Millis(3000)), Millis(6000));
  EXPECT_FALSE(progress.all_ended());
  EXPECT_EQ(progress.apply(event_of(TaskState::success), Millis(9000)), 0U);
  EXPECT_TRUE(progress.all_ended());
  EXPECT_EQ(task.elapsed(Millis(99'000)), Millis(8000));
  EXPECT_FALSE(task.remaining(Millis(9000)));
  EXPECT_EQ(task.message, "");  // the last step says nothing about the end
}

TEST(Progress, IgnoresWhatChangesNothing) {
  Progress progress = one_task();
  const TaskEvent running = event_of(TaskState::running, 10.0, "a");
  EXPECT_TRUE(progress.apply(running, Millis(0)));
  EXPECT_FALSE(progress.apply(running, Millis(10)));
  TaskEvent other = running;
  other.id = kSecond;
  EXPECT_FALSE(progress.apply(other, Millis(20)));
}

TEST(Progress, AnEarlierAttemptAndWhatFollowsTheEndAreIgnored) {
  Progress progress = one_task();
  TaskEvent second = event_of(TaskState::running, 5.0);
  second.attempt = Attempt(2);
  EXPECT_TRUE(progress.apply(second, Millis(0)));
  EXPECT_FALSE(progress.apply(event_of(TaskState::running, 90.0), Millis(10)));
  EXPECT_EQ(progress.tasks()[0].percent, 5.0);
  second.state = TaskState::failure;
  EXPECT_TRUE(progress.apply(second, Millis(20)));
  second.state = TaskState::running;
  EXPECT_FALSE(progress.apply(second, Millis(30)));
}

TEST(Progress, ANewAttemptStartsAfresh) {
  Progress progress = one_task();
  EXPECT_TRUE(progress.apply(event_of(TaskState::running, 80.0, "far"), Millis(0)));
  TaskEvent again = event_of(TaskState::running);
  again.attempt = Attempt(2);
  EXPECT_TRUE(progress.apply(again, Millis(5000)));
  const TrackedTask& task = progress.tasks().front();
  EXPECT_LT(task.percent, 0);
  EXPECT_EQ(task.message, "");
  EXPECT_EQ(task.elapsed(Millis(6000)), Millis(1000));
}

TEST(Progress, ARequeuedTaskHasNoWorkerAndNoClock) {
  Progress progress = one_task();
  EXPECT_TRUE(progress.apply(event_of(TaskState::running, 80.0), Millis(0)));
  TaskEvent requeued = event_of(TaskState::pending);
  requeued.attempt = Attempt(1);
  EXPECT_TRUE(progress.apply(requeued, Millis(100)));
  const TrackedTask& task = progress.tasks().front();
  EXPECT_EQ(task.worker, "");
  EXPECT_FALSE(task.elapsed(Millis(200)));
}

TEST(Progress, NoEstimateWithoutGround) {
  Progress progress = one_task();
  const TrackedTask& task = progress.tasks().front();
  EXPECT_TRUE(progress.apply(event_of(TaskState::running), Millis(0)));
  EXPECT_FALSE(task.remaining(Millis(60'000)));  // no percentage
  EXPECT_TRUE(progress.apply(event_of(TaskState::running, 0.5), Millis(60'000)));
  EXPECT_FALSE(task.remaining(Millis(60'000)));  // below 1 %
  EXPECT_TRUE(progress.apply(event_of(TaskState::running, 50.0), Millis(60'000)));
  EXPECT_EQ(task.remaining(Millis(60'000)), Millis(60'000));
  EXPECT_TRUE(progress.apply(event_of(TaskState::running, 100.0), Millis(60'000)));
  EXPECT_EQ(task.remaining(Millis(60'000)), Millis(0));
}

TEST(Progress, NoEstimateInTheFirstSecond) {
  Progress progress = one_task();
  EXPECT_TRUE(progress.apply(event_of(TaskState::running, 50.0), Millis(0)));
  EXPECT_FALSE(progress.tasks()[0].remaining(Millis(900)));
  EXPECT_TRUE(progress.tasks()[0].remaining(Millis(1000)));
}

TEST(Progress, SeedTellsWhatRanBefore) {
  Progress progress(std::vector{kFirst, kSecond}, {"a", "b"});
  TaskRow row;
  row.id = kFirst;
  row.state = TaskState::running;
  row.attempt = Attempt(1);
  row.started = WallTime{100'000};
  row.progress_percent = 10.0;
  progress.seed(row, WallTime{130'000}, Millis(5000));
  EXPECT_EQ(progress.tasks()[0].elapsed(Millis(6000)), Millis(31'000));
  row.id = kSecond;
  row.state = TaskState::success;
  row.finished = WallTime{102'000};
  progress.seed(row, WallTime{130'000}, Millis(5000));
  EXPECT_EQ(progress.tasks()[1].elapsed(Millis(6000)), Millis(2000));
}

TEST(Progress, AStartInTheFutureIsNow) {
  Progress progress = one_task();
  TaskRow row;
  row.id = kFirst;
  row.state = TaskState::running;
  row.started = WallTime{200'000};  // the broker's clock is ahead of ours
  progress.seed(row, WallTime{100'000}, Millis(5000));
  EXPECT_EQ(progress.tasks()[0].elapsed(Millis(6000)), Millis(1000));
}

TEST(Progress, ResultsAreMorePrecise) {
  Progress progress = one_task();
  TaskResult result;
  result.id = kFirst;
  result.attempt = Attempt(1);
  result.worker = "node-b";
  result.outcome.state = TaskState::failure;
  result.outcome.failure = FailureClass::exit;
  result.outcome.exit_code = 3;
  result.outcome.usage.wall_us = 1'620'000;
  progress.apply(result);
  const TrackedTask& task = progress.tasks().front();
  EXPECT_EQ(task.state, TaskState::failure);
  EXPECT_EQ(task.run_time, Millis(1620));
  EXPECT_EQ(task.message, "exit code 3");
  EXPECT_EQ(task.worker, "node-b");
}

TEST(Progress, WhatNeverRanHasNoTime) {
  Progress progress = one_task();
  TaskResult result;
  result.id = kFirst;
  result.outcome.state = TaskState::cancelled;
  progress.apply(result);
  EXPECT_FALSE(progress.tasks()[0].elapsed(Millis(5000)));
}

TEST(Progress, TextsOfToolsAreMadePrintable) {
  Progress progress = one_task();
  EXPECT_TRUE(progress.apply(event_of(TaskState::running, 1.0, "\x1b[2Jx\ny"), Millis(0)));
  EXPECT_EQ(progress.tasks()[0].message, "\xef\xbf\xbd[2Jx y");
}

}  // namespace
}  // namespace taskpipe::cli
