// TaskPipeline: what states of many tasks cost, against a broker that does what it is told.
#include <optional>
#include <string>
#include <vector>

#include "taskpipe/task_pipeline.hpp"
#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

// The tasks are those of the fixture's client: the pipeline did not submit them.
class StatusesTest : public ClientFixture {
 protected:
  static constexpr int kTasks = 3;

  std::vector<std::string> ended() {
    std::vector<std::string> texts;
    for (const TaskId& id : submitted(kTasks)) {
      broker_.finish(id, TaskState::success, report_of("out"));
      texts.push_back(id.to_string());
    }
    return texts;
  }
  std::size_t queries() {
    std::size_t count = 0;
    broker_.on_thread([&] { count = broker_.seen(MessageType::query); });
    return count;
  }

  TaskPipeline pipeline_{options_for(broker_)};
};

TEST_F(StatusesTest, ParamsOfManyAreAskedForTogether) {
  const auto ids = ended();
  broker_.answer_next(MessageType::query, [](const Message&) { return std::nullopt; });
  broker_.hold(MessageType::query);  // all but the first, which asks for the states
  auto asking = in_background([&] { return pipeline_.get_workflow_status(ids); });
  EXPECT_TRUE(broker_.await_seen(MessageType::query, 1 + kTasks));
  broker_.release();
  const PipelineWorkflowStatus status = asking.get();
  for (int n = 0; n < kTasks; ++n) {
    const auto& result = status.tasks.at(ids[static_cast<std::size_t>(n)]).result;
    ASSERT_TRUE(result);
    EXPECT_EQ(result->params, (ValueMap{{"n", n}}));
  }
}

TEST_F(StatusesTest, ThoseOfItsOwnTasksAreKnown) {
  auto ids = ended();
  const std::string own = pipeline_.submit_task("shell", "script", {{"n", "own"}});
  broker_.finish(*TaskId::parse(own), TaskState::failure, report_of("out"));
  ids.insert(ids.begin() + 1, own);
  const std::size_t before = queries();
  const PipelineWorkflowStatus status = pipeline_.get_workflow_status(ids);
  EXPECT_EQ(queries() - before, 1U + kTasks);
  EXPECT_EQ(status.tasks.at(own).result->params, (ValueMap{{"n", "own"}}));
  EXPECT_EQ(status.tasks.at(ids.back()).result->params, (ValueMap{{"n", kTasks - 1}}));
}

TEST_F(StatusesTest, CancelledTasksHaveNone) {
  auto ids = ended();
  const TaskId cancelled = submitted();
  broker_.finish(cancelled, TaskState::cancelled, Payload{});
  ids.insert(ids.begin(), cancelled.to_string());
  const std::size_t before = queries();
  const PipelineWorkflowStatus status = pipeline_.get_workflow_status(ids);
  EXPECT_EQ(queries() - before, 1U + kTasks);
  EXPECT_FALSE(status.tasks.at(ids.front()).result);
  EXPECT_EQ(status.tasks.at(ids.back()).result->params, (ValueMap{{"n", kTasks - 1}}));
}

TEST_F(StatusesTest, StatisticsAskForNone) {
  const auto ids = ended();
  const std::size_t before = queries();
  const PipelineStats stats = pipeline_.get_parallel_execution_stats(ids);
  EXPECT_EQ(stats.completed, 3U);
  EXPECT_EQ(queries() - before, 1U);
}

}  // namespace
}  // namespace taskpipe::testing
