// Whoever asks for a task that has not started is told what it waits for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/core/waiting_reason.hpp"
#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

using ::testing::HasSubstr;

class WaitingReasonTest : public BrokerCoreTest {
 protected:
  static TaskSpecPtr patient(const std::string& tool, std::uint32_t cpus = 1) {
    TaskSpec spec;
    spec.tool = tool;
    spec.resources.cpus = cpus;
    spec.wait_for_capacity = true;
    return std::make_shared<const TaskSpec>(std::move(spec));
  }
  std::string message_of(std::uint32_t i) {
    cluster_.say(kClient, client_, Query{{{id(i)}, {}, {}, ""}, "", 10});
    const auto answers = cluster_.take_all<Rows>(kClient);
    EXPECT_EQ(answers.size(), 1U);
    if (answers.size() != 1 || answers[0].rows.size() != 1) return "no row";
    return answers[0].rows[0].message;
  }
};

TEST_F(WaitingReasonTest, NobodyOffersTheTool) {
  connect();
  submit(patient("abaqus"), {id(0)});
  EXPECT_EQ(message_of(0), "no worker that offers tool 'abaqus' is connected");
}

TEST_F(WaitingReasonTest, NobodyHasTheScript) {
  connect();
  WorkerOffer offer = offer_of("scripted", 2);
  offer.tools[0].scripts.resize(1);
  offer.tools[0].scripts[0].name = "one";
  const SessionId first = cluster_.connect_worker(101, PeerUuid(5, 6), "scripted", offer);
  auto spec = std::make_shared<TaskSpec>(*patient("scripted"));
  spec->script = "one";
  submit(spec, {id(0)});
  cluster_.say(Peer{Port::worker, 101}, first, Bye{"leaves"});
  EXPECT_THAT(message_of(0), HasSubstr("no worker that offers tool 'scripted' is connected"));
  offer.tools[0].scripts[0].name = "other";
  cluster_.connect_worker(102, PeerUuid(5, 7), "other", offer);
  EXPECT_EQ(message_of(0), "no connected worker that offers tool 'scripted' has script 'one'");
}

TEST_F(WaitingReasonTest, NobodyIsLargeEnough) {
  connect(2);
  submit(patient("tool", 3), {id(0)});
  EXPECT_EQ(message_of(0), "no connected worker that offers tool 'tool' has enough cpus");
}

TEST_F(WaitingReasonTest, AllThatCouldAreBusyAndThenOneHasIt) {
  connect(1);
  submit(patient("tool"), {id(0), id(1), id(2)});
  const auto keys = given();
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(message_of(0), "was sent to worker 'node', which has not started it yet");
  EXPECT_EQ(message_of(2), "waits for room on 1 worker");
  cluster_.say(kWorker, worker_, Started{{{keys[0], {}}}});
  EXPECT_EQ(message_of(0), "") << "it runs";
  finish(keys[0]);
  EXPECT_THAT(message_of(1), HasSubstr("was sent to worker 'node'"));
}

TEST_F(WaitingReasonTest, EachLacksSomethingElse) {
  connect(1);
  WorkerOffer offer = offer_of("tool", 8);
  offer.resources.memory_bytes = 1000;
  cluster_.connect_worker(101, PeerUuid(5, 6), "other", offer);
  TaskSpec spec = *patient("tool", 4);
  spec.resources.memory_bytes = 2000;
  submit(std::make_shared<const TaskSpec>(std::move(spec)), {id(0)});
  EXPECT_EQ(message_of(0),
            "no connected worker that offers tool 'tool' has enough cpus and all else at once");
}

TEST_F(WaitingReasonTest, NoMoreNeedsThanTheBoundAreLookedInto) {
  connect(1);
  std::vector<TaskId> ids;
  for (std::uint32_t i = 0; i < kMaxWaitingReasons + 3; ++i) {
    submit(patient("absent" + std::to_string(i)), {id(i)});
    ids.push_back(id(i));
  }
  cluster_.say(kClient, client_, Query{{ids, {}, {}, ""}, "", 100});
  const auto answers = cluster_.take_all<Rows>(kClient);
  ASSERT_EQ(answers.size(), 1U);
  std::size_t told = 0;
  for (const TaskRow& row : answers[0].rows) told += row.message.empty() ? 0U : 1U;
  EXPECT_EQ(told, kMaxWaitingReasons);
}

TEST_F(WaitingReasonTest, TheOnlyOneDrains) {
  connect();
  cluster_.say(kWorker, worker_, Drained{false});
  submit(patient("tool"), {id(0)});
  EXPECT_EQ(message_of(0), "the workers that could run it take no work: they drain, or are silent");
}

TEST_F(WaitingReasonTest, OthersOfItsWorkflowComeFirst) {
  connect();
  SubmitWorkflow flow;
  flow.id = WorkflowId(7, 7);
  flow.total = 2;
  flow.specs = {patient("absent")};
  flow.items = {{id(0), 0, {}, {}}, {id(1), 0, {}, {}}};
  flow.dependencies.resize(2);
  flow.dependencies[1].after = {0};
  cluster_.say(kClient, client_, std::move(flow));
  cluster_.take(kClient);
  EXPECT_EQ(message_of(1), "waits for 1 task of its workflow");
}

}  // namespace
}  // namespace taskpipe::broker::testing
