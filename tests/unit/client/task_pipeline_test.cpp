// TaskPipeline without any service: making one, and what is refused before a connection.
#include "taskpipe/task_pipeline.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <string>

namespace taskpipe::testing {
namespace {

using namespace std::chrono_literals;

// Nobody listens there. What tries to connect ends with ConnectionError instead of its own error.
ClientOptions nowhere() {
  ClientOptions options;
  options.broker = "tcp://127.0.0.1:1";
  options.connect_timeout = 50ms;
  return options;
}

const std::string kSomeId(32, 'a');

template <class Call>
std::string field_refused(const Call& call) {
  try {
    call();
  } catch (const InvalidArgumentError& error) {
    return error.field();
  } catch (const std::exception& error) {
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

TEST(TaskPipelineAlone, IsMadeAndDestroyedWithoutABroker) {
  const TaskPipeline pipeline(nowhere());
  EXPECT_TRUE(pipeline.active_tasks().empty());
  const TaskPipeline with_defaults;
  ClientOptions bad;
  bad.broker = "no endpoint at all";
  const TaskPipeline with_bad_options(bad);
}

TEST(TaskPipelineAlone, BadOptionsAreReportedByTheFirstCall) {
  ClientOptions bad;
  bad.broker = "ftp://x";
  TaskPipeline pipeline(bad);
  EXPECT_EQ(field_refused([&] { pipeline.submit_task("shell", "a.sh"); }), "broker");
}

TEST(TaskPipelineAlone, TheEnvironmentNamesTheBrokerAndTheUser) {
  ASSERT_EQ(setenv("TASKPIPE_BROKER", "tcp://127.0.0.2:7", 1), 0);
  ASSERT_EQ(setenv("TASKPIPE_EVENTS", "tcp://127.0.0.2:9", 1), 0);
  ASSERT_EQ(setenv("TASKPIPE_USER", "somebody", 1), 0);
  EXPECT_EQ(client_options_from_environment().broker, "tcp://127.0.0.2:7");
  EXPECT_EQ(client_options_from_environment().user, "somebody");
  EXPECT_EQ(client_options_from_environment().events, "tcp://127.0.0.2:9");
  // A broker that is given has its own events.
  EXPECT_EQ(client_options_from_environment("hostB").broker, "hostB");
  EXPECT_EQ(client_options_from_environment("hostB").events, "");
  EXPECT_EQ(client_options_from_environment("hostB").user, "somebody");
  ASSERT_EQ(setenv("TASKPIPE_BROKER", "", 1), 0);
  EXPECT_EQ(client_options_from_environment().events, "tcp://127.0.0.2:9");
  ASSERT_EQ(unsetenv("TASKPIPE_EVENTS"), 0);
  ASSERT_EQ(unsetenv("TASKPIPE_USER"), 0);
  EXPECT_EQ(client_options_from_environment().broker, ClientOptions().broker);
  EXPECT_EQ(client_options_from_environment().events, "");
  EXPECT_EQ(client_options_from_environment().user, "");
  ASSERT_EQ(unsetenv("TASKPIPE_BROKER"), 0);
}

TEST(TaskPipelineAlone, SaysWhoDoesNotAnswer) {
  TaskPipeline pipeline(nowhere());
  try {
    pipeline.submit_task("shell", "hello.sh");
    FAIL() << "there is no broker";
  } catch (const ConnectionError& error) {
    EXPECT_NE(std::string(error.what()).find("127.0.0.1:1"), std::string::npos) << error.what();
  }
  EXPECT_THROW(pipeline.get_task_status(kSomeId), ConnectionError);
  EXPECT_THROW(pipeline.wait_for_task(kSomeId), ConnectionError);
  EXPECT_THROW(pipeline.monitor_task(kSomeId), ConnectionError);
  EXPECT_THROW(pipeline.cancel_task(kSomeId), ConnectionError);
  EXPECT_THROW(pipeline.submit_batch_workflow({{"shell", "a.sh"}}), ConnectionError);
  EXPECT_THROW(pipeline.list_available_simulations(), ConnectionError);
  try {
    pipeline.health_check();
    FAIL() << "there is no broker";
  } catch (const HealthCheckError& error) {
    EXPECT_EQ(std::string(error.what()).find("Health check failed: "), 0U) << error.what();
  }
}

TEST(TaskPipelineAlone, AllErrorsButBadArgumentsArePipelineErrors) {
  TaskPipeline pipeline(nowhere());
  EXPECT_THROW(pipeline.get_task_status(kSomeId), PipelineError);
  EXPECT_THROW(pipeline.health_check(), PipelineError);
  EXPECT_THROW(pipeline.get_task_status("no id"), std::invalid_argument);
  EXPECT_THROW(pipeline.submit_task("", "a.sh"), std::invalid_argument);
}

TEST(TaskPipelineAlone, BadTasksAreRefusedBeforeConnecting) {
  TaskPipeline pipeline(nowhere());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(field_refused([&] { pipeline.submit_task("", "a.sh"); }), "tool");
  EXPECT_EQ(field_refused([&] { pipeline.submit_task("shell", "../a.sh"); }), "script");
  EXPECT_EQ(field_refused([&] {
              pipeline.submit_task("shell", "a.sh", {{"x", nan}});
            }),
            "params.x");
  const std::vector<PipelineTask> bad_params = {{"shell", "a.sh"}, {"shell", "a.sh", {{"x", nan}}}};
  EXPECT_EQ(field_refused([&] { pipeline.submit_workflow(bad_params); }), "tasks[1].params.x");
  EXPECT_EQ(field_refused([&] { pipeline.submit_batch_workflow(bad_params, 1); }),
            "tasks[1].params.x");
  EXPECT_EQ(field_refused([&] {
              pipeline.submit_batch_workflow({{"shell", "a.sh"}}, 0);
            }),
            "batch_size");
  EXPECT_EQ(field_refused([&] {
              pipeline.parameter_sweep("shell", "", {{"n", {1}}});
            }),
            "tasks[0].script");
  EXPECT_EQ(field_refused([&] {
              pipeline.parameter_sweep("", "a.sh", {{"n", {}}});
            }),
            "tasks[0].tool");
  EXPECT_TRUE(pipeline.active_tasks().empty());
}

TEST(TaskPipelineAlone, AMissingToolOrScriptNamesBothFields) {
  TaskPipeline pipeline(nowhere());
  for (const bool sequential : {true, false}) {
    for (const PipelineTask& bad : {PipelineTask{"shell", ""}, PipelineTask{"", "a.sh"}}) {
      try {
        pipeline.submit_workflow({{"shell", "a.sh"}, bad}, sequential);
        FAIL() << "task 1 is incomplete";
      } catch (const std::invalid_argument& error) {
        const std::string text = error.what();
        EXPECT_NE(text.find("'tool' and 'script'"), std::string::npos) << text;
        EXPECT_NE(text.find("task 1"), std::string::npos) << text;
      }
    }
  }
}

TEST(TaskPipelineAlone, BadTimesAreRefusedBeforeConnecting) {
  TaskPipeline pipeline(nowhere());
  EXPECT_EQ(field_refused([&] { pipeline.wait_for_task(kSomeId, -1ms); }), "timeout");
  EXPECT_EQ(field_refused([&] { pipeline.wait_for_any({kSomeId}, -1ms); }), "timeout");
  EXPECT_EQ(field_refused([&] { pipeline.wait_for_workflow({kSomeId}, -1ms); }), "timeout");
  EXPECT_EQ(field_refused([&] { pipeline.monitor_task(kSomeId, {}, 0ms); }), "poll_interval");
  EXPECT_EQ(field_refused([&] { pipeline.wait_for_workflow({kSomeId}, {}, {}, -1s); }),
            "poll_interval");
  EXPECT_EQ(field_refused([&] { pipeline.wait_for_any({}); }), "task_ids");
}

TEST(TaskPipelineAlone, TextThatIsNoIdIsABadArgument) {
  TaskPipeline pipeline(nowhere());
  for (const std::string& id : {std::string(), std::string("nonsense"), kSomeId + "a"}) {
    EXPECT_EQ(field_refused([&] { (void)pipeline.get_task_status(id); }), "task_id");
    EXPECT_EQ(field_refused([&] { pipeline.wait_for_task(id); }), "task_id");
    EXPECT_EQ(field_refused([&] { pipeline.monitor_task(id); }), "task_id");
    EXPECT_EQ(field_refused([&] { pipeline.cancel_task(id); }), "task_id");
    // The place in the list as it was given, repeated ids included.
    const std::vector<std::string> ids = {kSomeId, kSomeId, id};
    EXPECT_EQ(field_refused([&] { pipeline.get_workflow_status(ids); }), "task_ids[2]");
    EXPECT_EQ(field_refused([&] { pipeline.wait_for_workflow(ids); }), "task_ids[2]");
    EXPECT_EQ(field_refused([&] { pipeline.wait_for_any(ids); }), "task_ids[2]");
    EXPECT_EQ(field_refused([&] { pipeline.get_parallel_execution_stats(ids); }), "task_ids[2]");
  }
  try {
    pipeline.get_task_status("nonsense");
    FAIL() << "it is no id";
  } catch (const InvalidArgumentError& error) {
    EXPECT_STREQ(error.what(), "task_id 'nonsense' is no id: ids are 32 hex digits");
  }
}

TEST(TaskPipelineAlone, NothingToDoAsksNobody) {
  TaskPipeline pipeline(nowhere());
  EXPECT_TRUE(pipeline.submit_workflow({}).empty());
  EXPECT_TRUE(pipeline.submit_workflow({}, false).empty());
  EXPECT_TRUE(pipeline.submit_batch_workflow({}).empty());
  EXPECT_TRUE(pipeline.parameter_sweep("shell", "a.sh", {{"n", {}}}).empty());
  EXPECT_EQ(pipeline.get_workflow_status({}).total, 0U);
  int told = 0;
  EXPECT_TRUE(pipeline.wait_for_workflow({}, {}, [&](const auto&) { ++told; }).all_complete());
  EXPECT_EQ(told, 1);
  EXPECT_EQ(pipeline.get_parallel_execution_stats({}).total_tasks, 0U);
  pipeline.cleanup();
}

}  // namespace
}  // namespace taskpipe::testing
