// Failed attempts that are followed by others, tasks that wait for a time, and what is remembered
// of attempts that did not decide.
#include "tests/unit/broker_core/retry_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

TEST_F(RetryTest, WithoutAPolicyTheFirstFailureIsFinal) {
  connect();
  submit(spec_of("tool"), {id(0)});
  finish(given().at(0), failed());
  EXPECT_EQ(cluster_.history().at(id(0)).outcome, failed());
  EXPECT_TRUE(cluster_.history().at(id(0)).pasts.empty());
}

TEST_F(RetryTest, EachFailureIsFollowedByAnotherAttemptUntilTheyAreUsedUp) {
  connect();
  submit(retried(3), {id(0)});
  finish(given().at(0), failed(1));
  const AttemptKey second = next_attempt(kBackoffMs);
  EXPECT_EQ(second.attempt, Attempt(2));
  finish(second, failed(2));
  const AttemptKey third = next_attempt(2 * kBackoffMs);
  EXPECT_EQ(third.attempt, Attempt(3));
  finish(third, failed(3));
  const FinishedTask& ended = cluster_.history().at(id(0));
  EXPECT_EQ(ended.outcome, failed(3)) << "the last one decides, with its report";
  ASSERT_EQ(ended.pasts.size(), 2U);
  EXPECT_EQ(ended.pasts[0].kind, PastKind::retried);
  EXPECT_EQ(ended.pasts[0].attempt, Attempt(1));
  EXPECT_EQ(ended.pasts[0].worker, "node");
  EXPECT_EQ(ended.pasts[0].outcome.exit_code, 1);
  EXPECT_TRUE(ended.pasts[0].outcome.report.empty());
  EXPECT_EQ(ended.pasts[1].outcome.exit_code, 2);
  EXPECT_EQ(cluster_.terminal_records().at(id(0)), 1);
}

TEST_F(RetryTest, AFollowerOfTheOutputHearsTheNextAttemptFromItsBeginning) {
  connect();
  submit(retried(2), {id(0)});
  const AttemptKey first = given().at(0);
  cluster_.say(kWorker, worker_, Started{{{first, 1}}});
  cluster_.say(kClient, client_, Fetch{id(0), LogStream::out, 0, 0, true});
  cluster_.say(kWorker, worker_, Log{{{first, LogStream::out, 0, Payload("a long output")}}});
  finish(first, failed());
  cluster_.take_all<Chunk>(kClient);
  const AttemptKey second = next_attempt(kBackoffMs);
  cluster_.say(kWorker, worker_, Log{{{second, LogStream::out, 0, Payload("short")}}});
  auto chunks = cluster_.take_all<Chunk>(kClient);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].attempt, Attempt(2));
  EXPECT_EQ(chunks[0].offset, 0U);
  EXPECT_EQ(chunks[0].data.text(), "short");
  // Whoever asks for what follows the first attempt's output gets the second one's, all of it.
  cluster_.say(kClient, client_, Fetch{id(0), LogStream::out, 13, 0, false, Attempt(1)});
  chunks = cluster_.take_all<Chunk>(kClient);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].attempt, Attempt(2));
  EXPECT_EQ(chunks[0].data.text(), "short");
  finish(second);
  chunks = cluster_.take_all<Chunk>(kClient);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_TRUE(chunks[0].eof);
  EXPECT_EQ(chunks[0].attempt, Attempt(2));
  EXPECT_EQ(chunks[0].offset, 5U);
}

TEST_F(RetryTest, ASuccessEndsIt) {
  connect();
  submit(retried(3), {id(0)});
  finish(given().at(0), failed());
  finish(next_attempt(kBackoffMs));
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.state, TaskState::success);
  EXPECT_EQ(cluster_.history().at(id(0)).pasts.size(), 1U);
}

TEST_F(RetryTest, OtherClassesAreFinal) {
  connect();
  submit(retried(3, failure_bit(FailureClass::signal)), {id(0)});
  finish(given().at(0), failed());
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.failure, FailureClass::exit);
}

TEST_F(RetryTest, ARefusalIsTriedAgainOnlyWhereThePolicySaysSo) {
  connect();
  submit(retried(2), {id(0)});
  submit(retried(2, failure_bit(FailureClass::rejected)), {id(1)});
  TasksAck ack;
  for (const auto& key : given()) {
    ack.refused.push_back({key, Error{ErrorCode::invalid, "no such file", "script"}});
  }
  ASSERT_EQ(ack.refused.size(), 2U);
  cluster_.say(kWorker, worker_, ack);
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.failure, FailureClass::rejected);
  EXPECT_FALSE(cluster_.history().contains(id(1)));
  EXPECT_EQ(next_attempt(kBackoffMs).task, id(1));
}

TEST_F(RetryTest, APendingTaskSaysWhatItWaitsFor) {
  connect();
  submit(retried(3), {id(0)});
  finish(given().at(0), failed());
  const TaskRow waiting = row(id(0));
  EXPECT_EQ(waiting.state, TaskState::pending);
  EXPECT_EQ(waiting.message, "try 2 of 3 comes next; the last: exit code 3");
  ASSERT_EQ(waiting.attempts.size(), 1U);
  EXPECT_EQ(waiting.attempts[0].outcome.exit_code, 3);
}

TEST_F(RetryTest, ACancelEndsATaskThatWaitsForItsNextAttempt) {
  connect();
  submit(retried(3), {id(0)});
  finish(given().at(0), failed());
  cluster_.say(kClient, client_, Cancel{{id(0)}, {}, 0});
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.state, TaskState::cancelled);
  cluster_.advance(Millis(4 * kBackoffMs));
  EXPECT_TRUE(given().empty());
}

TEST_F(RetryTest, ACancelOfARunningAttemptIsNotTriedAgain) {
  connect();
  submit(retried(3), {id(0)});
  const auto keys = given();
  cluster_.say(kClient, client_, Cancel{{id(0)}, {}, 0});
  finish(keys.at(0), failed());
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.state, TaskState::cancelled);
}

TEST_F(RetryTest, ADependentWaitsForTheLastAttempt) {
  connect();
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(7, 7);
  workflow.on_failure = OnFailure::cancel_dependents;
  workflow.total = 2;
  workflow.specs = {retried(2)};
  workflow.items = {{id(0), 0, {}, {}}, {id(1), 0, {}, {}}};
  workflow.dependencies.resize(2);
  workflow.dependencies[1].after = {0};
  cluster_.say(kClient, client_, workflow);
  finish(given().at(0), failed());
  EXPECT_TRUE(cluster_.history().empty()) << "a failure that is not final dooms nobody";
  finish(next_attempt(kBackoffMs));
  EXPECT_EQ(given().at(0).task, id(1));
}

TEST_F(RetryTest, TheCountAndTheDelaySurviveARestart) {
  connect();
  submit(retried(2), {id(0)});
  finish(given().at(0), failed(1));
  cluster_.restart();
  client_ = cluster_.connect_client(kClient.routing, "ann");
  reconnect_worker();
  finish(next_attempt(kBackoffMs), failed(2));
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.exit_code, 2);
  EXPECT_EQ(cluster_.history().at(id(0)).pasts.size(), 1U);
}

TEST_F(RetryTest, TheCountAndTheDelaySurviveInAnImage) {
  connect();
  submit(retried(2), {id(0)});
  finish(given().at(0), failed(1));
  for (std::uint32_t i = 1; i < 8; ++i) submit(spec_of("other"), {id(i)});
  cluster_.collect_garbage(100);
  cluster_.restart();
  client_ = cluster_.connect_client(kClient.routing, "ann");
  reconnect_worker();
  finish(next_attempt(kBackoffMs), failed(2));
  EXPECT_EQ(cluster_.history().at(id(0)).pasts.size(), 1U);
}

// The acknowledgement was lost, and the worker comes back with a result that was acted upon.
TEST_F(RetryTest, AResultThatComesTwiceCountsOnce) {
  connect();
  submit(retried(3), {id(0)});
  const auto keys = given();
  finish(keys.at(0), failed(1));
  cluster_.take(kWorker);
  WorkerOffer offer = offer_of("tool", 2);
  offer.unacknowledged = keys;
  reconnect_worker(offer);
  const auto reconciles = cluster_.take_all<Reconcile>(kWorker);
  ASSERT_FALSE(reconciles.empty());
  EXPECT_EQ(reconciles[0].drop, keys);
  finish(keys[0], failed(1));
  const auto acks = cluster_.take_all<ResultAck>(kWorker);
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].items.at(0).code, ErrorCode::ok);
  EXPECT_EQ(row(id(0)).attempts.size(), 1U);
  EXPECT_EQ(next_attempt(kBackoffMs).attempt, Attempt(2));
}

TEST_F(RetryTest, LossesHaveABudgetOfTheirOwn) {
  connect();
  TaskSpec spec = *retried(2);
  spec.retry.max_worker_losses = 1;
  submit(std::make_shared<const TaskSpec>(spec), {id(0)});
  cluster_.say(kWorker, worker_, Started{{{given().at(0), 1}}});
  cluster_.advance(Millis(limits::kLeaseMs));
  reconnect_worker();
  const auto second = given();
  ASSERT_EQ(second.size(), 1U) << "it goes on at once";
  finish(second[0], failed());
  cluster_.say(kWorker, worker_, Started{{{next_attempt(kBackoffMs), 1}}});
  cluster_.advance(Millis(limits::kLeaseMs));
  const FinishedTask& ended = cluster_.history().at(id(0));
  EXPECT_EQ(ended.outcome.failure, FailureClass::worker_lost);
  ASSERT_EQ(ended.pasts.size(), 2U);
  EXPECT_EQ(ended.pasts[0].kind, PastKind::lost);
  EXPECT_EQ(ended.pasts[1].kind, PastKind::retried);
}

// One waits for a worker of its own, and another that has become as careful comes before it.
TEST_F(RetryTest, TwoThatMustRunAloneDoNotKeepEachOtherOut) {
  const auto careful = [](std::int32_t priority) {
    TaskSpec spec = *spec_of("tool", priority);
    spec.retry.max_worker_losses = 1;
    return std::make_shared<const TaskSpec>(std::move(spec));
  };
  connect();
  submit(careful(0), {id(0)});
  EXPECT_EQ(given().size(), 1U);
  cluster_.advance(Millis(limits::kLeaseMs));
  client_ = cluster_.connect_client(kClient.routing, "ann");
  submit(careful(5), {id(1)});
  reconnect_worker();
  const auto first = given();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].task, id(1)) << "the other waits for an empty worker";
  cluster_.advance(Millis(limits::kLeaseMs));
  reconnect_worker();
  for (const std::uint32_t expected : {1U, 0U}) {
    const auto next = given();
    ASSERT_EQ(next.size(), 1U) << "nobody gets the worker";
    EXPECT_EQ(next[0].task, id(expected));
    finish(next[0]);
  }
}

TEST_F(RetryTest, ALossThatWasNoneIsNotRemembered) {
  connect();
  submit(spec_of("tool"), {id(0)});
  const auto keys = given();
  cluster_.advance(Millis(limits::kLeaseMs));
  WorkerOffer offer = offer_of("tool", 2);
  offer.running = keys;
  reconnect_worker(offer);
  finish(keys.at(0));
  EXPECT_TRUE(cluster_.history().at(id(0)).pasts.empty());
}

// --- What comes late ----------------------------------------------------------------------------

class LateResultTest : public RetryTest {
 protected:
  static constexpr Peer kOther{Port::worker, 101};

  // The first worker is lost with the task, and another has it.
  AttemptKey lose(bool finish_elsewhere) {
    connect();
    submit(spec_of("tool"), {id(0)});
    const AttemptKey late = given().at(0);
    cluster_.advance(Millis(limits::kLeaseMs));
    const SessionId other =
        cluster_.connect_worker(kOther.routing, PeerUuid(6, 6), "other", offer_of("tool", 1));
    cluster_.say(kOther, other, Credit{100, 1'000'000});
    AttemptKey key;
    for (const auto& tasks : cluster_.take_all<Tasks>(kOther)) key = tasks.items.at(0).attempt;
    if (finish_elsewhere) cluster_.say(kOther, other, Result{{{key, success()}}});
    client_ = cluster_.connect_client(kClient.routing, "ann");
    reconnect_worker();
    return late;
  }
};

TEST_F(LateResultTest, IsKeptWithATaskThatLives) {
  finish(lose(false), failed(9));
  const TaskRow now = row(id(0));
  ASSERT_EQ(now.attempts.size(), 2U);
  EXPECT_EQ(now.attempts[0].kind, PastKind::lost);
  EXPECT_EQ(now.attempts[1].kind, PastKind::late);
  EXPECT_EQ(now.attempts[1].worker, "node");
  EXPECT_EQ(now.attempts[1].outcome.exit_code, 9);
}

TEST_F(LateResultTest, IsKeptWithATaskThatIsInTheHistory) {
  finish(lose(true), failed(9));
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.state, TaskState::success);
  const TaskRow ended = row(id(0));
  ASSERT_EQ(ended.attempts.size(), 2U);
  EXPECT_EQ(ended.attempts[1].kind, PastKind::late);
}

TEST_F(LateResultTest, SurvivesARestartBeforeTheHistoryHasIt) {
  cluster_.auto_history = false;
  finish(lose(true), failed(9));
  cluster_.restart();
  cluster_.commit_history();
  client_ = cluster_.connect_client(kClient.routing, "ann");
  EXPECT_EQ(row(id(0)).attempts.size(), 2U);
}

// Its run had ended before it could say so: the result comes with HELLO.
TEST_F(LateResultTest, IsAskedForWhenAWorkerComesBackWithIt) {
  const AttemptKey late = lose(true);
  WorkerOffer offer = offer_of("tool", 2);
  offer.unacknowledged = {late};
  cluster_.take(kWorker);
  reconnect_worker(offer);
  const auto reconciles = cluster_.take_all<Reconcile>(kWorker);
  ASSERT_FALSE(reconciles.empty());
  EXPECT_EQ(reconciles.back().resend, std::vector{late});
  finish(late, failed(9));
  EXPECT_EQ(row(id(0)).attempts.back().kind, PastKind::late);
}

// --- Queue time ---------------------------------------------------------------------------------

TEST_F(RetryTest, ATaskThatNobodyTakesInTimeEnds) {
  connect(1);
  submit(impatient(5000), {id(0), id(1)});
  cluster_.advance(Millis(4999));
  EXPECT_TRUE(cluster_.history().empty());
  cluster_.advance(Millis(1));
  ASSERT_EQ(cluster_.history().size(), 1U) << "only the one that waits";
  const Outcome& outcome = cluster_.history().at(id(1)).outcome;
  EXPECT_EQ(outcome.state, TaskState::timeout);
  EXPECT_EQ(outcome.failure, FailureClass::timeout);
  EXPECT_NE(outcome.reason.find("queue time of 5000 ms"), std::string::npos) << outcome.reason;
}

TEST_F(RetryTest, TheQueueTimeGoesOnOverARestart) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  connect(1);
  submit(spec_of("tool"), {id(9)});
  submit(impatient(5000), {id(0)});
  cluster_.advance(Millis(3000));
  cluster_.restart();
  cluster_.advance(Millis(1999));
  EXPECT_TRUE(cluster_.history().empty());
  cluster_.advance(Millis(1));
  EXPECT_TRUE(cluster_.history().contains(id(0)));
}

TEST_F(RetryTest, TheQueueTimeOfADependentBeginsWhenItIsReady) {
  connect(1);
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(7, 7);
  workflow.total = 2;
  workflow.specs = {impatient(5000)};
  workflow.items = {{id(0), 0, {}, {}}, {id(1), 0, {}, {}}};
  workflow.dependencies.resize(2);
  workflow.dependencies[1].after = {0};
  cluster_.say(kClient, client_, workflow);
  const auto first = given();
  cluster_.advance(Millis(20'000));
  finish(first.at(0));
  EXPECT_EQ(given().at(0).task, id(1)) << "it has waited for nobody yet";
}

TEST_F(RetryTest, MoreThanATurnsWorthOfOverdueTasksAllEnd) {
  connect(1);
  const std::uint32_t count = limits::kMaxAlarmsPerTurn + 10;
  submit(spec_of("tool"), {TaskId(3, 3)});
  for (std::uint32_t from = 0; from < count; from += 250) {
    std::vector<TaskId> ids;
    for (std::uint32_t i = from; i < std::min(count, from + 250); ++i) ids.push_back(id(i));
    ASSERT_EQ(submit(impatient(5000), ids).items.size(), ids.size());
  }
  cluster_.advance(Millis(5000));
  EXPECT_EQ(cluster_.history().size(), limits::kMaxAlarmsPerTurn);
  EXPECT_LE(cluster_.core().next_deadline(), cluster_.now().monotonic);
  cluster_.end_turn();
  EXPECT_EQ(cluster_.history().size(), count);
}

}  // namespace
}  // namespace taskpipe::broker::testing
