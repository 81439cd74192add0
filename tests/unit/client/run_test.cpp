// Runs: one message submits and waits, whatever happens between the two.
#include <algorithm>

#include "tests/unit/client/session_harness.hpp"

namespace taskpipe::client::testing {
namespace {

class RunTest : public SessionHarness {
 protected:
  CallId run(std::vector<PreparedTask> list, std::optional<Millis> timeout = std::nullopt) {
    return begin(command::RunTasks{std::move(list), kSubmitTimeout}, timeout);
  }
  // A run of two messages, the second of which holds one task, and the first is acknowledged.
  CallId run_with_one_unanswered() {
    connect();
    const CallId call = run(tasks(1, limits::kMaxBatchItems + 1));
    const auto sends = sent<Submit>(turn());
    EXPECT_EQ(sends.size(), 2U);
    acknowledge(sends.at(0));
    return call;
  }
  // The one SUBMIT of this turn, which carries no WAIT beside it.
  Outgoing only_submit(const Effects& effects) {
    const auto sends = sent<Submit>(effects);
    EXPECT_EQ(sends.size(), 1U);
    EXPECT_TRUE(sent<Wait>(effects).empty());
    return sends.at(0);
  }
  static std::vector<TaskId> waited_for(const Effects& effects) {
    std::vector<TaskId> ids;
    for (const auto& send : sent<Wait>(effects)) {
      const auto& tasks = std::get<Wait>(send.message).tasks;
      ids.insert(ids.end(), tasks.begin(), tasks.end());
    }
    return ids;
  }
  static std::vector<TaskId> ended(const Effects& effects) {
    std::vector<TaskId> ids;
    for (const auto& [one, what] : delivered<delivery::TasksEnded>(effects)) {
      for (const auto& task : what.tasks) ids.push_back(task.attempt.task);
    }
    return ids;
  }
  static bool is_over(const Effects& effects, CallId call) {
    return std::any_of(effects.deliveries.begin(), effects.deliveries.end(),
                       [call](const Delivered& one) { return one.call == call && one.last; });
  }

  static constexpr Millis kSubmitTimeout{5000};
};

TEST_F(RunTest, OneMessageSubmitsAndWaits) {
  connect();
  const CallId call = run(tasks(1, 2));
  const Outgoing submit = only_submit(turn());
  EXPECT_TRUE(std::get<Submit>(submit.message).wait);
  acknowledge(submit);
  Effects& after_ack = turn();
  EXPECT_TRUE(after_ack.sends.empty());
  EXPECT_TRUE(after_ack.deliveries.empty());
  receive_done(2);
  EXPECT_FALSE(is_over(turn(), call));
  receive_done(1);
  EXPECT_EQ(ended(turn()), std::vector{task_id(1)});
  EXPECT_TRUE(is_over(last_, call));
}

TEST_F(RunTest, ABrokerThatDoesNotKnowItIsAskedToWait) {
  knows_wait_ = false;
  connect();
  const CallId call = run({task(1)});
  acknowledge(only_submit(turn()));
  EXPECT_EQ(waited_for(turn()), std::vector{task_id(1)});
  receive_done(1);
  EXPECT_TRUE(is_over(turn(), call));
}

TEST_F(RunTest, IsNotSharedWithSubmitsThatWaitForNothing) {
  connect();
  submit({task(1)});
  run({task(2)});
  submit({task(3)});
  const auto sends = sent<Submit>(turn());
  ASSERT_EQ(sends.size(), 3U);
  EXPECT_FALSE(std::get<Submit>(sends[0].message).wait);
  EXPECT_TRUE(std::get<Submit>(sends[1].message).wait);
  EXPECT_FALSE(std::get<Submit>(sends[2].message).wait);
}

TEST_F(RunTest, AnEndBeforeTheAcknowledgementIsThatOfAnotherSubmit) {
  connect();
  const CallId other = wait({task_id(1)});
  const CallId call = run({task(1)});
  const auto sends = sent<Submit>(turn());
  ASSERT_EQ(sends.size(), 1U);
  receive_done(1);
  EXPECT_TRUE(is_over(turn(), other));
  EXPECT_FALSE(is_over(last_, call));
  acknowledge(sends[0], ErrorCode::id_conflict);
  EXPECT_EQ(delivered<delivery::TaskRefused>(turn()).size(), 1U);
  EXPECT_TRUE(is_over(last_, call));
}

TEST_F(RunTest, ARefusalIsAnAnswerForItsTaskAlone) {
  connect();
  const CallId call = run(tasks(1, 2));
  const Outgoing submit = only_submit(turn());
  SubmitAck ack;
  ack.items = {{task_id(1), ErrorCode::invalid}, {task_id(2), ErrorCode::ok}};
  ack.error = Error{ErrorCode::invalid, "no such script", "script"};
  ack.waits = true;
  receive(ack, submit.correlation);
  const auto refused = delivered<delivery::TaskRefused>(turn());
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].second.index, 0U);
  EXPECT_EQ(refused[0].second.error.error.field, "script");
  EXPECT_FALSE(refused[0].first.last);
  receive_done(2);
  EXPECT_TRUE(is_over(turn(), call));
}

TEST_F(RunTest, IsOverWhenTheLastOneIsRefused) {
  connect();
  const CallId call = run({task(1)});
  acknowledge(only_submit(turn()), ErrorCode::unsatisfiable);
  EXPECT_EQ(delivered<delivery::TaskRefused>(turn()).size(), 1U);
  EXPECT_TRUE(is_over(last_, call));
  establish();
  EXPECT_TRUE(last_.sends.empty());  // nothing is left of it
}

TEST_F(RunTest, WhatABusyBrokerTakesLaterIsWaitedFor) {
  connect();
  const CallId call = run({task(1)});
  acknowledge(only_submit(turn()), ErrorCode::busy,
              Error{ErrorCode::busy, "later", {}, std::uint32_t{50}});
  const Outgoing again = only_submit(run_for(Millis(100)));
  EXPECT_TRUE(std::get<Submit>(again.message).wait);
  acknowledge(again);
  EXPECT_TRUE(turn().sends.empty());
  receive_done(1);
  EXPECT_TRUE(is_over(turn(), call));
}

TEST_F(RunTest, ANewSessionSubmitsAgainAndDoesNotAskBefore) {
  connect();
  const CallId call = run({task(1)});
  turn();
  const Outgoing again = only_submit(establish());
  EXPECT_TRUE(again.resend);
  EXPECT_TRUE(std::get<Submit>(again.message).wait);
  acknowledge(again);
  EXPECT_TRUE(turn().sends.empty());
  EXPECT_EQ(waited_for(establish()), std::vector{task_id(1)});  // acknowledged by now
  EXPECT_TRUE(sent<Submit>(last_).empty());
  receive_done(1);
  EXPECT_TRUE(is_over(turn(), call));
}

TEST_F(RunTest, ANewSessionInTheMiddleWaitsForWhatWasAcknowledgedBefore) {
  const CallId call = run_with_one_unanswered();
  turn();
  Effects& effects = establish();
  const auto ids = waited_for(effects);
  EXPECT_EQ(ids.size(), limits::kMaxBatchItems);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), task_id(1)), 1);
  const auto again = sent<Submit>(effects);
  ASSERT_EQ(again.size(), 1U);
  ASSERT_EQ(std::get<Submit>(again[0].message).items.size(), 1U);
  acknowledge(again[0]);
  EXPECT_TRUE(turn().sends.empty());
  for (std::uint64_t n = 1; n <= limits::kMaxBatchItems + 1; ++n) receive_done(n);
  EXPECT_TRUE(is_over(turn(), call));
}

TEST_F(RunTest, TheSubmitHasATimeoutOfItsOwn) {
  connect();
  const CallId call = run({task(1)});
  turn();
  const Effects effects = run_for(kSubmitTimeout + Millis(1));
  const auto refused = delivered<delivery::TaskRefused>(effects);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].second.error.failure, CallFailure::timed_out);
  EXPECT_EQ(refused[0].second.error.maybe_accepted, task_id(1));
  EXPECT_TRUE(is_over(effects, call));
}

TEST_F(RunTest, OnceAcknowledgedTheTimeoutIsThatOfTheWhole) {
  connect();
  const CallId unbounded = run({task(1)});
  acknowledge(only_submit(turn()));
  turn();
  const CallId bounded = run({task(2)}, Millis(20'000));
  acknowledge(only_submit(turn()));
  EXPECT_TRUE(run_for(Millis(19'000)).deliveries.empty());
  const Effects late = run_for(Millis(2000));
  const auto failed = delivered<delivery::TaskRefused>(late);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_TRUE(is_over(late, bounded));
  EXPECT_EQ(failed[0].second.error.failure, CallFailure::timed_out);
  EXPECT_EQ(failed[0].second.error.maybe_accepted, task_id(2));
  receive_done(1);
  EXPECT_TRUE(is_over(turn(), unbounded));
}

TEST_F(RunTest, AShorterTimeoutOfTheWholeBoundsTheSubmit) {
  connect();
  const CallId call = run({task(1)}, Millis(1000));
  turn();
  EXPECT_TRUE(is_over(run_for(Millis(1001)), call));
}

TEST_F(RunTest, EndedByItsCallerItTellsWhatMayHaveBeenAccepted) {
  const CallId call = run_with_one_unanswered();
  turn();
  core_.abort(call, ClientError{CallFailure::stopped, {}, {}}, out_);
  const auto refused = delivered<delivery::TaskRefused>(turn());
  ASSERT_EQ(refused.size(), limits::kMaxBatchItems + 1);  // each has an answer
  for (const auto& [one, what] : refused) {
    EXPECT_EQ(what.error.failure, CallFailure::stopped);
    EXPECT_EQ(what.error.maybe_accepted, task_id(what.index + 1));
  }
  EXPECT_TRUE(is_over(last_, call));
  EXPECT_TRUE(delivered<delivery::Failed>(last_).empty());
}

TEST_F(RunTest, WhatIsNotAcknowledgedInTimeDoesNotEndTheRest) {
  const CallId call = run_with_one_unanswered();
  const Effects effects = run_for(kSubmitTimeout + Millis(1));
  const auto refused = delivered<delivery::TaskRefused>(effects);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].second.index, limits::kMaxBatchItems);
  EXPECT_FALSE(is_over(effects, call));
  for (std::uint64_t n = 1; n <= limits::kMaxBatchItems; ++n) receive_done(n);
  EXPECT_TRUE(is_over(turn(), call));
}

TEST_F(RunTest, OneThatHasBecomeUnknownIsAnAnswerForItselfAlone) {
  connect();
  const CallId call = run(tasks(1, 2));
  acknowledge(only_submit(turn()));
  turn();
  EXPECT_EQ(waited_for(establish()).size(), 2U);
  Done unknown;
  unknown.unknown = {task_id(2)};
  receive(unknown);
  const auto refused = delivered<delivery::TaskRefused>(turn());
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].second.index, 1U);
  EXPECT_TRUE(refused[0].second.error.is(ErrorCode::unknown_task));
  EXPECT_FALSE(is_over(last_, call));
  receive_done(1);
  EXPECT_TRUE(is_over(turn(), call));
}

TEST_F(RunTest, AWaitThatIsRefusedAnswersForWhatItAskedFor) {
  connect();
  const CallId call = run({task(1)});
  acknowledge(only_submit(turn()));
  turn();
  const auto waits = sent<Wait>(establish());
  ASSERT_EQ(waits.size(), 1U);
  receive(ErrorReply{Error{ErrorCode::denied, "not any more", {}}}, waits[0].correlation);
  const auto refused = delivered<delivery::TaskRefused>(turn());
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_TRUE(refused[0].second.error.is(ErrorCode::denied));
  EXPECT_TRUE(is_over(last_, call));
}

TEST_F(RunTest, SomebodyElseWhoAsksTooEarlyDoesNotEndIt) {
  connect();
  const CallId call = run({task(1)});
  const CallId early = wait({task_id(1)});
  Effects& first = turn();
  const auto sends = sent<Submit>(first);
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(waited_for(first), std::vector{task_id(1)});
  Done unknown;
  unknown.unknown = {task_id(1)};
  receive(unknown);
  const auto failed = delivered<delivery::Failed>(turn());
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first.call, early);
  acknowledge(sends[0]);
  turn();
  receive_done(1);
  EXPECT_TRUE(is_over(turn(), call));
}

TEST_F(RunTest, ForgottenItLeavesTheOthersTheirWait) {
  connect();
  const CallId call = run({task(1)});
  const CallId other = wait({task_id(1)});
  EXPECT_EQ(waited_for(turn()), std::vector{task_id(1)});
  core_.forget(call);
  EXPECT_TRUE(sent<Submit>(run_for(Millis(10'000))).empty());
  receive_done(1);
  const Effects& effects = turn();
  ASSERT_EQ(effects.deliveries.size(), 1U);
  EXPECT_EQ(effects.deliveries[0].call, other);
}

}  // namespace
}  // namespace taskpipe::client::testing
