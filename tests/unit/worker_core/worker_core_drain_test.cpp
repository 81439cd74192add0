// How a worker ends.
#include <gtest/gtest.h>

#include "tests/unit/worker_core/worker_fixture.hpp"

namespace taskpipe::worker::testing {
namespace {

class WorkerDrain : public ::testing::Test {
 protected:
  void SetUp() override {
    desk_.establish(7);
    desk_.send_tasks({key(1), key(2)}, spec("shell", 4));
    ASSERT_EQ(desk_.end_turn().starts.size(), 1U);
  }
  CoreOnDesk desk_;
};

TEST_F(WorkerDrain, GivesBackFinishesAndLeaves) {
  desk_.apply(command::StopRequested{});
  EXPECT_EQ(describe(desk_.end_turn()), "s7 DRAINED begun\ns7 RETURNED [t2.1]\n");
  desk_.send_tasks({key(3)}, spec("noop"));
  EXPECT_EQ(describe(desk_.end_turn()), "s7 RETURNED [t3.1]\n");
  desk_.end_attempt(key(1));
  desk_.apply(command::SpoolStored{key(1)});
  EXPECT_EQ(describe(desk_.end_turn()), "store t1.1\ns7 RESULT t1.1:SUCCESS\n");
  desk_.receive(ResultAck{{{key(1), ErrorCode::ok}}});
  EXPECT_EQ(describe(desk_.end_turn()), "drop t1.1\ns7 DRAINED finished\nexit: drained\n");
}

TEST_F(WorkerDrain, StopsWhatTakesTooLongWithoutReportingIt) {
  desk_.apply(command::StopRequested{});
  (void)desk_.end_turn();
  for (int beat = 0; beat < 29; ++beat) {
    desk_.advance(Millis{2000});
    desk_.receive(Pong{});
    EXPECT_TRUE(desk_.end_turn().stops.empty());
  }
  desk_.advance(Millis{2000});
  desk_.receive(Pong{});
  EXPECT_EQ(describe(desk_.end_turn()), "stop t1.1 superseded 5000\ns7 PING\n");
  desk_.end_attempt(key(1));
  const Effects effects = desk_.end_turn();
  EXPECT_EQ(describe(effects), "s7 DRAINED finished\nexit: the time to drain was up\n");
  EXPECT_EQ(effects.exit->cause, ExitCause::stopped);
}

TEST_F(WorkerDrain, DoesNotWaitForeverForWhatDoesNotEnd) {
  desk_.apply(command::StopRequested{});
  desk_.advance(Millis{60'000});
  desk_.receive(Pong{});
  EXPECT_FALSE(desk_.end_turn().stops.empty());
  EXPECT_TRUE(desk_.core().next_deadline());
  desk_.advance(Millis{limits::kDefaultGraceMs + limits::kStopPatienceMs});
  EXPECT_TRUE(desk_.end_turn().exit);
}

TEST_F(WorkerDrain, TheSecondRequestStopsAtOnce) {
  desk_.apply(command::StopRequested{});
  (void)desk_.end_turn();
  desk_.apply(command::StopRequested{});
  EXPECT_EQ(describe(desk_.end_turn()),
            "stop t1.1 superseded 0\ns7 DRAINED finished\nexit: asked twice to stop\n");
}

TEST_F(WorkerDrain, TheBrokerMayAskForItWithADeadline) {
  desk_.receive(Drain{5000});
  EXPECT_EQ(describe(desk_.end_turn()), "s7 DRAINED begun\ns7 RETURNED [t2.1]\n");
  desk_.advance(Millis{5000});
  EXPECT_EQ(desk_.end_turn().stops.size(), 1U);
}

TEST_F(WorkerDrain, OrWithoutOne) {
  desk_.receive(Drain{0});
  for (int beat = 0; beat < 1000; ++beat) {
    desk_.advance(Millis{2000});
    desk_.receive(Pong{});
    ASSERT_TRUE(desk_.end_turn().stops.empty());
  }
  // A stop that comes later sets one.
  desk_.apply(command::StopRequested{});
  desk_.advance(Millis{60'000});
  desk_.receive(Pong{});
  EXPECT_EQ(desk_.end_turn().stops.size(), 1U);
}

TEST_F(WorkerDrain, ResultsOnDiskCanWaitForTheNextStart) {
  desk_.apply(command::StopRequested{});
  desk_.end_attempt(key(1));
  desk_.apply(command::LinkUnwritable{});
  EXPECT_FALSE(desk_.end_turn().exit);  // not on disk yet
  desk_.apply(command::SpoolStored{key(1)});
  EXPECT_EQ(describe(desk_.end_turn()), "exit: drained\n");
}

TEST_F(WorkerDrain, ResultsInMemoryWaitForTheBrokerAsLongAsThereIsTime) {
  desk_.end_attempt(key(1));
  desk_.apply(command::SpoolStored{key(1), false});
  desk_.apply(command::LinkUnwritable{});
  desk_.apply(command::StopRequested{});
  EXPECT_FALSE(desk_.end_turn().exit);
  desk_.advance(Millis{60'000});
  const Effects effects = desk_.end_turn();
  EXPECT_TRUE(effects.exit);
  EXPECT_EQ(effects.notes.back().level, NoteLevel::error);
}

TEST_F(WorkerDrain, SaysSoAgainAfterAReconnect) {
  desk_.receive(Drain{0});
  (void)desk_.end_turn();
  (void)desk_.reconnect(8);
  EXPECT_EQ(describe(desk_.end_turn()), "s8 DRAINED begun\n");
}

TEST(WorkerStop, AnIdleWorkerLeavesAtOnce) {
  CoreOnDesk desk;
  desk.establish(7);
  desk.apply(command::StopRequested{});
  EXPECT_EQ(describe(desk.end_turn()), "s7 DRAINED begun\ns7 DRAINED finished\nexit: drained\n");
}

TEST(WorkerStop, AlsoWithoutABroker) {
  CoreOnDesk desk;
  desk.apply(command::SpoolLoaded{{{key(1), success()}}});
  (void)desk.end_turn();
  desk.apply(command::StopRequested{});
  EXPECT_EQ(describe(desk.end_turn()), "exit: drained\n");
}

}  // namespace
}  // namespace taskpipe::worker::testing
