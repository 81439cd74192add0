// Every row of the TaskPipeline contract against a real broker and worker. Run by pipeline_test.py.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "tests/integration/pipeline/live_fixture.hpp"

namespace taskpipe::testing {
namespace {

TEST_F(Live, HealthAndToolsAreThoseOfTheWorker) {
  EXPECT_EQ(pipeline_.health_check().worker, "w0");
  const auto tools = pipeline_.list_available_simulations().tools;
  ASSERT_TRUE(tools.contains("python"));
  EXPECT_FALSE(tools.at("python").description.empty());
  const auto& scripts = tools.at("python").scripts;
  EXPECT_EQ(std::count(scripts.begin(), scripts.end(), "pi.py"), 1);
}

TEST_F(Live, ASuccessHasItsWholeResult) {
  const auto id = pipeline_.submit_task("python", "pi.py", {{"samples", 20000}});
  std::vector<TaskState> told;
  const auto last =
      pipeline_.monitor_task(id, [&](const PipelineStatus& now) { told.push_back(now.state); });
  EXPECT_EQ(told.back(), TaskState::success);
  EXPECT_EQ(std::count(told.begin(), told.end(), TaskState::success), 1);
  EXPECT_EQ(last.successful(), true);
  const PipelineResult result = pipeline_.wait_for_task(id, kPatience);
  EXPECT_EQ(result, last.result);
  EXPECT_EQ(result.status(), "success");
  EXPECT_EQ(result.returncode, 0);
  EXPECT_EQ(result.tool, "python");
  EXPECT_EQ(result.script, "pi.py");
  EXPECT_EQ(result.params, (ValueMap{{"samples", 20000}}));
  EXPECT_NE(result.stdout_tail.find("pi = 3."), std::string::npos);
  EXPECT_GT(result.duration_seconds, 0.0);
  ASSERT_FALSE(result.artifacts.empty());
  EXPECT_TRUE(std::filesystem::is_regular_file(result.artifacts[0].path));
  EXPECT_EQ(result.artifacts[0].sha256.size(), 64U);
}

TEST_F(Live, AFailedToolIsAResult) {
  const auto id = shell("echo out; echo oops >&2; exit 3");
  const PipelineResult result = pipeline_.wait_for_task(id, kPatience);
  EXPECT_EQ(result.status(), "failed");
  EXPECT_EQ(result.returncode, 3);
  EXPECT_EQ(result.stderr_tail, "oops\n");
  EXPECT_FALSE(result.error.empty());
  EXPECT_EQ(result.params, ValueMap{});
  const PipelineStatus status = pipeline_.get_task_status(id);
  EXPECT_EQ(name_of(status.state), TaskStatus::FAILURE);
  EXPECT_EQ(status.failed(), true);
  EXPECT_EQ(status.result, result);
  EXPECT_EQ(pipeline_.wait_for_task(shell("kill -SEGV $$"), kPatience).returncode, -SIGSEGV);
}

TEST_F(Live, RunningTooLongIsATimeout) {
  const auto id = shell("echo begun; sleep 1000", 200ms);
  const PipelineResult result = pipeline_.wait_for_task(id, kPatience);
  EXPECT_EQ(result.status(), "timeout");
  EXPECT_EQ(result.stdout_tail, "begun\n");
  EXPECT_FALSE(result.error.empty());
  EXPECT_EQ(name_of(pipeline_.get_task_status(id).state), TaskStatus::TIMEOUT);
}

TEST_F(Live, AScriptThatNobodyHasIsABadArgument) {
  try {
    pipeline_.submit_task("shell", "no_such_script.sh");
    FAIL() << "nobody has it";
  } catch (const InvalidArgumentError& error) {
    EXPECT_EQ(error.field(), "script");
    EXPECT_NE(std::string(error.what()).find("hello.sh"), std::string::npos) << error.what();
  }
  EXPECT_THROW(pipeline_.submit_workflow({{"shell", "hello.sh"}, {"shell", "none.sh"}}),
               InvalidArgumentError);
}

TEST_F(Live, AToolThatNobodyOffersIsRefused) {
  try {
    pipeline_.submit_task("no_such_tool", "a.sh");
    FAIL() << "nobody offers it";
  } catch (const RefusedError& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsatisfiable) << error.what();
  }
}

TEST_F(Live, CancelsWhatRunsWithItsProcesses) {
  const auto gate = folder() / "cancelled";
  const auto id = shell(gated(gate));
  const PipelineStatus running = await_running(id);
  EXPECT_EQ(running.tool, "shell");
  EXPECT_TRUE(pipeline_.cancel_task(id));
  EXPECT_THROW(pipeline_.wait_for_task(id, kPatience), TaskCancelledError);
  EXPECT_FALSE(pipeline_.cancel_task(id));
  const PipelineStatus status = pipeline_.get_task_status(id);
  EXPECT_EQ(name_of(status.state), TaskStatus::CANCELLED);
  EXPECT_FALSE(status.result);
  EXPECT_FALSE(status.error.empty());
}

TEST_F(Live, CancelsWhatIsPending) {
  const auto gate = folder() / "blocker";
  WorkflowRequest chain;  // the second waits for the first
  TaskRequest first;
  first.tool = "shell";
  first.script = "inline.sh";
  first.inline_script = gated(gate);
  TaskRequest second = first;
  second.inline_script = "true";
  chain.tasks = {{first, {}}, {second, {0}}};
  const auto receipt = pipeline_.client().submit_workflow(chain);
  ASSERT_TRUE(receipt) << receipt.error().text();
  const std::string blocked = receipt->tasks[1].to_string();
  EXPECT_EQ(pipeline_.get_task_status(blocked).state, TaskState::pending);
  EXPECT_TRUE(pipeline_.cancel_task(blocked));
  EXPECT_THROW(pipeline_.wait_for_task(blocked, kPatience), TaskCancelledError);
  open(gate);
  EXPECT_EQ(pipeline_.wait_for_task(receipt->tasks[0].to_string(), kPatience).status(), "success");
}

TEST_F(Live, AWaitThatTimesOutLeavesTheTaskRunning) {
  const auto gate = folder() / "slow";
  const auto id = shell(gated(gate));
  EXPECT_THROW(pipeline_.wait_for_task(id, 100ms), TimeoutError);
  EXPECT_THROW(pipeline_.wait_for_any({id}, 100ms), TimeoutError);
  EXPECT_THROW(pipeline_.wait_for_workflow({id}, 100ms), TimeoutError);
  EXPECT_FALSE(pipeline_.get_task_status(id).ready());
  open(gate);
  EXPECT_EQ(pipeline_.wait_for_task(id, kPatience).status(), "success");
}

TEST_F(Live, IdsThatNeverExistedAreErrors) {
  const std::string id(32, '1');
  EXPECT_THROW(pipeline_.get_task_status(id), UnknownTaskError);
  EXPECT_THROW(pipeline_.wait_for_task(id), UnknownTaskError);
  EXPECT_THROW(pipeline_.cancel_task(id), UnknownTaskError);
  EXPECT_THROW(pipeline_.monitor_task(id), UnknownTaskError);
  EXPECT_THROW(pipeline_.wait_for_workflow({id}), UnknownTaskError);
}

TEST_F(Live, AThousandTasksInOneWorkflow) {
  const std::vector<PipelineTask> tasks(1000, {"noop", "none"});
  const auto ids = pipeline_.submit_workflow(tasks, false);
  std::size_t told = 0;
  const auto status = pipeline_.wait_for_workflow(ids, kPatience, [&](const auto&) { ++told; });
  EXPECT_EQ(status.total, 1000U);
  EXPECT_EQ(status.completed, 1000U);
  EXPECT_GE(told, 1U);
  EXPECT_EQ(pipeline_.get_parallel_execution_stats(ids).total_tasks, 1000U);
  EXPECT_EQ(pipeline_.active_tasks().size(), 1000U);
}

TEST_F(Live, ASequentialWorkflowRunsInOrderPastAFailure) {
  const auto ids = pipeline_.submit_workflow({{"shell", "hello.sh", {{"steps", 2}, {"pause", 0}}},
                                              {"shell", "hello.sh", {{"steps", "none"}}},
                                              {"shell", "hello.sh", {{"steps", 1}, {"pause", 0}}}});
  ASSERT_EQ(ids.size(), 3U);
  const auto status = pipeline_.get_workflow_status(ids);  // all have ended
  EXPECT_EQ(status.completed, 2U);
  EXPECT_EQ(status.failed, 1U);
  EXPECT_EQ(status.tasks.at(ids[1]).result->returncode, 2);
  for (std::size_t i = 1; i < ids.size(); ++i) {
    const auto before = pipeline_.client().status(*TaskId::parse(ids[i - 1]));
    const auto after = pipeline_.client().status(*TaskId::parse(ids[i]));
    ASSERT_TRUE(before && after);
    EXPECT_LE(before->finished, after->started) << i;
  }
}

TEST_F(Live, ASweepInBatchesAndItsStatistics) {
  int batches = 0;
  const auto ids = pipeline_.parameter_sweep(
      "echo", "none", {{"n", {1, 2, 3}}, {"sleep_ms", {5, 10}}},
      [&](const PipelineBatch& batch) { batches += batch.submitted == batch.total ? 1 : 100; });
  EXPECT_EQ(batches, 1);
  ASSERT_EQ(ids.size(), 6U);
  const auto first = pipeline_.wait_for_any(ids, kPatience);
  EXPECT_TRUE(first.status.ready());
  EXPECT_TRUE(pipeline_.wait_for_workflow(ids, kPatience).all_complete());
  EXPECT_EQ(pipeline_.wait_for_task(ids[5]).value, Value(ValueMap{{"n", 3}, {"sleep_ms", 10}}));
  const PipelineStats stats = pipeline_.get_parallel_execution_stats(ids);
  EXPECT_EQ(stats.completed, 6U);
  EXPECT_GE(stats.speedup, 1.0);
  EXPECT_LE(stats.efficiency, 1.0);
}

TEST_F(Live, TwoPipelinesSeeTheSameTasks) {
  TaskPipeline other;
  const auto gate = folder() / "shared";
  const auto id = shell(gated(gate));
  auto here =
      std::async(std::launch::async, [&] { return pipeline_.wait_for_task(id, kPatience); });
  auto there = std::async(std::launch::async, [&] { return other.wait_for_task(id, kPatience); });
  EXPECT_TRUE(other.active_tasks().empty());
  open(gate);
  EXPECT_EQ(here.get(), there.get());
}

TEST_F(Live, ALostBrokerInTheMiddleOfAWait) {
  const auto gate = folder() / "outage";
  const auto id = shell(gated(gate));
  ASSERT_EQ(await_running(id).state, TaskState::running);
  auto waiting =
      std::async(std::launch::async, [&] { return pipeline_.wait_for_task(id, kPatience); });
  ask("broker kill");
  open(gate);  // it ends while there is no broker
  EXPECT_EQ(waiting.wait_for(0s), std::future_status::timeout);
  ask("broker start");
  const PipelineResult result = waiting.get();
  EXPECT_EQ(result.status(), "success");
  EXPECT_EQ(result.stdout_tail, "through\n");
}

}  // namespace
}  // namespace taskpipe::testing
