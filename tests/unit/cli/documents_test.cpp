#include "client/cli/documents.hpp"

#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace taskpipe::cli {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

json parsed(const Value& document) { return json::parse(to_json_text(document)); }

TaskResult successful() {
  TaskResult result;
  result.id = TaskId(0x0123456789abcdef, 0x0011223344556677);
  result.attempt = Attempt(1);
  result.worker = "node-a";
  result.submitted = WallTime{1'700'000'000'000};
  result.started = WallTime{1'700'000'001'000};
  result.finished = WallTime{1'700'000'003'000};
  result.outcome.state = TaskState::success;
  result.outcome.usage = {1'620'000, 1'500'000, 100'000, 35'000'000};
  result.report.node = "host1";
  result.report.directory = "/node/a";
  result.report.stdout_tail = "done\n";
  result.report.stdout_bytes = 5;
  result.report.metrics = {{"temp", 0.71}};
  result.report.artifacts = {{"log.lammps", "/node/a/log.lammps", 1234, std::string(64, 'a')}};
  return result;
}

TEST(ResultDocument, HasTheKeysOfTheContract) {
  const ValueMap params = {{"steps", Value(1000)}};
  const json document = parsed(result_document(successful(), "lammps", "in.melt", params));
  EXPECT_EQ(document["status"], "success");
  EXPECT_EQ(document["tool"], "lammps");
  EXPECT_EQ(document["script"], "in.melt");
  EXPECT_EQ(document["params"], (json{{"steps", 1000}}));
  EXPECT_EQ(document["returncode"], 0);
  EXPECT_EQ(document["stdout"], "done\n");
  EXPECT_EQ(document["stderr"], "");
  EXPECT_EQ(document["artifacts"], json::array({"/node/a/log.lammps"}));
  EXPECT_EQ(document["artifact_details"][0]["size"], 1234);
  EXPECT_EQ(document["artifact_details"][0]["sha256"], std::string(64, 'a'));
  EXPECT_DOUBLE_EQ(document["resource_usage"]["user_seconds"].get<double>(), 1.5);
  EXPECT_EQ(document["resource_usage"]["max_rss_bytes"], 35'000'000);
  EXPECT_DOUBLE_EQ(document["duration_seconds"].get<double>(), 1.62);
  EXPECT_EQ(document["task_id"], "0123456789abcdef0011223344556677");
  EXPECT_DOUBLE_EQ(document["metrics"]["temp"].get<double>(), 0.71);
  EXPECT_EQ(document["finished"], "2023-11-14T22:13:23.000Z");
  EXPECT_FALSE(document.contains("error"));
}

TEST(ResultDocument, TellsWhyItFailed) {
  TaskResult result = successful();
  result.outcome.state = TaskState::failure;
  result.outcome.failure = FailureClass::exit;
  result.outcome.exit_code = 3;
  const json document = parsed(result_document(result, "lammps", "in.melt", {}));
  EXPECT_EQ(document["status"], "failed");
  EXPECT_EQ(document["state"], "FAILURE");
  EXPECT_EQ(document["successful"], false);
  EXPECT_EQ(document["failed"], true);
  EXPECT_EQ(document["returncode"], 3);
  EXPECT_EQ(document["error"], "exit code 3");
}

TEST(ResultDocument, ASignalIsANegativeReturnCode) {
  TaskResult result = successful();
  result.outcome.state = TaskState::failure;
  result.outcome.failure = FailureClass::signal;
  result.outcome.signal = 11;
  EXPECT_EQ(parsed(result_document(result, "a", "b", {}))["returncode"], -11);
  EXPECT_EQ(reason_of(result), "killed by signal 11");
}

TEST(ResultDocument, WhatNeverRanHasNoReturnCode) {
  TaskResult result;
  result.outcome.state = TaskState::cancelled;
  result.outcome.failure = FailureClass::cancelled;
  const json document = parsed(result_document(result, "a", "b", {}));
  EXPECT_TRUE(document["returncode"].is_null());
  EXPECT_EQ(document["status"], "cancelled");
  EXPECT_EQ(document["state"], "REVOKED");
  EXPECT_TRUE(document["worker"].is_null());
  EXPECT_TRUE(document["started"].is_null());
  EXPECT_EQ(document["duration_seconds"], 0.0);
  EXPECT_EQ(document["artifacts"], json::array());
}

TEST(ResultDocument, AnyOutputOfAToolIsValidJson) {
  TaskResult result = successful();
  result.report.stdout_tail = "\xff\xfe\x01\"\\\n";
  result.report.metrics["residual"] = std::nan("");
  const json document = parsed(result_document(result, "a\xff", "b", {}));
  EXPECT_EQ(document["stdout"], "\xef\xbf\xbd\xef\xbf\xbd\x01\"\\\n");
  EXPECT_TRUE(document["metrics"]["residual"].is_null());
}

TEST(RunTime, TheKernelsCountBeforeTheClocks) {
  TaskResult result = successful();
  EXPECT_EQ(run_time_of(result), Micros(1'620'000));
  result.outcome.usage.wall_us = 0;
  EXPECT_EQ(run_time_of(result), Micros(2'000'000));
}

TEST(ReasonOf, IsNeverEmptyForWhatDidNotSucceed) {
  for (const TaskState state :
       {TaskState::failure, TaskState::timeout, TaskState::error, TaskState::cancelled}) {
    TaskResult result;
    result.outcome.state = state;
    EXPECT_NE(reason_of(result), "");
    result.outcome.reason = "a sentence";
    EXPECT_EQ(reason_of(result), "a sentence");
  }
  EXPECT_EQ(reason_of(successful()), "");
}

TEST(RowDocument, OnlyWhatExitedHasAnExitCode) {
  TaskRow row;
  row.state = TaskState::failure;
  row.failure = FailureClass::signal;
  EXPECT_TRUE(parsed(row_document(row))["exit_code"].is_null());
  row.failure = FailureClass::exit;
  row.exit_code = 3;
  EXPECT_EQ(parsed(row_document(row))["exit_code"], 3);
  row.state = TaskState::cancelled;
  row.failure = FailureClass::cancelled;
  EXPECT_TRUE(parsed(row_document(row))["exit_code"].is_null());
}

TEST(RowDocument, ReadinessIsNullUntilTheEnd) {
  TaskRow row;
  row.state = TaskState::running;
  row.progress_percent = 37.5;
  row.workflow = WorkflowId(1, 2);
  row.original = TaskId(3, 4);
  json document = parsed(row_document(row));
  EXPECT_EQ(document["state"], "RUNNING");
  EXPECT_EQ(document["ready"], false);
  EXPECT_TRUE(document["successful"].is_null());
  EXPECT_TRUE(document["failed"].is_null());
  EXPECT_TRUE(document["exit_code"].is_null());
  EXPECT_EQ(document["progress"], 37.5);
  EXPECT_EQ(document["workflow_id"], WorkflowId(1, 2).to_string());
  EXPECT_EQ(document["original"], TaskId(3, 4).to_string());
  row.state = TaskState::success;
  row.progress_percent = -1;
  document = parsed(row_document(row));
  EXPECT_EQ(document["ready"], true);
  EXPECT_EQ(document["successful"], true);
  EXPECT_EQ(document["failed"], false);
  EXPECT_TRUE(document["progress"].is_null());
}

TEST(EventDocument, CarriesProgressAndMetrics) {
  TaskEvent event;
  event.state = TaskState::running;
  event.percent = 12;
  event.message = "step 12";
  event.metrics = {{"temp", 1.5}};
  event.at = WallTime{1'700'000'000'000};
  const json document = parsed(event_document(event));
  EXPECT_EQ(document["type"], "event");
  EXPECT_EQ(document["progress"], 12.0);
  EXPECT_EQ(document["metrics"]["temp"], 1.5);
  EXPECT_EQ(document["at"], "2023-11-14T22:13:20.000Z");
}

TEST(ClusterDocuments, NameWhatThereIs) {
  ToolRow tool;
  tool.offer.name = "lammps";
  tool.offer.scripts = {{"in.melt", std::string(64, 'b')}};
  tool.workers = 2;
  EXPECT_EQ(parsed(tool_document(tool))["scripts"][0]["name"], "in.melt");
  EXPECT_EQ(parsed(tool_document(tool))["workers"], 2);

  WorkerRow worker;
  worker.name = "node-a";
  worker.total = {4, 1, 1024, {{"license", 2}}};
  worker.labels = {{"zone", "b"}};
  const json document = parsed(worker_document(worker));
  EXPECT_EQ(document["total"]["cpus"], 4);
  EXPECT_EQ(document["total"]["named"]["license"], 2);
  EXPECT_EQ(document["labels"]["zone"], "b");

  HealthReply health;
  health.healthy = true;
  health.workers_ready = 2;
  EXPECT_EQ(parsed(health_document(health))["status"], "healthy");
  EXPECT_EQ(parsed(health_document(health))["workers"], 2);
  health.healthy = false;
  EXPECT_EQ(parsed(health_document(health))["status"], "unhealthy");
}

TEST(ErrorDocument, NamesFailureCodeAndField) {
  const ClientError refused{CallFailure::refused, {ErrorCode::invalid, "no", "params.x"}, {}};
  json document = parsed(error_document(refused))["error"];
  EXPECT_EQ(document["failure"], "refused");
  EXPECT_EQ(document["code"], "INVALID");
  EXPECT_EQ(document["field"], "params.x");
  EXPECT_FALSE(document.contains("maybe_accepted"));
  const ClientError away{CallFailure::timed_out, {ErrorCode::ok, "late", ""}, TaskId(1, 2)};
  document = parsed(error_document(away))["error"];
  EXPECT_TRUE(document["code"].is_null());
  EXPECT_EQ(document["maybe_accepted"], TaskId(1, 2).to_string());
}

}  // namespace
}  // namespace taskpipe::cli
