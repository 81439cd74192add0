// Policies of retries, inspecting, dead letters, and submitting them again.
#include <algorithm>
#include <atomic>
#include <span>
#include <vector>

#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

using ResubmitTest = ClientFixture;
using ResubmittedIds = std::vector<TaskId>;

ResubmitAck all_ok(const Resubmit& request) {
  ResubmitAck ack;
  for (const auto& item : request.items) ack.items.push_back({item.id, ErrorCode::ok});
  return ack;
}

TaskRequest with_policy(RetryPolicy policy) {
  TaskRequest task = request();
  task.retry = policy;
  return task;
}

TEST_F(ResubmitTest, APolicyArrivesWithItsTask) {
  RetryPolicy policy;
  policy.max_attempts = 3;
  policy.failures = failure_bit(FailureClass::exit);
  policy.backoff_ms = 50;
  policy.max_backoff_ms = 500;
  policy.max_worker_losses = 0;
  TaskRequest task = with_policy(policy);
  task.limits.queue_time_ms = 7000;
  task.limits.no_progress_ms = 8000;
  const TaskId id = submitted(task);
  const auto known = broker_.task(id);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->spec->retry, policy);
  EXPECT_EQ(known->spec->limits, task.limits);
}

// Tasks of a batch share a specification only where nothing differs.
TEST_F(ResubmitTest, TasksThatDifferInTheirPolicyShareNoSpecification) {
  std::vector<TaskRequest> batch;
  const auto add = [&batch](auto change) {
    TaskRequest task = request();
    change(task);
    batch.push_back(task);
  };
  add([](TaskRequest&) {});
  add([](TaskRequest& t) { t.retry.max_attempts = 2; });
  add([](TaskRequest& t) { t.retry.failures = failure_bit(FailureClass::oom); });
  add([](TaskRequest& t) { t.retry.backoff_ms = 1; });
  add([](TaskRequest& t) { t.retry.max_backoff_ms = 2000; });
  add([](TaskRequest& t) { t.retry.max_worker_losses = 0; });
  add([](TaskRequest& t) { t.limits.queue_time_ms = 1; });
  add([](TaskRequest& t) { t.limits.no_progress_ms = 1; });
  // Once more in another order: also those that do not follow each other.
  for (std::size_t i = batch.size(); i-- > 0;) batch.push_back(batch[i]);
  const auto ids = client_.submit_batch(batch);
  ASSERT_TRUE(ids) << ids.error().first().text();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto task = broker_.task((*ids)[i]);
    ASSERT_TRUE(task);
    EXPECT_EQ(task->spec->retry, batch[i].retry) << i;
    EXPECT_EQ(task->spec->limits, batch[i].limits) << i;
  }
}

TEST_F(ResubmitTest, ABadPolicyIsRefusedBeforeSending) {
  RetryPolicy policy;
  policy.max_attempts = 0;
  const auto none = client_.submit(with_policy(policy));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().error.field, "retry.max_attempts");
  policy = {};
  policy.failures = failure_bit(FailureClass::worker_lost);
  EXPECT_EQ(client_.submit(with_policy(policy)).error().error.field, "retry.failures");
  policy = {};
  policy.backoff_ms = 2;
  policy.max_backoff_ms = 1;
  EXPECT_EQ(client_.submit(with_policy(policy)).error().error.field, "retry.backoff_ms");
  EXPECT_EQ(broker_.task_count(), 0U);
}

TEST_F(ResubmitTest, InspectAsksForTheAttemptsOfOneTask) {
  const TaskId id = submitted();
  TaskRow row;
  row.id = id;
  row.state = TaskState::failure;
  row.attempt = Attempt{2};
  row.original = TaskId(7, 7);
  PastAttempt past;
  past.kind = PastKind::retried;
  past.attempt = Attempt{1};
  past.worker = "node";
  past.outcome.state = TaskState::failure;
  past.outcome.failure = FailureClass::exit;
  past.outcome.exit_code = 3;
  row.attempts.push_back(past);
  // By value: how an answer comes back through a socket orders nothing that ThreadSanitizer knows.
  const auto answer = [id, row](const Message& message) -> std::optional<Message> {
    const auto& query = std::get<Query>(message);
    EXPECT_TRUE(query.with_attempts);
    EXPECT_EQ(query.filter.tasks, ResubmittedIds{id});
    return Rows{{row}, {}, {}};
  };
  broker_.answer_next(MessageType::query, answer);
  const auto found = client_.inspect(id);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, row);
  const auto none = client_.inspect(TaskId(9, 9));
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is(ErrorCode::unknown_task));
}

TEST_F(ResubmitTest, DeadLettersAreAListing) {
  TaskRow row;
  row.id = TaskId(1, 1);
  row.state = TaskState::timeout;
  broker_.answer_next(MessageType::query, [row](const Message& message) -> std::optional<Message> {
    const auto& filter = std::get<Query>(message).filter;
    EXPECT_TRUE(filter.dead);
    EXPECT_EQ(filter.tool, "shell");
    EXPECT_EQ(filter.state, TaskState::timeout);
    return Rows{{row}, {}, {}};
  });
  QueryFilter filter;
  filter.tool = "shell";
  filter.state = TaskState::timeout;
  TaskListing listing = client_.dead_letters(filter);
  const TaskRow* found = listing.next();
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->id, row.id);
  EXPECT_EQ(listing.next(), nullptr);
  EXPECT_FALSE(listing.error());
}

TEST_F(ResubmitTest, NewIdsComeInTheOrderOfTheOldOnes) {
  constexpr std::size_t kCount = 2 * limits::kMaxBatchItems + 1;
  ResubmittedIds originals;
  for (std::uint64_t n = 0; n < kCount; ++n) originals.push_back(TaskId(1, n + 1));
  std::vector<ResubmitItem> asked;
  for (int message = 0; message < 3; ++message) {
    broker_.answer_next(MessageType::resubmit, [&](const Message& m) -> std::optional<Message> {
      const auto& items = std::get<Resubmit>(m).items;
      EXPECT_LE(items.size(), limits::kMaxBatchItems);
      asked.insert(asked.end(), items.begin(), items.end());
      ResubmitAck ack = all_ok(std::get<Resubmit>(m));
      std::reverse(ack.items.begin(), ack.items.end());
      return ack;
    });
  }
  const auto ids = client_.resubmit(std::span<const TaskId>(originals));
  ASSERT_TRUE(ids) << ids.error().first().text();
  ASSERT_TRUE(broker_.await_seen(MessageType::resubmit, 3));  // its thread is done with `asked`
  ASSERT_EQ(asked.size(), kCount);
  ASSERT_EQ(ids->size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(asked[i].original, originals[i]);
    EXPECT_EQ(asked[i].id, (*ids)[i]);
  }
  EXPECT_TRUE(client_.resubmit(std::span<const TaskId>{})->empty());
}

TEST_F(ResubmitTest, EveryItemIsRefusedForItself) {
  const ResubmittedIds originals = {TaskId(1, 1), TaskId(1, 2), TaskId(1, 3), TaskId(1, 4)};
  broker_.answer_next(MessageType::resubmit, [&](const Message& m) -> std::optional<Message> {
    const auto& items = std::get<Resubmit>(m).items;
    return ResubmitAck{{{items[0].id, ErrorCode::ok},
                        {items[1].id, ErrorCode::invalid},
                        {items[2].id, ErrorCode::invalid},
                        {items[3].id, ErrorCode::unknown_task}},
                       Error{ErrorCode::invalid, "task 2 has succeeded", "original"}};
  });
  const auto ids = client_.resubmit(std::span<const TaskId>(originals));
  ASSERT_FALSE(ids);
  const BatchError& error = ids.error();
  EXPECT_EQ(error.ids.size(), 4U);
  ASSERT_EQ(error.items.size(), 3U);
  EXPECT_EQ(error.items[0].index, 1U);
  EXPECT_EQ(error.items[0].error.text(), "task 2 has succeeded");
  EXPECT_TRUE(error.items[1].error.is(ErrorCode::invalid));
  EXPECT_NE(error.items[1].error.text().find(originals[2].to_string()), std::string::npos);
  EXPECT_TRUE(error.items[2].error.is(ErrorCode::unknown_task));
  EXPECT_NE(error.items[2].error.text().find(originals[3].to_string()), std::string::npos);
}

// A lost RESUBMIT is repeated under the same ids, so that nothing runs twice.
TEST_F(ResubmitTest, IsRepeatedUnderTheSameIdsAfterAnOutage) {
  std::vector<Resubmit> seen;
  broker_.drop_next(MessageType::resubmit);
  broker_.answer_next(MessageType::resubmit, [&](const Message& m) -> std::optional<Message> {
    seen.push_back(std::get<Resubmit>(m));
    return all_ok(seen.back());
  });
  auto asking = in_background([&] { return client_.resubmit(TaskId(1, 1)); });
  ASSERT_TRUE(broker_.await_seen(MessageType::resubmit, 1));
  broker_.restart();
  const auto id = asking.get();
  ASSERT_TRUE(id) << id.error().text();
  ASSERT_TRUE(broker_.await_seen(MessageType::resubmit, 2));  // its thread is done with `seen`
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].items, (std::vector<ResubmitItem>{{TaskId(1, 1), *id}}));
}

TEST_F(ResubmitTest, SaysThatItMayHaveBeenAccepted) {
  broker_.hold(MessageType::resubmit);
  std::stop_source stop;
  auto asking =
      in_background([&] { return client_.resubmit(TaskId(1, 1), {.stop = stop.get_token()}); });
  ASSERT_TRUE(broker_.await_seen(MessageType::resubmit, 1));
  stop.request_stop();
  const auto id = asking.get();
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().failure, CallFailure::stopped);
  ASSERT_TRUE(id.error().maybe_accepted);
  EXPECT_NE(id.error().text().find(id.error().maybe_accepted->to_string()), std::string::npos);
}

}  // namespace
}  // namespace taskpipe::testing
