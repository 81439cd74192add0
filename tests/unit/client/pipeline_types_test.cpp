// The values of TaskPipeline: constants, dicts, counts, sweeps, statistics. No service.
#include "taskpipe/pipeline_types.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/limits.hpp"
#include "taskpipe/pipeline_errors.hpp"

namespace taskpipe::testing {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> keys_of(const ValueMap& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

PipelineStatus status(std::string id, TaskState state, double seconds = 0.0) {
  PipelineStatus made;
  made.task_id = std::move(id);
  made.state = state;
  if (made.ready() && state != TaskState::cancelled) {
    made.result.emplace();
    made.result->state = state;
    made.result->duration_seconds = seconds;
  }
  return made;
}

TEST(TaskStatusConstants, AreTheNamesOfTheStates) {
  EXPECT_EQ(TaskStatus::PENDING, "PENDING");
  EXPECT_EQ(TaskStatus::RUNNING, "RUNNING");
  EXPECT_EQ(TaskStatus::SUCCESS, "SUCCESS");
  EXPECT_EQ(TaskStatus::FAILURE, "FAILURE");
  EXPECT_EQ(TaskStatus::TIMEOUT, "timeout");
  EXPECT_EQ(TaskStatus::ERROR, "error");
  EXPECT_EQ(TaskStatus::CANCELLED, "REVOKED");
  EXPECT_EQ(TaskStatus::PENDING, name_of(TaskState::pending));
  EXPECT_EQ(TaskStatus::RUNNING, name_of(TaskState::running));
  EXPECT_EQ(TaskStatus::SUCCESS, name_of(TaskState::success));
  EXPECT_EQ(TaskStatus::FAILURE, name_of(TaskState::failure));
  EXPECT_EQ(TaskStatus::TIMEOUT, name_of(TaskState::timeout));
  EXPECT_EQ(TaskStatus::ERROR, name_of(TaskState::error));
  EXPECT_EQ(TaskStatus::CANCELLED, name_of(TaskState::cancelled));
}

TEST(PipelineStatusDict, HasTheKeysOfEachState) {
  const ValueMap pending = status("a", TaskState::pending).to_dict();
  EXPECT_THAT(keys_of(pending), ElementsAre("failed", "ready", "state", "successful", "task_id"));
  EXPECT_EQ(pending.at("task_id"), Value("a"));
  EXPECT_EQ(pending.at("ready"), Value(false));
  EXPECT_TRUE(pending.at("successful").is_null());
  EXPECT_TRUE(pending.at("failed").is_null());

  PipelineStatus running = status("a", TaskState::running);
  running.progress_percent = 40.0;
  running.tool = "python";
  running.script = "pi.py";
  EXPECT_THAT(keys_of(running.to_dict()), ElementsAre("failed", "progress", "ready", "script",
                                                      "state", "successful", "task_id", "tool"));
  EXPECT_EQ(running.to_dict().at("progress"), Value(40.0));

  const ValueMap success = status("a", TaskState::success).to_dict();
  EXPECT_THAT(keys_of(success),
              ElementsAre("failed", "ready", "result", "state", "successful", "task_id"));
  EXPECT_EQ(success.at("successful"), Value(true));
  EXPECT_EQ(success.at("failed"), Value(false));

  for (const TaskState state : {TaskState::failure, TaskState::timeout, TaskState::error}) {
    PipelineStatus bad = status("a", state);
    bad.error = "why";
    const ValueMap dict = bad.to_dict();
    EXPECT_THAT(keys_of(dict), ElementsAre("error", "failed", "ready", "result", "state",
                                           "successful", "task_id"));
    EXPECT_EQ(dict.at("successful"), Value(false));
    EXPECT_EQ(dict.at("failed"), Value(true));
  }
  PipelineStatus cancelled = status("a", TaskState::cancelled);
  cancelled.error = "why";
  EXPECT_THAT(keys_of(cancelled.to_dict()),
              ElementsAre("error", "failed", "ready", "state", "successful", "task_id"));
  EXPECT_EQ(cancelled.to_dict().at("state"), Value("REVOKED"));
}

TEST(PipelineResultDict, HasTheKeysOfTheContract) {
  PipelineResult result;
  result.state = TaskState::success;
  result.tool = "python";
  result.params = ValueMap{{"n", 1}};
  result.returncode = 0;
  result.artifacts = {{"result.json", "/node/a/result.json", 12, std::string(64, 'a')},
                      {"big.bin", "/node/a/big.bin", 13, ""}};
  result.artifacts[0].shared = true;
  result.artifacts[1].problem = "no room";
  result.usage.user_us = 1'500'000;
  result.duration_seconds = 2.5;
  ValueMap dict = result.to_dict();
  EXPECT_THAT(keys_of(dict), ElementsAre("artifact_details", "artifacts", "duration_seconds",
                                         "params", "resource_usage", "returncode", "script",
                                         "status", "stderr", "stdout", "tool"));
  EXPECT_EQ(dict.at("status"), Value("success"));
  EXPECT_EQ(dict.at("params"), Value(ValueMap{{"n", 1}}));
  EXPECT_EQ(dict.at("artifacts"), Value(ValueList{"/node/a/result.json", "/node/a/big.bin"}));
  const auto& details = *dict.at("artifact_details").as<ValueList>();
  EXPECT_EQ(*details[0].find("size"), Value(12));
  EXPECT_EQ(*details[0].find("sha256"), Value(std::string(64, 'a')));
  EXPECT_TRUE(details[1].find("sha256")->is_null());
  EXPECT_EQ(*details[0].find("shared"), Value(true));
  EXPECT_EQ(details[0].find("problem"), nullptr);
  EXPECT_EQ(*details[1].find("problem"), Value("no room"));
  EXPECT_EQ(*dict.at("resource_usage").find("user_seconds"), Value(1.5));

  result.state = TaskState::failure;
  result.error = "exit code 3";
  result.returncode.reset();
  result.value = 7;
  dict = result.to_dict();
  EXPECT_EQ(dict.at("status"), Value("failed"));
  EXPECT_EQ(dict.at("error"), Value("exit code 3"));
  EXPECT_EQ(dict.at("value"), Value(7));
  EXPECT_TRUE(dict.at("returncode").is_null());
  result.state = TaskState::timeout;
  EXPECT_EQ(result.status(), "timeout");
  result.state = TaskState::error;
  EXPECT_EQ(result.status(), "error");
}

TEST(PipelineWorkflowStatusCounts, AreKeptRightByPut) {
  PipelineWorkflowStatus workflow;
  EXPECT_TRUE(workflow.all_complete());
  workflow.put(status("a", TaskState::pending));
  workflow.put(status("b", TaskState::running));
  workflow.put(status("c", TaskState::success));
  workflow.put(status("d", TaskState::cancelled));
  workflow.put(status("e", TaskState::timeout));
  EXPECT_EQ(workflow.total, 5U);
  EXPECT_EQ(workflow.pending, 1U);
  EXPECT_EQ(workflow.running, 1U);
  EXPECT_EQ(workflow.completed, 1U);
  EXPECT_EQ(workflow.failed, 2U);
  EXPECT_FALSE(workflow.all_complete());
  workflow.put(status("a", TaskState::running));
  workflow.put(status("a", TaskState::failure));
  workflow.put(status("b", TaskState::success));
  EXPECT_EQ(workflow.total, 5U);
  EXPECT_EQ(workflow.pending + workflow.running, 0U);
  EXPECT_EQ(workflow.completed, 2U);
  EXPECT_EQ(workflow.failed, 3U);
  EXPECT_TRUE(workflow.all_complete());
  const ValueMap dict = workflow.to_dict();
  EXPECT_THAT(keys_of(dict), ElementsAre("all_complete", "completed", "failed", "pending",
                                         "running", "tasks", "total"));
  EXPECT_EQ(dict.at("all_complete"), Value(true));
  EXPECT_EQ(*dict.at("tasks").find("a")->find("state"), Value("FAILURE"));
}

TEST(ParallelStats, AreThoseOfTheTasksThatRan) {
  PipelineWorkflowStatus workflow;
  workflow.put(status("a", TaskState::success, 4.0));
  workflow.put(status("b", TaskState::failure, 2.0));
  workflow.put(status("c", TaskState::running));
  workflow.put(status("d", TaskState::cancelled));
  const PipelineStats stats = parallel_stats(workflow);
  EXPECT_EQ(stats.total_tasks, 4U);
  EXPECT_EQ(stats.completed, 1U);
  EXPECT_EQ(stats.failed, 2U);
  EXPECT_EQ(stats.running, 1U);
  EXPECT_EQ(stats.pending, 0U);
  EXPECT_DOUBLE_EQ(stats.total_duration, 6.0);
  EXPECT_DOUBLE_EQ(stats.avg_duration, 3.0);
  EXPECT_DOUBLE_EQ(stats.max_duration, 4.0);
  EXPECT_DOUBLE_EQ(stats.speedup, 1.5);
  EXPECT_DOUBLE_EQ(stats.efficiency, 0.375);
  EXPECT_THAT(keys_of(stats.to_dict()),
              ElementsAre("avg_duration", "completed", "efficiency", "failed", "max_duration",
                          "pending", "running", "speedup", "total_duration", "total_tasks"));
}

TEST(ParallelStats, NeverDivideByNothing) {
  const PipelineStats none = parallel_stats({});
  EXPECT_DOUBLE_EQ(none.speedup, 1.0);
  EXPECT_DOUBLE_EQ(none.efficiency, 0.0);
  PipelineWorkflowStatus waiting;
  waiting.put(status("a", TaskState::pending));
  waiting.put(status("b", TaskState::error, 0.0));  // could not start
  const PipelineStats stats = parallel_stats(waiting);
  EXPECT_DOUBLE_EQ(stats.speedup, 1.0);
  EXPECT_DOUBLE_EQ(stats.efficiency, 0.5);
  EXPECT_DOUBLE_EQ(stats.avg_duration, 0.0);
}

TEST(OtherDicts, HaveTheKeysOfTheContract) {
  const PipelineBatch batch{2, 3, 8, 10, {"a", "b"}};
  EXPECT_EQ(Value(batch.to_dict()), Value(ValueMap{{"batch_num", 2},
                                                   {"batch_size", 3},
                                                   {"submitted", 8},
                                                   {"total", 10},
                                                   {"task_ids", ValueList{"a", "b"}}}));
  const PipelineCompletion completion{"a", status("a", TaskState::success)};
  EXPECT_EQ(*completion.to_dict().at("status").find("state"), Value("SUCCESS"));
  EXPECT_EQ(Value(PipelineHealth{"w0", "fine"}.to_dict()),
            Value(ValueMap{{"status", "healthy"}, {"worker", "w0"}, {"message", "fine"}}));
  PipelineSimulations simulations;
  simulations.tools["shell"] = {"bash", {"hello.sh"}};
  EXPECT_EQ(Value(simulations.to_dict()),
            Value(ValueMap{
                {"status", "success"},
                {"tools", ValueMap{{"shell", ValueMap{{"description", "bash"},
                                                      {"scripts", ValueList{"hello.sh"}}}}}}}));
}

TEST(SweepCombinations, AreEveryCombinationTheLastParameterFastest) {
  const auto combinations = sweep_combinations({{"n", {16, 32}}, {"dt", {0.1, "auto", true}}});
  ASSERT_EQ(combinations.size(), 6U);
  EXPECT_EQ(combinations[0], (ValueMap{{"n", 16}, {"dt", 0.1}}));
  EXPECT_EQ(combinations[1], (ValueMap{{"n", 16}, {"dt", "auto"}}));
  EXPECT_EQ(combinations[2], (ValueMap{{"n", 16}, {"dt", true}}));
  EXPECT_EQ(combinations[3], (ValueMap{{"n", 32}, {"dt", 0.1}}));
  EXPECT_EQ(combinations[5], (ValueMap{{"n", 32}, {"dt", true}}));
}

TEST(SweepCombinations, OfNothingIsOneAndOfNoValuesIsNone) {
  EXPECT_EQ(sweep_combinations({}), (std::vector<ValueMap>{ValueMap{}}));
  EXPECT_TRUE(sweep_combinations({{"n", {1, 2}}, {"m", {}}}).empty());
  EXPECT_TRUE(sweep_combinations({{"m", {}}, {"n", {1, 2}}}).empty());
}

TEST(SweepCombinations, BadGridsAreRefused) {
  const auto field_of = [](const ParamGrid& grid) -> std::string {
    try {
      return std::to_string(sweep_combinations(grid).size()) + " combinations";
    } catch (const InvalidArgumentError& error) {
      return error.field();
    }
  };
  EXPECT_EQ(field_of({{"", {1}}}), "param_grid");
  EXPECT_EQ(field_of({{"n", {1}}, {"n", {2}}}), "param_grid.n");
  const ValueList thousand(1000, Value(1));
  EXPECT_EQ(field_of({{"a", thousand}, {"b", ValueList(1001, Value(1))}}), "param_grid.b");
  EXPECT_EQ(field_of({{"a", ValueList(1U << 16U)},
                      {"b", ValueList(1U << 16U)},
                      {"c", ValueList(1U << 16U)},
                      {"d", ValueList(1U << 16U)}}),
            "param_grid.b");  // the product would be 0 in 64 bits
}

}  // namespace
}  // namespace taskpipe::testing
