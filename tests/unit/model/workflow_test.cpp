#include "common/model/workflow.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/limits.hpp"

namespace taskpipe {
namespace {

using ::testing::HasSubstr;

std::vector<Dependencies> tasks_of(std::vector<std::vector<std::uint32_t>> after) {
  std::vector<Dependencies> tasks;
  for (auto& list : after) tasks.push_back({std::move(list)});
  return tasks;
}

TEST(CheckDependencies, AcceptsGraphsWithoutCycles) {
  EXPECT_EQ(check_dependencies(tasks_of({{}})), std::nullopt);
  EXPECT_EQ(check_dependencies(tasks_of({{}, {}, {}})), std::nullopt);
  EXPECT_EQ(check_dependencies(tasks_of({{}, {0}, {0}, {1, 2}})), std::nullopt);
  EXPECT_EQ(check_dependencies(tasks_of({{2}, {}, {1}})), std::nullopt) << "in any order";
  EXPECT_EQ(check_dependencies(tasks_of({{}, {0, 0, 0}})), std::nullopt) << "said three times";
}

TEST(CheckDependencies, AChainOfTheLargestWorkflow) {
  std::vector<Dependencies> tasks(limits::kMaxWorkflowTasks);
  for (std::uint32_t i = 1; i < tasks.size(); ++i) tasks[i].after = {i - 1};
  EXPECT_EQ(check_dependencies(tasks), std::nullopt);
  for (std::uint32_t i = 0; i + 1 < tasks.size(); ++i) tasks[i].after = {i + 1};
  tasks.back().after.clear();
  EXPECT_EQ(check_dependencies(tasks), std::nullopt) << "backwards";
  tasks.back().after = {0};
  const auto error = check_dependencies(tasks);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::cycle);
  EXPECT_LT(error->text.size(), 400U) << "a long way is cut";
}

TEST(CheckDependencies, WideFansInAndOut) {
  const auto wide = static_cast<std::uint32_t>(limits::kMaxDependenciesPerTask);
  std::vector<Dependencies> tasks(wide + 2);
  for (std::uint32_t i = 1; i <= wide; ++i) {
    tasks[i].after = {0};
    tasks[wide + 1].after.push_back(i);
  }
  EXPECT_EQ(check_dependencies(tasks), std::nullopt);
  tasks[wide + 1].after.push_back(0);
  const auto error = check_dependencies(tasks);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::too_big);
  EXPECT_EQ(error->field, "tasks[1025].after");
}

TEST(CheckDependencies, ATaskAfterItself) {
  const auto error = check_dependencies(tasks_of({{}, {1}}));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::cycle);
  EXPECT_EQ(error->field, "tasks[1].after");
  EXPECT_THAT(error->text, HasSubstr("(1 after 1)"));
}

TEST(CheckDependencies, NamesATaskOnTheCycleAndNotBehindIt) {
  // 0 and 1 wait behind the cycle 3 → 5 → 4; 2 is free of it.
  const auto error = check_dependencies(tasks_of({{1}, {3}, {}, {4, 2}, {5}, {3}}));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::cycle);
  EXPECT_EQ(error->field, "tasks[3].after");
  EXPECT_THAT(error->text, HasSubstr("(3 after 4 after 5 after 3)"));
}

TEST(CheckDependencies, RefusesIndicesOutOfRange) {
  const auto error = check_dependencies(tasks_of({{}, {0, 2}}));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::invalid);
  EXPECT_EQ(error->field, "tasks[1].after");
  EXPECT_THAT(error->text, HasSubstr("names task 2, but there are only 2"));
  EXPECT_TRUE(check_dependencies(tasks_of({{UINT32_MAX}})).has_value());
}

TEST(CheckDependencies, RefusesEmptyAndTooLargeWorkflows) {
  EXPECT_EQ(check_dependencies({})->code, ErrorCode::invalid);
  EXPECT_EQ(check_dependencies({})->field, "tasks");
  const std::vector<Dependencies> many(limits::kMaxWorkflowTasks + 1);
  EXPECT_EQ(check_dependencies(many)->code, ErrorCode::too_big);
}

TEST(CheckDependencies, RefusesTooManyDependenciesInAll) {
  const std::vector<std::uint32_t> first_thousand(1000, 0);
  std::vector<Dependencies> tasks(limits::kMaxWorkflowDependencies / 1000 + 1);
  for (std::size_t i = 1; i < tasks.size(); ++i) tasks[i].after = first_thousand;
  EXPECT_EQ(check_dependencies(tasks), std::nullopt);
  tasks[1].after.push_back(0);
  EXPECT_EQ(check_dependencies(tasks)->code, ErrorCode::too_big);
}

}  // namespace
}  // namespace taskpipe
