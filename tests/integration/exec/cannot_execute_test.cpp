// Starts that fail, and what people are told.
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/integration/exec/executor_harness.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::HasSubstr;

class CannotExecute : public ::testing::Test {
 protected:
  std::string reason_of(RunPlan plan) {
    const AttemptKey key = harness_.start(std::move(plan));
    const Outcome out = harness_.wait_for_end(key);
    EXPECT_EQ(out.state, TaskState::error);
    EXPECT_EQ(out.failure, FailureClass::spawn);
    EXPECT_EQ(harness_.log(key).started, 0);
    return out.reason;
  }
  // A plan that runs a file of its own.
  static RunPlan own_file(const std::string& content, bool executable) {
    RunPlan plan;
    plan.argv = {"./tool"};
    plan.files.resize(1);
    plan.files[0] = {"tool", Payload(content), executable};
    return plan;
  }
  ExecutorHarness harness_;
};

TEST_F(CannotExecute, AMissingProgram) {
  RunPlan plan;
  plan.argv = {"no-such-simulator"};
  plan.environment = {{"PATH", "/usr/bin:/bin"}};
  EXPECT_EQ(reason_of(std::move(plan)),
            "cannot execute 'no-such-simulator': No such file or directory: is it installed and on "
            "PATH of the worker?");
}

TEST_F(CannotExecute, AMissingAbsolutePath) {
  RunPlan plan;
  plan.argv = {"/no/such/tool"};
  EXPECT_THAT(reason_of(std::move(plan)), HasSubstr("'/no/such/tool': No such file"));
}

TEST_F(CannotExecute, AFileWithoutPermission) {
  EXPECT_THAT(reason_of(own_file("#!/bin/sh\n", false)), HasSubstr("Permission denied"));
}

TEST_F(CannotExecute, AFolder) {
  RunPlan plan;
  plan.argv = {"/tmp"};
  EXPECT_THAT(reason_of(std::move(plan)), HasSubstr("Permission denied"));
}

TEST_F(CannotExecute, AMissingInterpreter) {
  const std::string reason = reason_of(own_file("#!/no/such/interpreter\n", true));
  EXPECT_THAT(reason, HasSubstr("cannot execute './tool'"));
  EXPECT_THAT(reason, HasSubstr("interpreter that its first line"));
}

TEST_F(CannotExecute, AScriptWithoutItsFirstLine) {
  EXPECT_THAT(reason_of(own_file("echo hello\n", true)), HasSubstr("#!/bin/sh"));
}

TEST_F(CannotExecute, ArgumentsBeyondWhatTheKernelTakes) {
  RunPlan plan;
  plan.argv = {"/bin/true", std::string(1U << 20U, 'a')};  // one argument: 128 KiB at most
  EXPECT_THAT(reason_of(std::move(plan)), HasSubstr("pass large params in a file"));
}

TEST_F(CannotExecute, ArgumentsBeyondWhatAFrameTakes) {
  RunPlan plan;
  plan.argv = {"/bin/true", std::string(9U << 20U, 'a')};
  EXPECT_THAT(reason_of(std::move(plan)), HasSubstr("too large"));
}

TEST_F(CannotExecute, PlansThatNoProcessCouldHave) {
  EXPECT_THAT(reason_of(RunPlan{}), HasSubstr("command line is empty"));
  RunPlan nul;
  nul.argv = {"/bin/echo", std::string("a\0b", 3)};
  EXPECT_THAT(reason_of(std::move(nul)), HasSubstr("NUL"));
  RunPlan variable;
  variable.argv = {"/bin/true"};
  variable.environment = {{"A=B", "c"}};
  EXPECT_THAT(reason_of(std::move(variable)), HasSubstr("'A=B'"));
}

TEST_F(CannotExecute, AFileNameThatClimbsOut) {
  RunPlan plan;
  plan.argv = {"/bin/true"};
  plan.files.resize(1);
  plan.files[0].name = "../../escape";
  EXPECT_THAT(reason_of(std::move(plan)), HasSubstr("'../../escape'"));
}

TEST(CannotExecuteRoot, AnUnusableRootIsNamed) {
  const ScratchFolder folder;
  folder.write("file", "");
  ExecutorHarness harness([&](auto& options) { options.attempts_root = folder / "file"; });
  const Outcome out = harness.run(ExecutorHarness::probe("exit", "0"));
  EXPECT_EQ(out.failure, FailureClass::spawn);
  EXPECT_THAT(out.reason, HasSubstr(folder / "file"));
  EXPECT_THAT(out.reason, HasSubstr("writable"));
}

TEST(CannotExecuteSpawner, IsToldAtOnce) {
  try {
    ExecutorHarness harness([](auto& options) { options.spawner.program = "/no/such/spawner"; });
    ADD_FAILURE() << "an executor without a spawner was made";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/no/such/spawner"));
  }
}

TEST(CannotExecuteSpawner, AProgramThatIsNoSpawnerIsToldAtOnce) {
  for (const char* program : {"/bin/true", "/bin/cat"}) {
    EXPECT_THROW(ExecutorHarness([&](auto& options) { options.spawner.program = program; }),
                 std::runtime_error);
  }
}

TEST(CannotExecuteSpawner, AnImpossibleMemoryControlIsToldAtOnce) {
  EXPECT_THROW(ExecutorHarness([](auto& options) { options.spawner.memory_control = "magic"; }),
               std::runtime_error);
  EXPECT_THROW(ExecutorHarness([](auto& options) {
                 options.spawner.memory_control = "cgroup-v2";
                 options.spawner.cgroup_parent = "/nonexistent";
               }),
               std::runtime_error);
}

}  // namespace
}  // namespace taskpipe::worker
