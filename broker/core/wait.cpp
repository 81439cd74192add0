// WAIT and DONE: who is told when something ends.
#include <algorithm>
#include <utility>

#include "broker/core/authority.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

DoneTask done_of(const State& state, TaskSlot slot) {
  const Task& task = state.tasks[slot];
  const auto& end = task.end();
  DoneTask done;
  done.attempt = {task.id, task.epoch(), task.attempt()};
  done.outcome = end.outcome;
  if (end.worker.value() != kNoSlot) done.worker = state.workers[end.worker].name;
  done.submitted = task.submitted;
  done.started = task.started();
  done.finished = end.finished;
  return done;
}

DoneTask done_of(const FinishedTask& row) {
  DoneTask done;
  done.attempt = {row.id, row.epoch, row.attempt};
  done.outcome = row.outcome;
  done.worker = row.worker;
  done.submitted = row.submitted;
  done.started = row.started;
  done.finished = row.finished;
  return done;
}

void close_outbox(Turn& turn, Session& session) {
  Done& outbox = session.outbox;
  if (outbox.tasks.empty() && outbox.workflows.empty()) return;
  send_late_acks(turn, session);
  turn.send(session, Correlation{}, std::exchange(outbox, Done{}));
  session.outbox_bytes = 0;
  session.outbox_blobs = 0;
}

void open_outbox(Turn& turn, Session& session) {
  if (session.outbox.tasks.empty() && session.outbox.workflows.empty()) {
    turn.state.sessions_with_done.push_back(session.id);
  }
}

void put_done(Turn& turn, Session& session, DoneTask done) {
  constexpr std::size_t kFixedBytes = 128;
  const std::size_t bytes = done.outcome.report.size() + done.outcome.reason.size() + kFixedBytes;
  const bool blob = done.outcome.report.size() > limits::kMaxInlinePayloadBytes;
  if (session.outbox.tasks.size() >= limits::kMaxBatchItems ||
      session.outbox_bytes + bytes > limits::kMaxBatchBytes ||
      session.outbox_blobs + (blob ? 1 : 0) > limits::kMaxBlobs) {
    close_outbox(turn, session);
  }
  open_outbox(turn, session);
  session.outbox_bytes += bytes;
  session.outbox_blobs += blob ? 1 : 0;
  session.outbox.tasks.push_back(std::move(done));
}

void put_done(Turn& turn, Session& session, const DoneWorkflow& done) {
  if (session.outbox.workflows.size() >= limits::kMaxBatchItems) close_outbox(turn, session);
  open_outbox(turn, session);
  session.outbox.workflows.push_back(done);
}

void add_waiter(State& state, TaskSlot slot, SessionId session) {
  const std::uint32_t low = SessionTable::low_half(session);
  Task& task = state.tasks[slot];
  if (task.waiter == 0 || task.waiter == low || state.sessions.find_low(task.waiter) == nullptr) {
    task.waiter = low;
    return;
  }
  auto& more = state.more_waiters[slot];
  if (std::find(more.begin(), more.end(), low) == more.end()) more.push_back(low);
}

void wait_for_workflow(Turn& turn, Session& session, WorkflowSlot slot) {
  Workflow& workflow = turn.state.workflows[slot];
  if (workflow.done()) {
    put_done(turn, session,
             DoneWorkflow{workflow.id, static_cast<std::uint32_t>(workflow.members.size()),
                          workflow.succeeded});
  } else if (std::find(workflow.waiters.begin(), workflow.waiters.end(), session.id) ==
             workflow.waiters.end()) {
    workflow.waiters.push_back(session.id);
  }
}

}  // namespace

void wait_for_task(Turn& turn, Session& session, TaskSlot slot) {
  if (turn.state.tasks[slot].ended()) {
    put_done(turn, session, done_of(turn.state, slot));
  } else {
    add_waiter(turn.state, slot, session.id);
  }
}

void tell_end(Turn& turn, Session& session, const FinishedTask& task) {
  put_done(turn, session, done_of(task));
}

void tell_waiters(Turn& turn, TaskSlot slot) {
  State& state = turn.state;
  Task& task = state.tasks[slot];
  if (task.waiter == 0) return;
  if (Session* session = state.sessions.find_low(std::exchange(task.waiter, 0))) {
    put_done(turn, *session, done_of(state, slot));
  }
  const auto more = state.more_waiters.find(slot);
  if (more == state.more_waiters.end()) return;
  for (const std::uint32_t low : more->second) {
    if (Session* session = state.sessions.find_low(low)) {
      put_done(turn, *session, done_of(state, slot));
    }
  }
  state.more_waiters.erase(more);
}

void tell_waiters(Turn& turn, WorkflowSlot slot) {
  Workflow& workflow = turn.state.workflows[slot];
  const DoneWorkflow done{workflow.id, static_cast<std::uint32_t>(workflow.members.size()),
                          workflow.succeeded};
  for (const SessionId id : std::exchange(workflow.waiters, {})) {
    if (Session* session = turn.state.sessions.find(id)) put_done(turn, *session, done);
  }
}

void flush_done(Turn& turn) {
  for (const SessionId id : std::exchange(turn.state.sessions_with_done, {})) {
    if (Session* session = turn.state.sessions.find(id)) close_outbox(turn, *session);
  }
}

void on_wait(Turn& turn, Session& session, Correlation correlation, const Wait& wait) {
  State& state = turn.state;
  std::vector<TaskId> missing;
  for (const TaskId& id : wait.tasks) {
    const TaskSlot slot = state.tasks.find(id);
    if (slot.value() == kNoSlot) {
      missing.push_back(id);
    } else if (!may_see(session, state.tasks[slot].owner)) {
      turn.send(session, correlation, Done{{}, {}, {id}, {}});
    } else {
      wait_for_task(turn, session, slot);
    }
  }
  std::vector<WorkflowId> missing_workflows;
  for (const WorkflowId& id : wait.workflows) {
    const WorkflowSlot slot = state.workflows.find(id);
    if (slot.value() == kNoSlot || !may_see(session, state.workflows[slot].owner)) {
      missing_workflows.push_back(id);
    } else {
      wait_for_workflow(turn, session, slot);
    }
  }
  if (!missing.empty()) {
    ask_history(turn, session, correlation, lookup::Waiting{session.id, correlation, missing},
                HistoryLookup::Tasks{missing});
  }
  if (!missing_workflows.empty()) {
    ask_history(turn, session, correlation,
                lookup::WaitingWorkflows{session.id, correlation, missing_workflows},
                HistoryLookup::Workflows{missing_workflows});
  }
}

void resume_wait(Turn& turn, lookup::Waiting& waiting, std::vector<FinishedTask>& found) {
  State& state = turn.state;
  Session* session = state.sessions.find(waiting.session);
  if (session == nullptr) return;
  Done unknown;
  for (const TaskId& id : waiting.tasks) {
    const auto row = std::find_if(found.begin(), found.end(),
                                  [&id](const FinishedTask& task) { return task.id == id; });
    const TaskSlot slot = state.tasks.find(id);  // it may have been submitted meanwhile
    if (row != found.end() && may_see(state, *session, row->owner)) {
      put_done(turn, *session, done_of(*row));
    } else if (slot.value() != kNoSlot && may_see(*session, state.tasks[slot].owner)) {
      on_wait(turn, *session, waiting.correlation, Wait{{id}, {}});
    } else {
      unknown.unknown.push_back(id);
    }
  }
  if (!unknown.unknown.empty()) turn.send(*session, waiting.correlation, std::move(unknown));
}

void resume_wait(Turn& turn, lookup::WaitingWorkflows& waiting,
                 const std::vector<FinishedWorkflow>& found) {
  State& state = turn.state;
  Session* session = state.sessions.find(waiting.session);
  if (session == nullptr) return;
  Done unknown;
  for (const WorkflowId& id : waiting.workflows) {
    const auto row = std::find_if(found.begin(), found.end(),
                                  [&id](const FinishedWorkflow& w) { return w.id == id; });
    const WorkflowSlot slot = state.workflows.find(id);
    if (row != found.end() && may_see(state, *session, row->owner)) {
      put_done(turn, *session,
               DoneWorkflow{id, static_cast<std::uint32_t>(row->tasks.size()), row->succeeded});
    } else if (slot.value() != kNoSlot && may_see(*session, state.workflows[slot].owner)) {
      wait_for_workflow(turn, *session, slot);
    } else {
      unknown.unknown_workflows.push_back(id);
    }
  }
  if (!unknown.unknown_workflows.empty()) {
    turn.send(*session, waiting.correlation, std::move(unknown));
  }
}

}  // namespace taskpipe::broker
