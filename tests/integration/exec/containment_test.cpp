// Nothing that an attempt starts outlives it.
#include <fstream>
#include <string>
#include <utility>

#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;

TEST(Containment, ADaemonEndsWithItsAttempt) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const Outcome out = harness.run(ExecutorHarness::probe("daemonize", "", marker));
  EXPECT_EQ(out.state, TaskState::success) << out.reason;  // the main process' status
  EXPECT_THAT(report_of(out).stdout_tail, HasSubstr("daemon runs"));
  EXPECT_TRUE(live_with(marker).empty());
}

TEST(Containment, ACleanedEnvironmentIsNoEscape) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const std::string command = std::string(TASKPIPE_PROBE_PROGRAM) + " stubborn " + marker;
  const Outcome out = harness.run(
      ExecutorHarness::shell("env -i setsid nohup " + command +
                             " >started 2>&1 & "
                             "while ! grep -q ready started 2>/dev/null; do :; done; exit 7"));
  EXPECT_EQ(out.exit_code, 7);
  EXPECT_THAT(out.reason, HasSubstr("it left behind"));
  EXPECT_TRUE(live_with(marker).empty());
}

TEST(Containment, AChildThatKeepsStdoutOpenDoesNotHoldTheAttempt) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const Outcome out = harness.run(ExecutorHarness::probe("leave-writer", "", marker));
  EXPECT_EQ(out.exit_code, 4);
  EXPECT_TRUE(live_with(marker).empty());
}

TEST(Containment, WhatEndsByItselfIsAllowedTo) {
  ExecutorHarness harness;
  // Bash does not wait for the tee of a process substitution.
  RunPlan plan = ExecutorHarness::shell("");
  plan.argv = {"bash", "-c", "seq 20000 > >(cat)"};
  const Outcome out = harness.run(std::move(plan));
  EXPECT_EQ(out.state, TaskState::success) << out.reason;
  EXPECT_THAT(report_of(out).stdout_tail, HasSubstr("\n20000\n"));
}

TEST(Containment, AStormOfForksIsEnded) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const AttemptKey key = harness.start(ExecutorHarness::probe("fork-storm", "", marker));
  ASSERT_TRUE(harness.wait_for_output(key, "storm"));
  harness.wait_for_end(key);  // its first process exits at once
  EXPECT_TRUE(live_with(marker).empty());
}

TEST(Containment, KillingTheGuardIsNoEscape) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const Outcome out = harness.run(ExecutorHarness::probe("kill-parent", "", marker));
  EXPECT_EQ(out.state, TaskState::failure);
  EXPECT_EQ(out.failure, FailureClass::signal);
  EXPECT_TRUE(all_gone(marker));
  // A daemon that does so escapes its guard, but not the spawner.
  const std::string probe = TASKPIPE_PROBE_PROGRAM;
  harness.run(ExecutorHarness::shell(probe + " daemonize " + marker + "; kill -9 $PPID; sleep 60"));
  EXPECT_TRUE(live_with(marker).empty());
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "0")).state, TaskState::success);
}

TEST(Containment, AStoppedGuardDoesNotHoldUpTheWorkersEnd) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const std::string probe = TASKPIPE_PROBE_PROGRAM;
  const AttemptKey key = harness.start(ExecutorHarness::shell(
      "while [ ! -e go ]; do :; done; kill -STOP $PPID; exec " + probe + " stubborn " + marker));
  ASSERT_TRUE(harness.wait_until(key, [](const AttemptLog& log) { return log.started == 1; }));
  std::ofstream(harness.directory_of(key) + "/go") << "x";
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  harness.destroy_executor();
  EXPECT_TRUE(live_with(marker).empty());
  EXPECT_EQ(harness.log(key).ended.size(), 1U);
}

}  // namespace
}  // namespace taskpipe::worker
