// Failed attempts and their successors, and tasks that wait for a time: for the next attempt, or no
// longer than their limit for a worker.
#include <algorithm>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

bool may_retry(const Task& task, const Outcome& outcome) {
  const RetryPolicy& policy = task.spec->retry;
  return outcome.state != TaskState::success && outcome.state != TaskState::cancelled &&
         task.failures() + 1 < policy.max_attempts &&
         (policy.failures & failure_bit(outcome.failure)) != 0;
}

record::RetriedItem retry_of(const Turn& turn, const Task& task, record::FinishedItem item) {
  const std::uint32_t delay_ms =
      backoff_ms(task.spec->retry, task.failures() + 1, task.id.high() ^ task.id.low());
  item.outcome.report = Payload{};
  return {item.id, item.attempt, std::move(item.outcome),
          WallTime{turn.now.wall.unix_ms + std::int64_t{delay_ms}}};
}

Outcome overdue_outcome(const Task& task) {
  Outcome outcome;
  outcome.state = TaskState::timeout;
  outcome.failure = FailureClass::timeout;
  outcome.reason = "no worker had room for it within its queue time of " +
                   std::to_string(task.spec->limits.queue_time_ms) + " ms";
  return outcome;
}

// What is left of a wait of `whole` that began, or ends, `elapsed` ms from the present. The wall
// clock may have jumped while the broker was away: a wait is never longer than its whole, nor
// negative.
Millis left_of(std::uint64_t whole_ms, std::int64_t elapsed_ms) {
  const auto whole = static_cast<std::int64_t>(std::min(whole_ms, limits::kMaxQueueTimeMs));
  return Millis(whole - std::clamp<std::int64_t>(elapsed_ms, 0, whole));
}

void arm(Turn& turn, TaskSlot slot) {
  State& state = turn.state;
  const Task& task = state.tasks[slot];
  const std::int64_t since_ready_ms = turn.now.wall.unix_ms - task.ready_at.unix_ms;
  Millis wait{0};
  if (std::holds_alternative<phase::Ready>(task.phase)) {
    if (task.spec->limits.queue_time_ms == 0) return;
    wait = left_of(task.spec->limits.queue_time_ms, since_ready_ms);
  } else if (std::holds_alternative<phase::Delayed>(task.phase)) {
    const std::uint64_t longest = task.spec->retry.max_backoff_ms;
    wait = left_of(longest, static_cast<std::int64_t>(longest) + since_ready_ms);
  } else {
    return;
  }
  const MonotonicTime due = turn.now.monotonic + wait;
  if (state.armed.emplace(slot, due).second) state.alarms.emplace(due, slot);
}

}  // namespace

void conclude(Turn& turn, std::vector<record::FinishedItem> items) {
  State& state = turn.state;
  record::TasksRetried again{turn.now.wall, {}};
  std::erase_if(items, [&](record::FinishedItem& item) {
    const TaskSlot slot = state.tasks.find(item.id);
    const Task& task = state.tasks[slot];
    if (!may_retry(task, item.outcome)) return false;
    again.items.push_back(retry_of(turn, task, std::move(item)));
    return true;
  });
  if (!again.items.empty()) turn.commit(std::move(again));
  if (!items.empty()) finish(turn, std::move(items));
}

void arm_tasks(Turn& turn) {
  std::vector<TaskSlot>& unarmed = turn.state.unarmed;
  for (const TaskSlot slot : unarmed) arm(turn, slot);
  unarmed.clear();
}

// At most so many in a turn: a million that are overdue together must not hold up everybody else.
void fire_alarms(Turn& turn) {
  State& state = turn.state;
  std::vector<record::FinishedItem> overdue;
  for (std::size_t fired = 0; fired < limits::kMaxAlarmsPerTurn && !state.alarms.empty(); ++fired) {
    const auto [at, slot] = *state.alarms.begin();
    if (at > turn.now.monotonic) break;
    disarm(state, slot);
    Task& task = state.tasks[slot];
    if (std::holds_alternative<phase::Delayed>(task.phase)) {
      make_ready(state, slot, false);
      continue;
    }
    task.ending = true;
    overdue.push_back({task.id, task.attempt(), overdue_outcome(task)});
    if (overdue.size() == limits::kMaxBatchItems) finish(turn, std::exchange(overdue, {}));
  }
  if (!overdue.empty()) finish(turn, std::move(overdue));
}

}  // namespace taskpipe::broker
