#include "client/cli/attempts_view.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace taskpipe::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

PastAttempt past(PastKind kind, std::uint32_t number, Outcome outcome) {
  PastAttempt attempt;
  attempt.kind = kind;
  attempt.epoch = Epoch(4);
  attempt.attempt = Attempt(number);
  attempt.worker = "node" + std::to_string(number);
  attempt.started = WallTime{1'700'000'000'000};
  attempt.ended = WallTime{1'700'000'002'500};
  attempt.outcome = std::move(outcome);
  return attempt;
}

Outcome exited(std::int32_t code) {
  Outcome outcome;
  outcome.state = code == 0 ? TaskState::success : TaskState::failure;
  outcome.failure = code == 0 ? FailureClass::none : FailureClass::exit;
  outcome.exit_code = code;
  outcome.reason = code == 0 ? "" : "exited with code " + std::to_string(code);
  return outcome;
}

Outcome lost() {
  Outcome outcome;
  outcome.state = TaskState::error;
  outcome.failure = FailureClass::worker_lost;
  outcome.reason = "its worker was silent past the lease";
  return outcome;
}

TaskRow row_with(std::vector<PastAttempt> attempts) {
  TaskRow row;
  row.attempts = std::move(attempts);
  return row;
}

TaskResult killed_at(std::uint32_t attempt) {
  TaskResult result;
  result.attempt = Attempt(attempt);
  result.worker = "node9";
  result.outcome.state = TaskState::failure;
  result.outcome.failure = FailureClass::signal;
  result.outcome.signal = 11;
  result.outcome.reason = "ended by SIGSEGV";
  result.outcome.usage.wall_us = 1'500'000;
  return result;
}

TEST(AttemptsOf, TheDecidingOneIsTheLast) {
  const TaskRow row = row_with({past(PastKind::retried, 1, exited(3))});
  const TaskResult result = killed_at(2);
  const auto views = attempts_of(row, &result);
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[0].became, "retried");
  EXPECT_EQ(views[1].became, "decided");
  EXPECT_EQ(views[1].attempt.worker, "node9");
  EXPECT_EQ(attempts_of(row, nullptr).size(), 1U);
}

TEST(AttemptsOf, TheRunningOneIsTheLast) {
  TaskRow row = row_with({past(PastKind::retried, 1, exited(3))});
  row.attempt = Attempt(2);
  row.worker = "node9";
  row.started = WallTime{1'700'000'003'000};
  EXPECT_EQ(attempts_of(row, nullptr).size(), 1U) << "it waits for the second";
  row.state = TaskState::running;
  const auto views = attempts_of(row, nullptr);
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[1].became, "running");
  const json document = json::parse(to_json_text(attempt_documents(views)))[1];
  EXPECT_EQ(document["attempt"], 2);
  EXPECT_EQ(document["worker"], "node9");
  EXPECT_EQ(document["state"], "RUNNING");
  EXPECT_EQ(document["duration_seconds"], 0.0);
  EXPECT_TRUE(document["epoch"].is_null());
  EXPECT_TRUE(document["ended"].is_null());
  EXPECT_TRUE(document["exit_code"].is_null());
}

TEST(AttemptsOf, NoneDecidedWhatNeverRan) {
  const TaskResult result;
  EXPECT_THAT(attempts_of(TaskRow{}, &result), IsEmpty());
}

TEST(AttemptDocuments, TellTheEndOfEach) {
  const TaskRow row =
      row_with({past(PastKind::retried, 1, exited(3)), past(PastKind::lost, 2, lost()),
                past(PastKind::late, 2, exited(0))});
  const TaskResult result = killed_at(3);
  const json documents = json::parse(to_json_text(attempt_documents(attempts_of(row, &result))));
  ASSERT_EQ(documents.size(), 4U);
  EXPECT_EQ(documents[0]["attempt"], 1);
  EXPECT_EQ(documents[0]["epoch"], 4);
  EXPECT_EQ(documents[0]["became"], "retried");
  EXPECT_EQ(documents[0]["exit_code"], 3);
  EXPECT_TRUE(documents[0]["signal"].is_null());
  EXPECT_EQ(documents[0]["duration_seconds"], 2.5);
  EXPECT_EQ(documents[0]["started"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(documents[1]["became"], "lost");
  EXPECT_EQ(documents[1]["failure_class"], "worker_lost");
  EXPECT_TRUE(documents[1]["exit_code"].is_null());
  EXPECT_EQ(documents[2]["became"], "late");
  EXPECT_EQ(documents[2]["exit_code"], 0);
  EXPECT_TRUE(documents[2]["failure_class"].is_null());
  EXPECT_EQ(documents[3]["became"], "decided");
  EXPECT_EQ(documents[3]["signal"], 11);
  EXPECT_EQ(documents[3]["duration_seconds"], 1.5);
}

TEST(AttemptsText, HasALineEachAndNoControlCharacters) {
  PastAttempt evil = past(PastKind::retried, 1, exited(3));
  evil.outcome.reason = "broke\x1b[31m";
  const TaskResult result = killed_at(2);
  const std::string text = attempts_text(attempts_of(row_with({evil}), &result), TextStyle{});
  EXPECT_THAT(text, HasSubstr("retried"));
  EXPECT_THAT(text, HasSubstr("signal 11"));
  EXPECT_THAT(text, HasSubstr("2.50 s"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(attempts_text({}, TextStyle{}), IsEmpty());
}

TEST(PastAttemptsText, SaysWhatBecameOfEachInALine) {
  const TaskRow row =
      row_with({past(PastKind::retried, 1, exited(3)), past(PastKind::lost, 2, lost())});
  EXPECT_EQ(past_attempts_text(row, TextStyle{}),
            "  attempt 1 retried on node1: exited with code 3\n"
            "  attempt 2 lost on node2: its worker was silent past the lease\n");
  TextStyle narrow;
  narrow.columns = 20;
  EXPECT_THAT(past_attempts_text(row, narrow), HasSubstr("attempt 1 retried"));
  EXPECT_THAT(past_attempts_text(TaskRow{}, TextStyle{}), IsEmpty());
}

}  // namespace
}  // namespace taskpipe::cli
