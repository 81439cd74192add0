// The spawner is killed: its attempts end, and it is replaced.
#include <signal.h>

#include <string>

#include "common/model/limits.hpp"
#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;

TEST(SpawnerDeath, EndsItsAttemptsOnceNothingIsLeftOfThem) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  const AttemptKey stubborn = harness.start(ExecutorHarness::probe("stubborn", "", marker));
  const AttemptKey daemon = harness.start(ExecutorHarness::probe("daemonize-stay", "", marker));
  ASSERT_TRUE(harness.wait_for_output(stubborn, "ready"));
  ASSERT_TRUE(harness.wait_for_output(daemon, "daemon runs"));
  ExecutorHarness::signal_spawner(SIGKILL);
  for (const AttemptKey& key : {stubborn, daemon}) {
    const Outcome out = harness.wait_for_end(key);
    EXPECT_EQ(out.state, TaskState::error);
    EXPECT_EQ(out.failure, FailureClass::spawn);
    EXPECT_THAT(out.reason, HasSubstr("was killed by SIGKILL"));
  }
  EXPECT_TRUE(live_with(marker).empty());
}

TEST(SpawnerDeath, IsFollowedByAnotherSpawner) {
  ExecutorHarness harness;
  const pid_t first = ExecutorHarness::spawner_pid();
  const AttemptKey key = harness.start(ExecutorHarness::probe("linger"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  // Before the loss is noticed, or after: it runs, or ends with the same error.
  harness.wait_for_end(key);
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "3")).exit_code, 3);
  EXPECT_NE(ExecutorHarness::spawner_pid(), first);
}

TEST(SpawnerDeath, AnAttemptThatWasCancelledMeanwhileIsCancelled) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("stubborn"));
  ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  ExecutorHarness::signal_spawner(SIGSTOP);
  harness.executor().stop(key, StopCause::cancelled, Millis(60'000));
  const AttemptKey marker = harness.start(RunPlan{});  // refused by the loop, after the stop
  harness.wait_for_end(marker);
  ExecutorHarness::signal_spawner(SIGKILL);
  EXPECT_EQ(harness.wait_for_end(key).state, TaskState::cancelled);
}

TEST(SpawnerDeath, TooOftenIsReportedInsteadOfRepeated) {
  ExecutorHarness harness;
  for (std::uint32_t i = 0; i <= limits::kMaxSpawnerRestarts; ++i) {
    const pid_t pid = ExecutorHarness::spawner_pid();
    const AttemptKey key = harness.start(ExecutorHarness::probe("linger"));
    ASSERT_TRUE(harness.wait_for_output(key, "ready")) << harness.wait_for_end(key).reason;
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    EXPECT_EQ(harness.wait_for_end(key).failure, FailureClass::spawn);
  }
  const Outcome out = harness.run(ExecutorHarness::probe("exit", "0"));
  EXPECT_EQ(out.failure, FailureClass::spawn);
  EXPECT_THAT(out.reason, HasSubstr("taskpipe-spawner died"));
}

}  // namespace
}  // namespace taskpipe::worker
