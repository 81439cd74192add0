// Many attempts at once.
#include <string>
#include <vector>

#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"

namespace taskpipe::worker {
namespace {

TEST(Concurrency, TwoHundredShortAttempts) {
  ExecutorHarness harness;
  std::vector<AttemptKey> keys;
  for (int i = 0; i < 200; ++i) {
    keys.push_back(harness.start(ExecutorHarness::shell("echo number " + std::to_string(i) +
                                                        "; exit " + std::to_string(i % 7))));
  }
  for (int i = 0; i < 200; ++i) {
    const Outcome out = harness.wait_for_end(keys[static_cast<std::size_t>(i)]);
    EXPECT_EQ(out.exit_code, i % 7);
    EXPECT_EQ(report_of(out).stdout_tail, "number " + std::to_string(i) + "\n");
  }
}

TEST(Concurrency, ManyAtOnceStoppedAtOnce) {
  ExecutorHarness harness;
  const std::string marker = unique_marker();
  std::vector<AttemptKey> keys;
  for (int i = 0; i < 100; ++i) {
    keys.push_back(harness.start(ExecutorHarness::probe("stubborn", "", marker)));
  }
  for (const AttemptKey& key : keys) ASSERT_TRUE(harness.wait_for_output(key, "ready"));
  for (const AttemptKey& key : keys) {
    harness.executor().stop(key, StopCause::cancelled, Millis(1));
  }
  for (const AttemptKey& key : keys) {
    EXPECT_EQ(harness.wait_for_end(key).state, TaskState::cancelled);
  }
  EXPECT_TRUE(live_with(marker).empty());
}

}  // namespace
}  // namespace taskpipe::worker
