#include <gtest/gtest.h>

#include "client/src/task_follower.hpp"

namespace taskpipe::client {
namespace {

const TaskId kId(1, 1);

class FollowerTest : public ::testing::Test {
 protected:
  static TaskEvent event(TaskState state, std::uint32_t attempt = 1, double percent = -1.0) {
    TaskEvent e;
    e.id = kId;
    e.state = state;
    e.attempt = Attempt{attempt};
    e.tool = "shell";
    e.script = "s";
    e.percent = percent;
    return e;
  }
  static TaskRow row(TaskState state, std::uint32_t attempt = 1, double percent = -1.0) {
    TaskRow r;
    r.id = kId;
    r.state = state;
    r.attempt = Attempt{attempt};
    r.tool = "shell";
    r.script = "s";
    r.progress_percent = percent;
    return r;
  }
  static DoneTask done(TaskState state, std::uint32_t attempt = 1) {
    DoneTask d;
    d.attempt = AttemptKey{kId, Epoch{1}, Attempt{attempt}};
    d.outcome.state = state;
    d.outcome.reason = state == TaskState::success ? "" : "why";
    return d;
  }
  std::vector<TaskState> states() {
    std::vector<TaskState> result;
    for (const auto& e : follower_.take()) result.push_back(e.state);
    return result;
  }

  using States = std::vector<TaskState>;
  TaskFollower follower_{std::span(&kId, 1)};
};

TEST_F(FollowerTest, TellsThePresentStateThenChangesThenTheEndOnce) {
  follower_.on_row(row(TaskState::pending, 0));
  follower_.on_event(event(TaskState::running));
  follower_.on_event(event(TaskState::running, 1, 40.0));
  EXPECT_FALSE(follower_.all_told());
  follower_.on_ended(done(TaskState::success));
  follower_.on_event(event(TaskState::success));
  follower_.on_ended(done(TaskState::success));
  EXPECT_EQ(states(), (States{TaskState::pending, TaskState::running, TaskState::running,
                              TaskState::success}));
  EXPECT_TRUE(follower_.all_told());
  EXPECT_TRUE(follower_.live().empty());
}

TEST_F(FollowerTest, AnEndWaitsForTheDescription) {
  follower_.on_ended(done(TaskState::failure));
  EXPECT_TRUE(follower_.take().empty());
  EXPECT_EQ(follower_.live().size(), 1U);
  follower_.on_row(row(TaskState::running));
  const auto told = follower_.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].state, TaskState::failure);
  EXPECT_EQ(told[1].tool, "shell");
  EXPECT_EQ(told[1].message, "why");
}

TEST_F(FollowerTest, AnEndDoesNotWaitForRowsThatWillNotCome) {
  follower_.on_ended(done(TaskState::cancelled));
  follower_.on_rows_complete();
  EXPECT_EQ(states(), (States{TaskState::cancelled}));
}

TEST_F(FollowerTest, AnEndedTasksRowIsItsEnd) {
  follower_.on_row(row(TaskState::success));
  EXPECT_EQ(states(), (States{TaskState::success}));
  follower_.on_ended(done(TaskState::success));
  EXPECT_TRUE(follower_.take().empty());
}

TEST_F(FollowerTest, RowsOnlyMoveForward) {
  follower_.on_event(event(TaskState::running, 2, 50.0));
  follower_.on_row(row(TaskState::pending, 1));
  follower_.on_row(row(TaskState::pending, 2));
  follower_.on_row(row(TaskState::running, 2, 20.0));
  EXPECT_EQ(states(), (States{TaskState::running}));
  follower_.on_row(row(TaskState::running, 2, 70.0));
  follower_.on_row(row(TaskState::pending, 3));
  EXPECT_EQ(states(), (States{TaskState::running, TaskState::pending}));
}

TEST_F(FollowerTest, RequeueIsToldAndSupersededAttemptsAreNot) {
  follower_.on_event(event(TaskState::running, 1));
  follower_.on_event(event(TaskState::pending, 1));  // its worker was lost
  follower_.on_event(event(TaskState::running, 2));
  follower_.on_event(event(TaskState::running, 1, 90.0));
  EXPECT_EQ(states(), (States{TaskState::running, TaskState::pending, TaskState::running}));
}

TEST_F(FollowerTest, RepetitionsAreToldOnce) {
  TaskEvent first = event(TaskState::running, 1, 10.0);
  TaskEvent later = first;
  later.at.unix_ms = 5;
  follower_.on_event(first);
  follower_.on_event(later);
  follower_.on_row(row(TaskState::running, 1, 10.0));
  EXPECT_EQ(states().size(), 1U);
}

TEST_F(FollowerTest, NothingIsToldAfterTheEnd) {
  follower_.on_rows_complete();
  follower_.on_ended(done(TaskState::timeout, 2));
  EXPECT_EQ(states(), (States{TaskState::timeout}));
  follower_.on_event(event(TaskState::running, 2, 99.0));
  follower_.on_row(row(TaskState::running, 3));
  EXPECT_TRUE(follower_.take().empty());
}

TEST_F(FollowerTest, OtherTasksAreIgnored) {
  TaskEvent other = event(TaskState::running);
  other.id = TaskId(9, 9);
  follower_.on_event(other);
  DoneTask end = done(TaskState::success);
  end.attempt.task = TaskId(9, 9);
  follower_.on_ended(end);
  EXPECT_TRUE(follower_.take().empty());
  EXPECT_FALSE(follower_.all_told());
}

}  // namespace
}  // namespace taskpipe::client
