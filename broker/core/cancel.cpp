// CANCEL: a durable change of state. A task that no worker holds ends at once; one that a worker
// holds is marked, the worker is told, and whatever it reports, the task ends cancelled.
#include <algorithm>
#include <map>
#include <utility>

#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

struct CancelPlan {
  CancelAck ack;
  std::vector<TaskId> missing;
  std::vector<record::FinishedItem> ended;
  record::CancelRequested requested;
  std::map<WorkerSlot, Kill> kills;
};

void plan_cancel(State& state, const Session& session, const TaskId& id, std::uint32_t grace_ms,
                 CancelPlan& plan) {
  const TaskSlot slot = state.tasks.find(id);
  if (slot.value() == kNoSlot) {
    plan.missing.push_back(id);
    return;
  }
  Task& task = state.tasks[slot];
  if (task.owner != session.owner) {
    plan.ack.items.push_back({id, ErrorCode::unknown_task, false});
    return;
  }
  plan.ack.items.push_back({id, ErrorCode::ok, !task.ended()});
  if (task.ended() || task.ending) return;
  const auto* placed = task.placed();
  if (placed == nullptr) {
    task.ending = true;
    plan.ended.push_back({id, task.attempt, cancelled_outcome("cancelled before it started")});
    return;
  }
  const std::uint32_t grace = grace_ms != 0 ? grace_ms : task.spec->limits.grace_ms;
  const bool listed = std::find(plan.requested.items.begin(), plan.requested.items.end(), id) !=
                      plan.requested.items.end();
  if (!placed->cancel_requested && !listed) plan.requested.items.push_back(id);
  plan.kills[placed->worker].items.push_back({{id, task.epoch, task.attempt}, grace});
}

void carry_out(Turn& turn, CancelPlan& plan) {
  State& state = turn.state;
  if (!plan.requested.items.empty()) turn.commit(std::move(plan.requested));
  if (!plan.ended.empty()) finish(turn, std::move(plan.ended));
  for (auto& [slot, kill] : plan.kills) {
    const Session* worker = state.sessions.find(state.workers[slot].session);
    if (worker == nullptr) continue;  // RECONCILE repeats it when the worker is back
    for (std::size_t at = 0; at < kill.items.size(); at += limits::kMaxBatchItems) {
      const std::size_t end = std::min(kill.items.size(), at + limits::kMaxBatchItems);
      turn.send(*worker, Correlation{},
                Kill{{kill.items.begin() + static_cast<std::ptrdiff_t>(at),
                      kill.items.begin() + static_cast<std::ptrdiff_t>(end)}});
    }
  }
}

// An acknowledgement may list a whole workflow: closed before it exceeds a message.
void send_ack(Turn& turn, const Session& session, Correlation correlation, CancelAck ack) {
  std::size_t at = 0;
  do {
    const std::size_t end = std::min(ack.items.size(), at + limits::kMaxBatchItems);
    turn.send(session, correlation,
              CancelAck{{ack.items.begin() + static_cast<std::ptrdiff_t>(at),
                         ack.items.begin() + static_cast<std::ptrdiff_t>(end)}});
    at = end;
  } while (at < ack.items.size());
}

}  // namespace

void on_cancel(Turn& turn, Session& session, Correlation correlation, const Cancel& cancel) {
  State& state = turn.state;
  CancelPlan plan;
  plan.requested.at = turn.now.wall;
  plan.requested.grace_ms = cancel.grace_ms;
  for (const TaskId& id : cancel.tasks) plan_cancel(state, session, id, cancel.grace_ms, plan);
  for (const WorkflowId& id : cancel.workflows) {
    const WorkflowSlot slot = state.workflows.find(id);
    if (slot.value() == kNoSlot || state.workflows[slot].owner != session.owner) continue;
    for (const Member& member : state.workflows[slot].members) {
      if (!member.ended) plan_cancel(state, session, member.id, cancel.grace_ms, plan);
    }
  }
  carry_out(turn, plan);
  if (plan.missing.empty()) {
    send_ack(turn, session, correlation, std::move(plan.ack));
    return;
  }
  std::vector<TaskId> missing = plan.missing;
  ask_history(
      turn, session, correlation,
      lookup::Cancelling{session.id, correlation, std::move(plan.ack), std::move(plan.missing)},
      HistoryLookup::Tasks{std::move(missing)});
}

void resume_cancel(Turn& turn, lookup::Cancelling& waiting,
                   const std::vector<FinishedTask>& found) {
  Session* session = turn.state.sessions.find(waiting.session);
  if (session == nullptr) return;
  const std::string& owner = turn.state.owners.name(session->owner);
  for (const TaskId& id : waiting.missing) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const FinishedTask& task) {
      return task.id == id && task.owner == owner;
    });
    waiting.ack.items.push_back({id, known ? ErrorCode::ok : ErrorCode::unknown_task, false});
  }
  send_ack(turn, *session, waiting.correlation, std::move(waiting.ack));
}

}  // namespace taskpipe::broker
