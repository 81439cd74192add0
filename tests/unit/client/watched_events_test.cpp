#include "client/src/watched_events.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

using ::testing::ElementsAre;

const TaskId kOne(1, 1);
const TaskId kTwo(1, 2);
const WorkflowId kFlow(2, 1);

std::string topic_of(const TaskId& id) { return "id." + id.to_string() + "."; }
std::string topic_of(const WorkflowId& id) { return "workflow." + id.to_string() + "."; }

std::string stream_for(const std::vector<std::string>& topics) {
  const auto filter = filter_for(topics);
  return filter ? filter->stream : "nothing";
}

std::vector<std::string> topics_of(const std::vector<WatchedBatch>& batches) {
  std::vector<std::string> topics;
  for (const auto& batch : batches) topics.push_back(batch.topic);
  return topics;
}

TEST(WatchedEvents, OnlyWhatConcernsTasksCanBeWatched) {
  for (const std::string& topic :
       {std::string("task."), std::string("task.lammps."), std::string("progress."),
        std::string("progress.lammps."), topic_of(kOne), topic_of(kFlow)}) {
    EXPECT_TRUE(can_be_watched(topic)) << topic;
    EXPECT_TRUE(filter_for({topic})) << topic;
  }
  for (const char* topic : {"", "worker.", "workflow.", "heartbeat.", "id.", "id.xyz.", "tasks"}) {
    EXPECT_FALSE(can_be_watched(topic)) << topic;
    EXPECT_FALSE(filter_for({topic})) << topic;
  }
}

TEST(WatchedEvents, OneToolOrOneWorkflowIsWatchedAlone) {
  EXPECT_EQ(stream_for({"task.lammps."}), "task.lammps.");
  EXPECT_EQ(stream_for({"progress.lammps.", "task.lammps."}), "task.lammps.");
  EXPECT_EQ(stream_for({topic_of(kFlow)}), topic_of(kFlow));
}

TEST(WatchedEvents, WhatOneFilterCannotSayIsAllThatTheUserOwns) {
  for (const std::vector<std::string>& topics : {std::vector<std::string>{"task."},
                                                 {"task.a.", "task.b."},
                                                 {"task.a.", topic_of(kOne)},
                                                 {topic_of(kFlow), topic_of(WorkflowId(2, 2))},
                                                 {topic_of(kFlow), "progress."}}) {
    EXPECT_EQ(stream_for(topics), "task.") << topics.front();
  }
}

TEST(WatchedEvents, SingleTasksAreNamedWhileTheirNumberFits) {
  const auto few = filter_for({topic_of(kTwo), topic_of(kOne), "worker."});
  ASSERT_TRUE(few);
  EXPECT_EQ(few->stream, "");
  EXPECT_THAT(few->tasks, ElementsAre(kOne, kTwo));
  EXPECT_FALSE(few->everybody);

  std::vector<std::string> many;
  for (std::size_t i = 0; i <= limits::kMaxBatchItems; ++i) many.push_back(topic_of(TaskId(3, i)));
  const auto all = filter_for(many);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->stream, "task.");
  EXPECT_TRUE(all->tasks.empty());
}

TEST(WatchedEvents, ChangesAndProgressComeUnderTheTopicsOfTheirToolAndTask) {
  Events events;
  events.epoch = Epoch(3);
  events.prev_seq = 7;
  events.seq = 9;
  events.tasks.resize(2);
  events.tasks[0].id = kOne;
  events.tasks[0].tool = "a";
  events.tasks[0].seq = 9;
  events.tasks[1].id = kTwo;
  events.tasks[1].tool = "b";
  events.tasks[1].percent = 50.0;  // without a number
  events.workflows.resize(1);
  events.workflows[0].id = kFlow;
  const auto batches = batches_of(events);
  EXPECT_THAT(topics_of(batches), ElementsAre(topic_of(kOne), topic_of(kTwo), "progress.b.",
                                              "task.a.", topic_of(kFlow)));
  for (const auto& batch : batches) {
    EXPECT_EQ(batch.events.epoch, Epoch(3)) << batch.topic;
    EXPECT_EQ(batch.events.prev_seq, 7U) << batch.topic;
    EXPECT_EQ(batch.events.seq, 9U) << batch.topic;
    EXPECT_EQ(batch.events.tasks.size() + batch.events.workflows.size(), 1U) << batch.topic;
  }
}

TEST(WatchedEvents, PresentStatesComeUnderTheTopicsOfChanges) {
  Snap snap;
  snap.epoch = Epoch(3);
  snap.seq = 9;
  snap.tasks.resize(1);
  snap.tasks[0].id = kOne;
  snap.tasks[0].tool = "a";
  snap.tasks[0].percent = 50.0;
  const auto batches = batches_of(snap);
  EXPECT_THAT(topics_of(batches), ElementsAre(topic_of(kOne), "task.a."));
  for (const auto& batch : batches) EXPECT_EQ(batch.events.seq, 9U) << batch.topic;
}

TEST(WatchedEvents, NothingMakesNoBatch) {
  EXPECT_TRUE(batches_of(Events{}).empty());
  EXPECT_TRUE(batches_of(Snap{}).empty());
}

}  // namespace
}  // namespace taskpipe::client
