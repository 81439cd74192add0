// Time limits and cancellation.
#include <signal.h>

#include <string>
#include <utility>

#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;
constexpr Millis kLongGrace{60'000};  // longer than the test may take: must not be waited for

TEST(TimeLimit, EndsATool) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::probe("linger");
  plan.time_limit = Millis(50);
  plan.grace = kLongGrace;
  const Outcome out = harness.run(std::move(plan));
  EXPECT_EQ(out.state, TaskState::timeout);
  EXPECT_EQ(out.failure, FailureClass::timeout);
  EXPECT_EQ(out.signal, SIGTERM);
  EXPECT_EQ(out.reason, "exceeded its time limit of 0.05 s");
  EXPECT_GE(out.usage.wall_us, 49'000U);
}

TEST(TimeLimit, KillsAToolThatIgnoresSigtermAfterTheGrace) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::probe("stubborn");
  plan.time_limit = Millis(50);
  plan.grace = Millis(100);
  const Outcome out = harness.run(std::move(plan));
  EXPECT_EQ(out.state, TaskState::timeout);
  EXPECT_EQ(out.signal, SIGKILL);
  EXPECT_GE(out.usage.wall_us, 149'000U);
}

TEST(TimeLimit, IsATimeoutAlsoWhenTheToolThenExitsWithZero) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::probe("polite");
  plan.time_limit = Millis(200);
  plan.grace = kLongGrace;
  const AttemptKey key = harness.start(std::move(plan));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  EXPECT_EQ(harness.wait_for_end(key).state, TaskState::timeout);
}

TEST(TimeLimit, DoesNotTouchWhoKeepsIt) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::shell("exit 0");
  plan.time_limit = Millis(60'000);
  EXPECT_EQ(harness.run(std::move(plan)).state, TaskState::success);
}

TEST(Silence, EndsATool) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::probe("linger");
  plan.silence_limit = Millis(50);
  plan.grace = kLongGrace;
  const Outcome out = harness.run(std::move(plan));
  EXPECT_EQ(out.state, TaskState::timeout);
  EXPECT_EQ(out.failure, FailureClass::timeout);
  EXPECT_EQ(out.signal, SIGTERM);
  EXPECT_EQ(out.reason, "made no progress for 50 ms (no_progress)");
}

// What it writes, to either stream and without a newline, puts the end off; after the last word the
// silence counts anew.
TEST(Silence, IsBrokenByEveryWord) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::shell(
      "for i in 1 2 3; do printf .; sleep 0.4; printf . >&2; sleep 0.4; done; exec sleep 600");
  plan.silence_limit = Millis(1500);
  plan.grace = kLongGrace;
  const Outcome out = harness.run(std::move(plan));
  EXPECT_EQ(out.state, TaskState::timeout) << out.reason;
  EXPECT_EQ(report_of(out).stdout_tail, "...");
  EXPECT_EQ(report_of(out).stderr_tail, "...");
  EXPECT_GE(out.usage.wall_us, 2'000'000U + 1'500'000U);
}

TEST(Silence, IsNotWhatATimeLimitCallsIt) {
  ExecutorHarness harness;
  RunPlan plan = ExecutorHarness::probe("linger");
  plan.silence_limit = Millis(60'000);
  plan.time_limit = Millis(50);
  plan.grace = kLongGrace;
  EXPECT_EQ(harness.run(std::move(plan)).reason, "exceeded its time limit of 0.05 s");
}

TEST(Stop, CancelsARunningAttempt) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("linger"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  harness.executor().stop(key, StopCause::cancelled, kLongGrace);
  const Outcome out = harness.wait_for_end(key);
  EXPECT_EQ(out.state, TaskState::cancelled);
  EXPECT_EQ(out.failure, FailureClass::cancelled);
  EXPECT_EQ(out.signal, SIGTERM);
}

TEST(Stop, IsACancellationAlsoWhenTheToolThenExitsWithZero) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("polite"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  harness.executor().stop(key, StopCause::cancelled, kLongGrace);
  const Outcome out = harness.wait_for_end(key);
  EXPECT_EQ(out.state, TaskState::cancelled);
  EXPECT_EQ(out.exit_code, 0);
}

TEST(Stop, SaysThatAnAttemptWasSuperseded) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("linger"));
  harness.executor().stop(key, StopCause::superseded, kLongGrace);
  const Outcome out = harness.wait_for_end(key);
  EXPECT_EQ(out.state, TaskState::cancelled);
  EXPECT_THAT(out.reason, HasSubstr("superseded"));
}

TEST(Stop, KillsWhoIgnoresSigterm) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("stubborn"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  harness.executor().stop(key, StopCause::cancelled, Millis(50));
  EXPECT_EQ(harness.wait_for_end(key).signal, SIGKILL);
}

TEST(Stop, WithoutGraceKillsAtOnce) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("polite"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  harness.executor().stop(key, StopCause::cancelled, Millis(0));
  EXPECT_EQ(harness.wait_for_end(key).signal, SIGKILL);
}

TEST(Stop, AgainWithLessGraceIsObeyed) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("stubborn"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  harness.executor().stop(key, StopCause::cancelled, kLongGrace);
  harness.executor().stop(key, StopCause::superseded, Millis(10));
  const Outcome out = harness.wait_for_end(key);
  EXPECT_EQ(out.signal, SIGKILL);
  EXPECT_EQ(out.reason, "cancelled on request");  // the first cause
}

TEST(Stop, ReachesASuspendedTool) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("polite"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  const auto pid = static_cast<pid_t>(harness.log(key).pid);
  ASSERT_GT(pid, 0);
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  harness.executor().stop(key, StopCause::cancelled, kLongGrace);
  const Outcome out = harness.wait_for_end(key);
  EXPECT_EQ(out.signal, 0);  // it ran its handler
}

TEST(Stop, ReachesAToolWhoseFirstThreadHasEnded) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("leaderless"));
  ASSERT_TRUE(harness.wait_for_output(key, "up"));
  harness.executor().stop(key, StopCause::cancelled, kLongGrace);
  EXPECT_EQ(harness.wait_for_end(key).signal, SIGTERM);
}

TEST(Stop, SparesWhatAToolStartsInAnswerToIt) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::shell(
      "trap 'sh -c \"echo saving; exec sleep 0.05\" && echo saved; exit 0' TERM; echo ready; "
      "while :; do sleep 0.05; done"));  // short: one that has just begun holds up the trap
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  harness.executor().stop(key, StopCause::cancelled, kLongGrace);
  EXPECT_EQ(harness.wait_for_end(key).exit_code, 0);
  EXPECT_THAT(harness.log(key).output[LogStream::out], HasSubstr("saved"));
}

TEST(Stop, BeforeTheStartIsThroughEndsItAllTheSame) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  for (int i = 0; i < 20; ++i) {
    const AttemptKey key = harness.start(ExecutorHarness::probe("linger", "", marker));
    harness.executor().stop(key, StopCause::cancelled, kLongGrace);
    EXPECT_EQ(harness.wait_for_end(key).state, TaskState::cancelled);
  }
  EXPECT_TRUE(live_with(marker).empty());
}

TEST(Stop, ReachesTheWholeTreeBeforeItEnds) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const AttemptKey key = harness.start(ExecutorHarness::probe("tree", "6", marker));
  ASSERT_TRUE(harness.wait_for_output(key, "up"));
  harness.executor().stop(key, StopCause::cancelled, kLongGrace);
  EXPECT_EQ(harness.wait_for_end(key).state, TaskState::cancelled);
  // Ended means that it is over, not that it will be.
  EXPECT_TRUE(live_with(marker).empty());
}

// The first word comes while the others still fork: whoever was forked during the walk must hear
// of the stop as well.
TEST(Stop, ReachesATreeThatStillGrows) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  for (int i = 0; i < 20; ++i) {
    const AttemptKey key = harness.start(ExecutorHarness::probe("grow", "400", marker));
    ASSERT_TRUE(harness.wait_for_output(key, "up"));
    harness.executor().stop(key, StopCause::cancelled, kLongGrace);
    ASSERT_EQ(harness.wait_for_end(key).state, TaskState::cancelled);
    ASSERT_TRUE(live_with(marker).empty());
  }
}

TEST(Stop, OfUnknownOrEndedAttemptsIsIgnored) {
  ExecutorHarness harness;
  harness.executor().stop({TaskId(9, 9), Epoch(1), Attempt(1)}, StopCause::cancelled, Millis(0));
  const AttemptKey key = harness.start(ExecutorHarness::probe("exit", "0"));
  harness.wait_for_end(key);
  harness.executor().stop(key, StopCause::cancelled, Millis(0));
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "3")).exit_code, 3);
  EXPECT_EQ(harness.log(key).ended.size(), 1U);
}

TEST(Stop, ASecondStartOfARunningAttemptIsIgnored) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("linger"));
  harness.executor().start(key, ExecutorHarness::probe("exit", "0"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  harness.executor().stop(key, StopCause::cancelled, Millis(0));
  EXPECT_EQ(harness.wait_for_end(key).state, TaskState::cancelled);
  harness.destroy_executor();
  EXPECT_EQ(harness.log(key).ended.size(), 1U);
}

TEST(Destruction, KillsAndReportsEverything) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const AttemptKey stubborn = harness.start(ExecutorHarness::probe("stubborn", "", marker));
  const AttemptKey daemon = harness.start(ExecutorHarness::probe("daemonize-stay", "", marker));
  ASSERT_TRUE(harness.wait_for_output(stubborn, "ready"));
  ASSERT_TRUE(harness.wait_for_output(daemon, "daemon runs"));
  harness.destroy_executor();
  EXPECT_TRUE(live_with(marker).empty());
  for (const AttemptKey& key : {stubborn, daemon}) {
    const AttemptLog log = harness.log(key);
    ASSERT_EQ(log.ended.size(), 1U);
    EXPECT_EQ(log.ended[0].state, TaskState::error);
    EXPECT_EQ(log.ended[0].failure, FailureClass::worker_lost);
  }
}

}  // namespace
}  // namespace taskpipe::worker
