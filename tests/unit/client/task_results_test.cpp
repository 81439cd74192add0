// Results come in the order of the ends, and leave in the order in which they were asked for.
#include "client/src/task_results.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace taskpipe::client {
namespace {

TaskId id(std::uint32_t number, std::uint64_t batch = 7) {
  return TaskIdPrefix{batch, 9}.id(number);
}

// Asks for `ids`, and puts the results of `ends` in that order.
void check(const std::vector<TaskId>& ids, const std::vector<TaskId>& ends) {
  ResultsInOrder results(ids);
  for (const TaskId& end : ends) {
    TaskResult result;
    result.id = end;
    result.worker = end.to_string();
    results.put(std::move(result));
  }
  const std::vector<TaskResult> ordered = results.take();
  ASSERT_EQ(ordered.size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(ordered[i].id, ids[i]) << i;
    EXPECT_EQ(ordered[i].worker, ids[i].to_string()) << i;
  }
}

TEST(ResultsInOrder, OfABatch) {
  check({id(0), id(1), id(2), id(3)}, {id(2), id(0), id(3), id(1)});
}

TEST(ResultsInOrder, OfAPartOfABatch) {
  check({id(5), id(6), id(9), id(7)}, {id(9), id(7), id(6), id(5)});
}

TEST(ResultsInOrder, OfSeveralBatchesMixed) {
  check({id(1, 8), id(0), id(1), id(0, 8)}, {id(0), id(0, 8), id(1, 8), id(1)});
}

TEST(ResultsInOrder, RepeatedIdsGetCopies) {
  check({id(0), id(2), id(2), id(7, 8)}, {id(2), id(7, 8), id(0)});
  check({id(0), id(2), id(2), id(7, 8), id(2)}, {id(7, 8), id(2), id(0)});
  check({id(3), id(3)}, {id(3)});
}

}  // namespace
}  // namespace taskpipe::client
