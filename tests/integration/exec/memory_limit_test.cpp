// Memory limits, by whatever this host offers. Where a kind is missing, the test says so and holds
// the address-space limit to its promise instead.
#include <dirent.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/exec/executor_harness.hpp"
#include "worker/spawner/cgroup_location.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
constexpr std::uint64_t kLimitBytes = 64U << 20U;

RunPlan limited(RunPlan plan) {
  plan.memory_limit_bytes = kLimitBytes;
  return plan;
}

std::vector<std::string> groups_left() {
  std::vector<std::string> found;
  for (const CgroupVersion version : {CgroupVersion::v1, CgroupVersion::v2}) {
    const auto own = own_cgroup_directory(version, "memory", read_small_file("/proc/self/cgroup"),
                                          read_small_file("/proc/self/mountinfo", 1U << 20U));
    if (!own) continue;
    DIR* directory = ::opendir(own->c_str());
    if (directory == nullptr) continue;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string name = entry->d_name;
      if (name.starts_with("taskpipe-") && name != "taskpipe-agent") found.push_back(name);
    }
    ::closedir(directory);
  }
  return found;
}

class MemoryLimit : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string wanted = GetParam();
    try {
      harness_ = std::make_unique<ExecutorHarness>(
          [&](auto& options) { options.spawner.memory_control = wanted; });
    } catch (const std::runtime_error& error) {
      std::printf("UNAVAILABLE: %s on this host (%s); checking rlimit instead\n", wanted.c_str(),
                  error.what());
      harness_ = std::make_unique<ExecutorHarness>(
          [](auto& options) { options.spawner.memory_control = "rlimit"; });
    }
    kills_ = harness_->executor().memory_control() != "RLIMIT_AS";
  }
  void TearDown() override {
    harness_.reset();
    EXPECT_THAT(groups_left(), IsEmpty());
  }

  std::unique_ptr<ExecutorHarness> harness_;
  bool kills_ = false;
};

TEST_P(MemoryLimit, EndsAToolThatExceedsIt) {
  const Outcome out = harness_->run(limited(ExecutorHarness::probe("allocate", "200")));
  EXPECT_EQ(out.state, TaskState::failure);
  if (kills_) {
    EXPECT_EQ(out.failure, FailureClass::oom);
    EXPECT_EQ(out.reason, "killed for exceeding its memory limit of 64 MiB (" +
                              harness_->executor().memory_control() + ")");
  } else {
    EXPECT_EQ(out.failure, FailureClass::exit);
    EXPECT_EQ(out.exit_code, 9);  // malloc returned null
    EXPECT_THAT(out.reason, HasSubstr("RLIMIT_AS"));
  }
}

TEST_P(MemoryLimit, LeavesAToolThatKeepsItAlone) {
  const Outcome out = harness_->run(limited(ExecutorHarness::probe("allocate", "20")));
  EXPECT_EQ(out.state, TaskState::success) << out.reason;
}

TEST_P(MemoryLimit, HoldsForDescendantsToo) {
  const std::string probe = TASKPIPE_PROBE_PROGRAM;
  const Outcome out =
      harness_->run(limited(ExecutorHarness::shell("setsid " + probe + " allocate 200; exit $?")));
  EXPECT_EQ(out.state, TaskState::failure);
  EXPECT_EQ(out.failure, kills_ ? FailureClass::oom : FailureClass::exit);
}

TEST_P(MemoryLimit, DoesNotHoldForOthers) {
  const AttemptKey small = harness_->start(limited(ExecutorHarness::probe("linger")));
  ASSERT_TRUE(harness_->wait_for_output(small, "ready"));
  EXPECT_EQ(harness_->run(ExecutorHarness::probe("allocate", "200")).state, TaskState::success);
  harness_->executor().stop(small, StopCause::cancelled, Millis(0));
  EXPECT_EQ(harness_->wait_for_end(small).state, TaskState::cancelled);
}

TEST_P(MemoryLimit, ACancelledAttemptIsNoMemoryFailure) {
  const AttemptKey key = harness_->start(limited(ExecutorHarness::probe("stubborn")));
  ASSERT_TRUE(harness_->wait_for_output(key, "ready"));
  harness_->executor().stop(key, StopCause::cancelled, Millis(10));
  EXPECT_EQ(harness_->wait_for_end(key).failure, FailureClass::cancelled);
}

INSTANTIATE_TEST_SUITE_P(Controls, MemoryLimit,
                         ::testing::Values("auto", "cgroup-v2", "cgroup-v1", "rlimit"),
                         [](const auto& param) {
                           std::string name = param.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(MemoryControl, CanBeTurnedOff) {
  ExecutorHarness harness([](auto& options) { options.spawner.memory_control = "none"; });
  EXPECT_EQ(harness.executor().memory_control(), "none");
  EXPECT_EQ(harness.run(limited(ExecutorHarness::probe("allocate", "200"))).state,
            TaskState::success);
}

}  // namespace
}  // namespace taskpipe::worker
