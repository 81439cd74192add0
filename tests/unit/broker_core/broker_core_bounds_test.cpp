// What one message and one session may make the broker hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/broker_core/retry_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

class BrokerCoreBoundsTest : public BrokerCoreTest {
 protected:
  static constexpr WorkflowId kWorkflow{1, 7};

  // `count` tasks from `first` on, each with a spec of its own.
  static SubmitWorkflow part_of(std::uint32_t total, std::uint32_t first, std::uint32_t count) {
    SubmitWorkflow part;
    part.id = kWorkflow;
    part.total = total;
    part.first_index = first;
    for (std::uint32_t i = 0; i < count; ++i) {
      part.specs.push_back(spec_of("tool"));
      part.items.push_back({id(first + i), i, Payload(), {}});
      part.dependencies.emplace_back();
    }
    return part;
  }
  static TaskSpecPtr labelled_spec(const std::string& first_value) {
    auto spec = std::make_shared<TaskSpec>(*spec_of("tool"));
    for (std::size_t i = 0; i < limits::kMaxLabels; ++i) {
      spec->labels.push_back({std::to_string(100 + i), std::string(limits::kMaxTextBytes, 'x')});
    }
    spec->labels[0].value = first_value;
    return spec;
  }
  WorkflowAck send_part(SubmitWorkflow part) {
    cluster_.say(kClient, client_, std::move(part));
    const auto acks = cluster_.take_all<WorkflowAck>(kClient);
    return acks.size() == 1 ? acks[0] : WorkflowAck{};
  }
};

TEST_F(BrokerCoreBoundsTest, AWorkflowOfTooManyTasksIsRefusedWithItsFirstPart) {
  connect(1);
  const WorkflowAck ack = send_part(part_of(limits::kMaxWorkflowTasks + 1, 0, 1));
  EXPECT_EQ(ack.error.code, ErrorCode::too_big);
  EXPECT_EQ(ack.error.field, "total");
  EXPECT_EQ(ack.received, 0U);
}

TEST_F(BrokerCoreBoundsTest, APartBeyondTheTotalIsRefused) {
  connect(1);
  EXPECT_EQ(send_part(part_of(3, 0, 2)).received, 2U);
  const WorkflowAck ack = send_part(part_of(3, 2, 2));
  EXPECT_EQ(ack.error.code, ErrorCode::invalid);
  EXPECT_EQ(ack.error.field, "items");
  EXPECT_EQ(ack.received, 0U);
  EXPECT_EQ(cluster_.core().tasks_held(), 0U);
}

TEST_F(BrokerCoreBoundsTest, ASessionHasSoManyUnfinishedWorkflows) {
  connect(1);
  const auto begun = [this](std::uint32_t number, std::uint32_t first) {
    SubmitWorkflow part = part_of(2, 0, 1);
    part.id = WorkflowId{2, number};
    part.first_index = first;
    part.items[0].id = id(2 * number + first);
    return send_part(std::move(part));
  };
  for (std::uint32_t i = 0; i < limits::kMaxPartialWorkflows; ++i) {
    ASSERT_EQ(begun(i, 0).received, 1U);
  }
  const WorkflowAck ack = begun(limits::kMaxPartialWorkflows, 0);
  EXPECT_EQ(ack.error.code, ErrorCode::busy);
  EXPECT_TRUE(ack.error.retry_ms.has_value());
  EXPECT_EQ(ack.received, 0U);
  EXPECT_EQ(begun(0, 0).received, 1U) << "one that begins anew takes no other's place";
  EXPECT_EQ(begun(0, 1).received, 2U) << "one that is finished makes room";
  EXPECT_EQ(begun(limits::kMaxPartialWorkflows, 0).received, 1U);
}

TEST_F(BrokerCoreBoundsTest, SoManySessionsAreOpenInAll) {
  cluster_.check_invariants = false;  // of thousands of sessions, after each of thousands of turns
  const auto open = [this](std::uint64_t routing) {
    Hello hello;
    hello.user = "user " + std::to_string(routing % 100);
    hello.name = "peer";
    hello.uuid = PeerUuid(routing, 7);
    const Peer peer{Port::client, routing};
    cluster_.say(peer, SessionId{}, hello);
    for (const Message& message : cluster_.take(peer)) {
      if (const auto* refused = std::get_if<ErrorReply>(&message)) return refused->error.code;
      if (std::holds_alternative<Welcome>(message)) return ErrorCode::ok;
    }
    return ErrorCode::invalid;
  };
  for (std::uint64_t i = 0; i < limits::kMaxSessions; ++i) ASSERT_EQ(open(i + 1), ErrorCode::ok);
  EXPECT_EQ(open(limits::kMaxSessions + 1), ErrorCode::busy);
  EXPECT_EQ(open(1), ErrorCode::ok) << "one that comes back takes its own place";
  cluster_.advance(Millis(2 * limits::kLeaseMs));
  EXPECT_EQ(open(limits::kMaxSessions + 2), ErrorCode::ok) << "who is silent makes room";
}

TEST_F(BrokerCoreBoundsTest, LabelsCountAgainstTheBytesOfAWorkflow) {
  connect(1);
  constexpr std::uint32_t kPerPart = 64;
  const TaskSpecPtr spec = labelled_spec("shared");  // about 64 KiB
  std::uint32_t sent = 0;
  WorkflowAck ack;
  while (ack.error.code == ErrorCode::ok && sent < 20 * kPerPart) {
    SubmitWorkflow part = part_of(limits::kMaxWorkflowTasks, sent, kPerPart);
    std::fill(part.specs.begin(), part.specs.end(), spec);
    ack = send_part(std::move(part));
    sent += kPerPart;
  }
  EXPECT_EQ(ack.error.code, ErrorCode::too_big);
  EXPECT_LE(sent, 9 * kPerPart);
}

TEST_F(BrokerCoreBoundsTest, SpecsThatNoTaskUsesAreNotKept) {
  connect(1);
  constexpr std::uint32_t kParts = 20;
  for (std::uint32_t i = 0; i < kParts; ++i) {
    SubmitWorkflow part = part_of(kParts, i, 1);
    part.specs.insert(part.specs.begin(), 64, labelled_spec("unused"));
    part.items[0].spec = 64;
    const WorkflowAck ack = send_part(std::move(part));
    ASSERT_EQ(ack.error.code, ErrorCode::ok) << ack.error.text;
  }
  EXPECT_EQ(cluster_.core().tasks_held(), kParts);
}

TEST_F(BrokerCoreBoundsTest, DependenciesAreCountedWhileTheyArrive) {
  connect(1);
  std::uint32_t sent = 0;
  WorkflowAck ack;
  constexpr std::uint32_t kPerPart = limits::kMaxBatchItems;
  while (ack.error.code == ErrorCode::ok && sent < 32 * kPerPart) {
    SubmitWorkflow part = part_of(limits::kMaxWorkflowTasks, sent, kPerPart);
    for (auto& dependencies : part.dependencies) {
      dependencies.after.assign(limits::kMaxDependenciesPerTask, 0);
    }
    ack = send_part(std::move(part));
    sent += kPerPart;
  }
  EXPECT_EQ(ack.error.code, ErrorCode::too_big);
  EXPECT_LE(sent, limits::kMaxWorkflowDependencies / limits::kMaxDependenciesPerTask + kPerPart);
}

TEST_F(BrokerCoreBoundsTest, SpecsWithManyLabelsDoNotMakeATasksMessageTooLong) {
  constexpr std::uint32_t kTasks = 100;
  connect(kTasks);
  Submit submit;
  for (std::uint32_t i = 0; i < kTasks; ++i) {
    submit.specs.push_back(labelled_spec(std::to_string(i)));
    submit.items.push_back({id(i), i, Payload(), {}});
  }
  cluster_.say(kClient, client_, std::move(submit));
  std::size_t given = 0;
  for (const auto& tasks : cluster_.take_all<Tasks>(kWorker)) {
    std::size_t bytes = 0;
    for (const auto& spec : tasks.specs) {
      for (const auto& label : spec->labels) bytes += label.key.size() + label.value.size();
    }
    EXPECT_LE(bytes, limits::kMaxBatchBytes);
    given += tasks.items.size();
  }
  EXPECT_EQ(given, kTasks);
}

TEST_F(BrokerCoreBoundsTest, FollowersOfAClosedSessionMakeRoomForOthers) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  for (std::uint64_t i = 0; i <= limits::kMaxLogFollowers; ++i) {
    const Peer peer{Port::client, 1000 + i};
    const SessionId session = cluster_.connect_client(peer.routing, "ann");
    cluster_.say(peer, session, Fetch{id(0), LogStream::out, 0, 0, true});
    ASSERT_TRUE(cluster_.take_all<ErrorReply>(peer).empty()) << i;
    cluster_.say(peer, session, Bye{"done"});
  }
}

TEST_F(BrokerCoreBoundsTest, AnotherHelloOnTheSameConnectionDetachesTheFormerWorker) {
  connect(1);
  const SessionId other =
      cluster_.connect_worker(kWorker.routing, PeerUuid(8, 8), "other", offer_of("tool", 1));
  submit(spec_of("tool"), {id(0), id(1)});
  cluster_.take(kWorker);
  cluster_.say(kWorker, other, Credit{10, 10'000});
  EXPECT_EQ(given().size(), 1U);  // all that can be given is given to the one that is there
  cluster_.say(kClient, client_, WorkersRequest{});
  const auto workers = cluster_.take_all<WorkersReply>(kClient).at(0).workers;
  ASSERT_EQ(workers.size(), 1U);
  EXPECT_EQ(workers[0].name, "other");
}

TEST_F(BrokerCoreBoundsTest, ATaskNamedTwiceInACancelIsRecordedOnce) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  cluster_.say(kClient, client_, Cancel{{id(0), id(0)}, {}, 0});
  EXPECT_EQ(cluster_.take_all<CancelAck>(kClient).at(0).items.size(), 2U);
  std::size_t requested = 0;
  for (const auto& [lsn, record] : cluster_.journal()) {
    if (const auto* cancel = std::get_if<record::CancelRequested>(&record)) {
      requested += cancel->items.size();
    }
  }
  EXPECT_EQ(requested, 1U);
}

TEST_F(RetryTest, SoManyAttemptsOfATaskAreRemembered) {
  connect();
  TaskSpec spec = *retried(limits::kMaxTaskAttempts);
  spec.retry.max_worker_losses = limits::kMaxTaskWorkerLosses;
  submit(std::make_shared<const TaskSpec>(spec), {id(0)});
  std::vector<AttemptKey> lost;
  // Lost as often as it may be, and each time its result comes after all: two to remember.
  for (std::uint32_t i = 0; i < limits::kMaxTaskWorkerLosses; ++i) {
    const auto keys = given();
    ASSERT_EQ(keys.size(), 1U);
    cluster_.say(kWorker, worker_, Started{{{keys[0], 1}}});
    reconnect_worker();
    lost.push_back(keys[0]);
    if (i > 0) finish(lost[i - 1], failed(9));
  }
  for (std::uint32_t i = 0; i + 1 < limits::kMaxTaskAttempts; ++i) {
    const auto keys = given();
    ASSERT_EQ(keys.size(), 1U);
    finish(keys[0], failed());
    cluster_.advance(Millis(4 * kBackoffMs));
    cluster_.say(kWorker, worker_, Ping{});
    cluster_.say(kClient, client_, Ping{});
  }
  EXPECT_EQ(row(id(0)).attempts.size(), limits::kMaxPastAttempts);
  const auto last = given();
  ASSERT_EQ(last.size(), 1U);
  finish(last[0], failed());
  ASSERT_TRUE(cluster_.history().contains(id(0)));
  // One more, when the task is in the history already.
  finish(lost.back(), failed(9));
  const TaskRow ended = row(id(0));
  EXPECT_EQ(ended.state, TaskState::failure);
  EXPECT_EQ(ended.attempts.size(), limits::kMaxPastAttempts);
}

}  // namespace
}  // namespace taskpipe::broker::testing
