// Asynchronous calls, many threads, and callbacks that use the client.
#include <atomic>
#include <stop_token>
#include <thread>

#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

using AsyncTest = ClientFixture;

TEST_F(AsyncTest, SubmitsAreAnsweredOnce) {
  constexpr int kCount = 500;
  std::atomic<int> answered{0};
  std::promise<void> all;
  std::vector<TaskId> ids;
  for (int i = 0; i < kCount; ++i) {
    const auto id = client_.submit_async(request("shell", i), [&](CallResult<TaskId> result) {
      EXPECT_TRUE(result);
      if (++answered == kCount) all.set_value();
    });
    ASSERT_TRUE(id) << id.error().text();
    ids.push_back(*id);
  }
  all.get_future().wait();
  EXPECT_EQ(broker_.task_count(), static_cast<std::size_t>(kCount));
  EXPECT_TRUE(broker_.task(ids[kCount / 2]));
}

TEST_F(AsyncTest, BadTasksAreReturnedAndNotCalledBack) {
  const auto id = client_.submit_async(request(""), [](CallResult<TaskId>) { FAIL(); });
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().error.field, "tool");
}

TEST_F(AsyncTest, TooManyOpenSubmitsMakeTheNextOneWait) {
  ClientOptions options = options_for(broker_);
  options.max_unacknowledged = 2;
  Client client(options);
  broker_.hold(MessageType::submit);
  ASSERT_TRUE(client.submit_async(request(), nullptr));
  ASSERT_TRUE(client.submit_async(request(), nullptr));
  const auto third = client.submit_async(request(), nullptr, {.timeout = Millis(50)});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().failure, CallFailure::timed_out);
  broker_.release();
  EXPECT_TRUE(client.submit_async(request(), nullptr));
}

TEST_F(AsyncTest, ASubmitThatWaitsForEarlierOnesEndsOnRequest) {
  ClientOptions options = options_for(broker_);
  options.max_unacknowledged = 1;
  Client client(options);
  std::stop_source given_up;
  given_up.request_stop();
  broker_.hold(MessageType::submit);
  // There is room, so that nobody waits.
  ASSERT_TRUE(client.submit_async(request(), nullptr, {.stop = given_up.get_token()}));
  const auto at_once = client.submit_async(request(), nullptr, {.stop = given_up.get_token()});
  ASSERT_FALSE(at_once);
  EXPECT_EQ(at_once.error().failure, CallFailure::stopped);
  int asked = 0;
  const auto attentive =
      client.submit_async(request(), nullptr, {.keep_waiting = [&] { return ++asked < 3; }});
  ASSERT_FALSE(attentive);
  EXPECT_EQ(attentive.error().failure, CallFailure::stopped);
  EXPECT_EQ(asked, 3);
  std::stop_source stop;
  auto waiting = in_background([&] {
    return client.submit_async(request(), nullptr,
                               {.stop = stop.get_token(), .keep_waiting = [] { return true; }});
  });
  stop.request_stop();
  EXPECT_EQ(waiting.get().error().failure, CallFailure::stopped);
  broker_.release();
  EXPECT_TRUE(client.submit_async(request(), nullptr));
}

TEST_F(AsyncTest, WaitsAreCalledBackOnceAndForgottenOnesNever) {
  const auto ids = submitted(2);
  std::promise<CallResult<TaskResult>> told;
  std::atomic<bool> forgotten_was_told{false};
  client_.wait_async(ids[0], [&](CallResult<TaskResult> result) { told.set_value(result); });
  const AsyncId forgotten =
      client_.wait_async(ids[1], [&](CallResult<TaskResult>) { forgotten_was_told = true; });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  client_.forget(forgotten);
  client_.forget(AsyncId{12345});
  broker_.finish(ids[1], TaskState::success);
  broker_.finish(ids[0], TaskState::success, report_of("text"));
  const auto result = told.get_future().get();
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->report.stdout_tail, "text");
  EXPECT_FALSE(forgotten_was_told);
}

TEST_F(AsyncTest, AWaitTimesOutAsynchronouslyAsWell) {
  const TaskId id = submitted();
  std::promise<CallResult<TaskResult>> told;
  client_.wait_async(id, [&](CallResult<TaskResult> result) { told.set_value(result); },
                     {.timeout = Millis(50)});
  EXPECT_EQ(told.get_future().get().error().failure, CallFailure::timed_out);
}

TEST_F(AsyncTest, CallbacksMayUseTheClient) {
  std::promise<bool> healthy;
  ASSERT_TRUE(client_.submit_async(request(), [&](CallResult<TaskId> id) {
    EXPECT_TRUE(id);
    healthy.set_value(client_.health().has_value());
  }));
  EXPECT_TRUE(healthy.get_future().get());
}

TEST_F(AsyncTest, ACallbackMayDestroyItsClient) {
  auto client = std::make_shared<Client>(options_for(broker_));
  std::promise<void> destroyed;
  const auto id = client->submit_async(request(), [&](CallResult<TaskId>) {
    client.reset();
    destroyed.set_value();
  });
  ASSERT_TRUE(id);
  destroyed.get_future().wait();
  EXPECT_TRUE(broker_.await_seen(MessageType::bye));
}

TEST_F(AsyncTest, ACallbackMayOwnItsClient) {
  auto client = std::make_shared<Client>(options_for(broker_));
  const TaskId id = submitted();
  std::promise<void> told;
  client->wait_async(id, [client, &told](CallResult<TaskResult>) { told.set_value(); });
  client.reset();
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.finish(id, TaskState::success);
  told.get_future().wait();
  EXPECT_TRUE(broker_.await_seen(MessageType::bye));  // the last owner was the callback
}

TEST_F(AsyncTest, ACallOnAClosedClientIsToldAtOnce) {
  client_.close();
  bool told = false;
  client_.wait_async(TaskId(1, 1), [&](CallResult<TaskResult> result) {
    told = result.error().failure == CallFailure::closed;
  });
  EXPECT_TRUE(told);
  EXPECT_EQ(client_.submit_async(request(), nullptr).error().failure, CallFailure::closed);
}

TEST_F(AsyncTest, ManyThreadsShareOneClient) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 25;
  std::atomic<int> succeeded{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const auto id = client_.submit(request("shell", t * kRounds + i), patient_);
        if (!id) continue;
        broker_.finish(*id, TaskState::success);
        const auto result = client_.wait(*id, patient_);
        const auto row = client_.status(*id, patient_);
        if (result && row && row->state == TaskState::success) ++succeeded;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(succeeded, kThreads * kRounds);
}

TEST_F(AsyncTest, CallsAndCloseMayRace) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (;;) {
        const auto id = client_.submit(request(), patient_);
        if (id) continue;
        if (id.error().failure != CallFailure::closed) ++wrong;
        return;
      }
    });
  }
  ASSERT_TRUE(broker_.await_seen(MessageType::submit, 10));
  client_.close();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace taskpipe::testing
