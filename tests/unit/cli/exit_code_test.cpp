#include "client/cli/exit_code.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

ExitCode code_of(CallFailure failure, ErrorCode code = ErrorCode::ok) {
  return exit_code_of(ClientError{failure, Error{code, "", ""}, {}});
}

TEST(ExitCodeOfErrors, FollowsTheDocumentedTable) {
  EXPECT_EQ(code_of(CallFailure::unreachable), ExitCode::unreachable);
  EXPECT_EQ(code_of(CallFailure::timed_out), ExitCode::timed_out);
  EXPECT_EQ(code_of(CallFailure::stopped), ExitCode::interrupted);
  EXPECT_EQ(code_of(CallFailure::closed), ExitCode::unreachable);
  EXPECT_EQ(code_of(CallFailure::refused, ErrorCode::unknown_task), ExitCode::not_successful);
}

TEST(ExitCodeOfErrors, EveryOtherRefusalIsOne) {
  for (int i = 1; i <= static_cast<int>(kLastErrorCode); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (code == ErrorCode::unknown_task) continue;
    EXPECT_EQ(code_of(CallFailure::refused, code), ExitCode::refused) << i;
  }
}

TEST(ExitCodeOfErrors, AnAddressThatIsNoneIsAUsageError) {
  for (const char* field : {"broker", "events"}) {
    const ClientError error{CallFailure::refused, Error{ErrorCode::invalid, "", field}, {}};
    EXPECT_EQ(exit_code_of(error), ExitCode::usage);
  }
}

TEST(ExitCodeOfResults, SuccessOnlyWhenAllSucceeded) {
  TaskResult good;
  good.outcome.state = TaskState::success;
  EXPECT_EQ(exit_code_of(std::vector<TaskResult>{good, good}), ExitCode::success);
  for (const TaskState state :
       {TaskState::failure, TaskState::timeout, TaskState::error, TaskState::cancelled}) {
    TaskResult bad;
    bad.outcome.state = state;
    EXPECT_EQ(exit_code_of(std::vector<TaskResult>{good, bad}), ExitCode::not_successful);
  }
}

TEST(ExitCodeHelp, NamesEveryCode) {
  for (const ExitCode code :
       {ExitCode::success, ExitCode::not_successful, ExitCode::usage, ExitCode::unreachable,
        ExitCode::timed_out, ExitCode::refused, ExitCode::interrupted, ExitCode::output_closed}) {
    EXPECT_THAT(std::string(exit_code_help()),
                ::testing::HasSubstr("\n  " + std::to_string(as_int(code)) + " "));
  }
}

}  // namespace
}  // namespace taskpipe::cli
