// What has ended goes to the history, at the pace at which the history takes it, and leaves memory
// once it is there.
//
// Rows are made when they are asked for: what a history that lags behind has not taken yet costs
// nothing but its place in the table of tasks. What it has taken leaves memory bit by bit: a
// transaction's tasks at once would keep everybody waiting for milliseconds.
#include <cassert>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/pasts.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

// As many as a turn gives to the history; twice in the turn in which the history tells.
constexpr std::size_t kForgottenTasksPerTurn = limits::kHistoryTasksPerTurn;

FinishedTask finished_task(const State& state, TaskSlot slot) {
  const Task& task = state.tasks[slot];
  assert(task.ended());
  FinishedTask row;
  row.id = task.id;
  if (task.workflow.value() != kNoSlot) row.workflow = state.workflows[task.workflow].id;
  row.owner = state.owners.name(task.owner);
  row.spec = task.spec;
  row.params = task.params;
  row.params_hash = task.params_hash;
  row.arrival = task.arrival;
  row.epoch = task.epoch();
  row.attempt = task.attempt();
  const auto& end = task.end();
  if (end.worker.value() != kNoSlot) {
    row.placements.push_back({state.workers[end.worker].uuid});
    row.worker = state.workers[end.worker].name;  // as it is called now
  }
  row.outcome = end.outcome;
  row.submitted = task.submitted;
  row.started = task.started();
  row.finished = end.finished;
  row.terminal_lsn = end.terminal_lsn;
  if (const auto pasts = state.pasts.find(slot); pasts != state.pasts.end()) {
    row.pasts = pasts->second;
  }
  if (const auto link = state.originals.find(slot); link != state.originals.end()) {
    row.original = link->second;
  }
  return row;
}

FinishedWorkflow finished_workflow(const State& state, WorkflowSlot slot) {
  const Workflow& workflow = state.workflows[slot];
  FinishedWorkflow row;
  row.id = workflow.id;
  row.owner = state.owners.name(workflow.owner);
  row.name = workflow.name;
  row.on_failure = workflow.on_failure;
  for (const auto& member : workflow.members) row.tasks.push_back(member.id);
  row.succeeded = workflow.succeeded;
  row.submitted = workflow.submitted;
  row.finished = workflow.finished;
  row.terminal_lsn = workflow.terminal_lsn;
  return row;
}

// Moves tasks that ended at or below `up_to` into `batch`; returns what it now reaches up to. Those
// of one record stay together, so that a record's number can be the watermark.
Lsn take_tasks(State& state, Lsn up_to, std::size_t most, HistoryBatch& batch) {
  Lsn last;
  while (state.archived_tasks < state.ended_tasks.size()) {
    const TaskSlot slot = state.ended_tasks[state.archived_tasks];
    const Lsn ended = state.tasks[slot].end().terminal_lsn;
    if (ended > up_to) break;
    if (batch.tasks.size() >= most && ended > last) return last;
    batch.tasks.push_back(finished_task(state, slot));
    ++state.archived_tasks;
    last = ended;
  }
  return up_to;
}

}  // namespace

void on_history_ready(Turn& turn, const command::HistoryReady& command) {
  State& state = turn.state;
  if (!state.read_only.empty() || command.most_tasks == 0) return;
  HistoryBatch batch;
  batch.watermark = take_tasks(state, command.synced, command.most_tasks, batch);
  while (state.archived_workflows < state.ended_workflows.size()) {
    const WorkflowSlot slot = state.ended_workflows[state.archived_workflows];
    if (state.workflows[slot].terminal_lsn > batch.watermark) break;
    batch.workflows.push_back(finished_workflow(state, slot));
    ++state.archived_workflows;
  }
  state.archived_up_to = batch.watermark;
  while (!state.late.empty() && state.late.front().lsn <= command.synced) {
    batch.late.push_back(std::move(state.late.front()));
    state.late.pop_front();
  }
  if (batch.tasks.empty() && batch.workflows.empty() && batch.late.empty()) return;
  turn.effects.archive = std::move(batch);
}

// The replay has put what came late among the past attempts of tasks that the history has, perhaps
// without it.
void give_late_again(State& state, Lsn watermark) {
  for (const TaskSlot slot : state.ended_tasks) {
    const Task& task = state.tasks[slot];
    if (task.end().terminal_lsn > watermark) break;
    const auto pasts = state.pasts.find(slot);
    if (pasts == state.pasts.end()) continue;
    for (const PastAttempt& past : pasts->second) {
      if (past.kind == PastKind::late) state.late.push_back({task.id, past, watermark});
    }
  }
}

namespace {

void forget_task(State& state, TaskSlot slot) {
  const Task& task = state.tasks[slot];
  if (task.workflow.value() != kNoSlot) {
    state.workflows[task.workflow].members[task.member].slot = TaskSlot(kNoSlot);
  }
  state.live_bytes -= journal_bytes_of(task);
  state.memory.task_removed(task);
  forget_pasts(state, slot);
  unlink_original(state, slot);
  state.specs.release(task.spec);
  state.tasks.erase(slot);
}

// At least `most` of the tasks that the history has, if there are as many: those of one record
// leave together, so that its number can be the watermark.
void forget_tasks(State& state, std::size_t most) {
  Lsn last;
  for (std::size_t count = 0; !state.ended_tasks.empty(); ++count) {
    const TaskSlot slot = state.ended_tasks.front();
    const Lsn ended = state.tasks[slot].end().terminal_lsn;
    if (ended > state.history_committed) break;
    if (count >= most && ended > last) {
      state.history_watermark = last;
      return;
    }
    state.ended_tasks.pop_front();
    if (state.archived_tasks > 0) --state.archived_tasks;
    forget_task(state, slot);
    last = ended;
  }
  state.history_watermark = state.history_committed;
}

void forget_workflows(State& state) {
  while (!state.ended_workflows.empty()) {
    const WorkflowSlot slot = state.ended_workflows.front();
    if (state.workflows[slot].terminal_lsn > state.history_watermark) break;
    state.ended_workflows.pop_front();
    if (state.archived_workflows > 0) --state.archived_workflows;
    state.memory.workflow_removed(state.workflows[slot]);
    state.workflows.erase(slot);
  }
}

}  // namespace

void on_history_committed(Turn& turn, Lsn watermark) {
  turn.state.history_committed = watermark;
  forget_archived(turn);
}

void forget_archived(Turn& turn) {
  if (!has_archived(turn.state)) return;
  forget_tasks(turn.state, kForgottenTasksPerTurn);
  forget_workflows(turn.state);
}

bool has_archived(const State& state) { return state.history_watermark < state.history_committed; }

}  // namespace taskpipe::broker
