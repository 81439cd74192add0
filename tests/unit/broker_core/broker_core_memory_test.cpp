// The bound of the broker's memory: what counts, who is told BUSY, and what goes on all the same.
// That the count is right is an invariant, checked after every command of every test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

constexpr std::uint64_t kLimit = 1U << 20U;
constexpr std::size_t kParams = 100'000;

BrokerConfig with_limit() {
  BrokerConfig config;
  config.memory_limit_bytes = kLimit;
  return config;
}

class BrokerCoreMemoryTest : public BrokerCoreTest {
 protected:
  BrokerCoreMemoryTest() : BrokerCoreTest(with_limit()) {}

  static Submit large(std::uint32_t i) {
    Submit submit = submit_of(spec_of("tool"), {id(i)});
    submit.items[0].params = Payload(std::string(kParams, 'p'));
    return submit;
  }
  SubmitAck submit_large(std::uint32_t i, bool resend = false) {
    cluster_.say(kClient, client_, large(i), resend, last_ = last_.next());
    const auto acks = cluster_.take_all<SubmitAck>(kClient);
    return acks.size() == 1 ? acks[0] : SubmitAck{};
  }
  // How many were taken before the first BUSY.
  std::uint32_t fill() {
    std::uint32_t taken = 0;
    while (taken < 1000) {
      const SubmitAck ack = submit_large(taken);
      if (ack.items.at(0).code == ErrorCode::busy) return taken;
      EXPECT_EQ(ack.items.at(0).code, ErrorCode::ok);
      ++taken;
    }
    ADD_FAILURE() << "nothing is ever refused";
    return taken;
  }

 private:
  Correlation last_;  // each SUBMIT has its own
};

TEST_F(BrokerCoreMemoryTest, AboveTheLimitSubmitsAreAnsweredBusyAndNotHeld) {
  connect(1);
  const std::uint32_t taken = fill();
  EXPECT_EQ(taken, kLimit / kParams + 1);
  const SubmitAck ack = submit_large(taken);
  EXPECT_EQ(ack.error.value().code, ErrorCode::busy);
  EXPECT_EQ(ack.error->retry_ms, limits::kBusyRetryMs);
  EXPECT_THAT(ack.error->text, ::testing::HasSubstr("--memory-limit"));
  EXPECT_EQ(cluster_.core().tasks_held(), taken);
  EXPECT_LT(cluster_.core().memory_bytes(), kLimit + 2 * kParams);
}

TEST_F(BrokerCoreMemoryTest, RoomComesBackAsTasksEnd) {
  cluster_.auto_history = false;
  connect(1);
  const std::uint32_t taken = fill();
  const auto keys = given();
  ASSERT_EQ(keys.size(), 1U);
  finish(keys[0]);
  EXPECT_EQ(submit_large(taken).items.at(0).code, ErrorCode::busy) << "it is held for the history";
  cluster_.commit_history();
  EXPECT_EQ(submit_large(taken).items.at(0).code, ErrorCode::ok);
}

// The client has submitted it by another message meanwhile, and that task may be in the history.
TEST_F(BrokerCoreMemoryTest, ARefusedSubmitThatARelayRepeatsStaysRefused) {
  connect(1);
  const std::uint32_t taken = fill();
  const auto code_of = [&](std::uint64_t correlation, bool resend) {
    cluster_.say(kClient, client_, large(taken), resend, Correlation{correlation});
    return cluster_.take_all<SubmitAck>(kClient).at(0).items.at(0).code;
  };
  ASSERT_EQ(code_of(1000, false), ErrorCode::busy);
  finish(given().at(0));
  EXPECT_EQ(code_of(1000, false), ErrorCode::busy) << "there is room, but it may be a copy";
  EXPECT_EQ(code_of(1001, false), ErrorCode::ok);
  EXPECT_EQ(cluster_.core().tasks_held(), taken);
  for (std::uint32_t i = 0; i < taken; ++i) finish(given().at(0));
  ASSERT_TRUE(cluster_.history().contains(id(taken)));
  EXPECT_EQ(code_of(1000, false), ErrorCode::busy);
  EXPECT_EQ(code_of(1000, true), ErrorCode::ok);
  EXPECT_TRUE(given().empty()) << "the ended task runs a second time";
}

TEST_F(BrokerCoreMemoryTest, WhatIsHeldIsAcknowledgedAgainAlthoughMemoryIsFull) {
  connect(1);
  const std::uint32_t taken = fill();
  EXPECT_EQ(submit_large(0, /*resend=*/true).items.at(0).code, ErrorCode::ok);
  EXPECT_EQ(submit_large(taken, /*resend=*/true).items.at(0).code, ErrorCode::busy);
}

TEST_F(BrokerCoreMemoryTest, ResultsCancelsAndQuestionsGoOn) {
  connect(2);
  const std::uint32_t taken = fill();
  const auto keys = given();
  ASSERT_EQ(keys.size(), 2U);
  finish(keys[0]);
  EXPECT_EQ(cluster_.take_all<ResultAck>(kWorker).at(0).items.at(0).code, ErrorCode::ok);
  cluster_.say(kClient, client_, Cancel{{id(taken - 1)}, {}, 0});
  EXPECT_TRUE(cluster_.take_all<CancelAck>(kClient).at(0).items.at(0).was_live);
  EXPECT_TRUE(cluster_.history().contains(id(taken - 1)));
  cluster_.say(kClient, client_, HealthRequest{});
  const auto health = cluster_.take_all<HealthReply>(kClient).at(0);
  EXPECT_EQ(health.memory_limit_bytes, kLimit);
  EXPECT_EQ(health.memory_bytes, cluster_.core().memory_bytes());
}

TEST_F(BrokerCoreMemoryTest, AllGoesAndNothingIsCountedAnyMore) {
  connect(1);
  const std::uint32_t taken = fill();
  for (std::uint32_t i = 0; i < taken; ++i) finish(given().at(0));
  EXPECT_EQ(cluster_.core().tasks_held(), 0U);
  EXPECT_EQ(cluster_.core().memory_bytes(), 0U);
}

TEST_F(BrokerCoreMemoryTest, AScriptThatTasksShareCountsOnce) {
  connect(1);
  auto spec = std::make_shared<TaskSpec>(*spec_of("other"));
  spec->script = "shared.py";
  spec->inline_script = Payload(std::string(kParams, 's'));
  spec->wait_for_capacity = true;
  std::vector<TaskId> ids;
  for (std::uint32_t i = 0; i < 100; ++i) ids.push_back(id(i));
  EXPECT_EQ(submit(spec, ids).items.at(99).code, ErrorCode::ok);
  EXPECT_GT(cluster_.core().memory_bytes(), kParams);
  EXPECT_LT(cluster_.core().memory_bytes(), 2 * kParams);
}

TEST_F(BrokerCoreMemoryTest, AWorkflowThatWasBegunMayBeFinished) {
  connect(1);
  SubmitWorkflow part;
  part.id = WorkflowId(1, 7);
  part.total = 2;
  part.specs = {spec_of("tool")};
  part.items = {{id(1000), 0, Payload(), {}}};
  part.dependencies.resize(1);
  cluster_.say(kClient, client_, part);
  EXPECT_EQ(cluster_.take_all<WorkflowAck>(kClient).at(0).received, 1U);
  fill();
  SubmitWorkflow other = part;
  other.id = WorkflowId(1, 8);
  cluster_.say(kClient, client_, other);
  const auto refused = cluster_.take_all<WorkflowAck>(kClient).at(0).error;
  EXPECT_EQ(refused.code, ErrorCode::busy);
  EXPECT_EQ(refused.retry_ms, limits::kBusyRetryMs);
  part.first_index = 1;
  part.items[0].id = id(1001);
  cluster_.say(kClient, client_, part);
  const auto ack = cluster_.take_all<WorkflowAck>(kClient).at(0);
  EXPECT_EQ(ack.error.code, ErrorCode::ok) << ack.error.text;
  EXPECT_EQ(ack.received, 2U);
}

TEST_F(BrokerCoreMemoryTest, AnUploadGoesWithItsSession) {
  connect(1);
  SubmitWorkflow part;
  part.id = WorkflowId(1, 7);
  part.total = 20;
  part.specs = {spec_of("tool")};
  for (std::uint32_t i = 0; i < 12; ++i) {
    part.first_index = i;
    part.items = {{id(i), 0, Payload(std::string(kParams, 'p')), {}}};
    part.dependencies.assign(1, {});
    cluster_.say(kClient, client_, part);
  }
  EXPECT_GT(cluster_.core().memory_bytes(), kLimit);
  cluster_.say(kClient, client_, Bye{"done"});
  EXPECT_EQ(cluster_.core().memory_bytes(), 0U);
}

TEST_F(BrokerCoreMemoryTest, OutputIsNotKeptWhileMemoryIsFull) {
  connect(1);
  submit(spec_of("tool"), {id(500)});
  const auto keys = given();
  ASSERT_EQ(keys.size(), 1U);
  cluster_.say(kWorker, worker_, Log{{{keys[0], LogStream::out, 0, Payload("early")}}});
  fill();
  cluster_.say(kWorker, worker_, Log{{{keys[0], LogStream::out, 5, Payload("late")}}});
  cluster_.take(kWorker);
  cluster_.say(kClient, client_, Fetch{id(500), LogStream::out, 0, 0, false});
  EXPECT_EQ(cluster_.take_all<Fetch>(kWorker).size(), 1U) << "the worker has all of it";
}

TEST_F(BrokerCoreMemoryTest, WhatWaitsInSocketsCounts) {
  connect(1);
  cluster_.apply(command::HeldOutside{kLimit});
  EXPECT_EQ(submit_large(0).items.at(0).code, ErrorCode::busy);
  cluster_.apply(command::HeldOutside{0});
  EXPECT_EQ(submit_large(0).items.at(0).code, ErrorCode::ok);
}

TEST_F(BrokerCoreMemoryTest, SubmitsThatWaitForTheHistoryCount) {
  connect(1);
  cluster_.hold_lookups = true;
  for (std::uint32_t i = 0; i < 11; ++i) {
    cluster_.say(kClient, client_, large(i), /*resend=*/true);
  }
  EXPECT_TRUE(cluster_.take_all<SubmitAck>(kClient).empty());
  EXPECT_EQ(submit_large(11).items.at(0).code, ErrorCode::busy);
  cluster_.answer_lookups();
  EXPECT_EQ(cluster_.core().tasks_held(), 11U);
}

}  // namespace
}  // namespace taskpipe::broker::testing
