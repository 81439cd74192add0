#include "broker/core/changes.hpp"

#include <utility>

#include "broker/core/handlers.hpp"
#include "broker/core/pasts.hpp"

namespace taskpipe::broker {
namespace {

std::optional<WorkflowEvent> counts_of(const State& state, const Task& task) {
  if (task.workflow.value() == kNoSlot) return std::nullopt;
  const Workflow& workflow = state.workflows[task.workflow];
  if (!task.ended()) return WorkflowEvent{workflow.id, 0, 0, 0};  // nothing that counts
  return WorkflowEvent{workflow.id, static_cast<std::uint32_t>(workflow.members.size()),
                       workflow.ended, workflow.succeeded};
}

}  // namespace

void log_change(State& state, TaskSlot slot, WallTime at, Lsn lsn) {
  const Task& task = state.tasks[slot];
  Change change;
  change.id = task.id;
  change.lsn = lsn;
  change.at = at;
  change.state = task.state();
  change.attempt = task.attempt();
  change.tool = task.spec->tool;
  change.script = task.spec->script;
  change.owner = task.owner;
  change.worker = worker_of(task);
  if (change.worker.value() != kNoSlot) change.worker_name = state.workers[change.worker].name;
  if (task.ended()) {
    change.failure = task.end().outcome.failure;
    change.reason = task.end().outcome.reason;
  }
  std::string what_comes_next;
  if (task.failures() > 0 && change.state == TaskState::pending) {
    what_comes_next = retry_message(state, slot);
    change.reason = what_comes_next;
  }
  change.workflow = counts_of(state, task);
  state.event_log.append(change);
}

void begin_publishing(State& state) {
  state.published = state.event_log.end();
  state.published_lsn = state.last_lsn;
  for (const auto& tool : state.event_log.tools()) {
    state.events.tool_stands_at(tool.tool, tool.last);
  }
}

void publish_changes(State& state) {
  if (!state.events.anyone()) return;
  const EventLog& log = state.event_log;
  if (log.overtaken(state.published)) {
    // A turn that made more than all of the log holds.
    if (state.published_lsn < log.floor()) {
      for (const auto& tool : log.tools()) state.events.tool_stands_at(tool.tool, log.floor());
      state.published_lsn = log.floor();
    }
    state.published = log.after(state.published_lsn);
  }
  while (const auto view = log.at(state.published)) {
    state.events.task_changed(log.event(state.published), view->lsn);
    if (const auto counts = log.workflow(state.published)) {
      state.events.workflow_changed(*counts, view->lsn);
    }
    ++state.published.entry;
  }
  state.published_lsn = state.last_lsn;
}

}  // namespace taskpipe::broker
