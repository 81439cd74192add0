// First in, first out: also when the journal holds tasks in another order than they came in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

class BrokerCoreOrderTest : public BrokerCoreTest {
 protected:
  static constexpr std::uint32_t kOld = 4;
  static constexpr std::uint32_t kTasks = 24;

  // The first tasks are carried forward behind all younger ones, then the broker starts anew.
  void submit_and_restart_after_carrying_the_old_ones_forward() {
    client_ = cluster_.connect_client(kClient.routing, "ann");
    cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 1));
    for (std::uint32_t i = 0; i < kTasks; ++i) submit(spec_of("tool"), {id(i)});
    cluster_.collect_garbage(512);
    cluster_.restart();
    client_ = cluster_.connect_client(kClient.routing, "ann");
  }

  std::vector<TaskId> newest_to_oldest() {
    std::vector<TaskId> ids;
    for (std::uint32_t i = kTasks; i-- > 0;) ids.push_back(id(i));
    return ids;
  }

  // All pages of a listing; stops when there are more than there can be.
  std::vector<TaskId> list_all(std::uint32_t limit) {
    std::vector<TaskId> ids;
    Query query;
    query.limit = limit;
    for (std::uint32_t page = 0; page < 2 * kTasks; ++page) {
      cluster_.say(kClient, client_, query);
      const Rows rows = cluster_.take_all<Rows>(kClient).at(0);
      for (const auto& row : rows.rows) ids.push_back(row.id);
      if (rows.next.empty()) return ids;
      query.cursor = rows.next;
    }
    ADD_FAILURE() << "the listing does not end";
    return ids;
  }
};

TEST_F(BrokerCoreOrderTest, AListingEndsAndShowsEachTaskOnceAfterCarriedTasksAreReplayed) {
  submit_and_restart_after_carrying_the_old_ones_forward();
  EXPECT_EQ(list_all(5), newest_to_oldest());
  EXPECT_EQ(list_all(0), newest_to_oldest());
}

TEST_F(BrokerCoreOrderTest, TheOldestRunsFirstAfterCarriedTasksAreReplayed) {
  submit_and_restart_after_carrying_the_old_ones_forward();
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 1));
  cluster_.say(kWorker, worker_, Credit{100, 1'000'000});
  for (std::uint32_t i = 0; i < kTasks; ++i) {
    const auto keys = given();
    ASSERT_EQ(keys.size(), 1U);
    ASSERT_EQ(keys[0].task, id(i));
    finish(keys[0]);
  }
}

// A dependent becomes ready behind tasks that are younger than it, and runs after one of them that
// a worker gave back.
TEST_F(BrokerCoreOrderTest, ATaskThatCameBackStaysBeforeTheOthersAfterARestart) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 1));
  cluster_.say(kWorker, worker_, Credit{2, 1'000'000});
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(1, 9);
  workflow.total = 2;
  workflow.specs.push_back(spec_of("tool"));
  workflow.items = {{id(0), 0, Payload(), {}}, {id(1), 0, Payload(), {}}};
  workflow.dependencies = {{{}}, {{0}}};
  cluster_.say(kClient, client_, workflow);
  submit(spec_of("tool"), {id(2)});
  finish(given().at(0));
  const auto younger = given();
  ASSERT_EQ(younger.at(0).task, id(2));
  cluster_.say(kWorker, worker_, Returned{younger});
  cluster_.restart();
  worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer_of("tool", 1));
  cluster_.say(kWorker, worker_, Credit{100, 1'000'000});
  const auto again = given();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].task, id(2));
  finish(again[0]);
  EXPECT_EQ(given().at(0).task, id(1));
}

}  // namespace
}  // namespace taskpipe::broker::testing
