#include "worker/handlers/handler_executor.hpp"

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "common/protocol/value_codec.hpp"
#include "tests/unit/worker_shell/awaited.hpp"
#include "worker/handlers/builtin_handlers.hpp"

namespace taskpipe::worker {
namespace {

using testing::Collected;
using testing::kPatience;

// Runs what the test gives it.
class Scripted final : public Handler {
 public:
  using Body = std::function<tl::expected<Value, Error>(HandlerContext&, const ValueMap&)>;
  explicit Scripted(Body body) : body_(std::move(body)) {}
  tl::expected<Value, Error> run(HandlerContext& context, const ValueMap& params) override {
    return body_(context, params);
  }

 private:
  Body body_;
};

class HandlerExecutorTest : public ::testing::Test {
 protected:
  HandlerExecutorTest() { EXPECT_TRUE(add_builtin_handlers(registry_)); }

  void add(const std::string& name, Scripted::Body body) {
    ASSERT_TRUE(registry_.add({name, "", ""}, std::make_unique<Scripted>(std::move(body))));
  }
  HandlerExecutor& pool(std::size_t threads = 2) {
    executor_ = std::make_unique<HandlerExecutor>(
        registry_, threads, "node1",
        [this](std::vector<ExecEvent> events) { events_.add_all(std::move(events)); });
    return *executor_;
  }
  static AttemptKey key(std::uint64_t number) { return {TaskId(1, number), Epoch(1), Attempt(1)}; }
  static HandlerJob job(std::uint64_t number, const std::string& tool, const ValueMap& params = {},
                        std::uint64_t limit_ms = 0, std::uint64_t silence_ms = 0) {
    TaskSpec spec;
    spec.tool = tool;
    spec.limits.run_time_ms = limit_ms;
    spec.limits.no_progress_ms = silence_ms;
    HandlerJob made{key(number), std::make_shared<const TaskSpec>(std::move(spec)), {}};
    if (!params.empty()) made.params = *protocol::encode_params(params);
    return made;
  }
  void start(HandlerJob job) {
    std::vector<HandlerJob> jobs;
    jobs.push_back(std::move(job));
    executor_->start(jobs);
    EXPECT_TRUE(jobs.empty());
  }
  // The only outcome, after one job.
  Outcome outcome() {
    const auto events = events_.wait_for(1);
    if (events.size() != 1 || !std::holds_alternative<exec_event::Ended>(events[0])) {
      ADD_FAILURE() << "expected one Ended, got " << events.size() << " events";
      return {};
    }
    return std::get<exec_event::Ended>(events[0]).outcome;
  }

  HandlerRegistry registry_;
  Collected<ExecEvent> events_;
  std::unique_ptr<HandlerExecutor> executor_;  // last: its threads use the others
};

TEST_F(HandlerExecutorTest, EveryJobEndsOnce) {
  pool(3);
  constexpr std::size_t kJobs = 5000;
  std::vector<HandlerJob> jobs;
  for (std::uint64_t i = 0; i < kJobs; ++i) jobs.push_back(job(i, "noop"));
  executor_->start(jobs);
  const auto events = events_.wait_for(kJobs);
  ASSERT_EQ(events.size(), kJobs);
  std::set<AttemptKey> ended;
  for (const ExecEvent& event : events) {
    const auto& end = std::get<exec_event::Ended>(event);
    EXPECT_EQ(end.outcome.state, TaskState::success);
    EXPECT_TRUE(end.outcome.report.empty());  // null costs nothing to send
    ended.insert(end.attempt);
  }
  EXPECT_EQ(ended.size(), kJobs);
  EXPECT_FALSE(executor_->busy());
}

TEST_F(HandlerExecutorTest, EchoReturnsItsParams) {
  pool();
  const ValueMap params{{"a", Value(1)}, {"b", Value(ValueList{Value("x"), Value()})}};
  start(job(1, "echo", params));
  const Outcome end = outcome();
  EXPECT_EQ(end.state, TaskState::success);
  const auto report = protocol::decode_report(end.report.bytes());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->value, Value(params));
  EXPECT_EQ(report->node, "node1");
}

TEST_F(HandlerExecutorTest, EchoFailsOnRequestAndNamesBadParams) {
  pool();
  start(job(1, "echo", {{"fail", Value("because")}}));
  Outcome end = outcome();
  EXPECT_EQ(end.state, TaskState::failure);
  EXPECT_EQ(end.failure, FailureClass::exit);
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_EQ(end.reason, "because");
  start(job(2, "echo", {{"sleep_ms", Value("long")}}));
  end = std::get<exec_event::Ended>(events_.wait_for(2).at(1)).outcome;
  EXPECT_EQ(end.state, TaskState::failure);
  EXPECT_NE(end.reason.find("sleep_ms"), std::string::npos);
}

TEST_F(HandlerExecutorTest, ParamsThatCannotBeReadAreRejected) {
  pool();
  HandlerJob damaged = job(1, "echo");
  damaged.params = Payload(std::string_view("\xc1\xff", 2));
  start(std::move(damaged));
  const Outcome end = outcome();
  EXPECT_EQ(end.state, TaskState::error);
  EXPECT_EQ(end.failure, FailureClass::rejected);
  EXPECT_FALSE(end.reason.empty());
}

TEST_F(HandlerExecutorTest, HandlersThatIgnoreParamsDoNotDecodeThem) {
  pool();
  HandlerJob damaged = job(1, "noop");
  damaged.params = Payload(std::string_view("\xc1\xff", 2));
  start(std::move(damaged));
  EXPECT_EQ(outcome().state, TaskState::success);
}

TEST_F(HandlerExecutorTest, AnUnknownHandlerIsRejected) {
  pool();
  start(job(1, "nobody"));
  EXPECT_EQ(outcome().failure, FailureClass::rejected);
}

TEST_F(HandlerExecutorTest, ExceptionsAreFailures) {
  add("throws", [](HandlerContext&, const ValueMap&) -> tl::expected<Value, Error> {
    throw std::runtime_error("out of cheese");
  });
  add("throws_int",
      [](HandlerContext&, const ValueMap&) -> tl::expected<Value, Error> { throw 7; });
  pool();
  start(job(1, "throws"));
  const Outcome end = outcome();
  EXPECT_EQ(end.state, TaskState::failure);
  EXPECT_NE(end.reason.find("out of cheese"), std::string::npos);
  start(job(2, "throws_int"));
  EXPECT_EQ(std::get<exec_event::Ended>(events_.wait_for(2).at(1)).outcome.state,
            TaskState::failure);
}

TEST_F(HandlerExecutorTest, AResultThatIsTooLargeOrNotFiniteFails) {
  add("large", [](HandlerContext&, const ValueMap&) { return Value(std::string(2U << 20U, 'x')); });
  pool();
  start(job(1, "large"));
  const Outcome end = outcome();
  EXPECT_EQ(end.state, TaskState::failure);
  EXPECT_TRUE(end.report.empty());
  EXPECT_FALSE(end.reason.empty());
}

TEST_F(HandlerExecutorTest, CancelWhileRunningAndWhileQueued) {
  std::promise<void> begun;
  add("waits", [&](HandlerContext& context, const ValueMap&) -> tl::expected<Value, Error> {
    begun.set_value();
    while (context.sleep(Millis{60'000})) {
    }
    EXPECT_TRUE(context.cancelled());
    return tl::unexpected(Error{ErrorCode::shutting_down, "as asked", ""});
  });
  pool(1);
  start(job(1, "waits"));
  ASSERT_EQ(begun.get_future().wait_for(kPatience), std::future_status::ready);
  start(job(2, "noop"));
  EXPECT_TRUE(executor_->busy());
  executor_->stop(key(2), StopCause::cancelled);
  executor_->stop(key(99), StopCause::cancelled);
  auto events = events_.wait_for(1);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<exec_event::Ended>(events[0]).attempt, key(2));
  EXPECT_EQ(std::get<exec_event::Ended>(events[0]).outcome.state, TaskState::cancelled);
  executor_->stop(key(1), StopCause::cancelled);
  events = events_.wait_for(2);
  ASSERT_EQ(events.size(), 2U);
  const auto& end = std::get<exec_event::Ended>(events[1]);
  EXPECT_EQ(end.attempt, key(1));
  EXPECT_EQ(end.outcome.state, TaskState::cancelled);
  EXPECT_EQ(end.outcome.failure, FailureClass::cancelled);
}

TEST_F(HandlerExecutorTest, AStopIsNotInheritedByTheNextJobOfTheThread) {
  std::promise<void> begun;
  add("waits", [&](HandlerContext& context, const ValueMap&) -> tl::expected<Value, Error> {
    begun.set_value();
    (void)context.sleep(Millis{60'000});
    return tl::unexpected(Error{ErrorCode::shutting_down, "", ""});
  });
  add("asks", [](HandlerContext& context, const ValueMap&) { return Value(context.cancelled()); });
  pool(1);
  start(job(1, "waits"));
  ASSERT_EQ(begun.get_future().wait_for(kPatience), std::future_status::ready);
  executor_->stop(key(1), StopCause::cancelled);
  start(job(2, "asks"));
  const auto events = events_.wait_for(2);
  ASSERT_EQ(events.size(), 2U);
  const auto report =
      protocol::decode_report(std::get<exec_event::Ended>(events[1]).outcome.report.bytes());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->value, Value(false));
}

TEST_F(HandlerExecutorTest, WhatFinishedDespiteACancelSucceeded) {
  std::promise<void> begun;
  std::promise<void> stopped;
  add("deaf", [&](HandlerContext&, const ValueMap&) {
    begun.set_value();
    stopped.get_future().wait();
    return Value(1);
  });
  pool(1);
  start(job(1, "deaf"));
  ASSERT_EQ(begun.get_future().wait_for(kPatience), std::future_status::ready);
  executor_->stop(key(1), StopCause::cancelled);
  stopped.set_value();
  EXPECT_EQ(outcome().state, TaskState::success);
}

TEST_F(HandlerExecutorTest, TheTimeLimitIsKept) {
  pool();
  start(job(1, "echo", {{"sleep_ms", Value(3'600'000)}}, 30));
  const Outcome end = outcome();
  EXPECT_EQ(end.state, TaskState::timeout);
  EXPECT_EQ(end.failure, FailureClass::timeout);
  EXPECT_GE(end.usage.wall_us, 30'000U);
  EXPECT_NE(end.reason.find("30 ms"), std::string::npos);
}

TEST_F(HandlerExecutorTest, SilenceEndsAHandler) {
  pool();
  start(job(1, "echo", {{"sleep_ms", Value(3'600'000)}}, 0, 30));
  const Outcome end = outcome();
  EXPECT_EQ(end.state, TaskState::timeout);
  EXPECT_EQ(end.failure, FailureClass::timeout);
  EXPECT_GE(end.usage.wall_us, 30'000U);
  EXPECT_EQ(end.reason, "made no progress for 30 ms (no_progress)");
}

// Each report is a sign of life, however often it repeats itself.
TEST_F(HandlerExecutorTest, WhoReportsMayTakeLongerThanItMayBeSilent) {
  constexpr std::int64_t kSilenceMs = 2000;
  add("reports", [](HandlerContext& context, const ValueMap&) -> tl::expected<Value, Error> {
    for (int i = 0; i < 5; ++i) {
      if (!context.sleep(Millis{kSilenceMs / 4})) {
        return tl::unexpected(Error{ErrorCode::shutting_down, "stopped", ""});
      }
      context.progress(-1);
    }
    return Value();
  });
  pool();
  start(job(1, "reports", {}, 0, kSilenceMs));
  const Outcome end = outcome();
  EXPECT_EQ(end.state, TaskState::success) << end.reason;
  EXPECT_GT(end.usage.wall_us, 1000U * kSilenceMs);
}

TEST_F(HandlerExecutorTest, AReportThatComesTooLateDoesNotUndoTheSilence) {
  add("dozes", [](HandlerContext& context, const ValueMap&) {
    while (context.sleep(Millis{60'000})) {
    }
    context.progress(99);
    EXPECT_TRUE(context.cancelled());
    return Value();
  });
  pool();
  start(job(1, "dozes", {}, 0, 20));
  EXPECT_EQ(outcome().reason, "made no progress for 20 ms (no_progress)");
}

TEST_F(HandlerExecutorTest, TheLimitThatIsExceededFirstIsTheReason) {
  pool();
  start(job(1, "echo", {{"sleep_ms", Value(3'600'000)}}, 20, 40));
  EXPECT_EQ(outcome().reason, "exceeded its time limit of 20 ms");
  start(job(2, "echo", {{"sleep_ms", Value(3'600'000)}}, 40, 20));
  const Outcome second = std::get<exec_event::Ended>(events_.wait_for(2).at(1)).outcome;
  EXPECT_EQ(second.reason, "made no progress for 20 ms (no_progress)");
}

TEST_F(HandlerExecutorTest, PollTellsOfWhatRuns) {
  std::promise<void> said;
  std::promise<void> go_on;
  add("talks", [&](HandlerContext& context, const ValueMap&) {
    context.progress(10, "ten");
    context.progress(20, "twenty");
    said.set_value();
    go_on.get_future().wait();
    return Value();
  });
  pool(1);
  start(job(1, "talks"));
  ASSERT_EQ(said.get_future().wait_for(kPatience), std::future_status::ready);
  std::vector<ExecEvent> news;
  executor_->poll_running(Millis{3'600'000}, news);
  EXPECT_TRUE(news.empty());
  executor_->poll_running(Millis{0}, news);
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(std::get<exec_event::Started>(news[0]).attempt, key(1));
  EXPECT_EQ(std::get<exec_event::Progressed>(news[1]).progress.percent, 20);
  EXPECT_EQ(std::get<exec_event::Progressed>(news[1]).progress.message, "twenty");
  news.clear();
  executor_->poll_running(Millis{0}, news);
  EXPECT_TRUE(news.empty());
  go_on.set_value();
  EXPECT_EQ(outcome().state, TaskState::success);
}

// A result must not wait behind a long job that the same thread went on to.
TEST_F(HandlerExecutorTest, PollHandsOverWhatABusyThreadKeeps) {
  std::promise<void> begun;
  std::promise<void> go_on;
  add("long", [&](HandlerContext&, const ValueMap&) {
    begun.set_value();
    go_on.get_future().wait();
    return Value();
  });
  pool(1);
  std::vector<HandlerJob> jobs;
  jobs.push_back(job(1, "noop"));
  jobs.push_back(job(2, "long"));
  executor_->start(jobs);
  ASSERT_EQ(begun.get_future().wait_for(kPatience), std::future_status::ready);
  std::vector<ExecEvent> news;
  executor_->poll_running(Millis{3'600'000}, news);
  // Unless the thread was slow enough between the two to hand it over by itself.
  const std::size_t handed_over = news.empty() ? events_.wait_for(1).size() : news.size();
  EXPECT_EQ(handed_over, 1U);
  go_on.set_value();
  EXPECT_EQ(events_.wait_for(2 - news.size()).size(), 2 - news.size());
}

TEST_F(HandlerExecutorTest, ShutDownStopsWhatHeedsIt) {
  pool(2);
  start(job(1, "echo", {{"sleep_ms", Value(3'600'000)}}));
  EXPECT_TRUE(executor_->shut_down(std::chrono::duration_cast<Millis>(kPatience)));
  EXPECT_TRUE(executor_->shut_down(Millis{0}));
}

TEST_F(HandlerExecutorTest, ShutDownSaysWhenAHandlerDoesNot) {
  std::promise<void> begun;
  std::promise<void> go_on;
  add("deaf", [&](HandlerContext&, const ValueMap&) {
    begun.set_value();
    go_on.get_future().wait();
    return Value();
  });
  pool(1);
  start(job(1, "deaf"));
  ASSERT_EQ(begun.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_FALSE(executor_->shut_down(Millis{10}));
  go_on.set_value();
  EXPECT_TRUE(executor_->shut_down(std::chrono::duration_cast<Millis>(kPatience)));
}

}  // namespace
}  // namespace taskpipe::worker
