#include "client/cli/event_lines.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

EventBatch batch_of(std::string topic) {
  EventBatch batch;
  batch.topic = std::move(topic);
  batch.events.epoch = Epoch(3);
  batch.events.seq = 7;
  return batch;
}

std::string field(const EventItem& item, std::string_view key) {
  const auto* map = item.document.as<ValueMap>();
  const auto found = map->find(key);
  return found == map->end() ? "absent" : to_json_text(found->second);
}

TEST(EventItems, ATaskAndItsProgress) {
  EventBatch batch = batch_of("task.lammps.");
  TaskEvent event;
  event.id = TaskId(1, 2);
  event.tool = "lammps";
  event.script = "in.melt";
  event.state = TaskState::running;
  event.worker = "node-a";
  batch.events.tasks = {event, event};
  batch.events.tasks[1].percent = 37.9;
  batch.events.tasks[1].message = "step 37\x1b[31m";
  const auto items = event_items(batch, {}, WallTime{1});
  ASSERT_EQ(items.size(), 2U);
  EXPECT_THAT(items[0].line,
              HasSubstr("task      lammps in.melt  RUNNING  on node-a  " + event.id.to_string()));
  EXPECT_EQ(field(items[0], "type"), "\"task\"");
  EXPECT_EQ(field(items[0], "topic"), "\"task.lammps.\"");
  EXPECT_EQ(field(items[0], "seq"), "7");
  EXPECT_THAT(items[1].line, HasSubstr("progress  lammps in.melt  RUNNING 37%"));
  EXPECT_THAT(items[1].line, Not(HasSubstr("\x1b")));
  EXPECT_EQ(field(items[1], "type"), "\"progress\"");
}

TEST(EventItems, AChangeNamesItsOwnNumber) {
  StreamChanges changes;
  changes.seq = 99;
  TaskEvent event;
  event.id = TaskId(1, 2);
  event.tool = "lammps";
  event.state = TaskState::success;
  event.percent = 100.0;
  event.seq = 42;
  changes.tasks = {event};
  const auto items = change_items("task.", changes, {}, WallTime{1});
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(field(items[0], "type"), "\"task\"");
  EXPECT_EQ(field(items[0], "seq"), "42");
  EXPECT_EQ(field(items[0], "topic"), "\"task.\"");
  EXPECT_EQ(field(items[0], "epoch"), "absent");
}

TEST(EventItems, PresentStatesAreSaidToBeSuch) {
  StreamChanges changes;
  changes.seq = 99;
  changes.resynchronised = changes.first_page = true;
  changes.tasks.emplace_back();
  const auto items = change_items("task.lammps.", changes, {}, WallTime{1});
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(field(items[0], "type"), "\"resynchronised\"");
  EXPECT_FALSE(items[0].counts);
  EXPECT_EQ(field(items[1], "type"), "\"state\"");
  changes.first_page = false;
  EXPECT_EQ(change_items("task.lammps.", changes, {}, WallTime{1}).size(), 1U);
}

TEST(EventItems, AGapIsSaidFirstAndDoesNotCount) {
  EventBatch batch = batch_of("worker.");
  batch.gap = true;
  batch.events.workers.push_back({PeerUuid(), "node-a", WorkerState::lost});
  const auto items = event_items(batch, {}, WallTime{1});
  ASSERT_EQ(items.size(), 2U);
  EXPECT_THAT(items[0].line, HasSubstr("events of worker. may be missing"));
  EXPECT_EQ(field(items[0], "type"), "\"gap\"");
  EXPECT_FALSE(items[0].counts);
  EXPECT_THAT(items[1].line, HasSubstr("node-a  lost"));
  EXPECT_TRUE(items[1].counts);
}

TEST(EventItems, WorkflowsAndHeartbeats) {
  EventBatch batch = batch_of("workflow.x.");
  batch.events.workflows.push_back({WorkflowId(), 40, 12, 11});
  EXPECT_THAT(event_items(batch, {}, WallTime{1}).at(0).line,
              HasSubstr("12/40 done, 11 successful"));
  const auto beats = event_items(batch_of("heartbeat."), {}, WallTime{1});
  ASSERT_EQ(beats.size(), 1U);
  EXPECT_EQ(field(beats[0], "type"), "\"heartbeat\"");
}

}  // namespace
}  // namespace taskpipe::cli
