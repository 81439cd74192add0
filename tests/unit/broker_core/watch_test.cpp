// WATCH and EVENTS: replay, live, credit, bounds, and what cannot be told any more.
#include "tests/support/stream_reader.hpp"
#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

class WatchCoreTest : public BrokerCoreTest {
 protected:
  static StreamFilter of_tool(const std::string& tool = "tool") {
    return {"task." + tool + ".", {}, false};
  }

  // Tasks from `first` on are submitted, started and ended.
  void run_tasks(std::uint32_t first, std::uint32_t count) {
    std::vector<TaskId> ids;
    for (std::uint32_t i = 0; i < count; ++i) ids.push_back(id(first + i));
    submit(spec_of("tool"), ids);
    for (auto keys = given(); !keys.empty(); keys = given()) {
      Started started;
      for (const auto& key : keys) started.items.push_back({key, 1});
      cluster_.say(kWorker, worker_, started);
      for (const auto& key : keys) {
        ++granted_;
        finish(key);
      }
      cluster_.say(kWorker, worker_, Credit{100 + granted_, 1'000'000'000});
    }
  }

  // Messages that the PUB channel carried on the topic.
  std::vector<Events> published(const std::string& topic) const {
    std::vector<Events> found;
    for (const auto& publish : cluster_.published()) {
      if (publish.topic == topic) found.push_back(publish.events);
    }
    return found;
  }
  std::vector<TaskEvent> published_tasks(const std::string& topic) const {
    std::vector<TaskEvent> tasks;
    for (const auto& events : published(topic)) {
      tasks.insert(tasks.end(), events.tasks.begin(), events.tasks.end());
    }
    return tasks;
  }
  SubmitWorkflow workflow_of(std::uint32_t count) const {
    SubmitWorkflow workflow;
    workflow.id = WorkflowId(9, 9);
    workflow.total = count;
    workflow.specs = {spec_of("tool")};
    for (std::uint32_t i = 0; i < count; ++i) {
      workflow.items.push_back({id(i), 0, Payload("p"), {1, i}});
      workflow.dependencies.emplace_back();
    }
    return workflow;
  }
  // In parts, as a client must.
  void submit_workflow(const SubmitWorkflow& whole) {
    for (std::uint32_t at = 0; at < whole.items.size(); at += limits::kMaxBatchItems) {
      SubmitWorkflow part = whole;
      const auto end = std::min<std::size_t>(whole.items.size(), at + limits::kMaxBatchItems);
      part.first_index = at;
      part.items.assign(whole.items.begin() + at,
                        whole.items.begin() + static_cast<std::ptrdiff_t>(end));
      part.dependencies.assign(part.items.size(), Dependencies{});
      cluster_.say(kClient, client_, part);
    }
    cluster_.take(kClient);
  }

  std::uint64_t granted_ = 0;
};

TEST_F(WatchCoreTest, ALateJoinerIsToldWhatWasPublished) {
  cluster_.apply(command::TopicSubscribed{"task.tool."});
  connect();
  run_tasks(0, 5);
  StreamReader reader(cluster_, 7, of_tool());
  reader.stand_at(0);
  reader.connect();
  EXPECT_EQ(reader.told(), published_tasks("task.tool."));
  EXPECT_EQ(reader.told().size(), 15U);  // submitted, started, ended
}

TEST_F(WatchCoreTest, WhatFollowsIsToldAsItHappens) {
  cluster_.apply(command::TopicSubscribed{"task.tool."});
  connect();
  StreamReader reader(cluster_, 7, of_tool());
  reader.connect(20);
  EXPECT_EQ(reader.received(), 1U);  // where it stands
  EXPECT_TRUE(reader.told().empty());
  run_tasks(0, 2);
  reader.read();
  EXPECT_EQ(reader.told(), published_tasks("task.tool."));
  EXPECT_EQ(reader.told().size(), 6U);
}

TEST_F(WatchCoreTest, NothingIsSentBeyondTheCredit) {
  connect();
  StreamReader reader(cluster_, 7, of_tool());
  reader.connect(2);
  run_tasks(0, 5);
  reader.read();
  EXPECT_EQ(reader.received(), 2U);
  const auto before = reader.told().size();
  EXPECT_LT(before, 15U);
  reader.grant(2);
  EXPECT_EQ(reader.told().size(), 15U);
  EXPECT_FALSE(reader.take_error());
}

TEST_F(WatchCoreTest, ARecordMayTakeSeveralMessages) {
  cluster_.apply(command::TopicSubscribed{"task.tool."});
  connect();
  submit_workflow(workflow_of(600));
  StreamReader reader(cluster_, 7, of_tool());
  reader.stand_at(0);
  reader.connect(2);
  ASSERT_EQ(reader.messages().size(), 2U);
  EXPECT_EQ(reader.messages()[0].seq, reader.messages()[1].seq);
  EXPECT_EQ(reader.messages()[1].offset, 256U);
  EXPECT_EQ(reader.place()->ahead(), 512U);
  reader.watch();  // as after a lost link: from the number before
  EXPECT_EQ(reader.told(), published_tasks("task.tool."));
  EXPECT_EQ(reader.told().size(), 600U);
  EXPECT_EQ(reader.place()->ahead(), 0U);

  // The PUB channel cuts them the same way.
  const auto messages = published("task.tool.");
  ASSERT_EQ(messages.size(), 3U);
  StreamPlace place(messages[0].prev_seq);
  EXPECT_FALSE(place.joins(messages[1]));
  for (const auto& events : messages) {
    ASSERT_TRUE(place.joins(events));
    (void)place.take(events.tasks, events.offset, events.seq);
    EXPECT_TRUE(place.covers(events));
  }
}

TEST_F(WatchCoreTest, ARestartChangesNothing) {
  connect();
  run_tasks(0, 3);
  StreamReader reader(cluster_, 7, of_tool());
  reader.stand_at(0);
  reader.connect();
  const auto live = reader.take_told();
  cluster_.restart();
  StreamReader other(cluster_, 8, of_tool());
  other.stand_at(0);
  other.connect();
  EXPECT_EQ(other.told(), live);
  reader.connect();
  EXPECT_TRUE(reader.told().empty());
  EXPECT_FALSE(reader.take_error());
}

TEST_F(WatchCoreTest, WhatTheJournalHasGivenUpIsTooOld) {
  connect();
  run_tasks(0, 5);
  cluster_.collect_garbage(100);
  cluster_.restart();
  StreamReader reader(cluster_, 7, of_tool());
  reader.stand_at(0);
  reader.connect();
  const auto error = reader.take_error();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::gap_too_old);
  EXPECT_EQ(error->field, "after_seq");
}

TEST_F(WatchCoreTest, NumbersOfAnotherJournalAreRefused) {
  connect();
  StreamReader reader(cluster_, 7, of_tool());
  reader.stand_at(1'000'000);
  reader.connect();
  EXPECT_EQ(reader.take_error().value().code, ErrorCode::gap_too_old);
  // A number that this start gave to another record than the one before, whose end was lost.
  const SessionId session = cluster_.connect_client(8, "ann");
  cluster_.restart();
  const SessionId again = cluster_.connect_client(8, "ann");
  EXPECT_NE(session, again);
  const std::uint64_t last = cluster_.core().last_lsn().value();
  cluster_.say({Port::client, 8}, again, Watch{of_tool(), Epoch(1), last, 1});
  const auto errors = cluster_.take_all<ErrorReply>({Port::client, 8});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].error.code, ErrorCode::gap_too_old);
}

TEST_F(WatchCoreTest, WhoFallsBehindTheLogIsToldAndDropped) {
  BrokerConfig config;
  config.event_retention_bytes = limits::kMinEventRetentionBytes;
  cluster_ = CoreCluster(config);
  connect();
  StreamReader stopped(cluster_, 7, of_tool());
  stopped.connect(1);
  StreamReader reading(cluster_, 8, of_tool());
  reading.connect(64);
  StreamReader elsewhere(cluster_, 9, of_tool("other"));
  elsewhere.connect(1);
  for (std::uint32_t i = 0; i < 100; ++i) {
    run_tasks(10 * i, 10);
    reading.read();
    reading.grant(20);
  }
  EXPECT_EQ(reading.told().size(), 3000U);
  EXPECT_FALSE(reading.take_error());
  stopped.read();
  EXPECT_EQ(stopped.take_error().value().code, ErrorCode::gap_too_old);
  elsewhere.read();
  EXPECT_FALSE(elsewhere.take_error()) << "nothing happened there";
}

TEST_F(WatchCoreTest, FiltersByWorkflowWithItsCounts) {
  connect(4);
  run_tasks(100, 2);
  submit_workflow(workflow_of(3));
  const std::string topic = "workflow." + WorkflowId(9, 9).to_string() + ".";
  StreamReader reader(cluster_, 7, {topic, {}, false});
  reader.stand_at(0);
  reader.connect(20);
  EXPECT_EQ(reader.told().size(), 3U);
  for (const auto& key : given()) finish(key);
  reader.read();
  EXPECT_EQ(reader.told().size(), 6U);
  ASSERT_FALSE(reader.workflows().empty());
  EXPECT_EQ(reader.workflows().back(), (WorkflowEvent{WorkflowId(9, 9), 3, 3, 3}));
}

TEST_F(WatchCoreTest, FiltersByTask) {
  connect();
  run_tasks(0, 4);
  StreamReader reader(cluster_, 7, {"", {id(2), id(0), id(2)}, false});
  reader.stand_at(0);
  reader.connect();
  EXPECT_EQ(reader.told().size(), 6U);
}

TEST_F(WatchCoreTest, OthersTasksAreShownOnRequestOnly) {
  connect();
  run_tasks(0, 2);
  StreamReader own(cluster_, 7, {"task.", {}, false});
  own.stand_at(0);
  own.connect(4, "bob");
  EXPECT_TRUE(own.told().empty());
  StreamReader all(cluster_, 8, {"task.", {}, true});
  all.stand_at(0);
  all.connect(4, "bob");
  EXPECT_EQ(all.told().size(), 6U);
}

TEST_F(WatchCoreTest, StreamsThatCannotBeReplayedAreRefused) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  for (const std::string stream :
       {"progress.tool.", "worker.", "task", "task.tool", "workflow.12.", ""}) {
    cluster_.say(kClient, client_, Watch{{stream, {}, false}, {}, {}, 1});
    const auto errors = cluster_.take_all<ErrorReply>(kClient);
    ASSERT_EQ(errors.size(), 1U) << stream;
    EXPECT_EQ(errors[0].error.code, ErrorCode::invalid) << stream;
    EXPECT_EQ(errors[0].error.field, "stream") << stream;
  }
  cluster_.say(kClient, client_, Watch{of_tool(), {}, {}, 0});
  EXPECT_EQ(cluster_.take_all<ErrorReply>(kClient).at(0).error.field, "credit");
}

TEST_F(WatchCoreTest, ASessionHasABoundedNumber) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  const auto watch = [this](std::uint64_t number) {
    cluster_.say(kClient, client_, Watch{of_tool(), {}, {}, 1}, false, Correlation{number});
    return cluster_.take_all<ErrorReply>(kClient);
  };
  for (std::uint64_t i = 1; i <= limits::kMaxWatchesPerSession; ++i) EXPECT_TRUE(watch(i).empty());
  const auto refused = watch(99);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].error.code, ErrorCode::busy);
  EXPECT_TRUE(watch(1).empty()) << "the same one again";
  cluster_.say(kClient, client_, WatchCredit{0, true}, false, Correlation{2});
  EXPECT_TRUE(watch(99).empty());
}

TEST_F(WatchCoreTest, TheBrokerHasABoundedNumber) {
  std::size_t open = 0;
  for (std::uint64_t routing = 1; open < limits::kMaxWatches; ++routing) {
    const Peer peer{Port::client, routing};
    const SessionId session = cluster_.connect_client(routing, "ann");
    for (std::uint64_t i = 1; i <= limits::kMaxWatchesPerSession; ++i, ++open) {
      cluster_.say(peer, session, Watch{of_tool(), {}, {}, 1}, false, Correlation{i});
    }
    ASSERT_TRUE(cluster_.take_all<ErrorReply>(peer).empty());
  }
  const SessionId session = cluster_.connect_client(9999, "ann");
  const Peer peer{Port::client, 9999};
  cluster_.say(peer, session, Watch{of_tool(), {}, {}, 1});
  EXPECT_EQ(cluster_.take_all<ErrorReply>(peer).at(0).error.code, ErrorCode::busy);
  // A session that ends gives its own back.
  cluster_.say({Port::client, 1}, cluster_.connect_client(1, "ann"), Bye{"closing"});
  cluster_.say(peer, session, Watch{of_tool(), {}, {}, 1});
  EXPECT_TRUE(cluster_.take_all<ErrorReply>(peer).empty());
}

TEST_F(WatchCoreTest, TheWorkOfATurnIsBounded) {
  connect();
  submit_workflow(workflow_of(20'000));
  StreamReader reader(cluster_, 7, of_tool());
  reader.stand_at(0);
  reader.connect(limits::kMaxWatchCredit);
  EXPECT_EQ(reader.received(), limits::kWatchMessagesPerTurn);
  EXPECT_EQ(cluster_.core().next_deadline(), cluster_.now().monotonic) << "there is more";
  cluster_.end_turn();
  reader.read();
  EXPECT_EQ(reader.received(), 2 * limits::kWatchMessagesPerTurn);
  EXPECT_GT(cluster_.core().next_deadline(), cluster_.now().monotonic) << "no credit is left";
}

TEST_F(WatchCoreTest, TurnsAreTakenWhereNotAllCanBeServed) {
  connect();
  submit_workflow(workflow_of(20'000));
  StreamReader first(cluster_, 7, of_tool());
  StreamReader second(cluster_, 8, of_tool());
  for (auto* reader : {&first, &second}) {
    reader->stand_at(0);
    reader->connect(1);
  }
  cluster_.core().apply(command::MessageReceived{first.peer(), first.session(), Correlation{1},
                                                 false, WatchCredit{33, false}},
                        cluster_.now(), cluster_.effects());
  cluster_.say(second.peer(), second.session(), WatchCredit{33, false});
  first.granted(33);
  second.granted(33);
  first.read();
  second.read();
  EXPECT_EQ(first.received(), 17U);
  EXPECT_EQ(second.received(), 17U);
}

TEST_F(WatchCoreTest, AQuietStreamIsToldItsPosition) {
  connect();
  StreamReader reader(cluster_, 7, of_tool("other"));
  reader.connect();
  const auto before = reader.place()->seq();
  run_tasks(0, 3);
  reader.read();
  EXPECT_EQ(reader.received(), 1U);
  cluster_.advance(Millis(1000));
  reader.read();
  EXPECT_EQ(reader.received(), 2U);
  EXPECT_GT(reader.place()->seq(), before);
  cluster_.advance(Millis(1000));
  reader.read();
  EXPECT_EQ(reader.received(), 2U) << "nothing new";
}

TEST_F(WatchCoreTest, ASubscriberSeesWhatItMissedBeforeItCame) {
  connect();
  run_tasks(0, 1);
  const std::uint64_t before = cluster_.core().last_lsn().value();
  run_tasks(1, 1);
  cluster_.apply(command::TopicSubscribed{"task.tool."});
  run_tasks(2, 1);
  const auto messages = published("task.tool.");
  ASSERT_FALSE(messages.empty());
  EXPECT_GT(messages[0].prev_seq, before);
  EXPECT_FALSE(StreamPlace(before).joins(messages[0]));
}

TEST_F(WatchCoreTest, AnEndedWorkflowLeavesNoStream) {
  cluster_.apply(command::TopicSubscribed{"workflow."});
  cluster_.apply(command::TopicSubscribed{"heartbeat."});
  connect(4);
  submit_workflow(workflow_of(3));
  auto keys = given();
  finish(keys.at(0));
  const auto workflow_streams = [this] {
    cluster_.advance(Millis(1000));
    const auto heartbeat = published("heartbeat.").back();
    return std::count_if(heartbeat.positions.begin(), heartbeat.positions.end(),
                         [](const auto& p) { return p.topic.starts_with("workflow."); });
  };
  EXPECT_EQ(workflow_streams(), 1);
  finish(keys.at(1));
  finish(keys.at(2));
  EXPECT_EQ(workflow_streams(), 0);
}

TEST_F(WatchCoreTest, AHeartbeatListsEveryStream) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  WorkerOffer offer = offer_of("tool", 2);
  for (int i = 0; i < 400; ++i)
    offer.tools.push_back({"t" + std::to_string(i), "", "", {}, false, false});
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer);
  for (std::uint32_t i = 0; i < 400; ++i) submit(spec_of("t" + std::to_string(i)), {id(i)});
  cluster_.apply(command::TopicSubscribed{"heartbeat."});
  cluster_.advance(Millis(1000));
  EXPECT_GE(published("heartbeat.").back().positions.size(), 400U);
}

}  // namespace
}  // namespace taskpipe::broker::testing
