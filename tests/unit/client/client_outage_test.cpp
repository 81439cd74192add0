// The client against a broker that is absent, restarts, forgets, refuses; and the client's own end.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

using OutageTest = ClientFixture;
using Clock = std::chrono::steady_clock;

// Where nobody listens.
std::string dead_endpoint() {
  FakeBroker broker;
  return broker.endpoint();
}

TEST(UnreachableTest, EveryCallSaysSoWithinTheConnectTimeout) {
  ClientOptions options;
  options.broker = dead_endpoint();
  options.connect_timeout = Millis(200);
  Client client(options);
  const auto begin = Clock::now();
  const auto waited = client.wait(TaskId(1, 1));  // would wait for ever
  ASSERT_FALSE(waited);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(waited.error().failure, CallFailure::unreachable);
  EXPECT_NE(waited.error().text().find(options.broker), std::string::npos);
  EXPECT_NE(waited.error().text().find("taskpipe-broker"), std::string::npos);
  EXPECT_EQ(client.submit(request()).error().failure, CallFailure::unreachable);
  EXPECT_FALSE(client.submit(request()).error().maybe_accepted);  // nothing was ever sent
  EXPECT_EQ(client.connect().error().failure, CallFailure::unreachable);
  const TaskId id(1, 1);
  EXPECT_EQ(client.monitor(std::span(&id, 1), nullptr).error().failure, CallFailure::unreachable);
}

TEST(UnreachableTest, ABrokerThatComesLaterIsFoundByTheNextCall) {
  FakeBroker broker;
  broker.stop();
  ClientOptions options;
  options.broker = broker.endpoint();
  options.user = "tester";
  options.connect_timeout = Millis(100);
  Client client(options);
  EXPECT_FALSE(client.health());
  broker.start();
  bool found = false;
  for (int attempt = 0; attempt < 100 && !found; ++attempt) found = client.health().has_value();
  EXPECT_TRUE(found);
}

TEST_F(OutageTest, AnUnacknowledgedSubmitIsRepeatedAfterARestartWithTheSameId) {
  broker_.hold(MessageType::submit);
  auto submitting = in_background([&] { return client_.submit(request(), patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  broker_.stop();  // what is held is lost
  broker_.start();
  broker_.release();
  const auto id = submitting.get();
  ASSERT_TRUE(id) << id.error().text();
  EXPECT_TRUE(broker_.task(*id));
  EXPECT_EQ(broker_.task_count(), 1U);
  EXPECT_TRUE(broker_.await([&] { return broker_.seen_resends() == 1; }));
}

TEST_F(OutageTest, ALostSubmitIsRepeatedWithinTheSession) {
  broker_.drop_next(MessageType::submit);
  const auto id = client_.submit(request(), patient_);
  ASSERT_TRUE(id) << id.error().text();
  EXPECT_TRUE(broker_.await([&] { return broker_.seen_resends() == 1; }));
}

TEST_F(OutageTest, EveryOpenWaitIsRepeatedAfterARestart) {
  const auto ids = submitted(2);
  auto waiting = in_background([&] { return client_.wait_all(ids, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.finish(ids[0], TaskState::success);
  broker_.restart();
  ASSERT_TRUE(broker_.await_seen(MessageType::wait, 2));
  broker_.finish(ids[1], TaskState::success);
  const auto results = waiting.get();
  ASSERT_TRUE(results) << results.error().text();
}

TEST_F(OutageTest, AForgottenSessionIsGreetedAnew) {
  const TaskId id = submitted();
  auto waiting = in_background([&] { return client_.wait(id, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.forget_sessions();
  ASSERT_TRUE(broker_.await_seen(MessageType::wait, 2));  // the next PING was answered by WHO
  broker_.finish(id, TaskState::success);
  EXPECT_TRUE(waiting.get());
}

TEST_F(OutageTest, ByeOfAStoppingBrokerIsNoErrorOfACall) {
  const TaskId id = submitted();
  auto waiting = in_background([&] { return client_.wait(id, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.say_bye("shutting down");
  broker_.restart();
  ASSERT_TRUE(broker_.await_seen(MessageType::wait, 2));
  broker_.finish(id, TaskState::success);
  EXPECT_TRUE(waiting.get());
}

TEST_F(OutageTest, AnUnansweredRequestIsAskedAgain) {
  ASSERT_TRUE(client_.connect());
  broker_.drop_next(MessageType::health);
  auto asking = in_background([&] { return client_.health(); });
  ASSERT_TRUE(broker_.await_seen(MessageType::health));
  broker_.forget_sessions();
  EXPECT_TRUE(asking.get());
}

TEST_F(OutageTest, DuringAnOutageACallWaitsForItsOwnTimeout) {
  ASSERT_TRUE(client_.connect());
  broker_.stop();
  const auto health = client_.health({.timeout = Millis(100)});
  ASSERT_FALSE(health);
  EXPECT_EQ(health.error().failure, CallFailure::timed_out);
  const auto id = client_.submit(request(), {.timeout = Millis(100)});
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().failure, CallFailure::timed_out);
  auto patient = in_background([&] { return client_.health(); });
  broker_.start();
  EXPECT_TRUE(patient.get());
}

TEST_F(OutageTest, AFollowedLogGoesOnAfterARestart) {
  const TaskId id = submitted();
  std::string read;
  auto following = in_background([&] {
    return client_.fetch_log(
        id, LogStream::out, 0, true, [&read](const LogChunk& chunk) { read += chunk.data; },
        patient_);
  });
  ASSERT_TRUE(broker_.await_seen(MessageType::fetch, 2));
  broker_.write_log(id, "before ");
  broker_.restart();
  broker_.write_log(id, "after");
  ASSERT_TRUE(broker_.await_seen(MessageType::fetch, 4));
  broker_.finish(id, TaskState::success);
  ASSERT_TRUE(following.get());
  EXPECT_EQ(read, "before after");
}

TEST_F(OutageTest, AVersionErrorIsReportedAndTheNextCallTriesAgain) {
  broker_.answer_next(MessageType::hello, [](const Message&) {
    return ErrorReply{Error{ErrorCode::version, "this broker speaks 2 to 3", {}}};
  });
  const auto refused = client_.health();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(ErrorCode::version));
  EXPECT_NE(refused.error().text().find("2 to 3"), std::string::npos);
  EXPECT_TRUE(client_.health());
}

TEST_F(OutageTest, AClientThatWasReplacedStaysClosed) {
  ASSERT_TRUE(client_.connect());
  const TaskId id = submitted();
  auto waiting = in_background([&] { return client_.wait(id, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.say_bye("replaced");
  EXPECT_EQ(waiting.get().error().failure, CallFailure::closed);
  EXPECT_EQ(client_.health().error().failure, CallFailure::closed);
}

TEST_F(OutageTest, CloseEndsEveryCall) {
  const TaskId id = submitted();
  auto waiting = in_background([&] { return client_.wait(id); });
  auto watching = in_background([&] { return client_.monitor(std::span(&id, 1), nullptr); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  client_.close();
  EXPECT_EQ(waiting.get().error().failure, CallFailure::closed);
  EXPECT_EQ(watching.get().error().failure, CallFailure::closed);
  EXPECT_EQ(client_.health().error().failure, CallFailure::closed);
  EXPECT_TRUE(broker_.await_seen(MessageType::bye));
  client_.close();
}

TEST_F(OutageTest, ClosingWithWorkUnderWayIsBounded) {
  broker_.hold(MessageType::submit);
  std::vector<CallFailure> failures;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client_.submit_async(request("shell", i), [&failures](CallResult<TaskId> id) {
      if (!id) failures.push_back(id.error().failure);
    }));
  }
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  const auto begin = Clock::now();
  client_.close();
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(failures, std::vector<CallFailure>(100, CallFailure::closed));
}

TEST(ForkTest, TheChildOfAForkIsToldAndEndsQuietly) {
  FakeBroker broker;
  ClientOptions options;
  options.broker = broker.endpoint();
  options.user = "tester";
  auto client = std::make_unique<Client>(options);
  ASSERT_TRUE(client->connect());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool told = client->health().error().failure == CallFailure::closed;
    client.reset();
    ::_exit(told ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(client->health());
}

}  // namespace
}  // namespace taskpipe::testing
