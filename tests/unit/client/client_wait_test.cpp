// The client waiting for ends of tasks, against a broker that behaves.
#include <algorithm>
#include <thread>

#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

using ClientWaitTest = ClientFixture;

TEST_F(ClientWaitTest, WaitReturnsTheResultWithItsReport) {
  const TaskId id = submitted();
  auto waiting = in_background([&] { return client_.wait(id, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.finish(id, TaskState::success, report_of("hello"));
  const auto result = waiting.get();
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_TRUE(result->succeeded());
  EXPECT_EQ(result->id, id);
  EXPECT_EQ(result->worker, "fake-worker");
  EXPECT_EQ(result->report.stdout_tail, "hello");
  EXPECT_EQ(client_.wait(id, patient_)->report.stdout_tail, "hello");  // long after
}

TEST_F(ClientWaitTest, AReportThatCannotBeReadDoesNotHideTheResult) {
  const TaskId id = submitted();
  broker_.finish(id, TaskState::failure, Payload(std::string_view("\xc1garbage")));
  const auto result = client_.wait(id, patient_);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->outcome.state, TaskState::failure);
  EXPECT_NE(result->outcome.reason.find("report"), std::string::npos);
}

TEST_F(ClientWaitTest, WaitAllKeepsTheOrderOfTheIds) {
  const auto ids = submitted(3);
  const std::vector<TaskId> asked = {ids[2], ids[0], ids[2], ids[1]};
  auto waiting = in_background([&] { return client_.wait_all(asked, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  for (const TaskId& id : ids) broker_.finish(id, TaskState::success, report_of(id.to_string()));
  const auto results = waiting.get();
  ASSERT_TRUE(results) << results.error().text();
  ASSERT_EQ(results->size(), asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ((*results)[i].id, asked[i]);
    EXPECT_EQ((*results)[i].report.stdout_tail, asked[i].to_string());
  }
}

TEST_F(ClientWaitTest, WaitAnyReturnsTheFirst) {
  const auto ids = submitted(3);
  auto waiting = in_background([&] { return client_.wait_any(ids, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.finish(ids[1], TaskState::failure);
  const auto first = waiting.get();
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->id, ids[1]);
}

TEST_F(ClientWaitTest, UnknownTasksAreNeverPending) {
  const TaskId id = submitted();
  const std::vector<TaskId> ids = {id, TaskId(9, 9)};
  EXPECT_TRUE(client_.wait(TaskId(9, 9), patient_).error().is(ErrorCode::unknown_task));
  EXPECT_TRUE(client_.wait_all(ids, patient_).error().is(ErrorCode::unknown_task));
  EXPECT_TRUE(client_.monitor(ids, nullptr, patient_).error().is(ErrorCode::unknown_task));
  EXPECT_TRUE(client_.status(TaskId(9, 9)).error().is(ErrorCode::unknown_task));
  const auto statuses = client_.status(ids);
  ASSERT_TRUE(statuses);
  EXPECT_EQ(statuses->rows.size(), 1U);
  EXPECT_EQ(statuses->unknown, (std::vector<TaskId>{TaskId(9, 9)}));
  EXPECT_TRUE(client_.cancel(TaskId(9, 9)).error().is(ErrorCode::unknown_task));
  EXPECT_TRUE(client_.fetch_log(TaskId(9, 9), LogStream::out, 0, true, nullptr, patient_)
                  .error()
                  .is(ErrorCode::unknown_task));
}

TEST_F(ClientWaitTest, AWaitOfNoTimeAsksWhatHasEnded) {
  const auto ids = submitted(2);
  const CallOptions at_once{Millis(0), {}};
  EXPECT_EQ(client_.wait(ids[0], at_once).error().failure, CallFailure::timed_out);
  EXPECT_EQ(client_.wait_any(ids, at_once).error().failure, CallFailure::timed_out);
  broker_.finish(ids[1], TaskState::success, report_of("done"));
  EXPECT_EQ(client_.wait_all(ids, at_once).error().failure, CallFailure::timed_out);
  const auto first = client_.wait_any(ids, at_once);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->id, ids[1]);
  EXPECT_EQ(client_.wait(ids[1], at_once).value().report.stdout_tail, "done");
  EXPECT_TRUE(client_.wait(TaskId(1, 2), at_once).error().is(ErrorCode::unknown_task));
}

TEST_F(ClientWaitTest, AWaitEndsAtItsTimeoutAndSaysSo) {
  const TaskId id = submitted();
  const auto result = client_.wait(id, {.timeout = Millis(50)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().failure, CallFailure::timed_out);
  EXPECT_NE(result.error().text().find("50 ms"), std::string::npos);
  EXPECT_EQ(client_.wait(id, {.timeout = Millis(0)}).error().failure, CallFailure::timed_out);
  EXPECT_EQ(client_.wait(id, {.timeout = Millis(-1)}).error().error.field, "timeout");
}

TEST_F(ClientWaitTest, ACallCanBeStopped) {
  const TaskId id = submitted();
  std::stop_source source;
  const CallOptions stoppable{kPatience, source.get_token()};
  auto waiting = in_background([&] { return client_.wait(id, stoppable); });
  auto watching =
      in_background([&] { return client_.monitor(std::span(&id, 1), nullptr, stoppable); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  source.request_stop();
  EXPECT_EQ(waiting.get().error().failure, CallFailure::stopped);
  EXPECT_EQ(watching.get().error().failure, CallFailure::stopped);
  EXPECT_EQ(client_.health(stoppable).error().failure, CallFailure::stopped);
  EXPECT_TRUE(client_.health());
}

TEST_F(ClientWaitTest, ACallerIsAskedWhileItWaits) {
  const TaskId id = submitted();
  const auto caller = std::this_thread::get_id();
  int asked = 0;
  CallOptions options{kPatience};
  options.keep_waiting = [&] {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    return ++asked < 3;
  };
  EXPECT_EQ(client_.wait(id, options).error().failure, CallFailure::stopped);
  EXPECT_GE(asked, 3);
  asked = 0;
  EXPECT_EQ(client_.monitor(std::span(&id, 1), nullptr, options).error().failure,
            CallFailure::stopped);
  EXPECT_GE(asked, 3);
  asked = 0;
  EXPECT_TRUE(client_.health(options));
}

}  // namespace
}  // namespace taskpipe::testing
