// Running attempts without a broker: how long they may go on.
#include <gtest/gtest.h>

#include "common/model/limits.hpp"
#include "tests/unit/worker_core/worker_fixture.hpp"

namespace taskpipe::worker::testing {
namespace {

WorkerConfig impatient(OnBrokerLost what, Millis wait) {
  WorkerConfig config = test_config();
  config.on_broker_lost = what;
  config.broker_wait = wait;
  return config;
}

TEST(WorkerSolitude, GoesOnWithoutABroker) {
  CoreOnDesk desk;
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.advance(std::chrono::hours(100));
  EXPECT_TRUE(desk.end_turn().stops.empty());
}

TEST(WorkerSolitude, StopsWithTheLeaseIfItIsToldTo) {
  CoreOnDesk desk(impatient(OnBrokerLost::stop, Millis{0}));
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.advance(Millis{limits::kLeaseMs - 1});
  EXPECT_TRUE(desk.end_turn().stops.empty());
  desk.advance(Millis{1});
  ASSERT_EQ(desk.end_turn().stops.size(), 1U);
  EXPECT_TRUE(desk.end_turn().stops.empty()) << "it was stopped already";
  // Back again: it is not offered, and its end is not reported, since others have it by now.
  EXPECT_TRUE(desk.reconnect(8).worker->running.empty());
  desk.end_attempt(key(1));
  EXPECT_EQ(describe(desk.end_turn()).find("RESULT"), std::string::npos);
}

TEST(WorkerSolitude, WaitsForTheBrokerAsLongAsItIsTold) {
  CoreOnDesk desk(impatient(OnBrokerLost::finish, std::chrono::minutes(10)));
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.advance(std::chrono::minutes(10) - Millis{1});
  EXPECT_TRUE(desk.end_turn().stops.empty());
  EXPECT_EQ(desk.core().next_deadline() <= desk.now().monotonic + Millis{1}, true);
  desk.advance(Millis{1});
  EXPECT_EQ(desk.end_turn().stops.size(), 1U);
}

// The broker still takes them for running, by the last HELLO or by one that is on its way.
TEST(WorkerSolitude, RegistersAgainOnceItHasStoppedItsTasks) {
  CoreOnDesk desk(impatient(OnBrokerLost::finish, Millis{limits::kLeaseMs / 2}));
  desk.establish();
  desk.send_tasks({key(1)}, spec("shell"));
  (void)desk.end_turn();
  desk.advance(Millis{limits::kLeaseMs / 2});
  EXPECT_EQ(desk.end_turn().stops.size(), 1U);
  EXPECT_FALSE(desk.core().connected());
  const auto hellos = sent<Hello>(desk.end_turn());
  ASSERT_EQ(hellos.size(), 1U);
  EXPECT_TRUE(hellos[0].worker->running.empty());
}

}  // namespace
}  // namespace taskpipe::worker::testing
