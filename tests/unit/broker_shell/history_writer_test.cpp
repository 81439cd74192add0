// What has ended, on its way into the history: transactions, and a disk that is full.
#include "broker/shell/history_writer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/model/limits.hpp"
#include "tests/support/memory_history.hpp"
#include "tests/unit/broker_shell/empty_history.hpp"

namespace taskpipe::broker {
namespace {

using namespace std::chrono_literals;

// Whose disk is full for the first stores.
class FullHistory final : public History {
 public:
  explicit FullHistory(int full_times) : full_times_(full_times) {}
  [[nodiscard]] Lsn watermark() const override { return memory_.watermark(); }
  [[nodiscard]] Arrival last_arrival() const override { return memory_.last_arrival(); }
  void store(std::span<const FinishedTask> tasks, std::span<const FinishedWorkflow> workflows,
             Lsn watermark) override {
    if (full_times_-- > 0) throw HistoryFull("no room");
    memory_.store(tasks, workflows, watermark);
    if (memory_.tasks().size() == 3) all_stored_.set_value();
  }
  void add_late(std::span<const LateAttempt> attempts) override { memory_.add_late(attempts); }
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> ids) override {
    return memory_.find_tasks(ids);
  }
  [[nodiscard]] std::vector<FinishedWorkflow> find_workflows(
      std::span<const WorkflowId> ids) override {
    return memory_.find_workflows(ids);
  }
  [[nodiscard]] HistoryPage list(const std::string& owner, const QueryFilter& filter,
                                 const std::string& cursor, std::uint32_t limit) override {
    return memory_.list(owner, filter, cursor, limit);
  }

  std::promise<void> all_stored_;

 private:
  taskpipe::testing::MemoryHistory memory_;
  int full_times_;
};

// Whose first store does not return before it may.
class BlockedHistory final : public EmptyHistory {
 public:
  struct Gate {
    std::promise<void> entered;
    std::promise<void> open;
    std::promise<std::size_t> second{};  // tasks of the second transaction
  };
  explicit BlockedHistory(Gate& gate) : gate_(gate) {}
  void store(std::span<const FinishedTask> tasks, std::span<const FinishedWorkflow> /*workflows*/,
             Lsn /*watermark*/) override {
    if (std::exchange(blocked_before_, true)) return gate_.second.set_value(tasks.size());
    gate_.entered.set_value();
    gate_.open.get_future().wait();
  }

 private:
  Gate& gate_;
  bool blocked_before_ = false;
};

TEST(HistoryWriter, WhatAFullDiskDoesNotTakeIsOfferedAgain) {
  auto owned = std::make_unique<FullHistory>(2);
  FullHistory& history = *owned;
  auto stored = history.all_stored_.get_future();
  std::vector<bool> told;  // by the writer's thread, before what is waited for here
  std::atomic<bool> failed = false;
  {
    HistoryAnswers answers;
    HistoryWriter writer(
        std::move(owned), answers,
        {[&](const std::string&) { failed = true; },
         [&](const std::optional<std::string>& full) { told.push_back(full.has_value()); }},
        1ms);
    writer.store({{task(1), task(2)}, {}, Lsn(7), {}});
    writer.store({{task(3)}, {}, Lsn(8), {}});
    ASSERT_EQ(stored.wait_for(20s), std::future_status::ready);
  }
  EXPECT_FALSE(failed);
  EXPECT_EQ(told, (std::vector{true, false}));
}

TEST(HistoryWriter, AsksForNothingWhileTheDiskIsFull) {
  auto owned = std::make_unique<FullHistory>(500);
  FullHistory& history = *owned;
  auto stored = history.all_stored_.get_future();
  std::atomic<int> told = 0;
  HistoryAnswers answers;
  HistoryWriter writer(
      std::move(owned), answers,
      {[](const std::string&) {}, [&](const std::optional<std::string>&) { ++told; }}, 1ms);
  EXPECT_EQ(writer.room_tasks(0), limits::kHistoryTransactionTasks);
  writer.store({{task(1), task(2), task(3)}, {}, Lsn(7), {}});
  const auto end = std::chrono::steady_clock::now() + 20s;
  // It is told before what was not stored is put back.
  while (told == 0 || writer.room_tasks(0) > 0) ASSERT_LT(std::chrono::steady_clock::now(), end);
  // From here on it tries again and again, until there is room.
  while (writer.room_tasks(0) == 0) ASSERT_LT(std::chrono::steady_clock::now(), end);
  EXPECT_EQ(stored.wait_for(0s), std::future_status::ready) << "it asked for more before";
}

TEST(HistoryWriter, AsksForNoMoreThanATransactionHolds) {
  constexpr std::size_t kMost = limits::kHistoryTransactionTasks;
  BlockedHistory::Gate gate;
  HistoryAnswers answers;
  HistoryWriter writer(std::make_unique<BlockedHistory>(gate), answers,
                       {[](const std::string&) {}});
  writer.store({{task(1)}, {}, Lsn(7), {}});
  gate.entered.get_future().wait();
  EXPECT_EQ(writer.room_tasks(0), kMost);
  writer.store({{task(2), task(3)}, {}, Lsn(8), {}});
  EXPECT_EQ(writer.room_tasks(0), kMost - 2);
  writer.store({std::vector<FinishedTask>(kMost), {}, Lsn(9), {}});
  EXPECT_EQ(writer.room_tasks(0), 0U);
  gate.open.set_value();
}

TEST(HistoryWriter, MakesLargerTransactionsWhileItLagsFarBehind) {
  constexpr std::size_t kLarge = limits::kLargeHistoryTransactionTasks;
  constexpr std::size_t kSmall = limits::kHistoryTransactionTasks;
  BlockedHistory::Gate gate;
  HistoryAnswers answers;
  HistoryWriter writer(std::make_unique<BlockedHistory>(gate), answers,
                       {[](const std::string&) {}});
  EXPECT_EQ(writer.room_tasks(limits::kLongHistoryLagTasks), kSmall);
  EXPECT_EQ(writer.room_tasks(limits::kLongHistoryLagTasks + 1), kLarge);
  writer.store({{task(1)}, {}, Lsn(1), {}});
  gate.entered.get_future().wait();
  gate.open.set_value();
  for (std::uint64_t i = 0; i < kLarge / kSmall; ++i) {
    EXPECT_EQ(writer.room_tasks(limits::kLongHistoryLagTasks + 1), kLarge - i * kSmall);
    writer.store({std::vector<FinishedTask>(kSmall), {}, Lsn(2 + i), {}});
  }
  EXPECT_EQ(gate.second.get_future().get(), kLarge) << "the first of them did not wait for more";
  EXPECT_EQ(writer.room_tasks(0), kSmall);
}

TEST(HistoryWriter, AnEndOnAFullDiskIsNoFailure) {
  std::atomic<bool> failed = false;
  {
    HistoryAnswers answers;
    HistoryWriter writer(std::make_unique<FullHistory>(1'000'000), answers,
                         {[&](const std::string&) { failed = true; }});
    writer.store({{task(1)}, {}, Lsn(7), {}});
  }
  EXPECT_FALSE(failed);
}

}  // namespace
}  // namespace taskpipe::broker
