// State `error` against a real broker and worker: what could not be run, and what was lost. Run by
// pipeline_test.py, whose tools are those of broken_tools.py.
#include <cstdint>
#include <span>
#include <string>

#include "tests/integration/pipeline/live_fixture.hpp"

namespace taskpipe::testing {
namespace {

class NotTheToolsDoing : public Live {
 protected:
  // Ends in `error`, tells why, and looks the same from every side.
  void expect_error(const std::string& id, FailureClass failure, const std::string& why) {
    const PipelineResult result = pipeline_.wait_for_task(id, kPatience);  // throws nothing
    EXPECT_EQ(result.state, TaskState::error);
    EXPECT_EQ(result.status(), "error");
    EXPECT_NE(result.error.find(why), std::string::npos) << result.error;
    EXPECT_EQ(result.returncode, std::nullopt);
    const PipelineStatus status = pipeline_.get_task_status(id);
    EXPECT_EQ(name_of(status.state), TaskStatus::ERROR);
    EXPECT_EQ(status.successful(), false);
    EXPECT_EQ(status.failed(), true);
    EXPECT_EQ(status.error, result.error);
    EXPECT_EQ(status.result, result);
    const auto row = pipeline_.client().status(*TaskId::parse(id));
    ASSERT_TRUE(row) << row.error().text();
    EXPECT_EQ(row->failure, failure);
    EXPECT_EQ(pipeline_.get_workflow_status({id}).failed, 1U);
  }

  // Returns once this attempt of the task runs.
  void await_attempt(const std::string& id, std::uint32_t attempt) {
    struct Enough {};
    const TaskId task = *TaskId::parse(id);
    try {
      (void)pipeline_.client().monitor(std::span(&task, 1), [&](const TaskEvent& now) {
        if (now.state == TaskState::running && now.attempt.value() == attempt) throw Enough{};
      });
      FAIL() << "it ended before attempt " << attempt;
    } catch (const Enough&) {
    }
  }
};

TEST_F(NotTheToolsDoing, AParamThatTheToolNeedsIsMissing) {
  EXPECT_EQ(pipeline_.wait_for_task(pipeline_.submit_task("picky", "", {{"depth", 3}})).stdout_tail,
            "3\n");
  expect_error(pipeline_.submit_task("picky", ""), FailureClass::rejected,
               "params.depth is missing; this tool needs it");
}

TEST_F(NotTheToolsDoing, AProgramThatCannotBeExecuted) {
  const auto program = folder() / "broken-tools" / "vanishing-program";
  EXPECT_EQ(pipeline_.wait_for_task(pipeline_.submit_task("vanishing", "")).status(), "success");
  std::ofstream{program} << "#!/no/such/interpreter\n";
  expect_error(pipeline_.submit_task("vanishing", ""), FailureClass::spawn,
               "the file exists, but not the interpreter");
  std::filesystem::remove(program);
  expect_error(pipeline_.submit_task("vanishing", ""), FailureClass::rejected,
               "is no longer installed on this node");
}

TEST_F(NotTheToolsDoing, AWorkerThatDiesWithItEachTime) {
  const std::string id = shell("sleep 1000");
  for (std::uint32_t attempt = 1; attempt <= limits::kMaxWorkerLosses + 1; ++attempt) {
    await_attempt(id, attempt);
    ask("worker lose");
  }
  expect_error(id, FailureClass::worker_lost, "lost with its worker 4 times; the last was 'w0'");
}

}  // namespace
}  // namespace taskpipe::testing
