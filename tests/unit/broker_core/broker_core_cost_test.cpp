// What placing costs does not grow with what is queued: looks are counted, not time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

constexpr std::uint32_t kManySignatures = 65'536;

class BrokerCoreCostTest : public BrokerCoreTest {
 protected:
  BrokerCoreCostTest() { cluster_.check_invariants = false; }

  // `count` tasks from `first` on, each of its own requirement.
  void submit_distinct(std::uint32_t first, std::uint32_t count, std::uint32_t cpus) {
    for (std::uint32_t at = 0; at < count; at += limits::kMaxBatchItems) {
      Submit submit;
      for (std::uint32_t i = 0; i < std::min<std::uint32_t>(limits::kMaxBatchItems, count - at);
           ++i) {
        auto spec = std::make_shared<TaskSpec>(*spec_of("tool", 0, cpus));
        spec->resources.memory_bytes = first + at + i + 1;
        spec->wait_for_capacity = true;
        submit.specs.push_back(spec);
        submit.items.push_back({id(first + at + i), i, Payload(), {}});
      }
      cluster_.say(kClient, client_, std::move(submit));
      ASSERT_EQ(cluster_.take_all<SubmitAck>(kClient).at(0).error, std::nullopt);
    }
  }
  void connect_large(std::uint32_t cpus, std::uint64_t credit) {
    WorkerOffer offer = offer_of("tool", cpus);
    offer.resources.memory_bytes = 1ULL << 40U;
    worker_ = cluster_.connect_worker(kWorker.routing, kWorkerUuid, "node", offer);
    cluster_.say(kWorker, worker_, Credit{credit, 1U << 30U});
  }
  [[nodiscard]] std::uint64_t looks() { return cluster_.core().placement_looks(); }
};

TEST_F(BrokerCoreCostTest, AFreeWorkerLooksAtOneOfManySignatures) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  submit_distinct(0, kManySignatures, 1);
  EXPECT_GE(cluster_.core().signatures_held(), kManySignatures);
  connect_large(1, 100'000);
  auto keys = given();
  ASSERT_EQ(keys.size(), 1U);
  constexpr std::uint32_t kRounds = 200;
  const std::uint64_t before = looks();
  for (std::uint32_t i = 0; i < kRounds; ++i) {
    EXPECT_EQ(keys.at(0).task, id(i)) << "the oldest first";
    finish(keys.at(0));
    keys = given();
    ASSERT_EQ(keys.size(), 1U);
  }
  EXPECT_LE(looks() - before, 4 * kRounds);
}

TEST_F(BrokerCoreCostTest, WhatFitsNowhereBoundsTheSearchAndHidesNothing) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  constexpr std::uint32_t kUnfit = 6000;
  submit_distinct(0, kUnfit, 64);
  connect_large(1, 100'000);
  ASSERT_TRUE(given().empty());
  submit(spec_of("tool"), {id(kUnfit)});
  const auto first = given();
  ASSERT_EQ(first.size(), 1U);
  submit(spec_of("tool"), {id(kUnfit + 1)});  // behind all that does not fit
  cluster_.take(kClient);
  std::uint64_t before = looks();
  finish(first[0]);
  std::vector<AttemptKey> next = given();
  std::uint32_t turns = 0;
  while (next.empty() && turns < 100) {
    EXPECT_LE(looks() - before, limits::kMaxPlacementLooks + 2);
    ASSERT_EQ(cluster_.core().next_deadline(), MonotonicTime{}) << "nobody goes on searching";
    before = looks();
    cluster_.end_turn();
    ++turns;
    next = given();
  }
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].task, id(kUnfit + 1));
  EXPECT_GE(turns, kUnfit / limits::kMaxPlacementLooks);
  finish(next[0]);
  for (std::uint32_t i = 0; i <= 2 * turns; ++i) cluster_.end_turn();
  EXPECT_NE(cluster_.core().next_deadline(), MonotonicTime{}) << "the search has an end";
}

TEST_F(BrokerCoreCostTest, ACancelledHeadHidesNothingBehindIt) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  connect_large(1, 100'000);
  submit(spec_of("tool"), {id(0), id(1), id(2)});
  const auto first = given();
  ASSERT_EQ(first.size(), 1U);
  cluster_.say(kClient, client_, Cancel{{id(1)}, {}, 0});
  finish(first[0]);
  const auto next = given();
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].task, id(2));
}

TEST_F(BrokerCoreCostTest, SignaturesAreReleasedOnceNothingOfThemIsQueued) {
  client_ = cluster_.connect_client(kClient.routing, "ann");
  constexpr std::uint32_t kCount = 2000;
  connect_large(kCount, 100'000);
  for (std::uint32_t round = 0; round < 3; ++round) {
    submit_distinct(round * kCount, kCount, 1);
    std::set<TaskId> ended;
    for (const AttemptKey& key : given()) {
      finish(key);
      ended.insert(key.task);
    }
    EXPECT_EQ(ended.size(), kCount);
    EXPECT_LE(cluster_.core().signatures_held(), limits::kMaxIdleSignatures);
  }
  cluster_.check_invariants = true;
  cluster_.end_turn();
}

}  // namespace
}  // namespace taskpipe::broker::testing
