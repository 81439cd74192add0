// Questions to the history beside what is written: nobody waits for the other, and the loop hears
// of both in an order that it can rely on.
#include "broker/shell/history_reader.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/shell/history_writer.hpp"
#include "common/model/limits.hpp"
#include "tests/unit/broker_shell/empty_history.hpp"

namespace taskpipe::broker {
namespace {

using namespace std::chrono_literals;

// Each of whose calls says that it has begun, and ends when it may.
class GuardedHistory final : public EmptyHistory {
 public:
  struct Gate {
    std::promise<void> entered;
    std::promise<void> open;

    void pass() {
      entered.set_value();
      open.get_future().wait();
    }
  };
  explicit GuardedHistory(Gate& gate) : gate_(gate) {}
  void store(std::span<const FinishedTask> /*tasks*/,
             std::span<const FinishedWorkflow> /*workflows*/, Lsn /*watermark*/) override {
    gate_.pass();
  }
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> /*ids*/) override {
    gate_.pass();
    return {};
  }

 private:
  Gate& gate_;
};

// What was said so far, and what comes until there are `count`.
std::vector<Command> take(HistoryAnswers& answers, std::size_t count) {
  std::vector<Command> all;
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (all.size() < count && std::chrono::steady_clock::now() < end) {
    std::vector<Command> some;
    answers.take(some);
    for (Command& one : some) all.push_back(std::move(one));
  }
  return all;
}

const auto kIgnored = [](const std::string& /*reason*/) {};

TEST(HistoryReader, AnswersWhileATransactionIsUnderWay) {
  HistoryAnswers answers;
  GuardedHistory::Gate gate;
  HistoryWriter writer(std::make_unique<GuardedHistory>(gate), answers, {kIgnored});
  HistoryReader reader(std::make_unique<EmptyHistory>(), answers, kIgnored);
  writer.store({{task(1)}, {}, Lsn(7), {}});
  gate.entered.get_future().wait();
  reader.look_up({3, HistoryLookup::Tasks{}});
  const auto first = take(answers, 1);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(std::get<command::LookupAnswered>(first[0]).ticket, 3U);
  gate.open.set_value();
  const auto second = take(answers, 1);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(std::get<command::HistoryCommitted>(second[0]).watermark, Lsn(7));
}

// With the news of a commit the core lets go of those tasks: an answer that does not know them yet
// must have been heard before.
TEST(HistoryReader, WhatIsCommittedMeanwhileIsToldAfterTheAnswer) {
  HistoryAnswers answers;
  GuardedHistory::Gate gate;
  HistoryReader reader(std::make_unique<GuardedHistory>(gate), answers, kIgnored);
  reader.look_up({3, HistoryLookup::Tasks{}});
  gate.entered.get_future().wait();
  answers.committed(Lsn(7));
  answers.committed(Lsn(8));
  std::vector<Command> early;
  answers.take(early);
  EXPECT_TRUE(early.empty());
  gate.open.set_value();
  const auto all = take(answers, 2);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(std::get<command::LookupAnswered>(all[0]).ticket, 3U);
  EXPECT_EQ(std::get<command::HistoryCommitted>(all[1]).watermark, Lsn(8));
}

TEST(HistoryReader, AFailureIsToldOnce) {
  class Damaged final : public EmptyHistory {
    [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> /*ids*/) override {
      throw std::runtime_error("damaged");
    }
  };
  HistoryAnswers answers;
  std::promise<std::string> failed;
  HistoryReader reader(std::make_unique<Damaged>(), answers,
                       [&failed](std::string reason) { failed.set_value(std::move(reason)); });
  reader.look_up({1, HistoryLookup::Tasks{}});
  reader.look_up({2, HistoryLookup::Tasks{}});
  EXPECT_EQ(failed.get_future().get(), "damaged");
}

// Each of whose answers is half of what may lie about.
class LargeHistory final : public EmptyHistory {
 public:
  explicit LargeHistory(std::promise<void>& third) : third_(third) {}
  [[nodiscard]] std::vector<FinishedTask> find_tasks(std::span<const TaskId> /*ids*/) override {
    if (++asked_ == 3) third_.set_value();
    FinishedTask found = task(1);
    found.outcome.report = Payload(std::string(limits::kMaxUnreadAnswerBytes / 2, 'r'));
    return {found};
  }

 private:
  int asked_ = 0;
  std::promise<void>& third_;
};

TEST(HistoryReader, AnswersWaitUntilThoseBeforeAreTaken) {
  HistoryAnswers answers;
  std::promise<void> asked_third;
  auto third = asked_third.get_future();
  HistoryReader reader(std::make_unique<LargeHistory>(asked_third), answers, kIgnored);
  for (std::uint64_t ticket = 1; ticket <= 3; ++ticket) {
    reader.look_up({ticket, HistoryLookup::Tasks{}});
  }
  EXPECT_EQ(third.wait_for(300ms), std::future_status::timeout) << "memory is not bounded";
  answers.committed(Lsn(7));  // does not wait for room
  EXPECT_EQ(take(answers, 4).size(), 4U) << "nobody goes on";
}

TEST(HistoryReader, EndsAlthoughNobodyTakesItsAnswers) {
  HistoryAnswers answers;
  std::promise<void> asked_third;
  HistoryReader reader(std::make_unique<LargeHistory>(asked_third), answers, kIgnored);
  for (std::uint64_t ticket = 1; ticket <= 9; ++ticket) {
    reader.look_up({ticket, HistoryLookup::Tasks{}});
  }
}

}  // namespace
}  // namespace taskpipe::broker
