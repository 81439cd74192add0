// Monitoring and subscribing.
#include <mutex>
#include <thread>

#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

std::string task_topic(const TaskId& id) { return "id." + id.to_string() + "."; }

class WatchTest : public ClientFixture {
 protected:
  // What a monitor told, by task. The callback runs on the monitoring thread.
  void record(const TaskEvent& event) {
    const std::lock_guard lock(mutex_);
    told_[event.id].push_back(event);
    told_count_ += 1;
  }
  std::future<CallResult<std::vector<TaskResult>>> watch(std::vector<TaskId> ids) {
    return in_background([this, ids = std::move(ids)] {
      return client_.monitor(
          ids, [this](const TaskEvent& event) { record(event); }, patient_);
    });
  }
  bool await_told(const TaskId& id, TaskState state, double percent = -1.0) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      {
        const std::lock_guard lock(mutex_);
        for (const auto& event : told_[id]) {
          if (event.state == state && event.percent == percent) return true;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

  std::mutex mutex_;
  std::map<TaskId, std::vector<TaskEvent>> told_;
  std::size_t told_count_ = 0;
};

TEST_F(WatchTest, ChangesArePushedUntilTheEnd) {
  const TaskId id = submitted();
  auto watching = watch({id});
  ASSERT_TRUE(broker_.await_subscription(task_topic(id)));
  ASSERT_TRUE(await_told(id, TaskState::pending));
  broker_.run(id);
  ASSERT_TRUE(await_told(id, TaskState::running));
  broker_.progress(id, 25.0, "a quarter");
  ASSERT_TRUE(await_told(id, TaskState::running, 25.0));
  broker_.finish(id, TaskState::success, report_of("done"));
  const auto results = watching.get();
  ASSERT_TRUE(results) << results.error().text();
  EXPECT_EQ(results->at(0).report.stdout_tail, "done");
  const auto& events = told_[id];
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[2].message, "a quarter");
  EXPECT_EQ(events[3].state, TaskState::success);
  EXPECT_EQ(events[3].tool, "shell");
  EXPECT_EQ(events[3].script, "script");
  EXPECT_TRUE(broker_.await([&] { return !broker_.subscribed(task_topic(id)); }));
  std::size_t queries = 0;
  broker_.on_thread([&] { queries = broker_.seen(MessageType::query); });
  EXPECT_EQ(queries, 1U);  // and no polling
}

TEST_F(WatchTest, AnEndedTaskIsToldAtOnce) {
  const auto ids = submitted(2);
  broker_.finish(ids[0], TaskState::success);
  broker_.finish(ids[1], TaskState::failure);
  const auto results = watch(ids).get();
  ASSERT_TRUE(results) << results.error().text();
  EXPECT_EQ(results->size(), 2U);
  ASSERT_EQ(told_[ids[1]].size(), 1U);
  EXPECT_EQ(told_[ids[1]][0].state, TaskState::failure);
  EXPECT_EQ(told_[ids[1]][0].tool, "shell");
}

TEST_F(WatchTest, ManyTasksAreFollowedByTheirTool) {
  const auto ids = submitted(100);
  auto watching = watch(ids);
  ASSERT_TRUE(broker_.await_subscription("task.shell."));
  ASSERT_TRUE(broker_.await_subscription("progress.shell."));
  broker_.run(ids[7]);
  ASSERT_TRUE(await_told(ids[7], TaskState::running));
  broker_.progress(ids[7], 50.0);
  ASSERT_TRUE(await_told(ids[7], TaskState::running, 50.0));
  EXPECT_FALSE(broker_.task(ids[0])->waiters.empty());
  for (const TaskId& id : ids) broker_.finish(id, TaskState::success);
  const auto results = watching.get();
  ASSERT_TRUE(results) << results.error().text();
  EXPECT_EQ(told_.size(), 100U);
  for (const auto& [id, events] : told_) EXPECT_EQ(events.back().state, TaskState::success);
}

TEST_F(WatchTest, WhatHappenedBeforeTheSubscriptionIsAskedForOnce) {
  const auto ids = submitted(65);
  auto watching = watch(ids);
  ASSERT_TRUE(broker_.await_seen(MessageType::query));
  ASSERT_TRUE(broker_.await_subscription("task.shell."));
  broker_.run_unpublished(ids[3]);  // as if it had happened just before
  broker_.heartbeat();              // may have been on its way before the subscription
  broker_.heartbeat();
  ASSERT_TRUE(broker_.await_seen(MessageType::query, 2));
  ASSERT_TRUE(await_told(ids[3], TaskState::running));
  for (const TaskId& id : ids) broker_.finish(id, TaskState::success);
  EXPECT_TRUE(watching.get());
}

TEST_F(WatchTest, AGapInTheStreamIsClosedByAsking) {
  const TaskId id = submitted();
  auto watching = watch({id});
  ASSERT_TRUE(broker_.await_subscription(task_topic(id)));
  broker_.run(id);
  ASSERT_TRUE(await_told(id, TaskState::running));
  Events later;  // some numbers were lost
  later.prev_seq = 100;
  later.seq = 101;
  broker_.publish(task_topic(id), later);
  ASSERT_TRUE(broker_.await_seen(MessageType::query, 2));
  broker_.finish(id, TaskState::success);
  EXPECT_TRUE(watching.get());
}

TEST_F(WatchTest, MonitoringGoesOnAfterARestart) {
  const TaskId id = submitted();
  auto watching = watch({id});
  ASSERT_TRUE(broker_.await_subscription(task_topic(id)));
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.restart();
  ASSERT_TRUE(broker_.await_subscription(task_topic(id)));
  ASSERT_TRUE(broker_.await_seen(MessageType::wait, 2));
  broker_.run(id);
  ASSERT_TRUE(await_told(id, TaskState::running));
  broker_.finish(id, TaskState::cancelled);
  EXPECT_TRUE(watching.get());
}

TEST_F(WatchTest, EndsComeEvenIfNoEventDoes) {
  ClientOptions options = options_for(broker_);
  options.events = "tcp://127.0.0.1:1";  // nobody there
  Client deaf(options);
  const TaskId id = submitted();
  auto watching = in_background([&] {
    return deaf.monitor(
        std::span(&id, 1), [this](const TaskEvent& e) { record(e); }, patient_);
  });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.finish(id, TaskState::success);
  ASSERT_TRUE(watching.get());
  EXPECT_EQ(told_[id].back().state, TaskState::success);
}

TEST_F(WatchTest, AnExceptionOfTheCallbackEndsTheMonitor) {
  const TaskId id = submitted();
  EXPECT_THROW((void)client_.monitor(std::span(&id, 1),
                                     [](const TaskEvent&) { throw std::runtime_error("test"); }),
               std::runtime_error);
  EXPECT_TRUE(broker_.await([&] { return !broker_.subscribed(task_topic(id)); }));
}

TEST_F(WatchTest, RawEventsArriveUntilTheSubscriptionEnds) {
  std::promise<EventBatch> arrived;
  std::size_t calls = 0;
  const std::vector<std::string> topics = {"worker."};
  auto subscription = client_.subscribe(topics, [&](const EventBatch& batch) {
    if (++calls == 1) arrived.set_value(batch);
  });
  ASSERT_TRUE(subscription) << subscription.error().text();
  ASSERT_TRUE(broker_.await_subscription("worker."));
  Events events;
  events.workers.push_back({PeerUuid(1, 1), "node1", WorkerState::suspect});
  broker_.publish("worker.", events);
  const EventBatch batch = arrived.get_future().get();
  EXPECT_EQ(batch.topic, "worker.");
  EXPECT_FALSE(batch.gap);
  ASSERT_EQ(batch.events.workers.size(), 1U);
  EXPECT_EQ(batch.events.workers[0].name, "node1");
  *subscription = Subscription();
  const std::size_t before = calls;  // no callback runs any more
  ASSERT_TRUE(broker_.await([&] { return !broker_.subscribed("worker."); }));
  broker_.publish("worker.", events);
  ASSERT_TRUE(client_.health());
  EXPECT_EQ(calls, before);
}

TEST_F(WatchTest, BadTopicsAreRefused) {
  const auto refused = [this](const std::vector<std::string>& topics) {
    const auto subscription = client_.subscribe(topics, nullptr);
    return !subscription && subscription.error().error.field == "topics";
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({"task.shell"}));
  EXPECT_TRUE(refused({""}));
  EXPECT_TRUE(refused({std::string(300, 'x') + "."}));
}

TEST_F(WatchTest, ASubscriptionMayOutliveItsClient) {
  const std::vector<std::string> topics = {"worker."};
  auto client = std::make_unique<Client>(options_for(broker_));
  auto subscription = client->subscribe(topics, nullptr);
  ASSERT_TRUE(subscription);
  client.reset();
}

}  // namespace
}  // namespace taskpipe::testing
