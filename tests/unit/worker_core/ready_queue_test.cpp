#include "worker/core/ready_queue.hpp"

#include <set>

#include <gtest/gtest.h>

#include "tests/unit/worker_core/worker_fixture.hpp"

namespace taskpipe::worker {
namespace {

using testing::key;

TEST(ReadyQueue, OrdersByPriorityThenArrival) {
  ReadyQueue queue;
  queue.push(0, key(1));
  queue.push(5, key(2));
  queue.push(0, key(3));
  queue.push(-1, key(4));
  queue.push(5, key(5));
  std::vector<AttemptKey> order;
  const auto all = [](const AttemptKey&) { return true; };
  while (const AttemptKey* head = queue.head(all)) {
    order.push_back(*head);
    queue.pop();
  }
  EXPECT_EQ(order, (std::vector<AttemptKey>{key(2), key(5), key(1), key(3), key(4)}));
  EXPECT_EQ(queue.entries(), 0U);
}

TEST(ReadyQueue, DropsWhatLeftOutOfTurn) {
  ReadyQueue queue;
  std::set<AttemptKey> queued;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    queue.push(0, key(i));
    queued.insert(key(i));
  }
  queued.erase(key(1));
  queued.erase(key(3));
  const auto is_queued = [&](const AttemptKey& k) { return queued.contains(k); };
  ASSERT_NE(queue.head(is_queued), nullptr);
  EXPECT_EQ(*queue.head(is_queued), key(2));
  EXPECT_EQ(queue.entries(), 5U);
  queue.compact(is_queued);
  EXPECT_EQ(queue.entries(), 4U);
  queued.clear();
  EXPECT_EQ(queue.head(is_queued), nullptr);
}

}  // namespace
}  // namespace taskpipe::worker
