// TaskPipeline against a broker that does what it is told.
#include <gmock/gmock.h>

#include <atomic>
#include <stdexcept>

#include "taskpipe/task_pipeline.hpp"
#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class PipelineTest : public ClientFixture {
 protected:
  static TaskId id_of(const std::string& text) { return TaskId::parse(text).value_or(TaskId{}); }
  std::string submit(int n = 0) { return pipeline_.submit_task("shell", "script", {{"n", n}}); }
  bool await_waiter(const std::string& id) {
    return broker_.await([this, id] {
      const auto task = tasks_of(id);
      return task && !task->waiters.empty();
    });
  }
  std::optional<FakeBroker::Task> tasks_of(const std::string& id) {
    return broker_.task(id_of(id));
  }
  std::size_t seen(MessageType type) {
    std::size_t count = 0;
    broker_.on_thread([&] { count = broker_.seen(type); });
    return count;
  }

  TaskPipeline pipeline_{options_for(broker_)};
};

TEST_F(PipelineTest, SubmitsAndTracksUntilCleanup) {
  const std::string id = submit(7);
  EXPECT_EQ(id.size(), 32U);
  ASSERT_TRUE(broker_.task(id_of(id)));
  EXPECT_EQ(pipeline_.active_tasks().at(id), (PipelineTask{"shell", "script", {{"n", 7}}}));
  broker_.finish(id_of(id), TaskState::success, report_of("out"));
  EXPECT_EQ(pipeline_.wait_for_task(id).params, (ValueMap{{"n", 7}}));
  pipeline_.cleanup();
  EXPECT_TRUE(pipeline_.active_tasks().empty());
  const PipelineResult result = pipeline_.wait_for_task(id);  // stays readable
  EXPECT_EQ(result.stdout_tail, "out");
  EXPECT_EQ(result.tool, "shell");
  EXPECT_EQ(result.script, "script");
  EXPECT_EQ(result.params, (ValueMap{{"n", 7}}));
}

TEST_F(PipelineTest, AStatusHasWhatItsStateAllows) {
  const std::string id = submit();
  EXPECT_EQ(pipeline_.get_task_status(id).state, TaskState::pending);
  EXPECT_FALSE(pipeline_.get_task_status(id).result);
  broker_.run(id_of(id));
  EXPECT_EQ(pipeline_.get_task_status(id).to_dict().at("progress"), Value(0.0));
  broker_.progress(id_of(id), 30.0, "a third");
  const PipelineStatus running = pipeline_.get_task_status(id);
  EXPECT_EQ(running.progress_percent, 30.0);
  EXPECT_EQ(running.tool, "shell");
  broker_.finish(id_of(id), TaskState::timeout, report_of("so far"));
  const PipelineStatus ended = pipeline_.get_task_status(id);
  EXPECT_EQ(ended.successful(), false);
  ASSERT_TRUE(ended.result);
  EXPECT_EQ(ended.result->status(), "timeout");
  EXPECT_EQ(ended.result->stdout_tail, "so far");
  EXPECT_FALSE(ended.error.empty());
}

TEST_F(PipelineTest, UnknownIdsAreErrors) {
  const std::string id(32, 'e');
  EXPECT_THROW(pipeline_.get_task_status(id), UnknownTaskError);
  EXPECT_THROW(pipeline_.wait_for_task(id), UnknownTaskError);
  EXPECT_THROW(pipeline_.monitor_task(id), UnknownTaskError);
  EXPECT_THROW(pipeline_.cancel_task(id), UnknownTaskError);
  EXPECT_THROW(pipeline_.get_workflow_status({submit(), id}), UnknownTaskError);
  EXPECT_THROW(pipeline_.wait_for_workflow({id}), UnknownTaskError);
  EXPECT_THROW(pipeline_.wait_for_any({id}), UnknownTaskError);
}

TEST_F(PipelineTest, EveryEndButACancelIsAResult) {
  const std::map<TaskState, std::string> words = {{TaskState::success, "success"},
                                                  {TaskState::failure, "failed"},
                                                  {TaskState::timeout, "timeout"},
                                                  {TaskState::error, "error"}};
  for (const auto& [state, word] : words) {
    const std::string id = submit();
    auto waiting = in_background([&] { return pipeline_.wait_for_task(id, kPatience); });
    broker_.finish(id_of(id), state, report_of("out"));
    const PipelineResult result = waiting.get();
    EXPECT_EQ(result.status(), word);
    EXPECT_EQ(result.error.empty(), state == TaskState::success);
  }
  const std::string id = submit();
  EXPECT_TRUE(pipeline_.cancel_task(id));
  EXPECT_FALSE(pipeline_.cancel_task(id));
  EXPECT_THROW(pipeline_.wait_for_task(id), TaskCancelledError);
  const PipelineStatus status = pipeline_.get_task_status(id);
  EXPECT_EQ(status.to_dict().at("state"), Value("REVOKED"));
  EXPECT_FALSE(status.result);
  EXPECT_FALSE(status.error.empty());
}

TEST_F(PipelineTest, ATimeoutEndsTheWaitAndNotTheTask) {
  const std::string id = submit();
  try {
    pipeline_.wait_for_task(id, 250ms);
    FAIL() << "it has not ended";
  } catch (const TimeoutError& error) {
    EXPECT_EQ(error.task_id(), id);
    EXPECT_NE(std::string(error.what()).find("0.25 seconds"), std::string::npos) << error.what();
  }
  EXPECT_THROW(pipeline_.wait_for_workflow({id}, 10ms), TimeoutError);
  EXPECT_THROW(pipeline_.wait_for_workflow({id}, 10ms, [](const auto&) {}), TimeoutError);
  try {
    pipeline_.wait_for_any({id}, 2s - 1990ms);
    FAIL() << "it has not ended";
  } catch (const TimeoutError& error) {
    EXPECT_STREQ(error.what(), "No task completed within 0.01 seconds");
  }
  EXPECT_EQ(pipeline_.get_task_status(id).state, TaskState::pending);
}

TEST_F(PipelineTest, MonitoringTellsEveryChangeAndTheResultAtTheEnd) {
  const std::string id = submit();
  std::vector<PipelineStatus> told;
  const auto on_status = [&](const PipelineStatus& status) {
    told.push_back(status);
    // The next step begins once this one was told.
    if (told.size() == 1) broker_.run(id_of(id));
    if (told.size() == 2) broker_.progress(id_of(id), 50.0, "half");
    if (told.size() == 3) broker_.finish(id_of(id), TaskState::failure, report_of("out"));
  };
  const PipelineStatus last = pipeline_.monitor_task(id, on_status, kPatience);
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[0].state, TaskState::pending);
  EXPECT_EQ(told[1].state, TaskState::running);
  EXPECT_EQ(told[2].progress_percent, 50.0);
  EXPECT_EQ(told[2].message, "half");
  EXPECT_EQ(told[3], last);
  EXPECT_EQ(last.state, TaskState::failure);
  ASSERT_TRUE(last.result);
  EXPECT_EQ(last.result->stdout_tail, "out");
  EXPECT_EQ(last.result->tool, "shell");
  EXPECT_EQ(last.result->params, (ValueMap{{"n", 0}}));
}

TEST_F(PipelineTest, SilenceRepeatsTheLastStatusWithoutAsking) {
  const std::string id = submit();
  std::vector<PipelineStatus> told;
  pipeline_.monitor_task(
      id,
      [&](const PipelineStatus& status) {
        told.push_back(status);
        if (told.size() == 5) broker_.finish(id_of(id), TaskState::success);
      },
      1ms);
  ASSERT_GE(told.size(), 6U);
  EXPECT_EQ(told[1], told[0]);
  EXPECT_EQ(told[4], told[0]);
  EXPECT_EQ(told.back().state, TaskState::success);
  // One, to begin with: it may still be on its way when silence is told for the first time.
  EXPECT_LE(seen(MessageType::query), 1U);
}

TEST_F(PipelineTest, WhatACallbackThrowsReachesTheCaller) {
  const std::string id = submit();
  const auto bad = [](const auto&) { throw std::out_of_range("mine"); };
  EXPECT_THROW(pipeline_.monitor_task(id, bad), std::out_of_range);
  EXPECT_THROW(pipeline_.wait_for_workflow({id}, {}, bad, 1ms), std::out_of_range);
  EXPECT_THROW(pipeline_.submit_batch_workflow({{"shell", "a.sh"}}, {}, bad), std::out_of_range);
  EXPECT_EQ(pipeline_.get_task_status(id).state, TaskState::pending);  // all is well
}

TEST_F(PipelineTest, AParallelWorkflowIsOneWorkflowWithoutDependencies) {
  const auto ids = pipeline_.submit_workflow({{"shell", "a.sh"}, {"python", "b.py"}}, false);
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_EQ(tasks_of(ids[0])->spec->script, "a.sh");
  EXPECT_EQ(tasks_of(ids[1])->spec->tool, "python");
  EXPECT_EQ(seen(MessageType::workflow), 1U);
  EXPECT_EQ(seen(MessageType::submit), 0U);
  EXPECT_EQ(pipeline_.active_tasks().size(), 2U);
}

TEST_F(PipelineTest, ASequentialWorkflowIsAChainAndReturnsAtItsEnd) {
  std::optional<SubmitWorkflow> sent;
  broker_.answer_next(MessageType::workflow, [&](const Message& message) {
    sent = std::get<SubmitWorkflow>(message);
    return std::nullopt;  // as usual
  });
  const std::vector<PipelineTask> tasks(3, {"shell", "a.sh"});
  auto submitting = in_background([&] { return pipeline_.submit_workflow(tasks); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  EXPECT_EQ(submitting.wait_for(0s), std::future_status::timeout);
  WorkflowId workflow;
  broker_.on_thread([&] { workflow = sent->id; });
  broker_.finish_workflow(workflow, 2);
  EXPECT_EQ(submitting.get().size(), 3U);
  EXPECT_EQ(sent->on_failure, OnFailure::run_dependents);
  ASSERT_EQ(sent->dependencies.size(), 3U);
  EXPECT_TRUE(sent->dependencies[0].after.empty());
  EXPECT_THAT(sent->dependencies[1].after, ElementsAre(0U));
  EXPECT_THAT(sent->dependencies[2].after, ElementsAre(1U));
}

TEST_F(PipelineTest, AWorkflowIsWaitedForWithItsCounts) {
  const auto ids = pipeline_.submit_workflow(std::vector<PipelineTask>(3, {"shell", "a"}), false);
  std::vector<PipelineWorkflowStatus> told;
  const auto on_change = [&](const PipelineWorkflowStatus& now) {
    told.push_back(now);
    // Each step begins once the one before it was told.
    if (now.completed == 1 && now.failed == 0) broker_.finish(id_of(ids[1]), TaskState::failure);
    if (now.failed == 1) broker_.finish(id_of(ids[2]), TaskState::cancelled);
  };
  auto waiting = in_background(
      [&] { return pipeline_.wait_for_workflow(ids, kPatience, on_change, kPatience); });
  ASSERT_TRUE(broker_.await_subscription("id." + ids[0] + "."));
  broker_.finish(id_of(ids[0]), TaskState::success, report_of("first"));
  const PipelineWorkflowStatus last = waiting.get();
  EXPECT_TRUE(last.all_complete());
  EXPECT_EQ(last.total, 3U);
  EXPECT_EQ(last.completed, 1U);
  EXPECT_EQ(last.failed, 2U);
  EXPECT_EQ(last.tasks.at(ids[0]).result->stdout_tail, "first");
  EXPECT_EQ(last.tasks.at(ids[2]).state, TaskState::cancelled);
  ASSERT_GE(told.size(), 3U);
  // Results are there as soon as their tasks have ended.
  EXPECT_EQ(told.front().tasks.at(ids[0]).result->stdout_tail, "first");
  EXPECT_TRUE(told.back().all_complete());
  EXPECT_FALSE(told[told.size() - 2].all_complete());
}

TEST_F(PipelineTest, TheFirstThatEndsEndsAWaitForAny) {
  const std::vector<std::string> ids = {submit(1), submit(2), submit(3)};
  auto waiting = in_background([&] { return pipeline_.wait_for_any(ids, kPatience); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.finish(id_of(ids[1]), TaskState::success, report_of("second"));
  const PipelineCompletion first = waiting.get();
  EXPECT_EQ(first.task_id, ids[1]);
  EXPECT_EQ(first.status.result->stdout_tail, "second");
}

TEST_F(PipelineTest, BatchesAreSentAsAWholeAndToldOneByOne) {
  std::vector<std::size_t> submitted;
  const std::vector<PipelineTask> tasks(600, {"shell", "a.sh"});
  const auto ids = pipeline_.submit_batch_workflow(
      tasks, 300, [&](const PipelineBatch& batch) { submitted.push_back(batch.submitted); });
  EXPECT_EQ(ids.size(), 600U);
  EXPECT_THAT(submitted, ElementsAre(300U, 600U));
  EXPECT_EQ(broker_.task_count(), 600U);
  EXPECT_EQ(seen(MessageType::submit), 4U);  // of at most 256 each
  EXPECT_EQ(pipeline_.get_workflow_status(ids).pending, 600U);
}

TEST_F(PipelineTest, ARefusedTaskOfABatchNamesTheAcceptedOnes) {
  const auto refuse_second = [](const Message& message) {
    SubmitAck ack;
    for (const auto& item : std::get<Submit>(message).items) ack.items.push_back({item.id});
    ack.items[1].code = ErrorCode::unsatisfiable;
    ack.error = Error{ErrorCode::unsatisfiable, "nobody offers it", "tool"};
    ack.messages_total = limits::kClientWindowItems;
    ack.bytes_total = limits::kClientWindowBytes;
    return std::optional<Message>(ack);
  };
  broker_.answer_next(MessageType::submit, refuse_second);
  try {
    pipeline_.submit_batch_workflow({{"shell", "a"}, {"shell", "b"}, {"shell", "c"}});
    FAIL() << "one was refused";
  } catch (const BatchSubmitError& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsatisfiable);
    EXPECT_EQ(error.accepted().size(), 2U);
    ASSERT_EQ(error.refused().size(), 1U);
    EXPECT_EQ(error.refused()[0].index, 1U);
    EXPECT_EQ(pipeline_.active_tasks().size(), 2U);
    EXPECT_EQ(pipeline_.active_tasks().count(error.accepted()[1]), 1U);
  }
}

TEST_F(PipelineTest, ABatchRefusedInPartTellsTheIdThatMayHaveBeenAccepted) {
  ClientOptions options = options_for(broker_);
  options.request_timeout = 200ms;
  TaskPipeline hasty(options);
  ASSERT_TRUE(hasty.client().connect());
  broker_.answer_next(MessageType::submit, [](const Message& message) {
    SubmitAck ack;
    ack.items.push_back({std::get<Submit>(message).items[0].id, ErrorCode::unsatisfiable});
    ack.error = Error{ErrorCode::unsatisfiable, "nobody offers it", "tool"};
    ack.messages_total = limits::kClientWindowItems;
    ack.bytes_total = limits::kClientWindowBytes;
    return std::optional<Message>(ack);
  });
  broker_.drop_next(MessageType::submit, 100);
  try {
    hasty.submit_batch_workflow({{"shell", "a"}, {"shell", "b"}});
    FAIL() << "one was refused, the other never acknowledged";
  } catch (const BatchSubmitError& error) {
    ASSERT_EQ(error.refused().size(), 2U);
    EXPECT_EQ(error.refused()[0].task_id, "");
    EXPECT_EQ(error.refused()[1].task_id.size(), 32U);
  }
}

TEST_F(PipelineTest, AnUnacknowledgedSubmitTellsItsId) {
  ClientOptions options = options_for(broker_);
  options.request_timeout = 200ms;
  TaskPipeline hasty(options);
  ASSERT_TRUE(hasty.client().connect());
  broker_.drop_next(MessageType::submit, 100);
  try {
    hasty.submit_task("shell", "a.sh");
    FAIL() << "nobody acknowledged it";
  } catch (const TimeoutError& error) {
    EXPECT_EQ(error.task_id().size(), 32U) << error.what();
  }
}

TEST_F(PipelineTest, AWaitOutlivesItsBroker) {
  const std::string id = submit();
  auto waiting = in_background([&] { return pipeline_.wait_for_task(id, kPatience); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.restart();
  ASSERT_TRUE(broker_.await_seen(MessageType::wait, 2));
  broker_.finish(id_of(id), TaskState::success, report_of("late"));
  EXPECT_EQ(waiting.get().stdout_tail, "late");
}

TEST_F(PipelineTest, ClosingTheClientEndsAWait) {
  const std::string id = submit();
  auto waiting = in_background([&] { return pipeline_.wait_for_task(id); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  pipeline_.client().close();
  EXPECT_THROW(waiting.get(), ConnectionError);
}

TEST_F(PipelineTest, HealthNeedsAReadyWorker) {
  HealthReply sick;
  sick.warnings = {"no worker is connected"};
  broker_.answer_next(MessageType::health, [=](const Message&) { return Message(sick); });
  try {
    pipeline_.health_check();
    FAIL() << "there is no worker";
  } catch (const HealthCheckError& error) {
    EXPECT_STREQ(error.what(), "Health check failed: no worker is connected");
  }
  HealthReply well;
  well.healthy = true;
  well.workers_ready = 1;
  WorkersReply workers;
  workers.workers.resize(2);
  workers.workers[0].name = "gone";
  workers.workers[0].state = WorkerState::lost;
  workers.workers[1].name = "node-b";
  broker_.answer_next(MessageType::health, [=](const Message&) { return Message(well); });
  broker_.answer_next(MessageType::workers, [=](const Message&) { return Message(workers); });
  EXPECT_EQ(pipeline_.health_check().worker, "node-b");
}

TEST_F(PipelineTest, OnlyToolsOfConnectedWorkersAreListed) {
  ToolsReply reply;
  reply.tools.resize(2);
  reply.tools[0].offer.name = "lammps";
  reply.tools[0].workers = 0;
  reply.tools[1].offer.name = "shell";
  reply.tools[1].offer.description = "bash scripts";
  reply.tools[1].offer.scripts = {{"b.sh", std::string(64, '0')}, {"a.sh", std::string(64, '0')}};
  reply.tools[1].workers = 2;
  broker_.answer_next(MessageType::tools, [=](const Message&) { return Message(reply); });
  const PipelineSimulations simulations = pipeline_.list_available_simulations();
  ASSERT_EQ(simulations.tools.size(), 1U);
  EXPECT_EQ(simulations.tools.at("shell").description, "bash scripts");
  EXPECT_THAT(simulations.tools.at("shell").scripts, ElementsAre("a.sh", "b.sh"));
}

}  // namespace
}  // namespace taskpipe::testing
