#include "client/cli/progress_lines.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TrackedTask task_of(TaskState state, double percent = -1.0) {
  TrackedTask task;
  task.label = "lammps example.lammps";
  task.state = state;
  task.percent = percent;
  if (state == TaskState::running) task.started = Millis(0);
  if (state != TaskState::pending) task.worker = "node-a";
  if (is_terminal(state)) task.run_time = Millis(1620);
  return task;
}

TEST(BarText, FillsInHalvesDownwards) {
  const TextStyle style;
  EXPECT_EQ(bar_text(0, 4, Tone::plain, style), "┄┄┄┄");
  EXPECT_EQ(bar_text(13, 4, Tone::plain, style), "╸┄┄┄");
  EXPECT_EQ(bar_text(50, 4, Tone::plain, style), "━━┄┄");
  EXPECT_EQ(bar_text(99.9, 4, Tone::plain, style), "━━━╸");
  EXPECT_EQ(bar_text(100, 4, Tone::plain, style), "━━━━");
}

TEST(BarText, HoldsOddPercentagesAndWidths) {
  EXPECT_EQ(bar_text(-5, 4, Tone::plain, {}), "┄┄┄┄");
  EXPECT_EQ(bar_text(250, 4, Tone::plain, {}), "━━━━");
  EXPECT_EQ(bar_text(50, 0, Tone::plain, {}), "");
}

TEST(BarText, AsciiWithoutUnicode) {
  EXPECT_EQ(bar_text(50, 4, Tone::plain, {.unicode = false}), "##--");
}

TEST(BoardLines, ShowsWhatATaskDoes) {
  TrackedTask task = task_of(TaskState::running, 37.0);
  task.message = "step 370 of 1000";
  const auto lines = board_lines({task}, 20, {.columns = 100}, Millis(12'000));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0],
            "lammps example.lammps  ━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄   37%     0:12  ETA 0:20  node-a  "
            "step 370 of 1000");
}

TEST(BoardLines, StatesWhereThereIsNoProgress) {
  TrackedTask failed = task_of(TaskState::failure);
  failed.message = "exit code 3";
  const auto lines = board_lines({task_of(TaskState::pending), task_of(TaskState::running),
                                  task_of(TaskState::success, 80.0), failed},
                                 20, {.columns = 100}, Millis(3000));
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_THAT(lines[4], HasSubstr("2/4 done, 1 running, 1 failed, 1 waiting"));
  EXPECT_THAT(lines[0], HasSubstr("  pending"));
  EXPECT_THAT(lines[1], HasSubstr("  running"));
  EXPECT_THAT(lines[1], HasSubstr("0:03"));
  EXPECT_THAT(lines[2], HasSubstr("  SUCCESS"));
  EXPECT_THAT(lines[2], HasSubstr("1.62 s"));
  EXPECT_THAT(lines[2], Not(HasSubstr("80%")));
  EXPECT_THAT(lines[3], EndsWith("node-a  exit code 3"));
}

TEST(BoardLines, FitEveryWidth) {
  TrackedTask task = task_of(TaskState::running, 37.0);
  task.label = "openfoam a-very-long-name-of-a-script-中文.py";
  task.message = "time 0.31 of 0.5, and a long message about everything else";
  task.worker = "a-node-with-a-long-name.example.org";
  for (std::size_t columns = 25; columns < 200; ++columns) {
    const auto lines =
        board_lines({task, task_of(TaskState::success)}, 20, {.columns = columns}, Millis(12'000));
    for (const auto& line : lines) EXPECT_LE(display_width(line), columns) << line;
  }
}

TEST(BoardLines, ShowsTheRateWhereThereIsRoom) {
  const auto lines =
      board_lines({task_of(TaskState::running, 37.0)}, 20, {.columns = 120}, Millis(12'000));
  EXPECT_THAT(lines.at(0), HasSubstr("  0:12     3.1%/s  ETA 0:20"));
}

TEST(BoardLines, TooManyTasksLeaveTheRunningOnesAndTheSummary) {
  std::vector<TrackedTask> tasks(1000, task_of(TaskState::success));
  tasks[7] = task_of(TaskState::running, 10.0);
  tasks[7].label = "the running one";
  for (std::size_t i = 900; i < tasks.size(); ++i) tasks[i] = task_of(TaskState::pending);
  const auto lines = board_lines(tasks, 20, {.columns = 80}, Millis(1000));
  EXPECT_THAT(lines, ElementsAre(StartsWith("the running one"),
                                 HasSubstr("899/1000 done, 1 running, 100 waiting")));
}

TEST(BoardLines, NeverMoreLinesThanRows) {
  const std::vector<TrackedTask> running(1000, task_of(TaskState::running, 10.0));
  for (std::size_t rows = 2; rows < 30; ++rows) {
    EXPECT_EQ(board_lines(running, rows, {.columns = 80}, Millis(1000)).size(), rows);
  }
}

TEST(BoardLines, OneTaskNeedsNoSummary) {
  EXPECT_EQ(board_lines({task_of(TaskState::success)}, 2, {.columns = 80}, Millis(0)).size(), 1U);
}

TEST(ChangeLog, OneLinePerChange) {
  ChangeLog log(1);
  TrackedTask task = task_of(TaskState::running, 37.2);
  task.message = "step 370 of 1000";
  const auto first = log.line(0, task, WallTime{1}, Millis(0));
  ASSERT_TRUE(first);
  EXPECT_THAT(*first, EndsWith(" lammps example.lammps RUNNING 37% on node-a step 370 of 1000"));
  task.percent = 38.0;
  task.message = "step 380 of 1000";
  const auto second = log.line(0, task, WallTime{1}, Millis(500));
  ASSERT_TRUE(second);
  EXPECT_THAT(*second, EndsWith(" lammps example.lammps 38% step 380 of 1000"));
  EXPECT_FALSE(log.line(0, task, WallTime{1}, Millis(5000)));  // nothing new
}

TEST(ChangeLog, ProgressIsThinnedOutAndStatesAreNot) {
  ChangeLog log(2);
  TrackedTask task = task_of(TaskState::running, 1.0);
  EXPECT_TRUE(log.line(0, task, WallTime{1}, Millis(0)));
  task.percent = 2.0;
  EXPECT_FALSE(log.line(0, task, WallTime{1}, Millis(499)));
  EXPECT_TRUE(log.line(1, task, WallTime{1}, Millis(499)));  // another task has its own line
  EXPECT_TRUE(log.line(0, task, WallTime{1}, Millis(500)));
  TrackedTask ended = task_of(TaskState::failure, 2.0);
  ended.message = "exit code 3";
  const auto last = log.line(0, ended, WallTime{1}, Millis(501));
  ASSERT_TRUE(last);
  EXPECT_THAT(*last, EndsWith(" FAILURE in 1.62 s on node-a: exit code 3"));
}

TEST(ChangeLog, ANewAttemptHasItsLine) {
  ChangeLog log(1);
  TrackedTask task = task_of(TaskState::running);
  task.attempt = Attempt(1);
  EXPECT_TRUE(log.line(0, task, WallTime{1}, Millis(0)));
  task.attempt = Attempt(2);
  EXPECT_TRUE(log.line(0, task, WallTime{1}, Millis(1)));
}

}  // namespace
}  // namespace taskpipe::cli
