#include <algorithm>
#include <cassert>
#include <utility>

#include "broker/core/handlers.hpp"
#include "broker/core/pasts.hpp"

namespace taskpipe::broker {
namespace {

std::string worker_name(const State& state, WorkerSlot slot) {
  return slot.value() == kNoSlot ? std::string() : state.workers[slot].name;
}

// Ends `item` exactly once: a second end of the same task in one batch would be a bug of the
// caller.
void follow_end(Turn& turn, TaskSlot slot) {
  tell_waiters(turn, slot);
  end_follows(turn, slot);
}

}  // namespace

WorkerSlot worker_of(const Task& task) {
  if (task.ended()) return task.end().worker;
  const auto* placed = task.placed();
  return placed == nullptr ? WorkerSlot(kNoSlot) : placed->worker;
}

Outcome cancelled_outcome(std::string reason) {
  Outcome outcome;
  outcome.state = TaskState::cancelled;
  outcome.failure = FailureClass::cancelled;
  outcome.reason = std::move(reason);
  return outcome;
}

TaskEvent task_event(const State& state, TaskSlot slot, WallTime at) {
  const Task& task = state.tasks[slot];
  TaskEvent event;
  event.id = task.id;
  event.state = task.state();
  event.attempt = task.attempt();
  event.tool = task.spec->tool;
  event.script = task.spec->script;
  event.worker = worker_name(state, worker_of(task));
  event.at = at;
  if (task.ended()) {
    event.failure = task.end().outcome.failure;
    event.message = task.end().outcome.reason;
    if (event.state == TaskState::success) event.percent = 100.0;
  } else if (const auto run = state.runs.find(slot); run != state.runs.end()) {
    event.percent = run->second.percent;
    event.message = run->second.message;
  } else if (task.failures() > 0 && event.state == TaskState::pending) {
    event.message = retry_message(state, slot);
  }
  return event;
}

Lsn finish(Turn& turn, std::vector<record::FinishedItem> items) {
  assert(!items.empty());
  State& state = turn.state;
  std::vector<TaskSlot> slots;
  slots.reserve(items.size());
  for (const auto& item : items) slots.push_back(state.tasks.find(item.id));
  const std::size_t workflows_before = state.ended_workflows.size();
  const Lsn lsn = turn.commit(record::TasksFinished{turn.now.wall, std::move(items)});
  for (const TaskSlot slot : slots) follow_end(turn, slot);
  for (std::size_t i = workflows_before; i < state.ended_workflows.size(); ++i) {
    tell_waiters(turn, state.ended_workflows[i]);
  }
  return lsn;
}

void finish_doomed(Turn& turn) {
  State& state = turn.state;
  while (!state.doomed.empty()) {
    // Two failed dependencies doom a task twice; it ends once.
    std::vector<TaskSlot> doomed = std::exchange(state.doomed, {});
    std::sort(doomed.begin(), doomed.end());
    doomed.erase(std::unique(doomed.begin(), doomed.end()), doomed.end());
    std::vector<record::FinishedItem> items;
    for (const TaskSlot slot : doomed) {
      const Task& task = state.tasks[slot];
      if (!std::holds_alternative<phase::Waiting>(task.phase)) continue;
      items.push_back(
          {task.id, task.attempt(), cancelled_outcome("a task it depends on did not succeed")});
    }
    if (!items.empty()) finish(turn, std::move(items));
  }
}

}  // namespace taskpipe::broker
