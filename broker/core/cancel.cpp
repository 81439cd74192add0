// CANCEL: a durable change of state. A task that no worker holds ends at once; one that a worker
// holds is marked, the worker is told, and whatever it reports, the task ends cancelled.
#include <algorithm>
#include <map>
#include <utility>

#include "broker/core/authority.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

struct CancelPlan {
  CancelAck ack;
  std::vector<TaskId> missing;
  std::vector<WorkflowId> missing_workflows;
  std::vector<record::FinishedItem> ended;
  record::CancelRequested requested;
  std::map<WorkerSlot, Kill> kills;
};

void plan_cancel(Turn& turn, const Session& session, const TaskId& id, std::uint32_t grace_ms,
                 CancelPlan& plan) {
  State& state = turn.state;
  const TaskSlot slot = state.tasks.find(id);
  if (slot.value() == kNoSlot) {
    plan.missing.push_back(id);
    return;
  }
  Task& task = state.tasks[slot];
  if (!may_change(session, task.owner)) {
    plan.ack.items.push_back({id, ErrorCode::unknown_task, false});
    return;
  }
  plan.ack.items.push_back({id, ErrorCode::ok, !task.ended()});
  if (task.ended() || task.ending) return;
  if (task.owner != session.owner) {
    turn.audit(session, "cancelled_for_another",
               id.to_string() + " of '" + state.owners.name(task.owner) + "'");
  }
  const auto* placed = task.placed();
  if (placed == nullptr) {
    task.ending = true;
    plan.ended.push_back(
        {id, task.attempt(),
         cancelled_outcome(task.failures() > 0 ? "cancelled while it waited for another attempt"
                                               : "cancelled before it started")});
    return;
  }
  const std::uint32_t grace = grace_ms != 0 ? grace_ms : task.spec->limits.grace_ms;
  if (!placed->cancel_requested) plan.requested.items.push_back(id);
  plan.kills[placed->worker].items.push_back({{id, task.epoch(), task.attempt()}, grace});
}

void carry_out(Turn& turn, CancelPlan& plan) {
  State& state = turn.state;
  auto& requested = plan.requested.items;  // a client may name a task twice
  std::sort(requested.begin(), requested.end());
  requested.erase(std::unique(requested.begin(), requested.end()), requested.end());
  if (!requested.empty()) turn.commit(std::move(plan.requested));
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
                         ack.items.begin() + static_cast<std::ptrdiff_t>(end)},
                        end < ack.items.size()});
    at = end;
  } while (at < ack.items.size());
}

// Workflows that are not in memory have ended, or never were.
void finish_cancel(Turn& turn, const Session& session, lookup::Cancelling& waiting) {
  if (waiting.missing_workflows.empty()) {
    send_ack(turn, session, waiting.correlation, std::move(waiting.ack));
    return;
  }
  const Correlation correlation = waiting.correlation;
  std::vector<WorkflowId> missing = waiting.missing_workflows;
  ask_history(turn, session, correlation, std::move(waiting),
              HistoryLookup::Workflows{std::move(missing)});
}

void add_ended_workflows(Turn& turn, const Session& session, lookup::Cancelling& waiting,
                         const std::vector<FinishedWorkflow>& found) {
  for (const WorkflowId& id : waiting.missing_workflows) {
    const auto row = std::find_if(found.begin(), found.end(), [&](const FinishedWorkflow& w) {
      return w.id == id && may_change(turn.state, session, w.owner);
    });
    if (row == found.end()) {
      turn.refuse(session, waiting.correlation, ErrorCode::unknown_task,
                  "there is no workflow " + id.to_string(), "workflow_id");
      return;
    }
    for (const TaskId& task : row->tasks) waiting.ack.items.push_back({task, ErrorCode::ok, false});
  }
  send_ack(turn, session, waiting.correlation, std::move(waiting.ack));
}

}  // namespace

void on_cancel(Turn& turn, Session& session, Correlation correlation, const Cancel& cancel) {
  State& state = turn.state;
  CancelPlan plan;
  plan.requested.at = turn.now.wall;
  plan.requested.grace_ms = cancel.grace_ms;
  for (const TaskId& id : cancel.tasks) plan_cancel(turn, session, id, cancel.grace_ms, plan);
  for (const WorkflowId& id : cancel.workflows) {
    const WorkflowSlot slot = state.workflows.find(id);
    if (slot.value() == kNoSlot || !may_change(session, state.workflows[slot].owner)) {
      plan.missing_workflows.push_back(id);
      continue;
    }
    for (const Member& member : state.workflows[slot].members) {
      if (member.ended) {
        plan.ack.items.push_back({member.id, ErrorCode::ok, false});
      } else {
        plan_cancel(turn, session, member.id, cancel.grace_ms, plan);
      }
    }
  }
  carry_out(turn, plan);
  lookup::Cancelling waiting{session.id, correlation, std::move(plan.ack), std::move(plan.missing),
                             std::move(plan.missing_workflows)};
  if (waiting.missing.empty()) {
    finish_cancel(turn, session, waiting);
    return;
  }
  std::vector<TaskId> missing = waiting.missing;
  ask_history(turn, session, correlation, std::move(waiting),
              HistoryLookup::Tasks{std::move(missing)});
}

void resume_cancel(Turn& turn, lookup::Cancelling& waiting, const command::LookupAnswered& answer) {
  Session* session = turn.state.sessions.find(waiting.session);
  if (session == nullptr) return;
  if (waiting.missing.empty()) {
    add_ended_workflows(turn, *session, waiting, answer.workflows);
    return;
  }
  for (const TaskId& id : std::exchange(waiting.missing, {})) {
    const bool known =
        std::any_of(answer.tasks.begin(), answer.tasks.end(), [&](const FinishedTask& task) {
          return task.id == id && may_change(turn.state, *session, task.owner);
        });
    waiting.ack.items.push_back({id, known ? ErrorCode::ok : ErrorCode::unknown_task, false});
  }
  finish_cancel(turn, *session, waiting);
}

}  // namespace taskpipe::broker
