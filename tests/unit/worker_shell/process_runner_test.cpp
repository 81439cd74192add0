#include "worker/shell/process_runner.hpp"

#include <future>
#include <memory>

#include <gtest/gtest.h>

#include "common/protocol/value_codec.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/worker_shell/awaited.hpp"
#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

using testing::Collected;
using testing::kPatience;

AttemptKey key(std::uint64_t number) { return {TaskId(1, number), Epoch(2), Attempt(3)}; }

// Remembers what it was asked for.
class FakeExecutor final : public Executor {
 public:
  struct Call {
    AttemptKey attempt;
    bool is_start = false;
    std::vector<std::string> argv;
    Millis grace{0};
  };
  void start(AttemptKey attempt, RunPlan plan) override {
    calls.add({attempt, true, plan.argv, {}});
  }
  void stop(AttemptKey attempt, StopCause, Millis grace) override {
    calls.add({attempt, false, {}, grace});
  }
  Collected<Call> calls;
};

class ProcessRunnerTest : public ::testing::Test {
 protected:
  void make(ProcessRunner::Planner planner) {
    runner_ =
        std::make_unique<ProcessRunner>(std::move(planner), executor_, "/attempts", commands_);
  }
  static Start start(std::uint64_t number, const ValueMap& params = {}) {
    Start made;
    made.attempt = key(number);
    TaskSpec spec;
    spec.tool = "shell";
    made.spec = std::make_shared<const TaskSpec>(std::move(spec));
    if (!params.empty()) made.params = *protocol::encode_params(params);
    return made;
  }
  Outcome only_outcome() {
    const auto commands = testing::take_commands(commands_, 1);
    if (commands.size() != 1) return {};
    return std::get<command::AttemptEnded>(commands[0]).outcome;
  }
  CommandMailbox commands_;
  FakeExecutor executor_;
  std::unique_ptr<ProcessRunner> runner_;
};

TEST_F(ProcessRunnerTest, PlansWithParamsAndContext) {
  std::promise<AttemptContext> seen;
  make([&](const TaskSpec& spec, const ValueMap& params, const AttemptContext& context) {
    seen.set_value(context);
    RunPlan plan;
    plan.argv = {spec.tool, to_text(params.at("x"))};
    return plan;
  });
  runner_->start(start(7, {{"x", Value(5)}}));
  const auto calls = executor_.calls.wait_for(1);
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].attempt, key(7));
  EXPECT_EQ(calls[0].argv, (std::vector<std::string>{"shell", "5"}));
  const AttemptContext context = seen.get_future().get();
  EXPECT_EQ(context.directory, "/attempts/" + key(7).task.to_string() + "/2-3");
  EXPECT_EQ(context.environment[0],
            (std::pair<std::string, std::string>{"TASKPIPE_TASK_ID", key(7).task.to_string()}));
  EXPECT_EQ(context.environment[1], (std::pair<std::string, std::string>{"TASKPIPE_ATTEMPT", "3"}));
}

TEST(ProcessRunner, AgreesWithTheExecutorOnTheDirectory) {
  const taskpipe::testing::TemporaryFolder root;
  const auto made = AttemptDirectory::create(root.path().string(), key(7), {});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->path(), root.path().string() + "/" + key(7).task.to_string() + "/2-3");
}

TEST_F(ProcessRunnerTest, WithoutAPlanTheTaskIsRejected) {
  make([](const TaskSpec&, const ValueMap&, const AttemptContext&) -> tl::expected<RunPlan, Error> {
    return tl::unexpected(Error{ErrorCode::invalid, "give a mesh", "params.mesh"});
  });
  runner_->start(start(1));
  const Outcome outcome = only_outcome();
  EXPECT_EQ(outcome.state, TaskState::error);
  EXPECT_EQ(outcome.failure, FailureClass::rejected);
  EXPECT_EQ(outcome.reason, "params.mesh: give a mesh");
}

TEST_F(ProcessRunnerTest, ParamsThatCannotBeReadAreRejected) {
  make([](const TaskSpec&, const ValueMap&, const AttemptContext&) { return RunPlan{}; });
  Start damaged = start(1);
  damaged.params = Payload(std::string_view("\xc1"));
  runner_->start(std::move(damaged));
  EXPECT_EQ(only_outcome().failure, FailureClass::rejected);
}

TEST_F(ProcessRunnerTest, AStopFindsTheAttemptWhereverItIs) {
  std::promise<void> planning;
  std::promise<void> go_on;
  make([&](const TaskSpec&, const ValueMap& params, const AttemptContext&) {
    if (params.contains("wait")) {
      planning.set_value();
      go_on.get_future().wait();
    }
    return RunPlan{};
  });
  runner_->start(start(1, {{"wait", Value(true)}}));
  ASSERT_EQ(planning.get_future().wait_for(kPatience), std::future_status::ready);
  runner_->start(start(2));
  // Queued: never planned.
  runner_->stop({key(2), AttemptKind::process, StopCause::cancelled, Millis{5}});
  EXPECT_EQ(only_outcome().state, TaskState::cancelled);
  // Being planned: stopped once the executor has it.
  runner_->stop({key(1), AttemptKind::process, StopCause::cancelled, Millis{6}});
  go_on.set_value();
  auto calls = executor_.calls.wait_for(2);
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_TRUE(calls[0].is_start);
  EXPECT_EQ(calls[0].attempt, key(1));
  EXPECT_FALSE(calls[1].is_start);
  EXPECT_EQ(calls[1].grace, Millis{6});
  // Running: passed on.
  runner_->stop({key(1), AttemptKind::process, StopCause::cancelled, Millis{7}});
  calls = executor_.calls.wait_for(3);
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[2].grace, Millis{7});
}

}  // namespace
}  // namespace taskpipe::worker
