// Who turns the client's I/O loop: the rules, and calls that meet while a caller does.
#include "client/src/io_seat.hpp"

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "client/src/io_loop.hpp"
#include "common/process/random.hpp"
#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::client {
namespace {

const auto kIdle = [] { return true; };
const auto kBusy = [] { return false; };

TEST(IoSeat, IsTheOwnThreadsUntilItGrantsIt) {
  IoSeat seat;
  Inbox caller;
  EXPECT_FALSE(seat.asked());
  seat.await();
  EXPECT_FALSE(seat.take_or_ask(caller));
  EXPECT_TRUE(seat.asked());
  EXPECT_FALSE(seat.granted(caller));
  seat.grant();
  EXPECT_TRUE(seat.granted(caller));
  std::vector<Inbox::Item> none;
  EXPECT_TRUE(caller.take(none, {}));  // it was told
  EXPECT_TRUE(none.empty());
}

TEST(IoSeat, OnlyOneAsks) {
  IoSeat seat;
  Inbox first;
  Inbox second;
  EXPECT_FALSE(seat.take_or_ask(first));
  EXPECT_FALSE(seat.take_or_ask(second));
  seat.grant();
  EXPECT_TRUE(seat.granted(first));
  EXPECT_FALSE(seat.granted(second));
  seat.leave(second, kIdle);  // which never had it
  EXPECT_TRUE(seat.granted(first));
}

TEST(IoSeat, AnAnswerThatNobodyWaitsForChangesNothing) {
  IoSeat seat;
  Inbox caller;
  EXPECT_FALSE(seat.take_or_ask(caller));
  seat.leave(caller, kIdle);
  seat.grant();
  EXPECT_FALSE(seat.granted(caller));
  seat.await();  // still the own thread's
  EXPECT_FALSE(seat.take_or_ask(caller));
  seat.decline();
  seat.grant();
  EXPECT_FALSE(seat.granted(caller));
}

TEST(IoSeat, AVacantOneIsTakenAtOnceAndABusyOneGoesBack) {
  IoSeat seat;
  Inbox caller;
  EXPECT_FALSE(seat.take_or_ask(caller));
  seat.grant();
  seat.leave(caller, kIdle);
  EXPECT_TRUE(seat.take_or_ask(caller));
  seat.leave(caller, kBusy);
  EXPECT_FALSE(seat.take_or_ask(caller)) << "it is the own thread's again";
}

TEST(IoSeat, ARequestFillsAVacantOne) {
  IoSeat seat;
  Inbox caller;
  EXPECT_FALSE(seat.take_or_ask(caller));
  seat.grant();
  seat.fill();  // the caller sits there: it will see the request
  EXPECT_TRUE(seat.granted(caller));
  seat.leave(caller, kIdle);
  seat.fill();
  seat.await();
  EXPECT_FALSE(seat.take_or_ask(caller));
}

TEST(IoSeat, NobodySitsThereForLong) {
  IoSeat seat;
  Inbox caller;
  EXPECT_FALSE(seat.take_or_ask(caller));
  seat.grant();
  std::thread own([&] { seat.await(); });
  // Time itself is what this is about: after a vacancy's the own thread sleeps without looking,
  // which nothing outside can see. Were it not asleep yet, the rest would hold all the same.
  std::this_thread::sleep_for(3 * IoSeat::kVacancy);
  EXPECT_TRUE(seat.granted(caller));
  seat.leave(caller, kIdle);
  own.join();  // nobody asks, nothing is posted
  EXPECT_FALSE(seat.take_or_ask(caller));
}

}  // namespace
}  // namespace taskpipe::client

namespace taskpipe::testing {
namespace {

using client::CallId;
using client::IoLoop;

// Does something on the thread that delivers.
class TellingSink final : public client::CallSink {
 public:
  explicit TellingSink(std::function<void()> tell) : tell_(std::move(tell)) {}
  void deliver(CallId, client::Delivery&&, bool) noexcept override { tell_(); }

 private:
  std::function<void()> tell_;
};

// The loop without a Client around it.
class RideTest : public ::testing::Test {
 protected:
  RideTest() {
    client::IoConfig config;
    config.broker = client::parse_endpoint(broker_.endpoint(), 0, "broker").value();
    config.session.broker = broker_.endpoint();
    config.session.connect_timeout = kPatience;
    config.session.hello.role = Role::client;
    config.session.hello.user = "tester";
    config.session.hello.uuid = process::new_unique_id<PeerUuid>();
    config.session.hello.incarnation = 1;
    loop_ = std::make_unique<IoLoop>(std::move(config));
    std::promise<void> connected;
    connect([&] { connected.set_value(); });
    connected.get_future().wait();
  }
  // Is answered at once, on the thread that turns the loop, once there is a session.
  void connect(std::function<void()> tell) {
    loop_->begin({CallId(++last_call_), client::command::Connect{}},
                 std::make_shared<TellingSink>(std::move(tell)));
  }
  std::thread::id turning_thread() {
    std::promise<std::thread::id> thread;
    connect([&] { thread.set_value(std::this_thread::get_id()); });
    return thread.get_future().get();
  }
  void ask(const std::shared_ptr<client::Inbox>& inbox) {
    loop_->begin({CallId(++last_call_), client::command::Ask{HealthRequest{}}}, inbox);
  }

  FakeBroker broker_;
  std::unique_ptr<IoLoop> loop_;
  std::atomic<std::uint64_t> last_call_ = 0;
};

TEST_F(RideTest, ACallerWaitsOnTheThreadThatTurnsTheLoop) {
  const std::thread::id own = turning_thread();
  broker_.hold(MessageType::health);
  std::thread caller([&] {
    const auto inbox = std::make_shared<client::Inbox>();
    IoLoop::Ride ride(*loop_, *inbox, true);
    ask(inbox);
    std::vector<client::Inbox::Item> items;
    EXPECT_TRUE(ride.take(items, {}, {}));
    EXPECT_EQ(items.size(), 1U);
  });
  ASSERT_TRUE(broker_.await_seen(MessageType::health));
  EXPECT_EQ(turning_thread(), caller.get_id());
  ask(std::make_shared<client::Inbox>());
  ASSERT_TRUE(broker_.await_seen(MessageType::health, 2));
  EXPECT_EQ(turning_thread(), own) << "something else is open";
  broker_.release();
  caller.join();
}

TEST_F(RideTest, AnUnwillingCallerDoesNot) {
  const std::thread::id own = turning_thread();
  broker_.hold(MessageType::health);
  std::thread caller([&] {
    const auto inbox = std::make_shared<client::Inbox>();
    IoLoop::Ride ride(*loop_, *inbox, false);
    ask(inbox);
    std::vector<client::Inbox::Item> items;
    EXPECT_TRUE(ride.take(items, {}, {}));
  });
  ASSERT_TRUE(broker_.await_seen(MessageType::health));
  EXPECT_EQ(turning_thread(), own);
  broker_.release();
  caller.join();
}

// The own thread is late, and the caller is asked meanwhile whether to go on.
TEST_F(RideTest, ACallerThatIsAskedIsGrantedNothing) {
  std::promise<void> late;
  std::promise<void> go_on;
  connect([&] {
    late.set_value();
    go_on.get_future().wait();
  });
  late.get_future().wait();
  const auto inbox = std::make_shared<client::Inbox>();
  IoLoop::Ride ride(*loop_, *inbox, true);
  ask(inbox);
  bool served = false;
  const auto keep_waiting = [&] {
    if (served) return true;
    go_on.set_value();
    std::promise<void> answered;
    connect([&] { answered.set_value(); });
    served = answered.get_future().wait_for(kPatience) == std::future_status::ready;
    EXPECT_TRUE(served) << "nobody turns the loop";
    return served;
  };
  std::vector<client::Inbox::Item> items;
  EXPECT_TRUE(ride.take(items, {}, keep_waiting));
  EXPECT_EQ(items.size(), 1U);
}

using ClientSeatTest = ClientFixture;

TEST_F(ClientSeatTest, ManyCallersTakeTurns) {
  std::vector<std::future<bool>> callers;
  for (int i = 0; i < 8; ++i) {
    callers.push_back(in_background([this] {
      for (int round = 0; round < 100; ++round) {
        if (!client_.submit(request()) || !client_.health()) return false;
      }
      return true;
    }));
  }
  for (auto& caller : callers) EXPECT_TRUE(caller.get());
  EXPECT_EQ(broker_.task_count(), 800U);
}

TEST_F(ClientSeatTest, ACloseMeetsCallersInAnyState) {
  for (int round = 0; round < 30; ++round) {
    Client client(options_for(broker_));
    std::atomic<int> answers = 0;
    std::vector<std::future<CallFailure>> callers;
    for (int i = 0; i < 3; ++i) {
      callers.push_back(in_background([&] {
        for (;;) {
          const auto answer = client.health();
          if (!answer) return answer.error().failure;
          ++answers;
        }
      }));
    }
    // Each time at another moment of theirs.
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (answers < 4 * (round % 5) && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
    client.close();
    for (auto& caller : callers) EXPECT_EQ(caller.get(), CallFailure::closed);
  }
}

class CallsThatMeet : public ClientFixture {
 protected:
  // One caller waits, for what never ends, and nothing else is open.
  CallsThatMeet() {
    id_ = submitted();
    waiting_ = in_background([this] { return client_.wait(id_, {kPatience, stop_.get_token()}); });
    EXPECT_TRUE(broker_.await_seen(MessageType::wait));
  }
  ~CallsThatMeet() override { stop_.request_stop(); }

  TaskId id_;
  std::stop_source stop_;
  std::future<CallResult<TaskResult>> waiting_;
};

TEST_F(CallsThatMeet, OthersAreServedWhileACallerWaits) {
  EXPECT_TRUE(client_.health());
  const TaskId other = submitted();
  auto second = in_background([&] { return client_.wait(other, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait, 2));
  std::promise<TaskId> ended;
  client_.wait_async(other, [&](const CallResult<TaskResult>& result) {
    ended.set_value(result ? result->id : TaskId{});
  });
  broker_.finish(other, TaskState::success);
  EXPECT_TRUE(second.get());
  EXPECT_EQ(ended.get_future().get(), other);
  broker_.finish(id_, TaskState::success);
  EXPECT_TRUE(waiting_.get());
  EXPECT_TRUE(client_.health());
}

TEST_F(CallsThatMeet, AStopReachesACallerThatServesTheSockets) {
  stop_.request_stop();
  EXPECT_EQ(waiting_.get().error().failure, CallFailure::stopped);
  EXPECT_TRUE(client_.health());
}

TEST_F(CallsThatMeet, ACloseReachesACallerThatServesTheSockets) {
  client_.close();
  EXPECT_EQ(waiting_.get().error().failure, CallFailure::closed);
}

TEST_F(CallsThatMeet, ARestartedBrokerIsFoundByACallerThatServesTheSockets) {
  broker_.restart();
  ASSERT_TRUE(broker_.await_seen(MessageType::wait, 2));
  broker_.finish(id_, TaskState::success);
  EXPECT_TRUE(waiting_.get());
}

// Its pings are the own thread's again.
TEST_F(CallsThatMeet, ASessionIsKeptAliveAfterTheLastCall) {
  broker_.finish(id_, TaskState::success);
  EXPECT_TRUE(waiting_.get());
  std::size_t before = 0;
  broker_.on_thread([&] { before = broker_.seen(MessageType::ping); });
  EXPECT_TRUE(broker_.await_seen(MessageType::ping, before + 3));
}

// Which may wait for something that this client has to do meanwhile.
TEST_F(CallsThatMeet, WhoIsAskedWhetherToGoOnHoldsUpNobody) {
  std::atomic<bool> asked = false;
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  CallOptions options{kPatience};
  options.keep_waiting = [&, may_go_on] {
    asked = true;
    may_go_on.wait();
    return true;
  };
  broker_.finish(id_, TaskState::success);
  EXPECT_TRUE(waiting_.get());
  const TaskId id = submitted();
  auto waiting = in_background([&] { return client_.wait(id, options); });
  while (!asked) std::this_thread::yield();
  EXPECT_TRUE(client_.health());
  broker_.finish(id, TaskState::success);
  go_on.set_value();
  EXPECT_TRUE(waiting.get());
}

}  // namespace
}  // namespace taskpipe::testing
