// What every History must do: pages, newest arrival first.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/limits.hpp"
#include "tests/contract/history/history_subject.hpp"

namespace taskpipe::broker::contract {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HistoryListing : public HistoryContract {
 protected:
  // Arrival numbers of every page, one after the other.
  std::vector<std::uint64_t> all_pages(const std::string& owner, const QueryFilter& filter,
                                       std::uint32_t limit) {
    std::vector<std::uint64_t> arrivals;
    std::string cursor;
    do {
      const HistoryPage page = history().list(owner, filter, cursor, limit);
      EXPECT_LE(page.tasks.size(), limit);
      EXPECT_TRUE(page.next.empty() || !page.tasks.empty()) << "a page without progress";
      for (const FinishedTask& task : page.tasks) arrivals.push_back(task.arrival.value());
      cursor = page.next;
    } while (!cursor.empty());
    return arrivals;
  }
  std::vector<std::uint64_t> all(const QueryFilter& filter) {
    return all_pages("ada", filter, 100);
  }
};

TEST_P(HistoryListing, NewestArrivalFirstHoweverTheyEnded) {
  store({plain_task(3), plain_task(1), plain_task(5)}, 5);
  store({plain_task(4), plain_task(2)}, 6);
  EXPECT_THAT(all({}), ElementsAre(5, 4, 3, 2, 1));
}

TEST_P(HistoryListing, OwnersSeeTheirOwnTasksOnly) {
  store({plain_task(1, "ada"), plain_task(2, "bob"), plain_task(3, "ada"), plain_task(4, "eve")},
        5);
  EXPECT_THAT(all_pages("ada", {}, 10), ElementsAre(3, 1));
  EXPECT_THAT(all_pages("bob", {}, 10), ElementsAre(2));
  EXPECT_THAT(all_pages("", {}, 10), ElementsAre(4, 3, 2, 1)) << "no name is everybody's";
  EXPECT_THAT(all_pages("ADA", {}, 10), IsEmpty());
  EXPECT_THAT(all_pages("shell", {}, 10), IsEmpty());
}

TEST_P(HistoryListing, DeadLettersAreThoseThatFailedAndWereNotRepeated) {
  std::vector<FinishedTask> tasks = plain_tasks(1, 7);
  tasks[0].outcome.state = TaskState::failure;
  tasks[1].outcome.state = TaskState::timeout;
  tasks[2].outcome.state = TaskState::error;
  tasks[3].outcome.state = TaskState::cancelled;
  tasks[4].outcome.state = TaskState::error;
  tasks[4].original = tasks[0].id;  // repeats the first, and is dead itself
  tasks[5].original = tasks[1].id;  // repeats the second, and succeeded
  store(tasks, 7);
  QueryFilter dead;
  dead.dead = true;
  EXPECT_THAT(all(dead), ElementsAre(5, 3));
  EXPECT_THAT(all_pages("ada", dead, 1), ElementsAre(5, 3));
}

TEST_P(HistoryListing, TenThousandRowsPageByPage) {
  constexpr std::uint32_t kRows = 10'000;
  auto tasks = plain_tasks(1, kRows);
  // In an order of ending that has little to do with the order of arrival.
  for (std::size_t i = 0; i < tasks.size(); ++i) std::swap(tasks[i], tasks[(i * 7919) % kRows]);
  for (std::size_t i = 0; i < tasks.size(); i += 1000) {
    history().store(std::span(tasks).subspan(i, 1000), {}, Lsn(i));
  }
  reopen();
  std::vector<std::uint64_t> expected(kRows);
  for (std::uint32_t i = 0; i < kRows; ++i) expected[i] = kRows - i;
  EXPECT_EQ(all_pages("ada", {}, 1000), expected);
  EXPECT_EQ(all_pages("ada", {}, 333), expected);
  EXPECT_EQ(all_pages("ada", {}, kRows), expected);
}

TEST_P(HistoryListing, APageThatIsJustFullKnowsWhetherMoreFollows) {
  store(plain_tasks(1, 4), 4);
  HistoryPage page = history().list("ada", {}, "", 2);
  EXPECT_EQ(page.tasks.size(), 2U);
  EXPECT_NE(page.next, "");
  page = history().list("ada", {}, page.next, 2);
  EXPECT_EQ(page.tasks.size(), 2U);
  EXPECT_EQ(page.next, "");
  EXPECT_THAT(all_pages("ada", {}, 1), ElementsAre(4, 3, 2, 1));
}

TEST_P(HistoryListing, RowsStoredMeanwhileRepeatNothing) {
  store(plain_tasks(11, 14), 14);
  const HistoryPage first = history().list("ada", {}, "", 2);
  store({plain_task(15), plain_task(5)}, 15);
  const HistoryPage second = history().list("ada", {}, first.next, 10);
  EXPECT_THAT(second.tasks, ElementsAre(plain_task(12), plain_task(11), plain_task(5)));
}

TEST_P(HistoryListing, CursorsOutliveARestart) {
  store(plain_tasks(1, 5), 5);
  const HistoryPage first = history().list("ada", {}, "", 3);
  reopen();
  EXPECT_THAT(history().list("ada", {}, first.next, 10).tasks,
              ElementsAre(plain_task(2), plain_task(1)));
}

TEST_P(HistoryListing, AnUnknownCursorReadsAsTheFirstPage) {
  store(plain_tasks(1, 3), 3);
  for (const char* cursor : {"x", "-", "12", "1.", ".1", "1.2.3", "1.2x", " 1.2", "m12",
                             "99999999999999999999.1", "\xFF", "' OR 1=1 --"}) {
    EXPECT_EQ(history().list("ada", {}, cursor, 10).tasks.size(), 3U) << cursor;
  }
  EXPECT_EQ(history().list("ada", {}, std::string(100'000, '1'), 10).tasks.size(), 3U);
}

TEST_P(HistoryListing, RepeatedArrivalNumbersLoseNoRow) {
  std::vector<FinishedTask> tasks = plain_tasks(1, 6);
  for (FinishedTask& task : tasks) task.arrival = Arrival(3);
  store(tasks, 6);
  EXPECT_EQ(all_pages("ada", {}, 2).size(), 6U);
  EXPECT_EQ(all_pages("ada", {}, 1).size(), 6U);
}

TEST_P(HistoryListing, ZeroRowsWantedIsAnEmptyPage) {
  store(plain_tasks(1, 3), 3);
  EXPECT_THAT(history().list("ada", {}, "", 0).tasks, IsEmpty());
  EXPECT_EQ(history().list("ada", {}, "", 0).next, "");
}

TEST_P(HistoryListing, AnyLimitIsFine) {
  store(plain_tasks(1, 3), 3);
  EXPECT_EQ(history().list("ada", {}, "", UINT32_MAX).tasks.size(), 3U);
}

TEST_P(HistoryListing, APageEndsWhenItsPayloadsAreLarge) {
  constexpr std::size_t kReportBytes = limits::kMaxHistoryPageBytes / 4;
  auto tasks = plain_tasks(1, 10);
  const Payload report(std::string(kReportBytes, 'r'));
  for (FinishedTask& task : tasks) task.outcome.report = report;
  store(tasks, 10);
  EXPECT_EQ(history().list("ada", {}, "", 100).tasks.size(), 4U);
  EXPECT_THAT(all({}), ElementsAre(10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
}

// Twelve tasks: states in turn, two tools, two workflows and none.
std::vector<FinishedTask> mixed_tasks() {
  constexpr TaskState kStates[] = {TaskState::success, TaskState::failure, TaskState::cancelled};
  std::vector<FinishedTask> tasks = plain_tasks(1, 12);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].outcome.state = kStates[i % 3];
    tasks[i].spec = plain_spec(i % 2 == 0 ? "lammps" : "openfoam");
    if (i % 4 != 3) tasks[i].workflow = WorkflowId(7, i % 4 == 0 ? 1 : 2);
  }
  return tasks;
}

bool matches(const FinishedTask& task, const QueryFilter& filter) {
  return (!filter.state || task.outcome.state == *filter.state) &&
         (!filter.workflow || task.workflow == filter.workflow) &&
         (filter.tool.empty() || task.spec->tool == filter.tool) &&
         (filter.tasks.empty() ||
          std::count(filter.tasks.begin(), filter.tasks.end(), task.id) > 0);
}

TEST_P(HistoryListing, EveryCombinationOfConditions) {
  auto tasks = mixed_tasks();
  store(tasks, 12);
  store({plain_task(13, "bob")}, 13);
  std::reverse(tasks.begin(), tasks.end());
  const std::vector<TaskId> some = {tasks[0].id, tasks[3].id, tasks[4].id, TaskId(1, 1)};
  for (const std::optional<TaskState> state :
       {std::optional<TaskState>(), std::optional(TaskState::success),
        std::optional(TaskState::failure), std::optional(TaskState::timeout)}) {
    for (const std::optional<WorkflowId> workflow :
         {std::optional<WorkflowId>(), std::optional(WorkflowId(7, 1)),
          std::optional(WorkflowId(9, 9))}) {
      for (const char* tool : {"", "lammps", "openfoam", "unknown"}) {
        for (const auto& ids : {std::vector<TaskId>(), some}) {
          const QueryFilter filter{ids, workflow, state, tool};
          std::vector<std::uint64_t> expected;
          for (const FinishedTask& task : tasks) {
            if (matches(task, filter)) expected.push_back(task.arrival.value());
          }
          EXPECT_EQ(all_pages("ada", filter, 2), expected);
          EXPECT_EQ(all_pages("ada", filter, 100), expected);
        }
      }
    }
  }
}

TEST_P(HistoryListing, LiveStatesMatchNothing) {
  store(mixed_tasks(), 12);
  EXPECT_THAT(all({.tasks = {}, .workflow = {}, .state = TaskState::pending, .tool = ""}),
              IsEmpty());
  EXPECT_THAT(all({.tasks = {}, .workflow = {}, .state = TaskState::running, .tool = ""}),
              IsEmpty());
}

TEST_P(HistoryListing, AnotherOwnersWorkflowShowsNothing) {
  FinishedTask task = plain_task(1, "bob");
  task.workflow = WorkflowId(7, 7);
  store({task}, 1);
  const QueryFilter filter{{}, WorkflowId(7, 7), {}, ""};
  EXPECT_THAT(all_pages("ada", filter, 10), IsEmpty());
  EXPECT_THAT(all_pages("bob", filter, 10), ElementsAre(1));
}

INSTANTIATE_TEST_SUITE_P(Of, HistoryListing,
                         ::testing::Values(Implementation::memory, Implementation::sqlite,
                                           Implementation::beside),
                         name_of_case);

}  // namespace
}  // namespace taskpipe::broker::contract
