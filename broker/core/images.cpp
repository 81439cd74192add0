// What keeps the journal small: repeating what still lives at its end, and letting go of what the
// history holds.
#include <algorithm>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/pasts.hpp"

namespace taskpipe::broker {
namespace {

record::TaskImage image_of(const State& state, TaskSlot slot) {
  const Task& task = state.tasks[slot];
  record::TaskImage image;
  image.id = task.id;
  image.owner = state.owners.name(task.owner);
  image.spec = task.spec;
  image.params = task.params;
  image.params_hash = task.params_hash;
  image.arrival = task.arrival;
  if (task.workflow.value() != kNoSlot) image.workflow = state.workflows[task.workflow].id;
  image.state = task.state();
  image.epoch = task.epoch();
  image.attempt = task.attempt();
  image.worker_losses = task.worker_losses();
  image.failures = task.failures();
  image.ready_at = task.ready_at;
  if (const auto pasts = state.pasts.find(slot); pasts != state.pasts.end()) {
    image.pasts = pasts->second;
  }
  if (const auto link = state.originals.find(slot); link != state.originals.end()) {
    image.original = link->second;
  }
  image.submitted = task.submitted;
  image.started = task.started();
  if (const auto* placed = task.placed()) {
    image.dispatched = true;
    image.placements.push_back({state.workers[placed->worker].uuid});
    image.cancel_requested = placed->cancel_requested;
    image.cancel_grace_ms = placed->cancel_grace_ms;
  } else if (task.ended()) {
    const auto& end = task.end();
    image.outcome = end.outcome;
    image.finished = end.finished;
    image.terminal_lsn = end.terminal_lsn;
    if (end.worker.value() != kNoSlot) image.placements.push_back({state.workers[end.worker].uuid});
  }
  return image;
}

record::WorkflowImage image_of(const State& state, const Workflow& workflow) {
  record::WorkflowImage image;
  image.id = workflow.id;
  image.owner = state.owners.name(workflow.owner);
  image.name = workflow.name;
  image.on_failure = workflow.on_failure;
  image.submitted = workflow.submitted;
  image.finished = workflow.finished;
  image.terminal_lsn = workflow.terminal_lsn;
  for (const auto& member : workflow.members) {
    std::optional<TaskState> ended;
    if (member.ended) ended = member.state;
    image.members.push_back({member.id, ended, member.after});
  }
  return image;
}

void carry_names(Turn& turn, Lsn up_to) {
  State& state = turn.state;
  record::ToolsKnown tools;
  for (std::uint32_t i = 0; i < state.tools.size(); ++i) {
    const Tool& tool = state.tools[ToolIndex(i)];
    if (tool.known_lsn.value() != 0 && tool.known_lsn <= up_to) tools.tools.push_back(tool.offer);
  }
  if (!tools.tools.empty()) turn.commit(std::move(tools));
  record::WorkersKnown workers;
  for (std::uint32_t i = 0; i < state.workers.size(); ++i) {
    const Worker& worker = state.workers[WorkerSlot(i)];
    if (worker.known_lsn.value() != 0 && worker.known_lsn <= up_to) {
      workers.workers.push_back({worker.uuid, worker.name, worker.host, worker.total});
    }
  }
  if (!workers.workers.empty()) turn.commit(std::move(workers));
}

}  // namespace

// Names first: replay meets a worker's name before its placements.
void on_carry_forward(Turn& turn, const command::CarryForward& command) {
  State& state = turn.state;
  const std::size_t records_before = turn.effects.records.size();
  const auto spent = [&] { return turn.effects.records.size() - records_before; };
  carry_names(turn, command.up_to);
  for (const auto& [id, slot] : state.workflows.all()) {
    if (spent() >= command.max_records) return;
    if (state.workflows[slot].home_lsn <= command.up_to) {
      turn.commit(image_of(state, state.workflows[slot]));
    }
  }
  while (spent() < command.max_records) {
    const TaskSlot slot = state.tasks.oldest_home();
    if (slot.value() == kNoSlot || state.tasks[slot].home_lsn > command.up_to) return;
    turn.commit(image_of(state, slot));
  }
}

Lsn oldest_needed(const State& state) {
  Lsn oldest = state.last_lsn.next();
  const TaskSlot task = state.tasks.oldest_home();
  if (task.value() != kNoSlot) oldest = std::min(oldest, state.tasks[task].home_lsn);
  for (const auto& [id, slot] : state.workflows.all()) {
    oldest = std::min(oldest, state.workflows[slot].home_lsn);
  }
  for (std::uint32_t i = 0; i < state.tools.size(); ++i) {
    const Lsn known = state.tools[ToolIndex(i)].known_lsn;
    if (known.value() != 0) oldest = std::min(oldest, known);
  }
  for (std::uint32_t i = 0; i < state.workers.size(); ++i) {
    const Lsn known = state.workers[WorkerSlot(i)].known_lsn;
    if (known.value() != 0) oldest = std::min(oldest, known);
  }
  return oldest;
}

}  // namespace taskpipe::broker
