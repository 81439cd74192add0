// Results: on disk before they are sent, sent until they are acknowledged.
#include <gtest/gtest.h>

#include "tests/unit/worker_core/worker_fixture.hpp"

namespace taskpipe::worker::testing {
namespace {

class WorkerResults : public ::testing::Test {
 protected:
  void SetUp() override { desk_.establish(7); }
  void run(std::uint64_t number, const char* tool = "shell") {
    desk_.send_tasks({key(number)}, spec(tool));
    ASSERT_EQ(desk_.end_turn().starts.size(), 1U);
    desk_.end_attempt(key(number));
  }
  void store_and_send(std::uint64_t number) {
    run(number);
    desk_.apply(command::SpoolStored{key(number)});
    ASSERT_EQ(sent<Result>(desk_.end_turn()).size(), 1U);
  }
  CoreOnDesk desk_;
};

TEST_F(WorkerResults, AProcessResultWaitsForTheDisk) {
  run(1);
  EXPECT_EQ(describe(desk_.end_turn()), "store t1.1\n");
  desk_.apply(command::SpoolStored{key(1)});
  EXPECT_EQ(describe(desk_.end_turn()), "s7 RESULT t1.1:SUCCESS\n");
  desk_.receive(ResultAck{{{key(1), ErrorCode::ok}}});
  EXPECT_EQ(describe(desk_.end_turn()), "drop t1.1\n");
  EXPECT_EQ(desk_.core().unacknowledged(), 0U);
}

TEST_F(WorkerResults, AHandlerResultDoesNot) {
  run(1, "noop");
  EXPECT_EQ(describe(desk_.end_turn()), "s7 RESULT t1.1:SUCCESS\n");
  desk_.receive(ResultAck{{{key(1), ErrorCode::ok}}});
  EXPECT_EQ(describe(desk_.end_turn()), "");
}

TEST_F(WorkerResults, AFullDiskDelaysNothing) {
  run(1);
  (void)desk_.end_turn();
  desk_.apply(command::SpoolStored{key(1), false});
  const Effects effects = desk_.end_turn();
  EXPECT_EQ(sent<Result>(effects).size(), 1U);
  ASSERT_FALSE(effects.notes.empty());
  EXPECT_EQ(effects.notes[0].level, NoteLevel::error);
}

TEST_F(WorkerResults, StaleAndUnknownAreForgotten) {
  store_and_send(1);
  store_and_send(2);
  desk_.receive(ResultAck{{{key(1), ErrorCode::stale_attempt},
                           {key(2), ErrorCode::unknown_task},
                           {key(3), ErrorCode::ok}}});
  EXPECT_EQ(describe(desk_.end_turn()), "drop t1.1\ndrop t2.1\n");
}

TEST_F(WorkerResults, WhatTheBrokerCouldNotStoreIsKeptAndSentAgain) {
  store_and_send(1);
  desk_.receive(ResultAck{{{key(1), ErrorCode::storage}}});
  EXPECT_EQ(describe(desk_.end_turn()), "");
  EXPECT_EQ(desk_.core().unacknowledged(), 1U);
  bool resent = false;
  for (int beat = 0; beat < 5; ++beat) {
    desk_.advance(Millis{2000});
    desk_.receive(Pong{});
    for (const Send& send : desk_.end_turn().sends) {
      if (!std::holds_alternative<Result>(send.message)) continue;
      EXPECT_TRUE(send.resend);
      EXPECT_EQ(beat, 4);
      resent = true;
    }
  }
  EXPECT_TRUE(resent);
}

TEST_F(WorkerResults, ALostAcknowledgementIsMadeUpFor) {
  store_and_send(1);
  std::size_t resent = 0;
  for (int beat = 0; beat < 11; ++beat) {
    desk_.advance(Millis{2000});
    desk_.receive(Pong{});
    resent += sent<Result>(desk_.end_turn()).size();
  }
  EXPECT_EQ(resent, 2U);
}

TEST_F(WorkerResults, WhatReconcileLeavesOutIsSentAgainLater) {
  store_and_send(1);
  (void)desk_.reconnect(8);
  desk_.receive(Reconcile{});
  EXPECT_TRUE(sent<Result>(desk_.end_turn()).empty());
  std::size_t resent = 0;
  for (int beat = 0; beat < 6; ++beat) {
    desk_.advance(Millis{2000});
    desk_.receive(Pong{});
    resent += sent<Result>(desk_.end_turn()).size();
  }
  EXPECT_EQ(resent, 1U);
}

TEST_F(WorkerResults, ResultsOfAnEarlierProcessAreOffered) {
  CoreOnDesk desk;
  desk.apply(command::SpoolLoaded{{{key(4), success()}, {key(2), success()}}});
  (void)desk.end_turn();
  const Hello hello = desk.reconnect(7);
  EXPECT_EQ(hello.worker->unacknowledged, (std::vector<AttemptKey>{key(2), key(4)}));
  desk.receive(Reconcile{{}, {}, {key(4)}, {key(2)}});
  EXPECT_EQ(describe(desk.end_turn()),
            "drop t2.1\ns7 resend RESULT t4.1:SUCCESS\ns7 CREDIT 4096 33554432\n");
}

TEST_F(WorkerResults, OneThatEndsAfterHelloIsSentAfterWelcome) {
  desk_.send_tasks({key(1)}, spec("noop"));
  (void)desk_.end_turn();
  desk_.receive_as(SessionId{}, Who{Epoch(3)});
  desk_.advance(Millis{1000});
  const auto hellos = sent<Hello>(desk_.end_turn());
  ASSERT_EQ(hellos.size(), 1U);
  EXPECT_EQ(hellos[0].worker->running, (std::vector<AttemptKey>{key(1)}));
  desk_.end_attempt(key(1));
  EXPECT_EQ(describe(desk_.end_turn()), "");
  Welcome welcome;
  welcome.session = SessionId(8);
  desk_.receive_as(SessionId(8), welcome, Correlation(2));
  EXPECT_EQ(describe(desk_.end_turn()), "s8 RESULT t1.1:SUCCESS\ns8 CREDIT 4096 33554432\n");
}

TEST_F(WorkerResults, AnUnsendableReportIsCut) {
  desk_.send_tasks({key(1)}, spec("noop"));
  (void)desk_.end_turn();
  Outcome outcome;
  outcome.state = TaskState::running;
  outcome.reason = "bad\xFF" + std::string(5000, 'x');
  outcome.report = Payload(std::string(limits::kMaxResultBytes + 1, 'r'));
  desk_.end_attempt(key(1), outcome);
  const auto results = sent<Result>(desk_.end_turn());
  ASSERT_EQ(results.size(), 1U);
  const Outcome& sent_outcome = results[0].items[0].outcome;
  EXPECT_EQ(sent_outcome.state, TaskState::error);
  EXPECT_LE(sent_outcome.reason.size(), limits::kMaxTextBytes);
  EXPECT_TRUE(sent_outcome.report.empty());
}

TEST_F(WorkerResults, UnacknowledgedBytesStopNewWork) {
  std::uint64_t number = 1;
  std::uint64_t held = 0;
  while (held < limits::kMaxUnacknowledgedBytes) {
    desk_.send_tasks({key(number)}, spec("noop"));
    ASSERT_EQ(desk_.end_turn().starts.size(), 1U);
    Outcome outcome = success();
    outcome.report = Payload(std::string(limits::kMaxResultBytes, 'r'));
    desk_.end_attempt(key(number), outcome);
    held += limits::kMaxResultBytes;
    ++number;
  }
  desk_.send_tasks({key(number)}, spec("noop"));
  EXPECT_TRUE(desk_.end_turn().starts.empty());
  desk_.receive(ResultAck{{{key(1), ErrorCode::ok}}});
  EXPECT_EQ(desk_.end_turn().starts.size(), 1U);
}

// Four processors, and tasks for more than twice as many.
class ResultsOfABusyWorker : public WorkerResults {
 protected:
  void begin(const char* tool, std::uint64_t tasks = 12) {
    std::vector<AttemptKey> keys;
    for (std::uint64_t number = 1; number <= tasks; ++number) keys.push_back(key(number));
    // Handlers that ask for one are bounded by their pool instead.
    const bool handler = std::string(tool) == "heavy";
    desk_.send_tasks(keys, spec(tool, handler ? 2 : 1));
    ASSERT_EQ(desk_.end_turn().starts.size(), handler ? 2U : 4U);
  }
  Effects end(std::uint64_t number) {
    desk_.end_attempt(key(number));
    return desk_.end_turn();
  }
  static constexpr Millis kLinger{limits::kNewsLingerMs};
};

TEST_F(ResultsOfABusyWorker, WaitAMomentForEachOtherBeforeTheyAreStored) {
  begin("shell");
  const Effects first = end(1);
  EXPECT_TRUE(first.stores.empty());
  EXPECT_EQ(first.starts.size(), 1U) << "the next task does not wait";
  EXPECT_EQ(desk_.core().next_deadline(), desk_.now().monotonic + kLinger);
  desk_.advance(kLinger - Millis{1});
  EXPECT_TRUE(end(2).stores.empty()) << "it counts from the first";
  desk_.advance(Millis{1});
  EXPECT_EQ(describe(desk_.end_turn()), "store t1.1\nstore t2.1\n");
  EXPECT_GT(desk_.core().next_deadline(), desk_.now().monotonic + kLinger);
  EXPECT_TRUE(end(3).stores.empty()) << "and then from the next";
  desk_.apply(command::SpoolStored{key(1)});
  desk_.apply(command::SpoolStored{key(2)});
  const Effects told = desk_.end_turn();  // not once more
  ASSERT_EQ(sent<Result>(told).size(), 1U);
  EXPECT_EQ(sent<Result>(told)[0].items.size(), 2U);
  EXPECT_TRUE(told.stores.empty());
}

TEST_F(ResultsOfABusyWorker, OfHandlersWaitBeforeTheyAreSent) {
  begin("heavy");
  EXPECT_TRUE(end(1).sends.empty());
  EXPECT_EQ(desk_.core().next_deadline(), desk_.now().monotonic + kLinger);
  EXPECT_TRUE(end(2).sends.empty());
  desk_.advance(kLinger);
  const auto results = sent<Result>(desk_.end_turn());
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].items.size(), 2U);
}

TEST_F(ResultsOfABusyWorker, LeaveWhenTheWorkBecomesShort) {
  begin("shell", 10);
  EXPECT_TRUE(end(1).stores.empty());
  // Four run and four wait: a slot may be wanted soon.
  EXPECT_EQ(end(2).stores.size(), 2U);
  EXPECT_EQ(end(3).stores.size(), 1U);
}

TEST_F(ResultsOfABusyWorker, StartsAreToldBeforeThem) {
  begin("heavy");
  desk_.apply(command::AttemptStarted{key(1), 0});
  EXPECT_TRUE(desk_.end_turn().sends.empty());
  EXPECT_TRUE(end(2).sends.empty());
  desk_.advance(kLinger);
  const Effects effects = desk_.end_turn();
  ASSERT_EQ(effects.sends.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<Started>(effects.sends[0].message));
  EXPECT_TRUE(std::holds_alternative<Result>(effects.sends[1].message));
}

TEST_F(ResultsOfABusyWorker, OutputWaitsForNothing) {
  begin("heavy");
  EXPECT_TRUE(end(1).sends.empty());
  desk_.apply(command::AttemptOutput{key(2), LogStream::out, 0, Payload("said")});
  const Effects effects = desk_.end_turn();
  EXPECT_EQ(sent<Log>(effects).size(), 1U);
  EXPECT_EQ(sent<Result>(effects).size(), 1U);
}

// Nor is anything else held up that has its time.
TEST_F(ResultsOfABusyWorker, DoNotHoldUpOneThatIsToBeSentAgain) {
  begin("heavy");
  EXPECT_TRUE(end(1).sends.empty());
  desk_.advance(kLinger);
  EXPECT_EQ(sent<Result>(desk_.end_turn()).size(), 1U);
  for (int beat = 0; beat < 4; ++beat) {
    desk_.advance(Millis{2000});
    desk_.receive(Pong{});
    (void)desk_.end_turn();
  }
  desk_.advance(Millis{limits::kResultResendMs - 8000 - 1});
  EXPECT_TRUE(sent<Result>(end(2)).empty());
  desk_.advance(Millis{1});
  EXPECT_EQ(sent<Result>(desk_.end_turn()).size(), 2U) << "one as repeated";
  EXPECT_GT(desk_.core().next_deadline(), desk_.now().monotonic);
}

TEST_F(ResultsOfABusyWorker, AreStoredAtOnceByADrainingWorker) {
  begin("shell");
  EXPECT_TRUE(end(1).stores.empty());
  desk_.receive(Drain{});
  EXPECT_EQ(desk_.end_turn().stores.size(), 1U);
}

TEST_F(ResultsOfABusyWorker, AreStoredAtOnceByOneThatLostItsBroker) {
  begin("shell");
  EXPECT_TRUE(end(1).stores.empty());
  desk_.apply(command::LinkUnwritable{});
  // It may come after the end of a turn: the next one must follow by itself.
  EXPECT_LE(desk_.core().next_deadline(), desk_.now().monotonic + kLinger);
  EXPECT_EQ(desk_.end_turn().stores.size(), 1U);
  EXPECT_EQ(end(2).stores.size(), 1U);
}

TEST_F(ResultsOfABusyWorker, AreStoredByOneThatEnds) {
  begin("shell");
  EXPECT_TRUE(end(1).stores.empty());
  desk_.apply(command::LinkRefused{"its key was revoked"});
  const Effects last = desk_.end_turn();
  ASSERT_TRUE(last.exit);
  EXPECT_EQ(last.stores.size(), 1U);
}

TEST_F(ResultsOfABusyWorker, AreNotStoredWhenTheBrokerDropsThemBefore) {
  begin("shell");
  EXPECT_TRUE(end(1).stores.empty());
  Reconcile reconcile;
  reconcile.drop = {key(1)};
  desk_.receive(reconcile);
  EXPECT_EQ(describe(desk_.end_turn()), "");
  desk_.advance(kLinger);
  EXPECT_TRUE(desk_.end_turn().stores.empty());
  EXPECT_EQ(desk_.core().unacknowledged(), 0U);
}

}  // namespace
}  // namespace taskpipe::worker::testing
