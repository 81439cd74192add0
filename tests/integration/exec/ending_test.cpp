// How an attempt ends by itself.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/integration/exec/executor_harness.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;

TEST(Ending, ExitCodesAreKept) {
  ExecutorHarness harness;
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "0")).state, TaskState::success);
  for (const int code : {1, 2, 126, 127, 137, 255}) {
    const Outcome out = harness.run(ExecutorHarness::probe("exit", std::to_string(code)));
    EXPECT_EQ(out.state, TaskState::failure);
    EXPECT_EQ(out.failure, FailureClass::exit);
    EXPECT_EQ(out.exit_code, code);
    EXPECT_EQ(out.signal, 0);
  }
}

TEST(Ending, SignalsAreNamed) {
  ExecutorHarness harness;
  for (const int signal : {SIGSEGV, SIGABRT, SIGKILL, SIGTERM, SIGPIPE, SIGHUP}) {
    const Outcome out = harness.run(ExecutorHarness::probe("raise", std::to_string(signal)));
    EXPECT_EQ(out.state, TaskState::failure);
    EXPECT_EQ(out.failure, FailureClass::signal);
    EXPECT_EQ(out.signal, signal);
    EXPECT_THAT(out.reason, HasSubstr("SIG"));
  }
}

TEST(Ending, StartedThenEndedExactlyOnceEach) {
  ExecutorHarness harness;
  const AttemptKey key =
      harness.start(ExecutorHarness::shell("echo hello; while [ ! -e go ]; do sleep 0.01; done"));
  ASSERT_TRUE(harness.wait_until(key, [](const AttemptLog& log) { return log.started == 1; }));
  std::ofstream(harness.directory_of(key) + "/go") << "x";
  harness.wait_for_end(key);
  harness.destroy_executor();
  const AttemptLog log = harness.log(key);
  EXPECT_EQ(log.started, 1);
  EXPECT_GT(log.pid, 0U);
  EXPECT_EQ(log.ended.size(), 1U);
  EXPECT_EQ(log.events_after_end, 0);
}

TEST(Ending, AShortOneHasStartedToo) {
  ExecutorHarness harness;
  for (int i = 0; i < 20; ++i) {
    const AttemptKey key = harness.start(ExecutorHarness::shell("echo hello"));
    EXPECT_EQ(report_of(harness.wait_for_end(key)).stdout_tail, "hello\n");
    const AttemptLog log = harness.log(key);
    EXPECT_EQ(log.started, 1);
    EXPECT_GT(log.pid, 0U);
    EXPECT_EQ(log.ended.size(), 1U);
    EXPECT_EQ(log.events_after_end, 0);
  }
}

TEST(Ending, AToolThatClosesItsOutputLivesOn) {
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("close-output"));
  ASSERT_TRUE(harness.wait_until(key, [](const AttemptLog& log) { return log.started == 1; }));
  const std::string folder = harness.directory_of(key);
  const auto deadline = std::chrono::steady_clock::now() + ExecutorHarness::kPatience;
  while (!std::filesystem::exists(folder + "/closed")) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  // Another attempt passes through every step meanwhile: had the first been taken for ended, that
  // would have been noticed before.
  EXPECT_EQ(harness.run(ExecutorHarness::probe("exit", "0")).state, TaskState::success);
  EXPECT_TRUE(harness.log(key).ended.empty());
  std::ofstream(folder + "/go") << "x";
  EXPECT_EQ(harness.wait_for_end(key).exit_code, 5);
}

TEST(Ending, UsageComesFromTheKernel) {
  ExecutorHarness harness;
  const Outcome out = harness.run(ExecutorHarness::probe("burn", "100"));
  EXPECT_GE(out.usage.user_us + out.usage.system_us, 90'000U);
  EXPECT_GE(out.usage.wall_us, 90'000U);
  EXPECT_GT(out.usage.max_rss_bytes, 0U);
}

TEST(Ending, UsageIncludesWhatNobodyWaitedFor) {
  ExecutorHarness harness;
  const Outcome out = harness.run(ExecutorHarness::probe("burn-detached", "100"));
  EXPECT_EQ(out.state, TaskState::success) << out.reason;
  EXPECT_GE(out.usage.user_us + out.usage.system_us, 90'000U);
}

TEST(Ending, PeakMemoryIsMeasured) {
  ExecutorHarness harness;
  const Outcome out = harness.run(ExecutorHarness::probe("allocate", "200"));
  ASSERT_EQ(out.state, TaskState::success) << out.reason;
  EXPECT_GE(out.usage.max_rss_bytes, 200U << 20U);
  EXPECT_LT(out.usage.max_rss_bytes, 400U << 20U);
}

}  // namespace
}  // namespace taskpipe::worker
