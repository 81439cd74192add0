// Losses, restarts, cancels, workflows and what else may come between a task and its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

TEST_F(BrokerCoreTest, ASilentWorkerIsSuspectThenLosesItsTasksToAnother) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto first = given();
  cluster_.advance(Millis(limits::kHeartbeatMs * limits::kMissedBeatsUntilSuspect));
  submit(spec_of("tool"), {id(1)});
  EXPECT_TRUE(given().empty()) << "a suspect worker gets no new work";
  const Peer second{Port::worker, 101};
  cluster_.advance(Millis(limits::kLeaseMs));
  const SessionId other =
      cluster_.connect_worker(second.routing, PeerUuid(6, 6), "second", offer_of("tool", 2));
  cluster_.say(second, other, Credit{10, 10'000});
  const auto moved = cluster_.take_all<Tasks>(second);
  ASSERT_EQ(moved.size(), 1U);
  ASSERT_EQ(moved[0].items.size(), 2U);
  EXPECT_EQ(moved[0].items[0].attempt.task, id(0));
  EXPECT_EQ(moved[0].items[0].attempt.attempt, Attempt(2));
  // The first worker was only slow: its late result is stale and changes nothing.
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 1));
  cluster_.take(kWorker);
  finish(first.at(0));
  EXPECT_EQ(cluster_.take_all<ResultAck>(kWorker).at(0).items.at(0).code, ErrorCode::stale_attempt);
  EXPECT_FALSE(cluster_.history().contains(id(0)));
}

// Of a batch that is sent again one task is still in memory when the history is asked about the
// rest, and has left for the history when that answers: it is in neither place by then.
TEST_F(BrokerCoreTest, ATaskOnItsWayToTheHistoryIsNotRunAgain) {
  cluster_.auto_history = false;
  connect(1);
  submit(spec_of("tool"), {id(0)});
  finish(given().at(0));
  cluster_.hold_lookups = true;
  cluster_.say(kClient, client_, submit_of(spec_of("tool"), {id(0), id(1)}), /*resend=*/true);
  cluster_.commit_history();
  cluster_.answer_lookups();
  const auto again = given();
  ASSERT_EQ(again.size(), 1U) << "the ended task runs a second time";
  EXPECT_EQ(again[0].task, id(1));
}

TEST_F(BrokerCoreTest, ASubmitThatARelayRepeatsRunsOnce) {
  connect(1);
  const Submit submit = submit_of(spec_of("tool"), {id(0)});
  cluster_.say(kClient, client_, submit, /*resend=*/false, Correlation{5});
  finish(given().at(0));
  ASSERT_TRUE(cluster_.history().contains(id(0)));
  cluster_.say(kClient, client_, submit, /*resend=*/false, Correlation{5});
  EXPECT_TRUE(given().empty()) << "the ended task runs a second time";
  EXPECT_EQ(cluster_.take_all<SubmitAck>(kClient).back().items.at(0).code, ErrorCode::ok);
}

TEST_F(BrokerCoreTest, AWorkflowThatARelayRepeatsRunsOnce) {
  connect(1);
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(7, 7);
  workflow.total = 1;
  workflow.specs = {spec_of("tool")};
  workflow.items = {{id(0), 0, {}, {}}};
  workflow.dependencies.resize(1);
  cluster_.say(kClient, client_, workflow, /*resend=*/false, Correlation{5});
  finish(given().at(0));
  cluster_.say(kClient, client_, workflow, /*resend=*/false, Correlation{5});
  EXPECT_TRUE(given().empty()) << "the ended workflow runs a second time";
}

TEST_F(BrokerCoreTest, PartsThatARelayRepeatsLeaveAnUploadAsItIs) {
  connect(1);
  SubmitWorkflow part;
  part.id = WorkflowId(7, 7);
  part.total = 3;
  part.specs = {spec_of("tool")};
  part.dependencies.resize(1);
  const auto received = [&](std::uint32_t index) {
    part.first_index = index;
    part.items = {{id(index), 0, {}, {}}};
    cluster_.say(kClient, client_, part, /*resend=*/false, Correlation{5});
    const auto ack = cluster_.take_all<WorkflowAck>(kClient).at(0);
    EXPECT_EQ(ack.error.code, ErrorCode::ok) << ack.error.text;
    return ack.received;
  };
  EXPECT_EQ(received(0), 1U);
  EXPECT_EQ(received(1), 2U);
  EXPECT_EQ(received(0), 2U);
  EXPECT_EQ(received(1), 2U);
  EXPECT_EQ(received(2), 3U);
  EXPECT_EQ(cluster_.core().tasks_held(), 3U);
}

// The first part is one that may have come before: the second must not overtake it.
TEST_F(BrokerCoreTest, LaterPartsOfAWorkflowWaitForTheFirst) {
  connect(1);
  submit(spec_of("tool"), {id(9)});
  cluster_.say(kClient, client_, submit_of(spec_of("tool"), {id(8)}), false, Correlation{50});
  SubmitWorkflow part;
  part.id = WorkflowId(7, 7);
  part.total = 2;
  part.specs = {spec_of("tool")};
  part.items = {{id(0), 0, {}, {}}};
  part.dependencies.resize(1);
  cluster_.hold_lookups = true;
  cluster_.say(kClient, client_, part, /*resend=*/false, Correlation{20});
  part.first_index = 1;
  part.items = {{id(1), 0, {}, {}}};
  cluster_.say(kClient, client_, part, /*resend=*/false, Correlation{20});
  cluster_.answer_lookups();
  const auto acks = cluster_.take_all<WorkflowAck>(kClient);
  ASSERT_EQ(acks.size(), 2U);
  EXPECT_EQ(acks[1].error.code, ErrorCode::ok) << acks[1].error.text;
  EXPECT_EQ(acks[1].received, 2U);
}

TEST_F(BrokerCoreTest, ATaskThatKeepsLosingItsWorkersEndsInError) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  for (std::uint32_t loss = 0; loss <= limits::kMaxWorkerLosses; ++loss) {
    ASSERT_EQ(given().size(), 1U) << loss;
    cluster_.advance(Millis(limits::kLeaseMs));
    worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 1));
    cluster_.say(kWorker, worker_, Credit{10, 10'000});
  }
  ASSERT_TRUE(cluster_.history().contains(id(0)));
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.failure, FailureClass::worker_lost);
}

// A link that breaks for longer than a lease, again and again, while the task runs on: that is no
// task that kills its workers.
TEST_F(BrokerCoreTest, AnAttemptThatComesBackWasNotLost) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto keys = given();
  ASSERT_EQ(keys.size(), 1U);
  WorkerOffer offer = offer_of("tool", 1);
  offer.running = keys;
  for (std::uint32_t i = 0; i < 3 * limits::kMaxWorkerLosses; ++i) {
    cluster_.advance(Millis(limits::kLeaseMs));
    worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer);
    const auto reconciles = cluster_.take_all<Reconcile>(kWorker);
    ASSERT_FALSE(reconciles.empty());
    ASSERT_EQ(reconciles[0].keep, keys) << "after " << i << " times";
  }
  finish(keys[0]);
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.state, TaskState::success);
}

TEST_F(BrokerCoreTest, AfterARestartAReturningWorkerKeepsItsTask) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto keys = given();
  cluster_.say(kWorker, worker_, Started{{{keys.at(0), 1}}});
  cluster_.restart();
  WorkerOffer offer = offer_of("tool", 1);
  offer.running = keys;
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer);
  const auto reconciles = cluster_.take_all<Reconcile>(kWorker);
  ASSERT_EQ(reconciles.size(), 1U);
  EXPECT_EQ(reconciles[0].keep, keys);
  finish(keys[0]);
  EXPECT_EQ(cluster_.history().at(id(0)).attempt, Attempt(1));
}

TEST_F(BrokerCoreTest, ACancelMadeWhileTheWorkerIsAwayIsRepeatedByReconcile) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto keys = given();
  cluster_.apply(command::PeerUnreachable{kWorker});
  cluster_.say(kClient, client_, Cancel{{id(0)}, {}, 0});
  cluster_.restart();
  WorkerOffer offer = offer_of("tool", 1);
  offer.running = keys;
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer);
  EXPECT_EQ(cluster_.take_all<Reconcile>(kWorker).at(0).kill, keys);
}

TEST_F(BrokerCoreTest, AStallOfTheBrokerExpiresNobody) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto keys = given();
  cluster_.apply(command::LoopStalled{Millis(60'000)});
  cluster_.advance(Millis(60'000));
  finish(keys.at(0));
  EXPECT_EQ(cluster_.history().at(id(0)).outcome.state, TaskState::success);
}

TEST_F(BrokerCoreTest, TheNewerSessionOfAUuidWins) {
  connect(1);
  const Peer second{Port::worker, 200};
  cluster_.connect_worker(second.routing, kWorkerUuid, "node", offer_of("tool", 1), 2);
  const auto byes = cluster_.take_all<Bye>(kWorker);
  ASSERT_EQ(byes.size(), 1U);
  EXPECT_EQ(byes[0].reason, "replaced");
}

TEST_F(BrokerCoreTest, AFullDiskRefusesSubmitsButTakesResults) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  cluster_.apply(command::StorageState{false, 1});
  const SubmitAck refused = submit(spec_of("tool"), {id(1)});
  EXPECT_EQ(refused.items.at(0).code, ErrorCode::storage);
  EXPECT_TRUE(refused.error->retry_ms.has_value());
  finish(given().at(0));
  EXPECT_TRUE(cluster_.history().contains(id(0)));
}

TEST_F(BrokerCoreTest, ASequentialWorkflowRunsInOrderAndReportsItsEnd) {
  connect(4);
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(1, 1);
  workflow.total = 3;
  workflow.specs.push_back(spec_of("tool"));
  for (std::uint32_t i = 0; i < 3; ++i) {
    workflow.items.push_back({id(i), 0, Payload(), {}});
    workflow.dependencies.push_back(
        {i == 0 ? std::vector<std::uint32_t>{} : std::vector<std::uint32_t>{i - 1}});
  }
  cluster_.say(kClient, client_, workflow);
  EXPECT_EQ(cluster_.take_all<WorkflowAck>(kClient).at(0).received, 3U);
  cluster_.say(kClient, client_, Wait{{}, {workflow.id}});
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto keys = given();
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys[0].task, id(i));
    Outcome outcome = success();
    if (i == 0) outcome.state = TaskState::failure;  // reported, and the next still runs
    finish(keys[0], outcome);
  }
  const auto done = cluster_.take_all<Done>(kClient);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].workflows.at(0), (DoneWorkflow{workflow.id, 3, 2}));
}

TEST_F(BrokerCoreTest, AFailedDependencyCancelsItsDependentsWhenAskedTo) {
  connect(1);
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(1, 2);
  workflow.total = 3;
  workflow.on_failure = OnFailure::cancel_dependents;
  workflow.specs.push_back(spec_of("tool"));
  for (std::uint32_t i = 0; i < 3; ++i) workflow.items.push_back({id(i), 0, Payload(), {}});
  workflow.dependencies = {{{}}, {{0}}, {{1}}};
  cluster_.say(kClient, client_, workflow);
  Outcome failure = success();
  failure.state = TaskState::failure;
  finish(given().at(0), failure);
  EXPECT_EQ(cluster_.history().at(id(1)).outcome.state, TaskState::cancelled);
  EXPECT_EQ(cluster_.history().at(id(2)).outcome.state, TaskState::cancelled);
}

TEST_F(BrokerCoreTest, ACycleIsRefusedWhole) {
  connect(1);
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(1, 3);
  workflow.total = 2;
  workflow.specs.push_back(spec_of("tool"));
  for (std::uint32_t i = 0; i < 2; ++i) workflow.items.push_back({id(i), 0, Payload(), {}});
  workflow.dependencies = {{{1}}, {{0}}};
  cluster_.say(kClient, client_, workflow);
  EXPECT_EQ(cluster_.take_all<WorkflowAck>(kClient).at(0).error.code, ErrorCode::cycle);
  EXPECT_EQ(cluster_.core().tasks_held(), 0U);
}

TEST_F(BrokerCoreTest, ATaskTopicIsAnsweredWithThePresentState) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto before = cluster_.published().size();
  cluster_.apply(command::TopicSubscribed{"id." + id(0).to_string() + "."});
  ASSERT_EQ(cluster_.published().size(), before + 1);
  const auto& event = cluster_.published().back();
  EXPECT_EQ(event.events.tasks.at(0).id, id(0));
  EXPECT_EQ(event.events.tasks.at(0).state, TaskState::pending);
  cluster_.say(kWorker, worker_, Started{{{given().at(0), 3}}});
  EXPECT_EQ(cluster_.published().back().events.tasks.at(0).state, TaskState::running);
}

TEST_F(BrokerCoreTest, AFollowedLogArrivesAsItIsWrittenAndEnds) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto keys = given();
  cluster_.say(kWorker, worker_, Log{{{keys.at(0), LogStream::out, 0, Payload("one ")}}});
  cluster_.say(kClient, client_, Fetch{id(0), LogStream::out, 0, 0, true});
  cluster_.say(kWorker, worker_, Log{{{keys.at(0), LogStream::out, 4, Payload("two")}}});
  finish(keys[0]);
  std::string text;
  bool eof = false;
  for (const auto& chunk : cluster_.take_all<Chunk>(kClient)) {
    text += chunk.data.text();
    eof = chunk.eof;
  }
  EXPECT_EQ(text, "one two");
  EXPECT_TRUE(eof);
}

TEST_F(BrokerCoreTest, MalformedMessagesAreAnsweredAndTooManyEndTheSession) {
  connect(1);
  for (std::size_t i = 0; i < limits::kMaxMalformedPerSession; ++i) {
    cluster_.apply(command::MalformedReceived{
        kClient, client_, {}, Error{ErrorCode::malformed, "bad", "body"}});
  }
  const auto messages = cluster_.take(kClient);
  EXPECT_EQ(messages.size(), limits::kMaxMalformedPerSession + 1);
  EXPECT_TRUE(std::holds_alternative<Bye>(messages.back()));
  cluster_.say(kClient, client_, HealthRequest{});
  EXPECT_EQ(cluster_.take_all<Who>(kClient).size(), 1U);
}

TEST_F(BrokerCoreTest, APeerMaySayOnlyWhatItsRoleAllows) {
  connect(1);
  cluster_.say(kClient, client_, Credit{1, 1});
  EXPECT_EQ(cluster_.take_all<ErrorReply>(kClient).at(0).error.code, ErrorCode::denied);
  cluster_.say(kWorker, worker_, submit_of(spec_of("tool"), {id(0)}));
  EXPECT_EQ(cluster_.take_all<ErrorReply>(kWorker).at(0).error.code, ErrorCode::denied);
  EXPECT_EQ(cluster_.core().tasks_held(), 0U);
}

TEST_F(BrokerCoreTest, GarbageCollectionKeepsTheJournalInProportion) {
  connect(2);
  cluster_.say(kWorker, worker_, Credit{100'000, 1'000'000'000});
  for (std::uint32_t i = 0; i < 500; ++i) {
    submit(spec_of("tool"), {id(i)});
    for (const auto& key : given()) finish(key);
    if (i % 50 == 49) cluster_.collect_garbage(4);
  }
  EXPECT_LT(cluster_.retained_records(), 400U);
  cluster_.restart();
  EXPECT_EQ(cluster_.core().tasks_held(), 0U);
  EXPECT_EQ(cluster_.history().size(), 500U);
}

}  // namespace
}  // namespace taskpipe::broker::testing
