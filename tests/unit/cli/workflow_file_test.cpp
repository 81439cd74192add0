#include "client/cli/workflow_file.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Error error_of(std::string_view text) {
  const auto file = read_workflow(text);
  EXPECT_FALSE(file.has_value()) << text;
  return file ? Error{} : file.error();
}

TEST(ReadWorkflow, AListOfTasks) {
  const auto file = read_workflow(R"([
    {"name": "mesh", "tool": "openfoam", "script": "mesh.py", "params": {"n": 20}},
    {"tool": "openfoam", "script": "flow.py", "after": ["mesh"]},
    {"tool": "bash", "after": [0, 1]}])");
  ASSERT_TRUE(file.has_value()) << file.error().text;
  ASSERT_EQ(file->request.tasks.size(), 3U);
  EXPECT_EQ(file->request.tasks[0].task.tool, "openfoam");
  EXPECT_EQ(file->request.tasks[0].task.params, (ValueMap{{"n", Value(20)}}));
  EXPECT_THAT(file->request.tasks[0].after, IsEmpty());
  EXPECT_THAT(file->request.tasks[1].after, ElementsAre(0));
  EXPECT_THAT(file->request.tasks[2].after, ElementsAre(0, 1));
  EXPECT_THAT(file->names, ElementsAre("mesh", "", ""));
  EXPECT_EQ(file->request.on_failure, OnFailure::run_dependents);
}

TEST(ReadWorkflow, AMapWithNameAndPolicy) {
  const auto file = read_workflow(
      R"({"name": "w", "on_failure": "cancel_dependents", "tasks": [{"tool": "bash"}]})");
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(file->request.name, "w");
  EXPECT_EQ(file->request.on_failure, OnFailure::cancel_dependents);
}

TEST(ReadWorkflow, EveryFieldOfATask) {
  const auto file = read_workflow(R"([{"tool": "t", "inline_script": "x", "priority": -3,
    "cpus": 2, "gpus": 1, "memory": "2G", "resources": {"license": 1, "scratch": "1K"},
    "timeout": "30s", "grace": "2s", "labels": {"a": "b"}, "wait_for_capacity": true,
    "script": null, "queue_time": "10m", "no_progress": "90s",
    "retry": {"max_attempts": 3, "on": ["exit", "oom"], "backoff": "2s", "max_backoff": "5m",
              "worker_losses": 2}}])");
  ASSERT_TRUE(file.has_value()) << file.error().text;
  const TaskRequest& task = file->request.tasks[0].task;
  EXPECT_EQ(task.inline_script, "x");
  EXPECT_EQ(task.priority, -3);
  EXPECT_EQ(task.resources.cpus, 2U);
  EXPECT_EQ(task.resources.gpus, 1U);
  EXPECT_EQ(task.resources.memory_bytes, 2ULL << 30U);
  EXPECT_THAT(task.resources.named,
              ElementsAre(NamedResource{"license", 1}, NamedResource{"scratch", 1024}));
  EXPECT_EQ(task.limits.run_time_ms, 30'000U);
  EXPECT_EQ(task.limits.grace_ms, 2000U);
  EXPECT_THAT(task.labels, ElementsAre(Label{"a", "b"}));
  EXPECT_TRUE(task.wait_for_capacity);
  EXPECT_EQ(task.limits.queue_time_ms, 600'000U);
  EXPECT_EQ(task.limits.no_progress_ms, 90'000U);
  RetryPolicy policy;
  policy.max_attempts = 3;
  policy.failures = failure_bit(FailureClass::exit) | failure_bit(FailureClass::oom);
  policy.backoff_ms = 2000;
  policy.max_backoff_ms = 300'000;
  policy.max_worker_losses = 2;
  EXPECT_EQ(task.retry, policy);
}

TEST(ReadWorkflow, APolicyMayBeLeftToItsDefaults) {
  const auto policy_of = [](const std::string& retry) {
    const auto file = read_workflow(R"([{"tool": "t", "retry": )" + retry + "}]");
    EXPECT_TRUE(file.has_value()) << file.error().text;
    return file ? file->request.tasks[0].task.retry : RetryPolicy{};
  };
  EXPECT_EQ(policy_of("{}"), RetryPolicy{});
  EXPECT_EQ(policy_of("null"), RetryPolicy{});
  EXPECT_EQ(policy_of(R"({"max_attempts": 5})").failures, kUsuallyRetriedFailures);
  EXPECT_EQ(policy_of(R"({"on": []})").failures, 0U);
  // A first wait that is longer than the usual longest one raises it.
  EXPECT_EQ(policy_of(R"({"backoff": "5m"})").max_backoff_ms, 300'000U);
  EXPECT_EQ(policy_of(R"({"worker_losses": 0})").max_worker_losses, 0U);
}

struct Mistake {
  const char* text;
  const char* field;
};

TEST(ReadWorkflow, MistakesNameTheirField) {
  const std::vector<Mistake> mistakes = {
      {"[]", "tasks"},
      {"5", "the workflow"},
      {R"({"tasks": []})", "tasks"},
      {R"({"tasks": {}})", "tasks"},
      {R"({"task": []})", "task"},
      {R"({"tasks": [{"tool": "t"}], "on_failure": "panic"})", "on_failure"},
      {R"([5])", "tasks[0]"},
      {R"([{"script": "s"}])", "tasks[0].tool"},
      {R"([{"tool": 5}])", "tasks[0].tool"},
      {R"([{"tool": "t"}, {"tool": "t", "params": [1]}])", "tasks[1].params"},
      {R"([{"tool": "t", "parms": {}}])", "tasks[0].parms"},
      {R"([{"tool": "t", "cpus": 0}])", "tasks[0].cpus"},
      {R"([{"tool": "t", "cpus": 1.5}])", "tasks[0].cpus"},
      {R"([{"tool": "t", "priority": 99999999999}])", "tasks[0].priority"},
      {R"([{"tool": "t", "memory": -1}])", "tasks[0].memory"},
      {R"([{"tool": "t", "memory": "lots"}])", "tasks[0].memory"},
      {R"([{"tool": "t", "resources": {"a": []}}])", "tasks[0].resources.a"},
      {R"([{"tool": "t", "timeout": 30}])", "tasks[0].timeout"},
      {R"([{"tool": "t", "timeout": "soon"}])", "tasks[0].timeout"},
      {R"([{"tool": "t", "grace": "2h"}])", "tasks[0].grace"},
      {R"([{"tool": "t", "queue_time": 5}])", "tasks[0].queue_time"},
      {R"([{"tool": "t", "no_progress": "x"}])", "tasks[0].no_progress"},
      {R"([{"tool": "t", "retry": 3}])", "tasks[0].retry"},
      {R"([{"tool": "t", "retry": {"max": 3}}])", "tasks[0].retry.max"},
      {R"([{"tool": "t", "retry": {"max_attempts": 0}}])", "tasks[0].retry.max_attempts"},
      {R"([{"tool": "t", "retry": {"on": "exit"}}])", "tasks[0].retry.on"},
      {R"([{"tool": "t", "retry": {"on": [1]}}])", "tasks[0].retry.on"},
      {R"([{"tool": "t", "retry": {"on": ["cancelled"]}}])", "tasks[0].retry.on"},
      {R"([{"tool": "t", "retry": {"backoff": "2d"}}])", "tasks[0].retry.backoff"},
      {R"([{"tool": "t", "retry": {"max_backoff": "2d"}}])", "tasks[0].retry.max_backoff"},
      {R"([{"tool": "t", "retry": {"backoff": "2s", "max_backoff": "1s"}}])",
       "tasks[0].retry.backoff"},
      {R"([{"tool": "t", "retry": {"worker_losses": -1}}])", "tasks[0].retry.worker_losses"},
      {R"([{"tool": "t", "labels": {"a": 1}}])", "tasks[0].labels.a"},
      {R"([{"tool": "t", "after": "x"}])", "tasks[0].after"},
      {R"([{"tool": "t", "after": ["x"]}])", "tasks[0].after[0]"},
      {R"([{"tool": "t", "after": [1]}])", "tasks[0].after[0]"},
      {R"([{"tool": "t", "after": [-1]}])", "tasks[0].after[0]"},
      {R"([{"tool": "t", "name": "a"}, {"tool": "t", "name": "a"}])", "tasks[1].name"}};
  for (const Mistake& mistake : mistakes) {
    const Error error = error_of(mistake.text);
    EXPECT_EQ(error.field, mistake.field) << mistake.text;
    EXPECT_THAT(error.text, HasSubstr(mistake.field)) << mistake.text;
  }
}

TEST(ReadWorkflow, SuggestsTheNearestField) {
  EXPECT_THAT(error_of(R"([{"tool": "t", "parms": {}}])").text, HasSubstr("'params'"));
  EXPECT_THAT(error_of(R"([{"tool": "t", "retry": {"max_atempts": 2}}])").text,
              HasSubstr("'max_attempts'"));
  EXPECT_THAT(error_of(R"([{"tool": "t", "retry": {"on": ["exti"]}}])").text,
              HasSubstr("did you mean 'exit'?"));
}

TEST(ReadWorkflow, NoJsonNamesThePlace) {
  EXPECT_THAT(error_of("[{\"tool\": \"t\",}]").text, HasSubstr("line 1"));
}

TEST(MakeSequential, EachWaitsForTheOneBefore) {
  WorkflowRequest request;
  request.tasks.resize(3);
  request.tasks[2].after = {0, 1};
  make_sequential(request);
  EXPECT_THAT(request.tasks[0].after, IsEmpty());
  EXPECT_THAT(request.tasks[1].after, ElementsAre(0));
  EXPECT_THAT(request.tasks[2].after, ElementsAre(0, 1));  // not twice
}

TEST(ReadWorkflow, TheSameInToml) {
  const auto file = read_workflow(R"(
name = "airfoil"
on_failure = "cancel_dependents"

[[tasks]]
name = "mesh"
tool = "openfoam"
script = "mesh.py"
params = {n = 20, cell = [1, 1, 2]}
memory = "2G"

[[tasks]]
tool = "openfoam"
script = "flow.py"
after = ["mesh"]
timeout = "5m"
)",
                                  WorkflowFormat::toml);
  ASSERT_TRUE(file.has_value()) << file.error().text;
  EXPECT_EQ(file->request.name, "airfoil");
  EXPECT_EQ(file->request.on_failure, OnFailure::cancel_dependents);
  ASSERT_EQ(file->request.tasks.size(), 2U);
  EXPECT_EQ(file->request.tasks[0].task.params.at("n"), Value(20));
  EXPECT_EQ(file->request.tasks[0].task.resources.memory_bytes, 2ULL << 30U);
  EXPECT_THAT(file->request.tasks[1].after, ElementsAre(0));
  EXPECT_EQ(file->request.tasks[1].task.limits.run_time_ms, 300'000U);
}

TEST(ReadWorkflow, MistakesInTomlHaveTheirPlace) {
  const auto said = [](std::string_view text) {
    const auto file = read_workflow(text, WorkflowFormat::toml);
    return file ? "" : file.error().text;
  };
  EXPECT_THAT(said("[[tasks]]\ntool = 'a'\nafter = ['x']\n"),
              HasSubstr("line 3, column 10: tasks[0].after[0] names no task: 'x'"));
  EXPECT_THAT(said("[[tasks]]\ntool = 'a'\ncpus = 'two'\n"), HasSubstr("line 3, column 8: "));
  EXPECT_THAT(said("[[tasks]]\nscript = 'a'\n"), HasSubstr("line 1, column 1: tasks[0].tool"));
  EXPECT_THAT(said("[[tasks]\n"), HasSubstr("line 1, column "));
}

TEST(FormatOf, ByNameElseByTheText) {
  EXPECT_EQ(format_of("a.json", "name = 1"), WorkflowFormat::json);
  EXPECT_EQ(format_of("a.toml", "[]"), WorkflowFormat::toml);
  EXPECT_EQ(format_of("-", "  {\"tasks\": []}"), WorkflowFormat::json);
  EXPECT_EQ(format_of("-", "[ {\"tool\": 1}]"), WorkflowFormat::json);
  EXPECT_EQ(format_of("-", "[]"), WorkflowFormat::json);
  EXPECT_EQ(format_of("-", "[[tasks]]"), WorkflowFormat::toml);
  EXPECT_EQ(format_of("-", "# mine\nname = 'x'"), WorkflowFormat::toml);
}

}  // namespace
}  // namespace taskpipe::cli
