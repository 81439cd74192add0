// SNAPSHOT: present states in pages, and the number from which a WATCH goes on.
#include <set>

#include "tests/support/stream_reader.hpp"
#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

class SnapshotTest : public BrokerCoreTest {
 protected:
  Snap page(const StreamFilter& filter, std::uint64_t cursor = 0) {
    cluster_.say(kClient, client_, Snapshot{filter, cursor});
    auto snaps = cluster_.take_all<Snap>(kClient);
    EXPECT_EQ(snaps.size(), 1U);
    return snaps.size() == 1 ? snaps[0] : Snap{};
  }
  std::vector<TaskEvent> all_pages(const StreamFilter& filter, std::size_t* pages = nullptr) {
    std::vector<TaskEvent> rows;
    Snap snap;
    do {
      snap = page(filter, snap.next);
      rows.insert(rows.end(), snap.tasks.begin(), snap.tasks.end());
      if (pages != nullptr) ++*pages;
    } while (snap.next != 0);
    return rows;
  }
  static StreamFilter everything() { return {"task.", {}, false}; }
};

TEST_F(SnapshotTest, ListsLiveTasksAsTheyAre) {
  connect(1);
  submit(spec_of("tool"), {id(0), id(1), id(2)});
  const auto first = given();
  ASSERT_EQ(first.size(), 1U);
  finish(first[0]);
  const auto second = given();
  cluster_.say(kWorker, worker_, Started{{{second.at(0), 1}}});
  cluster_.say(kWorker, worker_, Progress{{{second.at(0), 25.0, "a quarter", {}}}});
  const Snap snap = page(everything());
  EXPECT_EQ(snap.seq, cluster_.core().last_lsn().value());
  EXPECT_EQ(snap.next, 0U);
  EXPECT_EQ(snap.oldest_seq, 0U);
  ASSERT_EQ(snap.tasks.size(), 2U);
  for (const auto& row : snap.tasks) {
    const bool running = row.id == second[0].task;
    EXPECT_EQ(row.state, running ? TaskState::running : TaskState::pending);
    EXPECT_EQ(row.percent, running ? 25.0 : -1.0);
    EXPECT_EQ(row.worker, running ? "node" : "");
    EXPECT_EQ(row.seq, 0U);
  }
}

TEST_F(SnapshotTest, ComesInBoundedPages) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  auto spec = std::make_shared<TaskSpec>();
  spec->tool = "tool";
  spec->wait_for_capacity = true;
  std::set<TaskId> expected;
  for (std::uint32_t at = 0; at < 2500; at += 250) {
    std::vector<TaskId> ids;
    for (std::uint32_t i = 0; i < 250; ++i) ids.push_back(id(at + i));
    submit(spec, ids);
    expected.insert(ids.begin(), ids.end());
  }
  std::size_t pages = 0;
  std::set<TaskId> listed;
  for (const auto& row : all_pages(everything(), &pages)) {
    EXPECT_TRUE(listed.insert(row.id).second);
  }
  EXPECT_EQ(listed, expected);
  EXPECT_EQ(pages, 3U);
  EXPECT_LE(page(everything()).tasks.size(), limits::kMaxSnapshotRows);
  EXPECT_TRUE(page(everything(), 1'000'000).tasks.empty());
}

TEST_F(SnapshotTest, ListsAWorkflowAndItsCounts) {
  connect(1);
  submit(spec_of("tool"), {id(50)});
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(9, 9);
  workflow.total = 2;
  workflow.specs = {spec_of("tool")};
  workflow.items = {{id(0), 0, Payload("p"), {1, 0}}, {id(1), 0, Payload("p"), {1, 1}}};
  workflow.dependencies = {Dependencies{}, Dependencies{{0}}};
  cluster_.say(kClient, client_, workflow);
  cluster_.take(kClient);
  finish(given().at(0));
  finish(given().at(0));
  const Snap snap = page({"workflow." + workflow.id.to_string() + ".", {}, false});
  ASSERT_EQ(snap.tasks.size(), 1U);
  EXPECT_EQ(snap.tasks[0].id, id(1));
  EXPECT_EQ(snap.workflows, (std::vector<WorkflowEvent>{{workflow.id, 2, 1, 1}}));
  EXPECT_TRUE(page({"workflow." + WorkflowId(1, 1).to_string() + ".", {}, false}).tasks.empty());
}

TEST_F(SnapshotTest, ListsChosenTasksThatLive) {
  connect(1);
  submit(spec_of("tool"), {id(0), id(1), id(2)});
  finish(given().at(0));
  EXPECT_EQ(page({"", {id(0), id(2), id(77)}, false}).tasks.size(), 1U);
}

TEST_F(SnapshotTest, ShowsOthersTasksOnRequestOnly) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  const Peer other{Port::client, 8};
  const SessionId session = cluster_.connect_client(8, "bob");
  cluster_.say(other, session, Snapshot{everything(), 0});
  EXPECT_TRUE(cluster_.take_all<Snap>(other).at(0).tasks.empty());
  cluster_.say(other, session, Snapshot{{"task.tool.", {}, true}, 0});
  EXPECT_EQ(cluster_.take_all<Snap>(other).at(0).tasks.size(), 1U);
}

TEST_F(SnapshotTest, RefusesWhatIsNoStream) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  cluster_.say(kClient, client_, Snapshot{{"worker.", {}, false}, 0});
  EXPECT_EQ(cluster_.take_all<ErrorReply>(kClient).at(0).error.code, ErrorCode::invalid);
}

}  // namespace
}  // namespace taskpipe::broker::testing
