// The thread in front of the history: questions first, but never instead of what has ended.
#include "broker/shell/history_thread.hpp"

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

namespace taskpipe::broker {
namespace {

using namespace std::chrono_literals;

// Holds nothing; each test's own history does what the test is about.
class EmptyHistory : public History {
 public:
  [[nodiscard]] Lsn watermark() const override { return {}; }
  [[nodiscard]] Arrival last_arrival() const override { return {}; }
  void store(std::span<const FinishedTask> /*tasks*/,
             std::span<const FinishedWorkflow> /*workflows*/, Lsn /*watermark*/) override {}
  void add_late(std::span<const LateAttempt> /*attempts*/) override {}
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> /*ids*/) override {
    return {};
  }
  [[nodiscard]] std::vector<FinishedWorkflow> find_workflows(
      std::span<const WorkflowId> /*ids*/) override {
    return {};
  }
  [[nodiscard]] HistoryPage list(const std::string& /*owner*/, const QueryFilter& /*filter*/,
                                 const std::string& /*cursor*/, std::uint32_t /*limit*/) override {
    return {};
  }
};

// Asks the next question before it has answered the one at hand, so that one always waits.
class BusyHistory final : public EmptyHistory {
 public:
  void store(std::span<const FinishedTask> tasks, std::span<const FinishedWorkflow> /*workflows*/,
             Lsn watermark) override {
    stored_.set_value({tasks.size(), watermark});
  }
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> /*ids*/) override {
    ++answered_;
    if (busy_) thread_->look_up({1, HistoryLookup::Tasks{}});
    return {};
  }

  HistoryThread* thread_ = nullptr;
  std::atomic<bool> busy_ = true;
  std::atomic<std::uint64_t> answered_ = 0;
  std::promise<std::pair<std::size_t, Lsn>> stored_;
};

TEST(HistoryThread, StoresWhatEndedAlsoWhileQuestionsNeverCease) {
  auto owned = std::make_unique<BusyHistory>();
  BusyHistory& history = *owned;
  HistoryThread thread(std::move(owned), {[](const std::string&) {}});
  history.thread_ = &thread;
  auto stored = history.stored_.get_future();
  thread.look_up({1, HistoryLookup::Tasks{}});
  thread.store({{FinishedTask{}, FinishedTask{}}, {}, Lsn(7), {}});
  const bool in_time = stored.wait_for(20s) == std::future_status::ready;
  history.busy_ = false;
  ASSERT_TRUE(in_time) << "after " << history.answered_ << " answers nothing was stored";
  EXPECT_EQ(stored.get(), std::pair(std::size_t{2}, Lsn(7)));
}

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

FinishedTask task(std::uint32_t number) {
  FinishedTask task;
  task.spec = std::make_shared<const TaskSpec>();
  task.id = TaskIdPrefix{1, 1}.id(number);
  return task;
}

TEST(HistoryThread, WhatAFullDiskDoesNotTakeIsOfferedAgain) {
  auto owned = std::make_unique<FullHistory>(2);
  FullHistory& history = *owned;
  auto stored = history.all_stored_.get_future();
  std::vector<bool> told;  // by the history thread, before what is waited for here
  std::atomic<bool> failed = false;
  {
    HistoryThread thread(
        std::move(owned),
        {[&](const std::string&) { failed = true; },
         [&](const std::optional<std::string>& full) { told.push_back(full.has_value()); }},
        1ms);
    thread.store({{task(1), task(2)}, {}, Lsn(7), {}});
    thread.store({{task(3)}, {}, Lsn(8), {}});
    ASSERT_EQ(stored.wait_for(20s), std::future_status::ready);
  }
  EXPECT_FALSE(failed);
  EXPECT_EQ(told, (std::vector{true, false}));
}

TEST(HistoryThread, AsksForNothingWhileTheDiskIsFull) {
  auto owned = std::make_unique<FullHistory>(500);
  FullHistory& history = *owned;
  auto stored = history.all_stored_.get_future();
  std::atomic<int> told = 0;
  HistoryThread thread(
      std::move(owned),
      {[](const std::string&) {}, [&](const std::optional<std::string>&) { ++told; }}, 1ms);
  EXPECT_EQ(thread.room_tasks(0), limits::kHistoryTransactionTasks);
  thread.store({{task(1), task(2), task(3)}, {}, Lsn(7), {}});
  const auto end = std::chrono::steady_clock::now() + 20s;
  // It is told before what was not stored is put back.
  while (told == 0 || thread.room_tasks(0) > 0) ASSERT_LT(std::chrono::steady_clock::now(), end);
  // From here on it tries again and again, until there is room.
  while (thread.room_tasks(0) == 0) ASSERT_LT(std::chrono::steady_clock::now(), end);
  EXPECT_EQ(stored.wait_for(0s), std::future_status::ready) << "it asked for more before";
}

TEST(HistoryThread, AsksForNoMoreThanATransactionHolds) {
  constexpr std::size_t kMost = limits::kHistoryTransactionTasks;
  BlockedHistory::Gate gate;
  HistoryThread thread(std::make_unique<BlockedHistory>(gate), {[](const std::string&) {}});
  thread.store({{task(1)}, {}, Lsn(7), {}});
  gate.entered.get_future().wait();
  EXPECT_EQ(thread.room_tasks(0), kMost);
  thread.store({{task(2), task(3)}, {}, Lsn(8), {}});
  EXPECT_EQ(thread.room_tasks(0), kMost - 2);
  thread.store({std::vector<FinishedTask>(kMost), {}, Lsn(9), {}});
  EXPECT_EQ(thread.room_tasks(0), 0U);
  gate.open.set_value();
}

TEST(HistoryThread, MakesLargerTransactionsWhileItLagsFarBehind) {
  constexpr std::size_t kLarge = limits::kLargeHistoryTransactionTasks;
  constexpr std::size_t kSmall = limits::kHistoryTransactionTasks;
  BlockedHistory::Gate gate;
  HistoryThread thread(std::make_unique<BlockedHistory>(gate), {[](const std::string&) {}});
  EXPECT_EQ(thread.room_tasks(limits::kLongHistoryLagTasks), kSmall);
  EXPECT_EQ(thread.room_tasks(limits::kLongHistoryLagTasks + 1), kLarge);
  thread.store({{task(1)}, {}, Lsn(1), {}});
  gate.entered.get_future().wait();
  gate.open.set_value();
  for (std::uint64_t i = 0; i < kLarge / kSmall; ++i) {
    EXPECT_EQ(thread.room_tasks(limits::kLongHistoryLagTasks + 1), kLarge - i * kSmall);
    thread.store({std::vector<FinishedTask>(kSmall), {}, Lsn(2 + i), {}});
  }
  EXPECT_EQ(gate.second.get_future().get(), kLarge) << "the first of them did not wait for more";
  EXPECT_EQ(thread.room_tasks(0), kSmall);
}

TEST(HistoryThread, AnEndOnAFullDiskIsNoFailure) {
  std::atomic<bool> failed = false;
  {
    HistoryThread thread(std::make_unique<FullHistory>(1'000'000),
                         {[&](const std::string&) { failed = true; }});
    thread.store({{task(1)}, {}, Lsn(7), {}});
  }
  EXPECT_FALSE(failed);
}

// Each of whose answers is half of what may lie about.
class LargeHistory final : public EmptyHistory {
 public:
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> /*ids*/) override {
    if (++asked_ == 3) third_.set_value();
    FinishedTask found = task(1);
    found.outcome.report = Payload(std::string(limits::kMaxUnreadAnswerBytes / 2, 'r'));
    return {found};
  }

  std::atomic<int> asked_ = 0;
  std::promise<void> third_;
};

TEST(HistoryThread, AnswersWaitUntilThoseBeforeAreTaken) {
  auto owned = std::make_unique<LargeHistory>();
  LargeHistory& history = *owned;
  auto third = history.third_.get_future();
  HistoryThread thread(std::move(owned), {[](const std::string&) {}});
  for (std::uint64_t ticket = 1; ticket <= 3; ++ticket) {
    thread.look_up({ticket, HistoryLookup::Tasks{}});
  }
  EXPECT_EQ(third.wait_for(300ms), std::future_status::timeout) << "memory is not bounded";
  std::vector<Command> answers;
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (third.wait_for(1ms) != std::future_status::ready) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "nobody goes on";
    thread.take_answers(answers);
  }
}

}  // namespace
}  // namespace taskpipe::broker
