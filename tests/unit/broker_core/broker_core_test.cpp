// What clients see of the core, one behaviour at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

TEST_F(BrokerCoreTest, AProbeIsAnsweredWithWho) {
  cluster_.apply(command::PeerProbed{kClient});
  ASSERT_EQ(cluster_.take_all<Who>(kClient).size(), 1U);
}

TEST_F(BrokerCoreTest, AMessageWithoutSessionIsAnsweredWithWhoAndHasNoEffect) {
  cluster_.say(kClient, SessionId(12345), submit_of(spec_of("tool"), {id(0)}));
  EXPECT_EQ(cluster_.take_all<Who>(kClient).size(), 1U);
  EXPECT_EQ(cluster_.core().tasks_held(), 0U);
}

TEST_F(BrokerCoreTest, RunsATaskFromSubmitToDone) {
  connect();
  const SubmitAck ack = submit(spec_of("tool"), {id(0)});
  ASSERT_EQ(ack.items.size(), 1U);
  EXPECT_EQ(ack.items[0].code, ErrorCode::ok);
  const auto keys = given();
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0], (AttemptKey{id(0), cluster_.core().epoch(), Attempt(1)}));
  cluster_.say(kClient, client_, Wait{{id(0)}, {}});
  EXPECT_TRUE(cluster_.take(kClient).empty());
  cluster_.say(kWorker, worker_, Started{{{keys[0], 4711}}});
  finish(keys[0]);
  const auto done = cluster_.take_all<Done>(kClient);
  ASSERT_EQ(done.size(), 1U);
  ASSERT_EQ(done[0].tasks.size(), 1U);
  EXPECT_EQ(done[0].tasks[0].outcome.state, TaskState::success);
  EXPECT_EQ(done[0].tasks[0].worker, "node");
  const auto acks = cluster_.take_all<ResultAck>(kWorker);
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].items[0].code, ErrorCode::ok);
}

TEST_F(BrokerCoreTest, WaitForAnEndedTaskAnswersAtOnceAlsoFromTheHistory) {
  connect();
  cluster_.auto_history = false;
  submit(spec_of("tool"), {id(0)});
  finish(given().at(0));
  for (int i = 0; i < 2; ++i) {
    cluster_.say(kClient, client_, Wait{{id(0)}, {}});
    const auto done = cluster_.take_all<Done>(kClient);
    ASSERT_EQ(done.size(), 1U) << i;
    ASSERT_EQ(done[0].tasks.size(), 1U) << i;
    EXPECT_EQ(done[0].tasks[0].worker, "node");
    cluster_.commit_history();
    EXPECT_EQ(cluster_.core().tasks_held(), 0U);
  }
}

TEST_F(BrokerCoreTest, AnUnknownTaskIsUnknownNotPending) {
  connect();
  cluster_.say(kClient, client_, Wait{{id(9)}, {}});
  const auto done = cluster_.take_all<Done>(kClient);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_THAT(done[0].unknown, ::testing::ElementsAre(id(9)));
  cluster_.say(kClient, client_, Query{{{id(9)}, {}, {}, ""}, "", 10});
  const auto rows = cluster_.take_all<Rows>(kClient);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].rows.empty());
  EXPECT_THAT(rows[0].unknown, ::testing::ElementsAre(id(9)));
  cluster_.say(kClient, client_, Cancel{{id(9)}, {}, 0});
  EXPECT_EQ(cluster_.take_all<CancelAck>(kClient).at(0).items.at(0).code, ErrorCode::unknown_task);
}

TEST_F(BrokerCoreTest, ParamsComeOnlyWhereAskedForAlsoFromTheHistory) {
  connect();
  cluster_.auto_history = false;
  Submit submit = submit_of(spec_of("tool"), {id(0)});
  const Payload params = submit.items[0].params = Payload(std::string("encoded params"));
  cluster_.say(kClient, client_, std::move(submit));
  Query query{{{id(0)}, {}, {}, ""}, "", 1};
  for (int i = 0; i < 3; ++i) {  // live, ended, in the history
    query.with_params = true;
    cluster_.say(kClient, client_, query);
    EXPECT_EQ(cluster_.take_all<Rows>(kClient).at(0).rows.at(0).params, params) << i;
    query.with_params = false;
    cluster_.say(kClient, client_, query);
    EXPECT_EQ(cluster_.take_all<Rows>(kClient).at(0).rows.at(0).params, std::nullopt) << i;
    if (i == 0) finish(given().at(0));
    if (i == 1) cluster_.commit_history();
  }
  EXPECT_EQ(cluster_.core().tasks_held(), 0U);
}

TEST_F(BrokerCoreTest, ACancelOfALargeWorkflowSaysWhichAcknowledgementIsTheLast) {
  connect();
  constexpr std::uint32_t kTasks = 2 * limits::kMaxBatchItems + 1;
  for (std::uint32_t first = 0; first < kTasks; first += limits::kMaxBatchItems) {
    SubmitWorkflow part;
    part.id = WorkflowId(7, 7);
    part.first_index = first;
    part.total = kTasks;
    part.specs = {spec_of("tool")};
    for (std::uint32_t i = first;
         i < std::min<std::uint32_t>(kTasks, first + limits::kMaxBatchItems); ++i) {
      part.items.push_back({id(i), 0, {}, {}});
      part.dependencies.emplace_back();
    }
    cluster_.say(kClient, client_, std::move(part));
  }
  cluster_.take(kClient);
  cluster_.say(kClient, client_, Cancel{{}, {WorkflowId(7, 7)}, 0});
  const auto acks = cluster_.take_all<CancelAck>(kClient);
  ASSERT_EQ(acks.size(), 3U);
  EXPECT_TRUE(acks[0].more);
  EXPECT_TRUE(acks[1].more);
  EXPECT_FALSE(acks[2].more);
  EXPECT_EQ(acks[2].items.size(), 1U);
}

TEST_F(BrokerCoreTest, AnotherOwnersTaskIsUnknown) {
  connect();
  submit(spec_of("tool"), {id(0)});
  const Peer other{Port::client, 2};
  const SessionId bob = cluster_.connect_client(other.routing, "bob");
  cluster_.say(other, bob, Wait{{id(0)}, {}});
  EXPECT_THAT(cluster_.take_all<Done>(other).at(0).unknown, ::testing::ElementsAre(id(0)));
  cluster_.say(other, bob, Cancel{{id(0)}, {}, 0});
  EXPECT_EQ(cluster_.take_all<CancelAck>(other).at(0).items.at(0).code, ErrorCode::unknown_task);
}

TEST_F(BrokerCoreTest, ResubmittingTheSameTaskChangesNothingAndAnotherSpecConflicts) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  EXPECT_EQ(submit(spec_of("tool"), {id(0)}).items.at(0).code, ErrorCode::ok);
  const SubmitAck conflict = submit(spec_of("tool", 5), {id(0)});
  EXPECT_EQ(conflict.items.at(0).code, ErrorCode::id_conflict);
  EXPECT_EQ(cluster_.core().tasks_held(), 1U);
}

TEST_F(BrokerCoreTest, AResentTaskThatEndedLongAgoIsNotRunAgain) {
  connect();
  submit(spec_of("tool"), {id(0)});
  finish(given().at(0));
  ASSERT_EQ(cluster_.core().tasks_held(), 0U);
  cluster_.say(kClient, client_, submit_of(spec_of("tool"), {id(0)}), true);
  EXPECT_EQ(cluster_.take_all<SubmitAck>(kClient).at(0).items.at(0).code, ErrorCode::ok);
  EXPECT_EQ(cluster_.core().tasks_held(), 0U);
  EXPECT_TRUE(given().empty());
}

TEST_F(BrokerCoreTest, ATwinIdInOneMessageEndsAsOneTask) {
  connect(1);
  const SubmitAck ack = submit(spec_of("tool"), {id(0), id(0)});
  EXPECT_EQ(ack.items.size(), 2U);
  EXPECT_EQ(cluster_.core().tasks_held(), 1U);
}

TEST_F(BrokerCoreTest, AToolNobodyEverOfferedIsUnsatisfiable) {
  connect();
  const SubmitAck ack = submit(spec_of("gromacs"), {id(0)});
  EXPECT_EQ(ack.items.at(0).code, ErrorCode::unsatisfiable);
  ASSERT_TRUE(ack.error.has_value());
  EXPECT_EQ(ack.error->field, "tool");
  EXPECT_THAT(ack.error->text, ::testing::HasSubstr("tool"));
  auto waiting = std::make_shared<TaskSpec>(*spec_of("gromacs"));
  waiting->wait_for_capacity = true;
  EXPECT_EQ(submit(waiting, {id(1)}).items.at(0).code, ErrorCode::ok);
}

TEST_F(BrokerCoreTest, ATaskLargerThanAnyWorkerNamesTheResource) {
  connect(2);
  const SubmitAck ack = submit(spec_of("tool", 0, 64), {id(0)});
  EXPECT_EQ(ack.items.at(0).code, ErrorCode::unsatisfiable);
  EXPECT_EQ(ack.error->field, "cpus");
}

TEST_F(BrokerCoreTest, AKnownToolWithoutWorkersWaitsAlsoAfterARestart) {
  connect();
  cluster_.restart();
  client_ = cluster_.connect_client(kClient.routing, "ann");
  EXPECT_EQ(submit(spec_of("tool"), {id(0)}).items.at(0).code, ErrorCode::ok);
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 2));
  cluster_.say(kWorker, worker_, Credit{10, 10'000});
  EXPECT_EQ(given().size(), 1U);
}

TEST_F(BrokerCoreTest, HigherPriorityAndThenOlderTasksRunFirst) {
  connect(1);
  submit(spec_of("tool", 0), {id(0), id(1)});
  submit(spec_of("tool", 7), {id(2)});
  std::vector<TaskId> order;
  for (int i = 0; i < 3; ++i) {
    const auto keys = given();
    ASSERT_EQ(keys.size(), 1U);
    order.push_back(keys[0].task);
    finish(keys[0]);
  }
  EXPECT_THAT(order, ::testing::ElementsAre(id(0), id(2), id(1)));
}

TEST_F(BrokerCoreTest, ResourcesBoundWhatAWorkerGets) {
  connect(2);
  submit(spec_of("tool", 0, 2), {id(0)});
  submit(spec_of("tool", 0, 1), {id(1), id(2), id(3)});
  EXPECT_EQ(given().size(), 1U);
  EXPECT_EQ(cluster_.core().check_invariants(), std::nullopt);
}

TEST_F(BrokerCoreTest, WithoutCreditNothingIsSent) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 4));
  submit(spec_of("tool"), {id(0), id(1)});
  EXPECT_TRUE(given().empty());
  cluster_.say(kWorker, worker_, Credit{1, 10'000});
  EXPECT_EQ(given().size(), 1U);
}

TEST_F(BrokerCoreTest, CancellingAPendingTaskEndsItAtOnce) {
  connect(1);
  submit(spec_of("tool"), {id(0), id(1)});
  cluster_.say(kClient, client_, Wait{{id(1)}, {}});
  cluster_.say(kClient, client_, Cancel{{id(1)}, {}, 0});
  const auto messages = cluster_.take(kClient);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_TRUE(std::get<CancelAck>(messages[0]).items.at(0).was_live);
  EXPECT_EQ(std::get<Done>(messages[1]).tasks.at(0).outcome.state, TaskState::cancelled);
}

TEST_F(BrokerCoreTest, ACancelRecordedBeforeTheResultWins) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const auto keys = given();
  cluster_.say(kClient, client_, Wait{{id(0)}, {}});
  cluster_.say(kClient, client_, Cancel{{id(0)}, {}, 250});
  const auto kills = cluster_.take_all<Kill>(kWorker);
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].items.at(0).grace_ms, 250U);
  cluster_.take(kClient);
  finish(keys.at(0));  // the tool was quicker than the signal
  EXPECT_EQ(cluster_.take_all<Done>(kClient).at(0).tasks.at(0).outcome.state, TaskState::cancelled);
  cluster_.say(kClient, client_, Cancel{{id(0)}, {}, 0});
  EXPECT_FALSE(cluster_.take_all<CancelAck>(kClient).at(0).items.at(0).was_live);
}

}  // namespace
}  // namespace taskpipe::broker::testing
