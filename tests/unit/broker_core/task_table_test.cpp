// Where a listing goes on: the same place as a walk from the newest task would find.
#include "broker/core/task_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

class TaskTableTest : public ::testing::Test {
 protected:
  TaskSlot add(std::uint64_t arrival) {
    const TaskSlot slot = table_.insert(TaskId(7, ++last_id_), Lsn(1), Arrival(arrival));
    slots_.push_back(slot);
    return slot;
  }
  [[nodiscard]] TaskSlot walk_below(std::uint64_t below) const {
    TaskSlot slot = table_.newest();
    while (slot.value() != kNoSlot && table_[slot].arrival.value() >= below) {
      slot = table_[slot].by_arrival.previous;
    }
    return slot;
  }
  void expect_same_place_everywhere(std::uint64_t highest) {
    for (std::uint64_t below = 0; below <= highest + 2; below += 37) {
      ASSERT_EQ(table_.newest_below(below), walk_below(below)) << below;
    }
    ASSERT_EQ(table_.newest_below(~std::uint64_t{0}), table_.newest());
  }

  TaskTable table_;
  std::vector<TaskSlot> slots_;
  std::uint64_t last_id_ = 0;
};

TEST_F(TaskTableTest, AnEmptyTableHasNoPlace) {
  EXPECT_EQ(table_.newest_below(5).value(), kNoSlot);
}

TEST_F(TaskTableTest, FindsThePlaceWhateverHasLeft) {
  constexpr std::uint64_t kHighest = 5 * limits::kArrivalStride;
  for (std::uint64_t i = 1; i <= kHighest; ++i) add(i);
  expect_same_place_everywhere(kHighest);
  std::mt19937 random(1);
  std::shuffle(slots_.begin(), slots_.end(), random);
  while (!slots_.empty()) {
    for (int i = 0; i < 700 && !slots_.empty(); ++i) {
      table_.erase(slots_.back());
      slots_.pop_back();
    }
    expect_same_place_everywhere(kHighest);
  }
}

TEST_F(TaskTableTest, FindsThePlaceAfterAReplayOutOfOrder) {
  std::vector<std::uint64_t> arrivals;
  for (std::uint64_t i = 1; i <= 3 * limits::kArrivalStride; ++i) arrivals.push_back(i);
  std::mt19937 random(2);
  std::shuffle(arrivals.begin(), arrivals.end(), random);
  for (const std::uint64_t arrival : arrivals) add(arrival);
  table_.order_by_arrival();
  expect_same_place_everywhere(arrivals.size());
}

// A million may wait: see docs/benchmarks.md, bytes_per_waiting_task.
TEST(TaskTable, AWaitingTaskIsSmall) { EXPECT_LE(sizeof(Task), 136U); }

// Against a table of the standard library, through growth, holes and reused slots.
TEST(TaskTable, FindsWhatIsThereAndNothingElse) {
  TaskTable table;
  std::vector<TaskId> held;
  std::map<TaskId, TaskSlot> model;
  std::mt19937_64 random(3);
  for (std::uint64_t step = 1; step <= 60'000; ++step) {
    if (held.size() > 20 && random() % 5 < 2) {
      std::swap(held[random() % held.size()], held.back());
      table.erase(model.at(held.back()));
      model.erase(held.back());
      held.pop_back();
    } else {
      // Batches, and ids that share either half.
      const TaskId id(random() % 3, step % 2 == 0 ? step << 32U : step);
      model[id] = table.insert(id, Lsn(step), Arrival(step));
      held.push_back(id);
    }
    const TaskId absent(5, step);
    ASSERT_EQ(table.find(absent).value(), kNoSlot);
    const TaskId& one = held[random() % held.size()];
    ASSERT_EQ(table.find(one), model.at(one));
  }
  ASSERT_EQ(table.size(), model.size());
  for (const auto& [id, slot] : model) {
    ASSERT_EQ(table.find(id), slot);
    ASSERT_EQ(table[slot].id, id);
  }
}

}  // namespace
}  // namespace taskpipe::broker
