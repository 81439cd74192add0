// The client submitting and waiting in one call, against a broker that behaves.
#include <stop_token>
#include <utility>

#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

class ClientRunTest : public ClientFixture {
 protected:
  static constexpr TaskId kId{7, 1};

  static TaskRequest request_of(const TaskId& id, const std::string& tool = "shell") {
    TaskRequest task = request(tool);
    task.id = id;
    return task;
  }
};

TEST_F(ClientRunTest, ReturnsTheResultAndSendsNoWait) {
  auto running = in_background([&] { return client_.run(request_of(kId), patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  broker_.finish(kId, TaskState::success, report_of("hello"));
  const auto result = running.get();
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_TRUE(result->succeeded());
  EXPECT_EQ(result->id, kId);
  EXPECT_EQ(result->report.stdout_tail, "hello");
  std::size_t waits = 1;
  broker_.on_thread([&] { waits = broker_.seen(MessageType::wait); });
  EXPECT_EQ(waits, 0U);
  // Again, when it has ended long ago; the connection is there already.
  const auto again = client_.run(request_of(kId), patient_);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->report.stdout_tail, "hello");
}

TEST_F(ClientRunTest, AnOlderBrokerIsAskedToWait) {
  broker_.know_no_wait();
  auto running = in_background([&] { return client_.run(request_of(kId), patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.finish(kId, TaskState::failure);
  const auto result = running.get();
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->outcome.state, TaskState::failure);
}

TEST_F(ClientRunTest, ErrorsNameTheField) {
  const auto bad = client_.run(request(""), patient_);
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.error().is(ErrorCode::invalid));
  EXPECT_EQ(bad.error().error.field, "tool");
  TaskRequest conflicting = request_of(kId);
  ASSERT_TRUE(client_.submit(conflicting));
  conflicting.params = {{"n", 99}};
  const auto refused = client_.run(conflicting, patient_);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(ErrorCode::id_conflict));
}

TEST_F(ClientRunTest, ATimeoutNamesTheTaskThatGoesOn) {
  ASSERT_TRUE(client_.connect());
  CallOptions brief;
  brief.timeout = Millis(1000);
  auto running = in_background([&] { return client_.run(request_of(kId), brief); });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  const auto late = running.get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().failure, CallFailure::timed_out);
  EXPECT_EQ(late.error().maybe_accepted, kId);
  broker_.finish(kId, TaskState::success);
  EXPECT_TRUE(client_.wait(kId, patient_));
}

TEST_F(ClientRunTest, SurvivesARestartOfTheBrokerBeforeAndAfterTheAcknowledgement) {
  broker_.drop_next(MessageType::submit);
  auto running = in_background([&] { return client_.run(request_of(kId), patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  broker_.restart();
  ASSERT_TRUE(broker_.await([&] { return broker_.seen_resends() == 1; }));
  broker_.restart();
  // The acknowledgement may or may not have been on its way: it is submitted again, or waited for.
  ASSERT_TRUE(broker_.await(
      [&] { return broker_.seen_resends() == 2 || broker_.seen(MessageType::wait) == 1; }));
  broker_.finish(kId, TaskState::success);
  const auto result = running.get();
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(broker_.task_count(), 1U);
}

TEST_F(ClientRunTest, ABatchTellsWhatBecameOfEach) {
  const std::vector<TaskRequest> tasks = {request_of(TaskId(7, 0)), request_of(TaskId(7, 1), ""),
                                          request_of(TaskId(7, 2)), request_of(TaskId(7, 0)),
                                          request_of(TaskId(7, 4))};
  auto running = in_background([&] { return client_.run_batch(tasks, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  broker_.finish(TaskId(7, 4), TaskState::failure);
  broker_.finish(TaskId(7, 2), TaskState::success, report_of("two"));
  broker_.finish(TaskId(7, 0), TaskState::success, report_of("zero"));
  const auto results = running.get();
  ASSERT_EQ(results.size(), tasks.size());
  ASSERT_TRUE(results[0]);
  EXPECT_EQ(results[0]->report.stdout_tail, "zero");
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].error().error.field, "tasks[1].tool");
  ASSERT_TRUE(results[2]);
  EXPECT_EQ(results[2]->report.stdout_tail, "two");
  ASSERT_FALSE(results[3]);  // stands twice
  EXPECT_EQ(results[3].error().error.field, "tasks[3].task_id");
  ASSERT_TRUE(results[4]);
  EXPECT_EQ(results[4]->outcome.state, TaskState::failure);
  EXPECT_TRUE(client_.run_batch({}).empty());
}

TEST_F(ClientRunTest, OfRepeatedIdsTheFirstThatCanBeSentRuns) {
  const std::vector<TaskRequest> repeated = {request_of(TaskId(7, 0)), request_of(TaskId(7, 2)),
                                             request_of(TaskId(7, 2))};
  const std::vector<TaskRequest> mended = {request_of(TaskId(7, 5), ""), request_of(TaskId(7, 5))};
  auto running = in_background([&] {
    auto one = client_.run_batch(repeated, patient_);
    auto other = client_.run_batch(mended, patient_);
    return std::pair(std::move(one), std::move(other));
  });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  broker_.finish(TaskId(7, 0), TaskState::success);
  broker_.finish(TaskId(7, 2), TaskState::success);
  ASSERT_TRUE(broker_.await_seen(MessageType::submit, 2));
  broker_.finish(TaskId(7, 5), TaskState::success);
  const auto [first, second] = running.get();
  ASSERT_TRUE(first.at(1));
  EXPECT_EQ(first[1]->id, TaskId(7, 2));
  ASSERT_FALSE(first.at(2));
  EXPECT_TRUE(first[2].error().is(ErrorCode::invalid));
  ASSERT_FALSE(second.at(0));
  ASSERT_TRUE(second.at(1));
  EXPECT_EQ(second[1]->id, TaskId(7, 5));
}

TEST_F(ClientRunTest, WhatHasNotBegunIsNotSaidToBeAccepted) {
  CallOptions negative;
  negative.timeout = Millis(-1);
  const auto refused = client_.run(request_of(kId), negative);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.field, "timeout");
  EXPECT_FALSE(refused.error().maybe_accepted);
  client_.close();
  const auto closed = client_.run(request_of(kId), patient_);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().failure, CallFailure::closed);
  EXPECT_FALSE(closed.error().maybe_accepted);
}

TEST_F(ClientRunTest, WhatHasNotEndedInTimeIsToldForItself) {
  const std::vector<TaskRequest> tasks = {request_of(TaskId(7, 0)), request_of(TaskId(7, 1))};
  ASSERT_TRUE(client_.connect());
  CallOptions brief;
  brief.timeout = Millis(2000);
  auto running = in_background([&] { return client_.run_batch(tasks, brief); });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  broker_.finish(TaskId(7, 1), TaskState::success);
  const auto results = running.get();
  ASSERT_FALSE(results.at(0));
  EXPECT_EQ(results[0].error().failure, CallFailure::timed_out);
  EXPECT_EQ(results[0].error().maybe_accepted, TaskId(7, 0));
  EXPECT_TRUE(results.at(1));
}

TEST_F(ClientRunTest, AMessageFullIsRunAtOnce) {
  std::vector<TaskRequest> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(request("shell", i));
  auto running = in_background([&] { return client_.run_batch(tasks, patient_); });
  ASSERT_TRUE(broker_.await([&] { return broker_.seen(MessageType::submit) == 4; }));
  for (const TaskId& id : broker_.task_ids()) broker_.finish(id, TaskState::success);
  const auto results = running.get();
  ASSERT_EQ(results.size(), 1000U);
  for (const auto& result : results) EXPECT_TRUE(result) << result.error().text();
}

TEST_F(ClientRunTest, CanBeStoppedAndClosed) {
  std::stop_source stop;
  CallOptions options = patient_;
  options.stop = stop.get_token();
  auto running = in_background([&] { return client_.run(request_of(kId), options); });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  stop.request_stop();
  const auto stopped = running.get();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().failure, CallFailure::stopped);
  EXPECT_EQ(stopped.error().maybe_accepted, kId);
  auto other = in_background([&] { return client_.run(request_of(TaskId(7, 2)), patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit, 2));
  client_.close();
  const auto closed = other.get();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().failure, CallFailure::closed);
  EXPECT_EQ(closed.error().maybe_accepted, TaskId(7, 2));
}

}  // namespace
}  // namespace taskpipe::testing
