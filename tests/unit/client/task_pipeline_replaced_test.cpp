// Subclasses that replace methods for one task: those for many tasks honour them. No service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "taskpipe/task_pipeline.hpp"

namespace taskpipe::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

ClientOptions nowhere() {
  ClientOptions options;
  options.broker = "tcp://127.0.0.1:1";
  options.connect_timeout = 50ms;
  return options;
}

// Ids are "task-0", …; what was called is written down.
class FakePipeline : public TaskPipeline {
 public:
  FakePipeline() : TaskPipeline(nowhere()) {}

  std::string submit_task(const std::string& tool, const std::string& script,
                          const ValueMap& params) override {
    const std::string id = "task-" + std::to_string(submitted_.size());
    submitted_.push_back({tool, script, params});
    calls_.push_back("submit " + id);
    return id;
  }
  PipelineResult wait_for_task(const std::string& task_id, Timeout timeout) override {
    calls_.push_back("wait " + task_id);
    timeouts_.push_back(timeout);
    if (cancelled_ == task_id) throw TaskCancelledError("cancelled", task_id);
    if (late_ == task_id) throw TimeoutError("late", task_id);
    return {};
  }
  PipelineStatus get_task_status(const std::string& task_id) override {
    PipelineStatus status;
    auto& states = states_[task_id];
    if (!states.empty()) {
      status.state = states.front();
      if (states.size() > 1) states.erase(states.begin());
    }
    if (status.ready()) {
      status.result.emplace();
      status.result->duration_seconds = 2.0;
    }
    return status;
  }

  std::vector<PipelineTask> submitted_;
  std::vector<std::string> calls_;
  std::vector<Timeout> timeouts_;
  std::string cancelled_;
  std::string late_;
  std::map<std::string, std::vector<TaskState>> states_;  // told in turn, the last one forever
};

// Replaces the status alone, and says so.
class FakeStatuses : public TaskPipeline {
 public:
  FakeStatuses() : TaskPipeline(nowhere()) {}
  PipelineStatus get_task_status(const std::string& task_id) override {
    PipelineStatus status;
    status.state =
        ++asked_[task_id] >= ready_after_[task_id] ? TaskState::success : TaskState::running;
    return status;
  }
  std::map<std::string, int> asked_;
  std::map<std::string, int> ready_after_;

 protected:
  Replaced replaced() const override { return replaced_by<FakeStatuses>(); }
};

const std::vector<PipelineTask> kTwo = {{"shell", "a.sh", {{"n", 1}}}, {"python", "b.py"}};

TEST(ReplacedMethods, AreFoundByTheirTypes) {
  struct Probe : FakeStatuses {
    static Replaced of_fake() { return replaced_by<FakePipeline>(); }
    static Replaced of_statuses() { return replaced_by<FakeStatuses>(); }
    static Replaced of_probe() { return replaced_by<Probe>(); }
    static Replaced of_base() { return replaced_by<TaskPipeline>(); }
  };
  EXPECT_TRUE(Probe::of_fake().submit_task && Probe::of_fake().wait_for_task);
  EXPECT_TRUE(Probe::of_fake().get_task_status);
  EXPECT_TRUE(Probe::of_statuses().get_task_status);
  EXPECT_FALSE(Probe::of_statuses().submit_task || Probe::of_statuses().wait_for_task);
  EXPECT_TRUE(Probe::of_probe().get_task_status);  // inherited from a class that replaces it
  EXPECT_FALSE(Probe::of_base().get_task_status || Probe::of_base().get_workflow_status);
}

TEST(ReplacedMethods, ASequentialWorkflowSubmitsAndWaitsSingly) {
  FakePipeline pipeline;
  pipeline.cancelled_ = "task-0";  // one way to end: the next one runs
  EXPECT_THAT(pipeline.submit_workflow(kTwo), ElementsAre("task-0", "task-1"));
  EXPECT_THAT(pipeline.calls_,
              ElementsAre("submit task-0", "wait task-0", "submit task-1", "wait task-1"));
  EXPECT_EQ(pipeline.submitted_, kTwo);
  EXPECT_FALSE(pipeline.timeouts_[0]);
}

TEST(ReplacedMethods, AParallelWorkflowSubmitsSingly) {
  FakePipeline pipeline;
  EXPECT_THAT(pipeline.submit_workflow(kTwo, false), ElementsAre("task-0", "task-1"));
  EXPECT_THAT(pipeline.calls_, ElementsAre("submit task-0", "submit task-1"));
}

TEST(ReplacedMethods, BatchesSubmitSinglyAndTellAfterEach) {
  FakePipeline pipeline;
  std::vector<PipelineBatch> told;
  const std::vector<PipelineTask> tasks(5, kTwo[0]);
  const auto ids = pipeline.submit_batch_workflow(
      tasks, 2, [&](const PipelineBatch& batch) { told.push_back(batch); });
  EXPECT_EQ(ids.size(), 5U);
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].batch_num, 1U);
  EXPECT_EQ(told[1].submitted, 4U);
  EXPECT_EQ(told[2].batch_num, 3U);
  EXPECT_EQ(told[2].batch_size, 1U);
  EXPECT_EQ(told[2].submitted, 5U);
  EXPECT_EQ(told[2].total, 5U);
  EXPECT_THAT(told[2].task_ids, ElementsAre("task-4"));
  EXPECT_EQ(pipeline.submitted_, tasks);
}

TEST(ReplacedMethods, ASweepSubmitsEveryCombinationInOneBatch) {
  FakePipeline pipeline;
  int batches = 0;
  const auto ids = pipeline.parameter_sweep("shell", "a.sh", {{"x", {1, 2}}, {"y", {"a", "b"}}},
                                            [&](const PipelineBatch&) { ++batches; });
  EXPECT_EQ(ids.size(), 4U);
  EXPECT_EQ(batches, 1);
  EXPECT_EQ(pipeline.submitted_[1], (PipelineTask{"shell", "a.sh", {{"x", 1}, {"y", "b"}}}));
}

TEST(ReplacedMethods, AWorkflowIsWaitedForTaskByTask) {
  FakePipeline pipeline;
  pipeline.cancelled_ = "a";
  pipeline.states_ = {{"a", {TaskState::cancelled}}, {"b", {TaskState::success}}};
  const auto status = pipeline.wait_for_workflow({"a", "b"}, 1min);
  EXPECT_THAT(pipeline.calls_, ElementsAre("wait a", "wait b"));
  EXPECT_TRUE(status.all_complete());
  EXPECT_EQ(status.failed, 1U);
  EXPECT_LE(pipeline.timeouts_[1].value(), 1min);
}

TEST(ReplacedMethods, AReplacedWaitThatIsLateEndsTheWaitForAWorkflow) {
  FakePipeline pipeline;
  pipeline.late_ = "a";
  pipeline.states_ = {{"a", {TaskState::running}}, {"b", {TaskState::success}}};
  try {
    pipeline.wait_for_workflow({"a", "b"}, 0ms);
    FAIL() << "a is late";
  } catch (const TimeoutError& error) {
    EXPECT_EQ(std::string(error.what()).find("workflow did not complete within 0 seconds"), 0U);
  }
  EXPECT_THAT(pipeline.calls_, ElementsAre("wait a"));
  try {
    pipeline.wait_for_workflow({"a", "b"});
    FAIL() << "without a limit of ours the lateness is the replacement's own";
  } catch (const TimeoutError& error) {
    EXPECT_STREQ(error.what(), "late");
  }
}

TEST(ReplacedMethods, ReplacedStatusesTellTheCallbackOfAWaitForAWorkflow) {
  FakePipeline pipeline;
  pipeline.states_ = {{"a", {TaskState::running, TaskState::success}}};
  std::vector<std::size_t> completed;
  const auto status = pipeline.wait_for_workflow(
      {"a"}, 1min, [&](const auto& now) { completed.push_back(now.completed); }, 1ms);
  EXPECT_TRUE(status.all_complete());
  EXPECT_THAT(completed, ElementsAre(0U, 1U));
  EXPECT_TRUE(pipeline.calls_.empty());  // waiting would have told of nothing before the end
}

TEST(ReplacedMethods, AReplacedWorkflowStatusIsWhatWaitsAndStatisticsGoBy) {
  class Counted : public TaskPipeline {
   public:
    Counted() : TaskPipeline(nowhere()) {}
    PipelineWorkflowStatus get_workflow_status(const std::vector<std::string>& ids) override {
      PipelineWorkflowStatus workflow;
      for (const std::string& id : ids) {
        PipelineStatus status;
        status.task_id = id;
        status.state = ++asked_ > 2 ? TaskState::success : TaskState::running;
        workflow.put(std::move(status));
      }
      return workflow;
    }
    int asked_ = 0;

   protected:
    Replaced replaced() const override { return replaced_by<Counted>(); }
  } pipeline;
  EXPECT_EQ(pipeline.get_parallel_execution_stats({"a"}).running, 1U);
  EXPECT_TRUE(pipeline.wait_for_workflow({"a"}, 1min, {}, 1ms).all_complete());
  EXPECT_EQ(pipeline.asked_, 3);
}

TEST(ReplacedMethods, StatesOfManyAreAskedForSingly) {
  FakePipeline pipeline;
  pipeline.states_ = {{"a", {TaskState::success}}, {"b", {TaskState::running}}};
  const auto status = pipeline.get_workflow_status({"a", "b", "a"});
  EXPECT_EQ(status.total, 2U);
  EXPECT_EQ(status.completed, 1U);
  EXPECT_EQ(status.running, 1U);
  EXPECT_EQ(status.tasks.at("b").task_id, "b");
  EXPECT_DOUBLE_EQ(pipeline.get_parallel_execution_stats({"a", "b"}).total_duration, 2.0);
}

TEST(ReplacedMethods, TheFirstReadyStatusEndsAWaitForAny) {
  FakeStatuses pipeline;
  pipeline.ready_after_ = {{"a", 100}, {"b", 2}};
  const auto first = pipeline.wait_for_any({"a", "b"}, 10s);
  EXPECT_EQ(first.task_id, "b");
  EXPECT_EQ(first.status.state, TaskState::success);
  pipeline.ready_after_ = {{"a", 1'000'000}};
  try {
    pipeline.wait_for_any({"a"}, 250ms);
    FAIL() << "nothing is ready";
  } catch (const TimeoutError& error) {
    EXPECT_STREQ(error.what(), "No task completed within 0.25 seconds");
  }
}

TEST(ReplacedMethods, StatusesAloneAreAskedForUntilAllAreReady) {
  FakeStatuses pipeline;
  pipeline.ready_after_ = {{"a", 3}, {"b", 1}};
  std::vector<std::size_t> completed;
  const auto status = pipeline.wait_for_workflow(
      {"a", "b"}, 10s, [&](const auto& now) { completed.push_back(now.completed); }, 1ms);
  EXPECT_TRUE(status.all_complete());
  EXPECT_THAT(completed, ElementsAre(1U, 1U, 2U));
  pipeline.ready_after_ = {{"a", 1'000'000}};
  EXPECT_THROW(pipeline.wait_for_workflow({"a"}, 20ms, {}, 1ms), TimeoutError);
  pipeline.asked_.clear();
  pipeline.ready_after_ = {{"a", 3}};
  std::vector<TaskState> told;
  const auto last = pipeline.monitor_task(
      "a", [&](const PipelineStatus& now) { told.push_back(now.state); }, 1ms);
  EXPECT_EQ(last.state, TaskState::success);
  EXPECT_THAT(told, ElementsAre(TaskState::running, TaskState::running, TaskState::success));
}

}  // namespace
}  // namespace taskpipe::testing
