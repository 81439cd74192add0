#include "client/cli/result_view.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TaskRow row() {
  TaskRow row;
  row.tool = "lammps";
  row.script = "in.melt";
  return row;
}

TaskResult result_of(TaskState state) {
  TaskResult result;
  result.id = TaskId(1, 2);
  result.attempt = Attempt(1);
  result.worker = "node-a";
  result.outcome.state = state;
  result.outcome.usage.wall_us = 1'620'000;
  return result;
}

TEST(ResultText, ShowsTheKeyNumbersAndTheFiles) {
  TaskResult result = result_of(TaskState::success);
  result.report.node = "host1";
  result.report.metrics = {{"Temp", 0.7100421}, {"Step", 1000}};
  result.report.artifacts = {{"log.lammps", "/w/log.lammps", 12'600, ""}, {"dump", "", 5, ""}};
  result.report.directory = "/w";
  const std::string text = result_text(result, row(), {});
  EXPECT_THAT(text, AllOf(HasSubstr("lammps in.melt  SUCCESS"), HasSubstr(result.id.to_string()),
                          HasSubstr("node-a on host1"), HasSubstr("1.62 s"),
                          HasSubstr("Step 1000, Temp 0.710042"),
                          HasSubstr("12.3 KiB  /w/log.lammps"), HasSubstr("     5 B  dump")));
  EXPECT_THAT(text, Not(HasSubstr("reason")));
}

TEST(ResultText, TheTailIsTheLastLines) {
  TaskResult result = result_of(TaskState::success);
  for (int i = 1; i <= 30; ++i) result.report.stdout_tail += "line " + std::to_string(i) + "\n";
  result.report.stdout_tail += "\n\n";
  const std::string text = result_text(result, row(), {});
  EXPECT_THAT(text, AllOf(HasSubstr("    line 30\n"), HasSubstr("    line 21\n"),
                          Not(HasSubstr("line 20\n"))));
}

TEST(ResultText, OutputCannotDriveTheTerminal) {
  TaskResult result = result_of(TaskState::failure);
  result.report.stderr_tail = "\x1b]0;title\x07 no\n";
  result.outcome.reason = "\x1b[2Jexit";
  EXPECT_THAT(result_text(result, row(), {}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(failures_text(std::vector{result}, std::vector{row()}, {}), Not(HasSubstr("\x1b")));
}

TEST(ResultText, WhatNeverRanHasNoDuration) {
  TaskResult result = result_of(TaskState::cancelled);
  result.attempt = Attempt(0);
  result.worker.clear();
  const std::string text = result_text(result, row(), {});
  EXPECT_THAT(text,
              AllOf(HasSubstr("REVOKED"), Not(HasSubstr("duration")), Not(HasSubstr("exit code"))));
}

TEST(ResultText, ManyArtifactsAreCounted) {
  TaskResult result = result_of(TaskState::success);
  result.report.artifacts.resize(25);
  EXPECT_THAT(result_text(result, row(), {}), HasSubstr("and 5 more"));
}

TEST(FailuresText, OnlyThoseThatFailed) {
  TaskResult failed = result_of(TaskState::failure);
  failed.outcome.reason = "exit code 3";
  failed.report.stderr_tail = "a\nb\nERROR: lost atoms";
  const std::vector results = {result_of(TaskState::success), failed};
  const std::vector rows = {row(), row()};
  const std::string text = failures_text(results, rows, {});
  EXPECT_THAT(text, AllOf(HasSubstr("FAILURE  lammps in.melt"), HasSubstr("exit code 3"),
                          HasSubstr("  | ERROR: lost atoms\n"), Not(HasSubstr("SUCCESS"))));
  EXPECT_EQ(failures_text(std::vector{results[0]}, std::vector{row()}, {}), "");
}

TEST(ResultsTable, ALinePerTask) {
  const std::vector results = {result_of(TaskState::success), result_of(TaskState::timeout)};
  const std::vector rows = {row(), row()};
  const std::string text = results_table(results, rows, {});
  EXPECT_THAT(text, AllOf(HasSubstr("SUCCESS"), HasSubstr("timeout"), HasSubstr("DURATION")));
}

}  // namespace
}  // namespace taskpipe::cli
