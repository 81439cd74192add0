// What workers say about the tasks they were given.
#include <algorithm>
#include <utility>

#include "broker/core/changes.hpp"
#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/memory.hpp"
#include "broker/core/pasts.hpp"

namespace taskpipe::broker {
namespace {

// The task that `key` is the current attempt of, placed on this session's worker; else kNoSlot.
TaskSlot find_placed(const State& state, const Session& session, const AttemptKey& key) {
  const TaskSlot slot = state.tasks.find(key.task);
  if (slot.value() == kNoSlot) return slot;
  const Task& task = state.tasks[slot];
  const auto* placed = task.placed();
  const bool current = placed != nullptr && placed->worker == session.worker &&
                       task.fence_is(key.epoch, key.attempt);
  return current ? slot : TaskSlot(kNoSlot);
}

// A cancel that was recorded before the result wins; the report is kept.
Outcome settled(const Task& task, Outcome outcome) {
  const auto* placed = task.placed();
  if (placed == nullptr || !placed->cancel_requested || outcome.state == TaskState::cancelled) {
    return outcome;
  }
  outcome.state = TaskState::cancelled;
  outcome.failure = FailureClass::cancelled;
  outcome.reason = "cancelled on request";
  return outcome;
}

}  // namespace

void on_credit(Turn& turn, Session& session, const Credit& credit) {
  Worker& worker = turn.state.workers[session.worker];
  worker.credit_slots = std::max(worker.credit_slots, credit.slots_total);
  worker.credit_bytes = std::max(worker.credit_bytes, credit.bytes_total);
  mark_dirty(turn.state, session.worker);
}

void on_tasks_ack(Turn& turn, Session& session, const TasksAck& ack) {
  State& state = turn.state;
  std::vector<record::FinishedItem> items;
  for (const auto& refusal : ack.refused) {
    const TaskSlot slot = find_placed(state, session, refusal.attempt);
    if (slot.value() == kNoSlot || state.tasks[slot].ending) continue;
    state.tasks[slot].ending = true;
    Outcome outcome;
    outcome.state = TaskState::error;
    outcome.failure = FailureClass::rejected;
    outcome.reason = "worker '" + state.workers[session.worker].name + "' refused it: " +
                     (refusal.error.field.empty() ? "" : refusal.error.field + ": ") +
                     refusal.error.text;
    outcome.reason.resize(std::min(outcome.reason.size(), limits::kMaxTextBytes));
    items.push_back({refusal.attempt.task, refusal.attempt.attempt,
                     settled(state.tasks[slot], std::move(outcome))});
  }
  if (!items.empty()) conclude(turn, std::move(items));
}

void requeue(Turn& turn, const std::vector<TaskSlot>& slots, record::RequeueCause cause) {
  State& state = turn.state;
  const bool lost = cause == record::RequeueCause::worker_lost;
  record::TasksRequeued again{turn.now.wall, cause, {}};
  std::vector<record::FinishedItem> ended;
  for (const TaskSlot slot : slots) {
    const Task& task = state.tasks[slot];
    if (task.placed()->cancel_requested) {
      ended.push_back({task.id, task.attempt(), cancelled_outcome("cancelled on request")});
    } else if (lost && task.worker_losses() + 1 > most_losses(state, task)) {
      Outcome outcome;
      outcome.state = TaskState::error;
      outcome.failure = FailureClass::worker_lost;
      outcome.reason = "lost with its worker " + std::to_string(task.worker_losses() + 1) +
                       " times; the last was '" + state.workers[task.placed()->worker].name + "'";
      ended.push_back({task.id, task.attempt(), std::move(outcome)});
    } else {
      again.items.push_back({task.id, task.attempt()});
    }
  }
  if (!again.items.empty()) turn.commit(std::move(again));
  if (!ended.empty()) finish(turn, std::move(ended));
}

void on_returned(Turn& turn, Session& session, const Returned& returned) {
  std::vector<TaskSlot> slots;
  for (const AttemptKey& key : returned.attempts) {
    const TaskSlot slot = find_placed(turn.state, session, key);
    const bool repeated = std::find(slots.begin(), slots.end(), slot) != slots.end();
    if (slot.value() != kNoSlot && !repeated) slots.push_back(slot);
  }
  end_recall(turn, session.worker, !slots.empty());  // who waits for it is served first
  requeue(turn, slots, record::RequeueCause::returned);
}

void on_started(Turn& turn, Session& session, const Started& started) {
  State& state = turn.state;
  record::TasksStarted fact{turn.now.wall, {}};
  for (const auto& item : started.items) {
    const TaskSlot slot = find_placed(state, session, item.attempt);
    if (slot.value() == kNoSlot || state.tasks[slot].placed()->started) continue;
    fact.items.push_back({item.attempt.task, item.attempt.attempt});
  }
  if (!fact.items.empty()) turn.commit(std::move(fact));
}

void on_progress(Turn& turn, Session& session, Progress& progress) {
  State& state = turn.state;
  for (auto& item : progress.items) {
    const TaskSlot slot = find_placed(state, session, item.attempt);
    if (slot.value() == kNoSlot) continue;
    const auto [entry, added] = state.runs.try_emplace(slot);
    LiveRun& run = entry->second;
    const std::uint64_t before = added ? 0 : memory_of(run);
    if (item.percent >= 0) run.percent = item.percent;
    if (!item.message.empty()) run.message = item.message;
    state.memory.exchange(before, memory_of(run));
    watch_progress(state, slot, item.metrics);
    if (!state.events.anyone()) continue;
    publish_changes(state);  // its start may be of this turn
    TaskEvent event = task_event(state, slot, turn.now.wall);
    event.metrics = std::move(item.metrics);
    state.events.task_progressed(std::move(event));
  }
}

void on_result(Turn& turn, Session& session, Correlation correlation, Result& result) {
  State& state = turn.state;
  ResultAck ack;
  ack.items.reserve(result.items.size());
  std::vector<record::FinishedItem> ended;
  ended.reserve(result.items.size());
  record::StaleResults stale{turn.now.wall, session.uuid, {}};
  for (auto& item : result.items) {
    const TaskSlot slot = state.tasks.find(item.attempt.task);
    if (slot.value() == kNoSlot) {
      ack.items.push_back({item.attempt, ErrorCode::unknown_task});
      stale.items.push_back(std::move(item));  // the history may know the task
      continue;
    }
    Task& task = state.tasks[slot];
    const bool elsewhere = task.placed() != nullptr && task.placed()->worker != session.worker;
    if (was_retried(state, slot, item.attempt)) {
      ack.items.push_back({item.attempt, ErrorCode::ok});
      continue;
    }
    // A task that was never dispatched has an attempt 0, which nobody can have run.
    const bool never_ran = item.attempt.attempt.value() == 0;
    if (elsewhere || never_ran || !task.fence_is(item.attempt.epoch, item.attempt.attempt)) {
      ack.items.push_back({item.attempt, ErrorCode::stale_attempt});
      if (item.outcome.failure == FailureClass::cancelled) {
        item.outcome.reason = "stopped, as it counted no more";
      }
      stale.items.push_back(std::move(item));
      continue;
    }
    ack.items.push_back({item.attempt, ErrorCode::ok});
    if (task.ended() || task.ending) continue;  // said before, or twice in this message
    task.ending = true;
    if (item.outcome.state == TaskState::success) {
      state.tools[state.tools.intern(task.spec->tool)].add_run(item.outcome.usage.wall_us);
    }
    ended.push_back(
        {item.attempt.task, item.attempt.attempt, settled(task, std::move(item.outcome))});
  }
  if (!stale.items.empty()) turn.commit(std::move(stale));
  if (!ended.empty()) conclude(turn, std::move(ended));
  turn.send(session, correlation, std::move(ack));
}

void on_drained(Turn& turn, Session& session, const Drained& drained) {
  State& state = turn.state;
  const WorkerSlot slot = session.worker;
  Worker& worker = state.workers[slot];
  if (!drained.finished) {
    worker.state = WorkerState::draining;
    state.events.worker_changed({worker.uuid, worker.name, worker.state});
    turn.note(NoteLevel::info, "worker '" + worker.name + "' takes no more work");
    return;
  }
  std::vector<TaskSlot> left;
  for (TaskSlot at = worker.placed_head; at.value() != kNoSlot;
       at = state.tasks[at].placed()->next) {
    left.push_back(at);
  }
  requeue(turn, left, record::RequeueCause::returned);
  close_session(turn, session.id);
}

}  // namespace taskpipe::broker
