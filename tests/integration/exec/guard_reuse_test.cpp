// A guard whose attempt is over takes the next, and nothing of the one reaches the other.
#include <signal.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;

std::vector<pid_t> guards() { return children_of(ExecutorHarness::spawner_pid()); }

TEST(GuardReuse, OneServesManyInTurn) {
  ExecutorHarness harness;
  EXPECT_TRUE(guards().empty());
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "3")).exit_code, 3);
  const auto first = guards();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "4")).exit_code, 4);
  RunPlan missing;
  missing.argv = {"/no/such/program"};
  EXPECT_EQ(harness.run(std::move(missing)).failure, FailureClass::spawn);
  const Outcome shell = harness.run(ExecutorHarness::shell("echo to you; exit 5"));
  EXPECT_EQ(shell.exit_code, 5);
  EXPECT_EQ(report_of(shell).stdout_tail, "to you\n");
  EXPECT_EQ(guards(), first);
}

TEST(GuardReuse, TheNextHasNoDescriptorOfTheOneBefore) {
  ExecutorHarness harness;
  EXPECT_EQ(harness.run(ExecutorHarness::shell("echo first")).exit_code, 0);
  const Outcome out = harness.run(ExecutorHarness::shell("ls -l /proc/$PPID/fd /proc/self/fd"));
  // The guard: the standard three, socket, lifeline, signals. Its tool: three, and the folder.
  const std::string listed = report_of(out).stdout_tail;
  std::size_t links = 0;
  for (auto at = listed.find(" -> "); at != std::string::npos; at = listed.find(" -> ", at + 1)) {
    ++links;
  }
  EXPECT_EQ(links, 6U + 4U) << listed;
}

TEST(GuardReuse, WhatIsTooLargeForAPacketGetsANewOne) {
  ExecutorHarness harness;
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "0")).exit_code, 0);
  RunPlan plan = ExecutorHarness::shell("echo ${#LARGE}");
  plan.environment.emplace_back("LARGE", std::string(100'000, 'x'));
  EXPECT_EQ(report_of(harness.run(std::move(plan))).stdout_tail, "100000\n");
  EXPECT_EQ(guards().size(), 2U);
}

TEST(GuardReuse, OneThatWasKilledWhileItWaitedIsReplaced) {
  ExecutorHarness harness;
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "0")).exit_code, 0);
  const auto waiting = guards();
  ASSERT_EQ(waiting.size(), 1U);
  ASSERT_EQ(::kill(waiting.front(), SIGKILL), 0);
  while (guards() == waiting) {
  }
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "3")).exit_code, 3);
}

TEST(GuardReuse, KillingAGuardThatServedBeforeIsNoEscape) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "0")).exit_code, 0);
  const std::string probe = TASKPIPE_PROBE_PROGRAM;
  const Outcome out = harness.run(
      ExecutorHarness::shell(probe + " daemonize " + marker + "; kill -9 $PPID; sleep 60"));
  EXPECT_EQ(out.failure, FailureClass::signal);
  EXPECT_THAT(out.reason, HasSubstr("watched over it was killed"));
  EXPECT_TRUE(live_with(marker).empty());
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "7")).exit_code, 7);
}

TEST(GuardReuse, GuardsThatWaitEndWithTheWorker) {
  ExecutorHarness harness;
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "0")).exit_code, 0);
  const auto waiting = guards();
  ASSERT_EQ(waiting.size(), 1U);
  harness.destroy_executor();
  EXPECT_FALSE(is_live(waiting.front()));
}

}  // namespace
}  // namespace taskpipe::worker
