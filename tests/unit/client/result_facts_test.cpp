// What is told of how a task ended, by every interface.
#include "taskpipe/result_facts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace taskpipe::testing {
namespace {

Outcome ended(TaskState state, FailureClass failure = FailureClass::none) {
  Outcome outcome;
  outcome.state = state;
  outcome.failure = failure;
  return outcome;
}

TEST(ReturncodeOf, IsThatOfAProcessThatExited) {
  EXPECT_EQ(returncode_of(ended(TaskState::success)), 0);
  Outcome failed = ended(TaskState::failure, FailureClass::exit);
  failed.exit_code = 3;
  EXPECT_EQ(returncode_of(failed), 3);
}

TEST(ReturncodeOf, IsMinusTheSignal) {
  Outcome killed = ended(TaskState::failure, FailureClass::oom);
  killed.signal = 9;
  EXPECT_EQ(returncode_of(killed), -9);
}

TEST(ReturncodeOf, IsNothingWhereNothingExited) {
  for (const FailureClass failure :
       {FailureClass::none, FailureClass::timeout, FailureClass::worker_lost, FailureClass::spawn,
        FailureClass::cancelled, FailureClass::rejected}) {
    EXPECT_EQ(returncode_of(ended(TaskState::error, failure)), std::nullopt) << name_of(failure);
  }
}

TEST(RunTimeOf, TakesTheKernelsCountBeforeTheClock) {
  TaskResult result;
  EXPECT_EQ(run_time_of(result), Micros(0));
  result.finished.unix_ms = 5000;
  EXPECT_EQ(run_time_of(result), Micros(0));  // it never ran
  result.started.unix_ms = 3000;
  EXPECT_EQ(run_time_of(result), Micros(2'000'000));
  result.started.unix_ms = 6000;
  EXPECT_EQ(run_time_of(result), Micros(0));  // the clock was set back
  result.outcome.usage.wall_us = 17;
  EXPECT_EQ(run_time_of(result), Micros(17));
}

TEST(ReasonOf, IsWhatWasReported) {
  Outcome outcome = ended(TaskState::error, FailureClass::spawn);
  outcome.reason = "cannot execute 'x'";
  EXPECT_EQ(reason_of(outcome), "cannot execute 'x'");
  EXPECT_EQ(reason_of(ended(TaskState::success)), "");
}

TEST(ReasonOf, TellsInWordsWhatWasNotReported) {
  Outcome exited = ended(TaskState::failure, FailureClass::exit);
  exited.exit_code = 3;
  EXPECT_EQ(reason_of(exited), "exit code 3");
  Outcome killed = ended(TaskState::failure, FailureClass::signal);
  killed.signal = 11;
  EXPECT_EQ(reason_of(killed), "killed by signal 11");
  killed.failure = FailureClass::oom;
  EXPECT_EQ(reason_of(killed), "killed for exceeding its memory limit");
  const std::vector<std::pair<Outcome, std::string>> words = {
      {ended(TaskState::failure), "the tool failed"},
      {ended(TaskState::timeout, FailureClass::timeout), "exceeded its time limit"},
      {ended(TaskState::error), "the task could not be run"},
      {ended(TaskState::error, FailureClass::worker_lost), "lost with its worker"},
      {ended(TaskState::error, FailureClass::spawn), "could not be started"},
      {ended(TaskState::error, FailureClass::rejected), "refused by its worker"},
      {ended(TaskState::cancelled), "the task was cancelled"},
      {ended(TaskState::cancelled, FailureClass::cancelled), "the task was cancelled"},
  };
  for (const auto& [outcome, text] : words) {
    EXPECT_EQ(reason_of(outcome), text);
    TaskResult result;
    result.outcome = outcome;
    EXPECT_EQ(reason_of(result), text);
  }
}

}  // namespace
}  // namespace taskpipe::testing
