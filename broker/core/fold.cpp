#include "broker/core/fold.hpp"

#include <algorithm>
#include <cassert>

#include "broker/core/changes.hpp"
#include "broker/core/fold_steps.hpp"
#include "broker/core/memory.hpp"
#include "broker/core/pasts.hpp"

namespace taskpipe::broker {
namespace {

TaskSlot find_attempt(const State& state, const TaskId& id, Attempt attempt) {
  const TaskSlot slot = state.tasks.find(id);
  if (slot.value() == kNoSlot || state.tasks[slot].attempt() != attempt) return TaskSlot(kNoSlot);
  return slot;
}

struct Folder {
  State& state;
  Lsn lsn;

  void operator()(const record::EpochStarted& r) const {
    state.epoch = r.epoch;
    state.epoch_lsn = lsn;
    state.broker = r.broker;
  }

  void operator()(const record::ToolsKnown& r) const {
    for (const auto& offer : r.tools) {
      Tool& tool = state.tools[state.tools.intern(offer.name)];
      tool.offer = offer;
      tool.known_lsn = lsn;
    }
  }

  void operator()(const record::WorkersKnown& r) const {
    for (const auto& known : r.workers) {
      Worker& worker = state.workers[state.workers.intern(known.uuid)];
      worker.name = known.name;
      worker.host = known.host;
      worker.total = known.total;
      worker.known_lsn = lsn;
    }
  }

  void operator()(const record::TasksSubmitted& r) const {
    const OwnerIndex owner = state.owners.intern(r.owner);
    Arrival arrival = r.first_arrival;
    for (const auto& item : r.items) {
      if (state.tasks.find(item.id).value() == kNoSlot) {
        add_task(state, item, r.specs.at(item.spec), owner, r.at, arrival, lsn);
        make_ready(state, state.tasks.newest(), false);
        log_change(state, state.tasks.newest(), r.at, lsn);
      }
      arrival = arrival.next();
    }
    state.next_arrival = std::max(state.next_arrival, arrival);
  }

  void operator()(const record::TasksResubmitted& r) const {
    (*this)(r.tasks);
    for (std::size_t i = 0; i < r.tasks.items.size(); ++i) {
      const TaskSlot slot = state.tasks.find(r.tasks.items[i].id);
      if (slot.value() != kNoSlot) link_original(state, slot, r.originals.at(i));
    }
  }

  void operator()(const record::WorkflowSubmitted& r) const {
    if (state.workflows.find(r.id).value() != kNoSlot) return;
    const WorkflowSlot slot = state.workflows.insert(r.id);
    Workflow& workflow = state.workflows[slot];
    workflow.owner = state.owners.intern(r.owner);
    workflow.name = r.name;
    workflow.on_failure = r.on_failure;
    workflow.submitted = r.at;
    workflow.home_lsn = lsn;
    workflow.members.resize(r.items.size());
    Arrival arrival = r.first_arrival;
    for (std::uint32_t i = 0; i < r.items.size(); ++i) {
      const auto& item = r.items[i];
      Task& task = add_task(state, item, r.specs.at(item.spec), workflow.owner, r.at, arrival, lsn);
      task.workflow = slot;
      task.member = i;
      Member& member = workflow.members[i];
      member.id = item.id;
      member.slot = state.tasks.newest();
      member.after = r.dependencies[i].after;
      for (const std::uint32_t dependency : member.after) {
        workflow.members[dependency].dependents.push_back(i);
      }
      arrival = arrival.next();
    }
    state.memory.workflow_added(workflow);
    state.next_arrival = std::max(state.next_arrival, arrival);
    for (const Member& member : workflow.members) {
      const auto open = static_cast<std::uint32_t>(member.after.size());
      state.tasks[member.slot].phase = phase::Waiting{open};
      if (open == 0) make_ready(state, member.slot, false);
      log_change(state, member.slot, r.at, lsn);
    }
  }

  void operator()(const record::TasksDispatched& r) const {
    const WorkerSlot worker = state.workers.intern(r.placements.at(0).worker);
    for (const auto& item : r.items) {
      const TaskSlot slot = state.tasks.find(item.id);
      if (slot.value() == kNoSlot || state.tasks[slot].ended()) continue;
      // The same attempt again: its worker came back with it, so that nothing was lost after all.
      Task& task = state.tasks[slot];
      if (task.fence_is(r.epoch, item.attempt) && task.worker_losses() > 0) {
        --task.execution->worker_losses;
        forget_loss(state, slot);
      }
      fold_dispatch(state, slot, worker, r.epoch, item.attempt);
    }
  }

  void operator()(const record::TasksStarted& r) const {
    for (const auto& item : r.items) {
      const TaskSlot slot = find_attempt(state, item.id, item.attempt);
      if (slot.value() == kNoSlot) state.event_log.uncovered(lsn);
      if (slot.value() == kNoSlot) continue;
      Task& task = state.tasks[slot];
      auto* placed = task.placed();
      if (placed == nullptr || placed->started) continue;
      placed->started = true;
      task.execution->started = r.at;
      ++state.running;
      log_change(state, slot, r.at, lsn);
    }
  }

  void operator()(const record::TasksRequeued& r) const {
    for (const auto& item : r.items) {
      const TaskSlot slot = find_attempt(state, item.id, item.attempt);
      if (slot.value() == kNoSlot) state.event_log.uncovered(lsn);
      if (slot.value() == kNoSlot || state.tasks[slot].placed() == nullptr) continue;
      if (r.cause == record::RequeueCause::worker_lost) {
        PastAttempt past = past_of(state, slot, PastKind::lost, r.at);
        past.outcome = lost_outcome();
        remember_past(state, slot, std::move(past));
        ++state.tasks[slot].execution->worker_losses;
      }
      state.tasks[slot].ready_at = r.at;
      leave_phase(state, slot);
      end_run(state, slot);
      state.tasks[slot].phase = phase::Waiting{};
      make_ready(state, slot, true);
      log_change(state, slot, r.at, lsn);
    }
  }

  void operator()(const record::TasksRetried& r) const {
    for (const auto& item : r.items) {
      const TaskSlot slot = find_attempt(state, item.id, item.attempt);
      if (slot.value() == kNoSlot) state.event_log.uncovered(lsn);
      if (slot.value() == kNoSlot || state.tasks[slot].placed() == nullptr) continue;
      PastAttempt past = past_of(state, slot, PastKind::retried, r.at);
      past.outcome = item.outcome;
      remember_past(state, slot, std::move(past));
      leave_phase(state, slot);
      end_run(state, slot);
      Task& task = state.tasks[slot];
      task.ending = false;
      ++task.execution->failures;
      // Decided: no other result of it counts, and nobody adopts it.
      task.execution->epoch = Epoch{};
      delay(state, slot, item.due);
      log_change(state, slot, r.at, lsn);
    }
  }

  void operator()(const record::CancelRequested& r) const {
    for (const auto& id : r.items) {
      const TaskSlot slot = state.tasks.find(id);
      if (slot.value() == kNoSlot) continue;
      if (auto* placed = state.tasks[slot].placed()) {
        placed->cancel_requested = true;
        placed->cancel_grace_ms = r.grace_ms;
      }
    }
  }

  void operator()(const record::TasksFinished& r) const {
    for (const auto& item : r.items) {
      const TaskSlot slot = state.tasks.find(item.id);
      if (slot.value() == kNoSlot) {
        // At replay: the task is in the history already, but its workflow must still learn of it.
        state.event_log.uncovered(lsn);
        const auto imaged = state.imaged_members.find(item.id);
        if (imaged != state.imaged_members.end()) {
          end_member(state, imaged->second, item.outcome.state, lsn, r.at);
        }
      } else if (!state.tasks[slot].ended()) {
        end_task(state, slot, item.outcome, r.at, lsn);
      }
    }
  }

  void operator()(const record::StaleResults& r) const {
    for (const auto& item : r.items) {
      PastAttempt past;
      past.kind = PastKind::late;
      past.epoch = item.attempt.epoch;
      past.attempt = item.attempt.attempt;
      past.worker = state.workers[state.workers.intern(r.worker)].name;
      past.ended = r.at;
      past.outcome = item.outcome;
      past.outcome.report = Payload{};
      const TaskSlot slot = state.tasks.find(item.attempt.task);
      if (slot.value() == kNoSlot || is_archived(state, slot)) {
        state.late.push_back({item.attempt.task, std::move(past), lsn});
      } else {
        remember_past(state, slot, std::move(past));
      }
    }
  }

  void operator()(const record::TaskImage& r) const;
  void operator()(const record::WorkflowImage& r) const;
};

// The image of a workflow may lie before or after those of its tasks: whichever comes second links
// them. An image of a task that is known adds nothing but its new home; of an unknown one,
// everything.
void Folder::operator()(const record::TaskImage& r) const {
  const TaskSlot known = state.tasks.find(r.id);
  if (known.value() != kNoSlot) {
    state.tasks.move_home(known, lsn);
    return;
  }
  SubmitItem item{r.id, 0, r.params, r.params_hash};
  Task& task =
      add_task(state, item, r.spec, state.owners.intern(r.owner), r.submitted, r.arrival, lsn);
  const TaskSlot slot = state.tasks.newest();
  if (r.dispatched || r.outcome || r.attempt.value() > 0) {
    Execution& execution = begin_execution(state, task);
    execution.epoch = r.epoch;
    execution.attempt = r.attempt;
    execution.worker_losses = r.worker_losses;
    execution.failures = r.failures;
    execution.started = r.started;
  }
  if (r.ready_at.unix_ms != 0) task.ready_at = r.ready_at;
  if (!r.pasts.empty()) {
    state.pasts[slot] = r.pasts;
    state.memory.exchange(0, memory_of(r.pasts));
  }
  if (r.original) link_original(state, slot, *r.original);
  state.next_arrival = std::max(state.next_arrival, r.arrival.next());
  if (r.workflow) {
    const auto imaged = state.imaged_members.find(r.id);
    if (imaged != state.imaged_members.end()) {
      task.workflow = imaged->second.workflow;
      task.member = imaged->second.member;
      state.workflows[task.workflow].members[task.member].slot = slot;
    }
  }
  if (r.outcome) {
    phase::Ended& end = task.execution->end;
    end.outcome = *r.outcome;
    end.finished = r.finished;
    end.terminal_lsn = r.terminal_lsn;
    if (!r.placements.empty()) end.worker = state.workers.intern(r.placements[0].worker);
    task.phase = phase::Over{};
    state.memory.task_ended(task);
    release_inputs(state, task);
    state.ended_tasks.push_back(slot);
    end_member(state, {task.workflow, task.member}, r.outcome->state, r.terminal_lsn, r.finished);
  } else if (r.dispatched) {
    fold_dispatch(state, slot, state.workers.intern(r.placements.at(0).worker), r.epoch, r.attempt);
    phase::Placed& placed = *state.tasks[slot].placed();
    placed.started = r.state == TaskState::running;
    placed.cancel_requested = r.cancel_requested;
    placed.cancel_grace_ms = r.cancel_grace_ms;
    if (placed.started) ++state.running;
  } else if (r.failures > 0 && r.epoch == Epoch{}) {
    delay(state, slot, task.ready_at);  // its dependencies have ended, or it would not have run
  } else if (r.workflow && task.workflow.value() == kNoSlot) {
    task.phase = phase::Waiting{1};  // for its workflow's image, which says what it waits for
  } else {
    settle_waiting(state, slot);
  }
}

void Folder::operator()(const record::WorkflowImage& r) const {
  const WorkflowSlot known = state.workflows.find(r.id);
  if (known.value() != kNoSlot) {
    state.workflows[known].home_lsn = lsn;
    return;
  }
  const WorkflowSlot slot = state.workflows.insert(r.id);
  Workflow& workflow = state.workflows[slot];
  workflow.owner = state.owners.intern(r.owner);
  workflow.name = r.name;
  workflow.on_failure = r.on_failure;
  workflow.submitted = r.submitted;
  workflow.finished = r.finished;
  workflow.terminal_lsn = r.terminal_lsn;
  workflow.home_lsn = lsn;
  workflow.members.resize(r.members.size());
  for (std::uint32_t i = 0; i < r.members.size(); ++i) {
    const auto& from = r.members[i];
    Member& member = workflow.members[i];
    member.id = from.id;
    member.after = from.after;
    member.ended = from.ended.has_value();
    member.state = from.ended.value_or(TaskState::pending);
    if (member.ended) ++workflow.ended;
    if (member.ended && member.state == TaskState::success) ++workflow.succeeded;
    state.imaged_members[member.id] = MemberRef{slot, i};
    for (const std::uint32_t dependency : member.after) {
      workflow.members[dependency].dependents.push_back(i);
    }
  }
  state.memory.workflow_added(workflow);
  if (workflow.done()) state.ended_workflows.push_back(slot);
  for (std::uint32_t i = 0; i < workflow.members.size(); ++i) link_member(state, {slot, i});
}

}  // namespace

void fold(State& state, const Record& record, Lsn lsn) { std::visit(Folder{state, lsn}, record); }

}  // namespace taskpipe::broker
