// The end of attempts whose program is no descendant of what was started: the commands that ask
// how it ended and remove it, and that they come before the end is reported. Shell scripts stand
// for the runtime; the real ones are in tests/deploy/container_test.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "common/process/logging.hpp"
#include "tests/integration/exec/executor_harness.hpp"
#include "tests/integration/exec/live_processes.hpp"

namespace taskpipe::worker {
namespace {

using std::filesystem::exists;
using testing::HasSubstr;

class ContainerEnd : public testing::Test {
 protected:
  // Runs `script` as the client; its container's inspection prints `told`.
  [[nodiscard]] RunPlan plan(const std::string& script, const std::string& told) const {
    RunPlan plan = ExecutorHarness::shell(script);
    plan.memory_limit_bytes = 1U << 20U;  // the client itself would not live with it
    RunPlan::Container container;
    container.runtime = "docker";
    container.name = "box";
    container.inspection = {"/bin/sh", "-c", "echo " + told};
    container.removal = {"/bin/sh", "-c", "echo >> " + removed()};
    plan.container = std::move(container);
    return plan;
  }
  [[nodiscard]] std::string removed() const { return scratch_.path() + "/removed"; }

  // What the administrator reads.
  [[nodiscard]] std::string logged() const {
    std::ifstream file(scratch_.path() + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  ScratchFolder scratch_;
  process::Logger logger_{
      {"worker", process::LogLevel::info, process::LogFormat::text, scratch_.path() + "/log"}};
  ExecutorHarness harness_{[this](ProcessExecutorOptions& options) { options.logger = &logger_; }};
};

TEST_F(ContainerEnd, IsRemovedBeforeTheEndIsReported) {
  const Outcome out = harness_.run(plan("pwd; exit 127", "false 2026-01-01T00:00:00Z"));
  EXPECT_TRUE(exists(removed()));
  EXPECT_EQ(out.failure, FailureClass::exit);
  EXPECT_EQ(out.exit_code, 127);
  // Not in the attempt's folder, where another user may have put links.
  EXPECT_EQ(report_of(out).stdout_tail, harness_.root() + "\n");
}

TEST_F(ContainerEnd, TheRuntimeTellsOfMemory) {
  const Outcome out = harness_.run(plan("exit 137", "true 2026-01-01T00:00:00Z"));
  EXPECT_EQ(out.failure, FailureClass::oom);
  EXPECT_THAT(out.reason, HasSubstr("its memory limit of 1 MiB (docker)"));
}

TEST_F(ContainerEnd, OneThatNeverStartedIsAnErrorInTheRuntimesWords) {
  const Outcome out = harness_.run(plan(
      "echo 'docker: Error response from daemon: no' >&2; exit 125", "false 0001-01-01T00:00:00Z"));
  EXPECT_EQ(out.state, TaskState::error);
  EXPECT_EQ(out.failure, FailureClass::spawn);
  EXPECT_THAT(out.reason, HasSubstr("docker: Error response from daemon: no"));
  EXPECT_TRUE(exists(removed()));
}

TEST_F(ContainerEnd, OneThatNobodyCouldAskAboutIsLeftToTheClientsWords) {
  auto mute = plan("echo 'docker: mine' >&2; exit 125", "x");
  // Remarks are no answer.
  mute.container->inspection = {"/bin/sh", "-c", "echo 'true 2026-01-01' >&2; exit 1"};
  EXPECT_EQ(harness_.run(std::move(mute)).failure, FailureClass::spawn);
  auto odd = plan("echo mine >&2; exit 125", "x");
  odd.container->inspection = {"/bin/sh", "-c", "echo 'true 2026-01-01' >&2; echo odd"};
  EXPECT_EQ(harness_.run(std::move(odd)).failure, FailureClass::exit);
  auto remarking = plan("echo mine >&2; exit 125", "x");
  remarking.container->inspection = {"/bin/sh", "-c", "echo remark >&2; echo false 0001-01-01"};
  EXPECT_EQ(harness_.run(std::move(remarking)).failure, FailureClass::spawn);
  auto none = plan("echo mine >&2; exit 125", "x");
  none.container->inspection = {"/bin/sh", "-c",
                                "echo 'Error: No such container: box' >&2; exit 1"};
  EXPECT_EQ(harness_.run(std::move(none)).failure, FailureClass::spawn);
}

TEST_F(ContainerEnd, OfASuccessNothingIsAsked) {
  auto fine = plan("exit 0", "x");
  const std::string asked = scratch_.path() + "/asked";
  fine.container->inspection = {"/bin/sh", "-c", ": > " + asked};
  const Outcome out = harness_.run(std::move(fine));
  EXPECT_EQ(out.state, TaskState::success);
  EXPECT_EQ(out.reason, "");
  EXPECT_TRUE(exists(removed()));
  EXPECT_FALSE(exists(asked));
}

TEST_F(ContainerEnd, ARemovalThatFailsIsRepeated) {
  auto failing = plan("exit 3", "false 2026-01-01T00:00:00Z");
  const std::string tried = scratch_.path() + "/tried";
  failing.container->removal = {
      "/bin/sh", "-c", "[ -e " + tried + " ] || { : > " + tried + "; exit 1; }; : > " + removed()};
  EXPECT_EQ(harness_.run(std::move(failing)).reason, "exited with code 3");
  EXPECT_TRUE(exists(removed()));
  EXPECT_EQ(logged(), "");
}

TEST_F(ContainerEnd, WhatItsRemovalLeavesIsNotTheNextAttempts) {
  auto first = plan("exit 0", "x");
  const std::string remains = scratch_.path() + "/remains";
  first.container->removal = {"/bin/sh", "-c", "setsid sleep 60 & echo $! > " + remains};
  EXPECT_EQ(harness_.run(std::move(first)).state, TaskState::success);
  pid_t pid = -1;
  ASSERT_TRUE(std::ifstream(remains) >> pid);
  const Outcome next = harness_.run(ExecutorHarness::shell("exit 0"));
  EXPECT_EQ(next.state, TaskState::success);
  EXPECT_EQ(next.reason, "");
  EXPECT_TRUE(is_live(pid)) << "or nothing was to be seen";
  ::kill(pid, SIGKILL);
}

TEST_F(ContainerEnd, OfAClientThatIsKilledToo) {
  const auto key =
      harness_.start(plan("trap '' TERM; echo up; while :; do sleep 1; done", "false x"));
  ASSERT_TRUE(harness_.wait_for_output(key, "up\n"));
  harness_.executor().stop(key, StopCause::cancelled, Millis(1));
  EXPECT_EQ(harness_.wait_for_end(key).state, TaskState::cancelled);
  EXPECT_TRUE(exists(removed()));
}

// What the daemon had been asked for may come into being after the client's death.
TEST_F(ContainerEnd, ALateContainerOfAKilledClientIsWaitedFor) {
  auto late = plan("trap '' TERM; echo up; while :; do sleep 1; done", "false x");
  const std::string tried = scratch_.path() + "/tried";
  late.container->removal = {"/bin/sh", "-c",
                             "echo >> " + tried + "; [ $(wc -l < " + tried +
                                 ") -gt 2 ] || { echo 'Error: No such container: box' >&2; exit 1; "
                                 "}; : > " +
                                 removed()};
  const auto key = harness_.start(std::move(late));
  ASSERT_TRUE(harness_.wait_for_output(key, "up\n"));
  harness_.executor().stop(key, StopCause::cancelled, Millis(1));
  EXPECT_EQ(harness_.wait_for_end(key).reason, "cancelled on request");
  EXPECT_TRUE(exists(removed()));
}

// Both at once, since each of them takes all the time that there is for it.
TEST_F(ContainerEnd, WhatCannotBeRemovedIsToldAfterABoundedTime) {
  auto orphan = plan("echo up; sleep 600", "false x");
  orphan.container->removal = {"/bin/sh", "-c", "exit 1"};
  const auto lost = harness_.start(std::move(orphan));
  ASSERT_TRUE(harness_.wait_for_output(lost, "up\n"));
  const auto guards = children_of(ExecutorHarness::spawner_pid());
  ASSERT_EQ(guards.size(), 1U);
  ::kill(guards.front(), SIGKILL);

  auto fine = plan("exit 0", "x");
  const std::string tried = scratch_.path() + "/tried";
  // The first fails, the second does not return.
  fine.container->removal = {"/bin/sh", "-c",
                             "[ -e " + tried + " ] && exec sleep 600; : > " + tried + "; exit 1"};
  const auto key = harness_.start(std::move(fine));
  const Outcome out = harness_.wait_for_end(key);
  EXPECT_EQ(out.state, TaskState::success);
  EXPECT_EQ(out.reason, "");
  const Outcome of_lost = harness_.wait_for_end(lost);
  EXPECT_EQ(of_lost.failure, FailureClass::signal);
  EXPECT_THAT(of_lost.reason, HasSubstr("; its container box could not be removed"));
  const std::string log = logged();
  const std::string told = "a container could not be removed";
  const auto first = log.find(told);
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(log.find(told, first + 1), std::string::npos) << "of both";
}

TEST_F(ContainerEnd, AfterTheDeathOfTheSpawner) {
  const auto key = harness_.start(plan("echo up; sleep 600", "false x"));
  ASSERT_TRUE(harness_.wait_for_output(key, "up\n"));
  ExecutorHarness::signal_spawner(SIGKILL);
  EXPECT_EQ(harness_.wait_for_end(key).failure, FailureClass::spawn);
  EXPECT_TRUE(exists(removed()));
}

TEST_F(ContainerEnd, AfterTheDeathOfTheGuard) {
  const auto key = harness_.start(plan("echo up; sleep 600", "false x"));
  ASSERT_TRUE(harness_.wait_for_output(key, "up\n"));
  const auto guards = children_of(ExecutorHarness::spawner_pid());
  ASSERT_EQ(guards.size(), 1U);
  ::kill(guards.front(), SIGKILL);
  EXPECT_EQ(harness_.wait_for_end(key).failure, FailureClass::signal);
  EXPECT_TRUE(exists(removed()));
}

TEST_F(ContainerEnd, AfterTheEndOfTheWorker) {
  const auto key = harness_.start(plan("echo up; sleep 600", "false x"));
  ASSERT_TRUE(harness_.wait_for_output(key, "up\n"));
  harness_.destroy_executor();
  EXPECT_TRUE(exists(removed()));
}

}  // namespace
}  // namespace taskpipe::worker
