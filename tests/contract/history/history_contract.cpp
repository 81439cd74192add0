// What every History must do: keep rows exactly, once, and durably.
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/limits.hpp"
#include "tests/contract/history/history_subject.hpp"

namespace taskpipe::broker::contract {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Every field at a value of its own.
FinishedTask full_task() {
  TaskSpec spec;
  spec.tool = "lammps";
  spec.script = "melt/in.lj";
  spec.inline_script = Payload("units lj\n");
  spec.priority = -7;
  spec.resources = {3, 1, 5ULL << 30U, {{"license.abaqus", 2}, {"scratch_gb", 40}}};
  spec.limits = {3'600'000, 250, 60'000, 5000};
  spec.retry = {4, failure_bit(FailureClass::exit), 100, 2000, 7};
  spec.labels = {{"project", "melt"}, {"team", "physics"}};
  spec.wait_for_capacity = true;

  FinishedTask task = plain_task(9);
  task.workflow = WorkflowId(11, 12);
  task.owner = "grace";
  task.spec = std::make_shared<const TaskSpec>(spec);
  task.params = Payload(std::string_view("\x81\xA1x\x00\x01", 5));
  task.params_hash = {0x1111111111111111ULL, 0x2222222222222222ULL};
  task.epoch = Epoch(4);
  task.attempt = Attempt(3);
  task.placements = {{PeerUuid(1, 2)}, {PeerUuid(3, 4)}};
  task.worker = "node17";
  task.outcome.state = TaskState::failure;
  task.outcome.failure = FailureClass::signal;
  task.outcome.exit_code = -1;
  task.outcome.signal = 11;
  task.outcome.usage = {1'500'000, 1'200'000, 90'000, 123'456'789};
  task.outcome.reason = "killed by signal 11";
  task.outcome.report = Payload(std::string_view("\x00\xFFreport", 8));
  task.submitted = WallTime{1'769'860'800'123};
  task.started = WallTime{1'769'860'801'456};
  task.finished = WallTime{1'769'860'802'789};
  task.terminal_lsn = Lsn(77);
  task.original = TaskId(21, 22);
  return task;
}

PastAttempt past(PastKind kind, std::uint32_t attempt, std::int64_t ended_ms) {
  PastAttempt past;
  past.kind = kind;
  past.epoch = Epoch(3);
  past.attempt = Attempt(attempt);
  past.worker = "node" + std::to_string(attempt);
  past.started = WallTime{ended_ms - 100};
  past.ended = WallTime{ended_ms};
  past.outcome.state = TaskState::failure;
  past.outcome.failure = FailureClass::exit;
  past.outcome.exit_code = 3;
  past.outcome.usage.wall_us = 90'000;
  past.outcome.reason = "exit code 3";
  return past;
}

class HistoryRows : public HistoryContract {};

TEST_P(HistoryRows, EmptyAtFirst) {
  EXPECT_EQ(history().watermark(), Lsn(0));
  EXPECT_EQ(history().last_arrival(), Arrival(0));
  EXPECT_FALSE(find(TaskId(1, 2)));
  EXPECT_FALSE(find(WorkflowId(1, 2)));
  const auto page = history().list("ada", {}, "", 10);
  EXPECT_THAT(page.tasks, IsEmpty());
  EXPECT_EQ(page.next, "");
}

TEST_P(HistoryRows, EveryFieldComesBackExactly) {
  const FinishedTask task = full_task();
  store({task}, 77);
  EXPECT_EQ(find(task.id), task);
  reopen();
  EXPECT_EQ(find(task.id), task);
  const auto page = history().list("grace", {}, "", 10);
  ASSERT_EQ(page.tasks.size(), 1U);
  EXPECT_EQ(page.tasks.front(), task);
}

TEST_P(HistoryRows, PastAttemptsComeBackInOrder) {
  FinishedTask task = full_task();
  task.pasts = {past(PastKind::retried, 1, 1000), past(PastKind::lost, 2, 2000)};
  store({task}, 77);
  reopen();
  EXPECT_EQ(find(task.id), task);
  EXPECT_THAT(history().list("grace", {}, "", 10).tasks.at(0).pasts, IsEmpty());
}

TEST_P(HistoryRows, ALateResultIsKeptOnceWithItsTask) {
  FinishedTask task = full_task();
  task.pasts = {past(PastKind::lost, 2, 2000)};
  store({task}, 77);
  const std::vector<LateAttempt> late = {{task.id, past(PastKind::late, 2, 3000), Lsn(80)},
                                         {TaskId(1, 1), past(PastKind::late, 1, 3000), Lsn(80)}};
  history().add_late(late);
  history().add_late(late);
  reopen();
  task.pasts.push_back(late[0].attempt);
  EXPECT_EQ(find(task.id), task);
}

// Its acknowledgement was lost: the result has had its effect, and is no late one.
TEST_P(HistoryRows, ARepeatedResultIsNotLate) {
  FinishedTask task = full_task();
  task.pasts = {past(PastKind::retried, 1, 1000)};
  store({task}, 77);
  PastAttempt decided = past(PastKind::late, 3, 3000);
  decided.epoch = task.epoch;
  history().add_late(std::vector<LateAttempt>{{task.id, decided, Lsn(80)},
                                              {task.id, past(PastKind::late, 1, 3000), Lsn(80)}});
  EXPECT_EQ(find(task.id), task);
}

TEST_P(HistoryRows, EmptyFieldsStayEmpty) {
  FinishedTask task;
  task.id = TaskId(0, 1);
  task.spec = std::make_shared<const TaskSpec>();
  store({task}, 0);
  reopen();
  const auto found = find(task.id);
  EXPECT_EQ(found, task);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->workflow.has_value());
  EXPECT_THAT(found->placements, IsEmpty());
  EXPECT_TRUE(found->params.empty());
}

TEST_P(HistoryRows, TextIsKeptByteByByte) {
  FinishedTask task = full_task();
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  TaskSpec spec = *task.spec;
  spec.tool = "\xCE\xBB-calculus \xF0\x9F\xA7\xAA";
  spec.script = "it's \"quoted\"; DROP TABLE tasks; --";
  spec.labels = {{"\xE6\xBC\xA2\xE5\xAD\x97", every_byte}, {"z", ""}};
  spec.resources.named = {{std::string("nul\0inside", 10), 1}};
  spec.inline_script = Payload(every_byte);
  task.spec = std::make_shared<const TaskSpec>(spec);
  task.owner = "\xC3\x85ngstr\xC3\xB6m";
  task.worker = every_byte;
  task.outcome.reason = std::string("a\0b", 3) + every_byte;
  task.outcome.report = Payload(every_byte);
  task.params = Payload(every_byte);
  store({task}, 77);
  reopen();
  EXPECT_EQ(find(task.id), task);
  EXPECT_EQ(history().list(task.owner, {}, "", 10).tasks.size(), 1U);
}

TEST_P(HistoryRows, NumbersAtTheirLimits) {
  constexpr auto kMax64 = std::numeric_limits<std::uint64_t>::max();
  constexpr auto kMax32 = std::numeric_limits<std::uint32_t>::max();
  FinishedTask task = full_task();
  TaskSpec spec = *task.spec;
  spec.priority = std::numeric_limits<std::int32_t>::min();
  spec.resources = {kMax32, kMax32, kMax64, {{"x", kMax64}}};
  spec.limits = {kMax64, kMax32, kMax64, kMax64};
  spec.retry = {kMax32, kMax32, kMax32, kMax32, kMax32};
  task.spec = std::make_shared<const TaskSpec>(spec);
  task.id = TaskId(kMax64, kMax64);
  task.params_hash = {kMax64, kMax64};
  task.epoch = Epoch(kMax64);
  task.attempt = Attempt(kMax32);
  task.outcome.exit_code = std::numeric_limits<std::int32_t>::min();
  task.outcome.signal = std::numeric_limits<std::int32_t>::max();
  task.outcome.usage = {kMax64, kMax64, kMax64, kMax64};
  task.submitted = WallTime{std::numeric_limits<std::int64_t>::min()};
  task.finished = WallTime{std::numeric_limits<std::int64_t>::max()};
  store({task}, 77);
  reopen();
  EXPECT_EQ(find(task.id), task);
}

TEST_P(HistoryRows, LargePayloadsAndManyPlacements) {
  FinishedTask task = full_task();
  TaskSpec spec = *task.spec;
  spec.inline_script = Payload(std::string(limits::kMaxPayloadBytes, 's'));
  task.spec = std::make_shared<const TaskSpec>(spec);
  task.params = Payload(std::string(limits::kMaxPayloadBytes, 'p'));
  task.outcome.report = Payload(std::string(limits::kMaxResultBytes, 'r'));
  task.placements.clear();
  for (std::uint64_t n = 0; n < limits::kMaxPlacements; ++n) {
    task.placements.push_back({PeerUuid(n, ~n)});
  }
  store({task}, 77);
  reopen();
  EXPECT_EQ(find(task.id), task);
}

TEST_P(HistoryRows, EveryStateAndFailureClass) {
  std::vector<FinishedTask> tasks;
  for (std::uint32_t state = 2; state <= static_cast<std::uint32_t>(kLastTaskState); ++state) {
    for (std::uint32_t failure = 0; failure <= static_cast<std::uint32_t>(kLastFailureClass);
         ++failure) {
      FinishedTask task = plain_task(state * 100 + failure);
      task.outcome.state = static_cast<TaskState>(state);
      task.outcome.failure = static_cast<FailureClass>(failure);
      tasks.push_back(task);
    }
  }
  store(tasks, 1000);
  reopen();
  for (const FinishedTask& task : tasks) EXPECT_EQ(find(task.id), task);
}

TEST_P(HistoryRows, SpecificationsThatDifferInOneFieldStayApart) {
  const TaskSpec base = *full_task().spec;
  std::vector<TaskSpec> specs(26, base);
  specs[1].tool += "x";
  specs[2].script += "x";
  specs[3].inline_script = Payload();
  specs[4].priority = 0;
  specs[5].resources.cpus = 9;
  specs[6].resources.gpus = 9;
  specs[7].resources.memory_bytes = 9;
  specs[8].resources.named.pop_back();
  specs[9].limits.run_time_ms = 9;
  specs[10].limits.grace_ms = 9;
  specs[11].labels = {{"project", "melt"}, {"teamphysics", ""}};
  specs[12].wait_for_capacity = false;
  specs[13].labels = {{"project", "meltteam"}, {"", "physics"}};
  specs[14].limits.queue_time_ms = 9;
  specs[15].limits.no_progress_ms = 9;
  specs[16].retry.max_attempts = 9;
  specs[17].retry.failures = 0;
  specs[18].retry.backoff_ms = 9;
  specs[19].retry.max_backoff_ms = 999;
  specs[20].retry.max_worker_losses.reset();
  const TaskInput input{"mesh.msh", std::string(64, 'a'), 5, false};
  specs[21].inputs = {input};
  specs[22].inputs = {input, {"b", std::string(64, 'b'), 0, true}};
  specs[23].inputs = {{"other", input.sha256, 5, false}};
  specs[24].inputs = {{input.name, std::string(64, 'c'), 5, false}};
  specs[25].inputs = {{input.name, input.sha256, 5, true}};
  std::vector<FinishedTask> tasks;
  for (std::uint32_t n = 0; n < specs.size(); ++n) {
    tasks.push_back(plain_task(n + 1));
    tasks.back().spec = std::make_shared<const TaskSpec>(specs[n]);
  }
  store(tasks, 50);
  reopen();
  for (const FinishedTask& task : tasks) EXPECT_EQ(find(task.id), task);
}

TEST_P(HistoryRows, RepeatedRowsAreLeftAsTheyAre) {
  const FinishedTask first = full_task();
  store({first}, 77);
  FinishedTask changed = first;
  changed.outcome.state = TaskState::success;
  changed.owner = "mallory";
  store({changed, plain_task(10), plain_task(10)}, 78);
  store({plain_task(10), first}, 78);
  EXPECT_EQ(find(first.id), first);
  EXPECT_EQ(find(plain_task(10).id), plain_task(10));
  EXPECT_EQ(history().list("grace", {}, "", 10).tasks.size(), 1U);
  EXPECT_EQ(history().list("ada", {}, "", 10).tasks.size(), 1U);
  EXPECT_EQ(history().list("mallory", {}, "", 10).tasks.size(), 0U);
}

TEST_P(HistoryRows, FindsThoseThatExist) {
  store(plain_tasks(1, 5), 5);
  const std::vector ids = {plain_task(2).id, TaskId(8, 8), plain_task(4).id};
  EXPECT_THAT(history().find_tasks(ids), UnorderedElementsAre(plain_task(2), plain_task(4)));
  EXPECT_THAT(history().find_tasks({}), IsEmpty());
}

TEST_P(HistoryRows, WatermarkRisesWithAndWithoutRows) {
  store({plain_task(1)}, 5);
  EXPECT_EQ(history().watermark(), Lsn(5));
  store({}, 9);
  EXPECT_EQ(history().watermark(), Lsn(9));
  store({plain_task(2)}, 9);
  EXPECT_EQ(history().watermark(), Lsn(9));
  reopen();
  EXPECT_EQ(history().watermark(), Lsn(9));
  store({}, 1ULL << 62U);
  reopen();
  EXPECT_EQ(history().watermark(), Lsn(1ULL << 62U));
}

TEST_P(HistoryRows, AFallingWatermarkIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  store({}, 9);
  EXPECT_DEATH(store({}, 8), "watermark");
}

TEST_P(HistoryRows, LastArrivalIsTheHighestEver) {
  store({plain_task(7), plain_task(3)}, 5);
  EXPECT_EQ(history().last_arrival(), Arrival(7));
  store({plain_task(5)}, 6);
  EXPECT_EQ(history().last_arrival(), Arrival(7));
  reopen();
  EXPECT_EQ(history().last_arrival(), Arrival(7));
}

TEST_P(HistoryRows, SurvivesARestartBetweenAnyTwoStores) {
  for (std::uint32_t n = 1; n <= 10; ++n) {
    store({plain_task(n)}, n);
    reopen();
    EXPECT_EQ(history().watermark(), Lsn(n));
    for (std::uint32_t earlier = 1; earlier <= n; ++earlier) {
      EXPECT_EQ(find(plain_task(earlier).id), plain_task(earlier));
    }
  }
}

class HistoryWorkflows : public HistoryContract {};

FinishedWorkflow full_workflow() {
  FinishedWorkflow workflow;
  workflow.id = WorkflowId(5, 6);
  workflow.owner = "ada";
  workflow.name = std::string("param\xC3\xA8tres \0x", 13);
  workflow.on_failure = OnFailure::cancel_dependents;
  workflow.tasks = {plain_task(3).id, plain_task(1).id, plain_task(2).id};
  workflow.succeeded = 2;
  workflow.submitted = WallTime{1'769'860'800'123};
  workflow.finished = WallTime{1'769'860'900'456};
  workflow.terminal_lsn = Lsn(12);
  return workflow;
}

TEST_P(HistoryWorkflows, ComeBackWithTheirMembersInOrder) {
  const FinishedWorkflow workflow = full_workflow();
  history().store({}, std::vector{workflow}, Lsn(12));
  EXPECT_EQ(find(workflow.id), workflow);
  reopen();
  EXPECT_EQ(find(workflow.id), workflow);
}

TEST_P(HistoryWorkflows, WithoutMembersAndWithManyOfThem) {
  FinishedWorkflow empty;
  empty.id = WorkflowId(1, 1);
  FinishedWorkflow large = full_workflow();
  large.tasks.clear();
  for (std::uint32_t n = 0; n < limits::kMaxWorkflowTasks; ++n) {
    large.tasks.push_back(TaskIdPrefix{1, 2}.id(n * 2'654'435'761U));
  }
  history().store({}, std::vector{empty, large}, Lsn(12));
  reopen();
  EXPECT_EQ(find(empty.id), empty);
  EXPECT_EQ(find(large.id), large);
}

TEST_P(HistoryWorkflows, RepeatedOnesAreLeftAsTheyAre) {
  const FinishedWorkflow first = full_workflow();
  history().store({}, std::vector{first}, Lsn(12));
  FinishedWorkflow changed = first;
  changed.tasks.pop_back();
  changed.succeeded = 0;
  history().store({}, std::vector{changed, changed}, Lsn(13));
  reopen();
  EXPECT_EQ(find(first.id), first);
}

TEST_P(HistoryWorkflows, ShareTheTransactionOfTheirTasks) {
  FinishedTask task = plain_task(1);
  task.workflow = WorkflowId(5, 6);
  history().store(std::vector{task}, std::vector{full_workflow()}, Lsn(12));
  reopen();
  EXPECT_EQ(find(task.id), task);
  EXPECT_EQ(find(WorkflowId(5, 6)), full_workflow());
  EXPECT_EQ(history().watermark(), Lsn(12));
}

TEST_P(HistoryWorkflows, FindsThoseThatExist) {
  history().store({}, std::vector{full_workflow()}, Lsn(12));
  const std::vector ids = {WorkflowId(9, 9), WorkflowId(5, 6)};
  EXPECT_THAT(history().find_workflows(ids), UnorderedElementsAre(full_workflow()));
}

INSTANTIATE_TEST_SUITE_P(Of, HistoryRows,
                         ::testing::Values(Implementation::memory, Implementation::sqlite,
                                           Implementation::beside),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Of, HistoryWorkflows,
                         ::testing::Values(Implementation::memory, Implementation::sqlite,
                                           Implementation::beside),
                         name_of_case);

}  // namespace
}  // namespace taskpipe::broker::contract
