// What a process finds when it starts.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/exec/executor_harness.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {
namespace {

std::string stdout_of(ExecutorHarness& harness, RunPlan plan) {
  const Outcome out = harness.run(std::move(plan));
  EXPECT_EQ(out.state, TaskState::success) << out.reason;
  return report_of(out).stdout_tail;
}

TEST(StartEnvironment, HasNoDescriptorBeyondTheStandardOnes) {
  // As a careless library would leave it: no close-on-exec.
  const Descriptor careless(::open("/dev/zero", O_RDONLY));
  ExecutorHarness harness;
  const Descriptor later(::open("/dev/zero", O_RDONLY));
  std::vector<AttemptKey> others;
  for (int i = 0; i < 5; ++i) others.push_back(harness.start(ExecutorHarness::probe("linger")));
  for (const auto& other : others) ASSERT_TRUE(harness.wait_for_output(other, "ready"));
  EXPECT_EQ(stdout_of(harness, ExecutorHarness::probe("descriptors")),
            "0 /dev/null\n1 pipe:\n2 pipe:\n");
}

TEST(StartEnvironment, HasCleanSignalsAndASessionOfItsOwn) {
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigaddset(&blocked, SIGUSR1);
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  ExecutorHarness harness;
  const AttemptKey key = harness.start(ExecutorHarness::probe("describe"));
  const std::string text = report_of(harness.wait_for_end(key)).stdout_tail;
  ::signal(SIGPIPE, handler);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(text,
            "leader 1 session 1 blocked 0 ignored 0\ncwd " + harness.directory_of(key) + "\n");
}

TEST(StartEnvironment, InheritsNothingButWhatThePlanSays) {
  ::setenv("TASKPIPE_TEST_SECRET", "x", 1);
  ExecutorHarness harness;
  RunPlan plan;
  plan.argv = {"/usr/bin/env"};
  plan.environment = {{"A", "1"}, {"EMPTY", ""}, {"WITH", "=and=\nnewline"}};
  EXPECT_EQ(stdout_of(harness, std::move(plan)), "A=1\nEMPTY=\nWITH==and=\nnewline\n");
  ::unsetenv("TASKPIPE_TEST_SECRET");
}

TEST(StartEnvironment, HoldsTheFilesOfThePlan) {
  ExecutorHarness harness;
  RunPlan plan;
  plan.argv = {"./bin/tool", "two words", ""};
  plan.environment = {{"PATH", "/usr/bin:/bin"}};
  plan.files.resize(2);
  plan.files[0] = {"bin/tool", Payload("#!/bin/sh\ncat input; echo \"[$1][$2]\"\n"), true};
  plan.files[1] = {"input", Payload("data\n"), false};
  EXPECT_EQ(stdout_of(harness, std::move(plan)), "data\n[two words][]\n");
}

TEST(StartEnvironment, TakesLargeArgumentLists) {
  ExecutorHarness harness;
  RunPlan plan;
  plan.argv = {"sh", "-c", "echo $#", "sh"};
  plan.environment = {{"PATH", "/usr/bin:/bin"}};
  for (int i = 0; i < 10; ++i) plan.argv.emplace_back(100'000, 'a');  // beyond a socket buffer
  EXPECT_EQ(stdout_of(harness, std::move(plan)), "10\n");
}

TEST(StartEnvironment, GetsTheLimitOfOpenFilesThatTheWorkerHas) {
  ExecutorHarness harness;
  const long mine = ::sysconf(_SC_OPEN_MAX);
  EXPECT_EQ(stdout_of(harness, ExecutorHarness::shell("ulimit -Sn")), std::to_string(mine) + "\n");
}

}  // namespace
}  // namespace taskpipe::worker
