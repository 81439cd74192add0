#include "broker/core/fold_steps.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "broker/core/changes.hpp"
#include "broker/core/fold.hpp"
#include "broker/core/memory.hpp"

namespace taskpipe::broker {

// Takes a live task out of whatever it is in; its phase must be set anew afterwards.
void leave_phase(State& state, TaskSlot slot) {
  Task& task = state.tasks[slot];
  if (const auto* ready = std::get_if<phase::Ready>(&task.phase)) {
    disarm(state, slot);
    Signature& signature = state.signatures[ready->signature];
    signature.queue.forget_one();
    if (signature.queue.size() == 0) relist(state, ready->signature);
  } else if (std::holds_alternative<phase::Delayed>(task.phase)) {
    disarm(state, slot);
  } else if (const auto* placed = task.placed()) {
    discharge(state, slot);
    if (placed->started) --state.running;
    state.workers.unlink(state.tasks, placed->worker, slot);
  }
}

void end_member(State& state, MemberRef ref, TaskState ended_as, Lsn lsn, WallTime at) {
  if (ref.workflow.value() == kNoSlot) return;
  Workflow& workflow = state.workflows[ref.workflow];
  Member& member = workflow.members[ref.member];
  if (member.ended) return;
  member.ended = true;
  member.state = ended_as;
  ++workflow.ended;
  if (ended_as == TaskState::success) ++workflow.succeeded;
  const bool failed =
      ended_as != TaskState::success && workflow.on_failure == OnFailure::cancel_dependents;
  for (const std::uint32_t dependent : member.dependents) {
    const TaskSlot slot = workflow.members[dependent].slot;
    if (slot.value() == kNoSlot) continue;
    auto* waiting = std::get_if<phase::Waiting>(&state.tasks[slot].phase);
    if (waiting == nullptr) continue;
    if (failed) {
      state.doomed.push_back(slot);
    } else if (--waiting->open_dependencies == 0) {
      state.tasks[slot].ready_at = at;
      make_ready(state, slot, false);
    }
  }
  if (workflow.done()) {
    workflow.terminal_lsn = lsn;
    workflow.finished = at;
    state.ended_workflows.push_back(ref.workflow);
  }
}

// Works out from its workflow what a task that no worker holds waits for.
void settle_waiting(State& state, TaskSlot slot) {
  Task& task = state.tasks[slot];
  std::uint32_t open = 0;
  if (task.workflow.value() != kNoSlot) {
    const Workflow& workflow = state.workflows[task.workflow];
    for (const std::uint32_t dependency : workflow.members[task.member].after) {
      if (!workflow.members[dependency].ended) ++open;
    }
  }
  task.phase = phase::Waiting{open};
  if (open == 0 && !is_doomed(state, slot)) make_ready(state, slot, false);
}

// A task whose image came before its workflow's finds its place.
void link_member(State& state, MemberRef ref) {
  Member& member = state.workflows[ref.workflow].members[ref.member];
  const TaskSlot slot = state.tasks.find(member.id);
  if (slot.value() == kNoSlot) return;
  Task& task = state.tasks[slot];
  member.slot = slot;
  task.workflow = ref.workflow;
  task.member = ref.member;
  if (std::holds_alternative<phase::Waiting>(task.phase)) settle_waiting(state, slot);
}

bool is_archived(const State& state, TaskSlot slot) {
  const Task& task = state.tasks[slot];
  return task.ended() && task.end().terminal_lsn <= state.archived_up_to;
}

void end_run(State& state, TaskSlot slot) {
  const auto run = state.runs.find(slot);
  if (run == state.runs.end()) return;
  state.memory.exchange(memory_of(run->second), 0);
  state.runs.erase(run);
}

void end_task(State& state, TaskSlot slot, const Outcome& outcome, WallTime at, Lsn lsn) {
  Task& task = state.tasks[slot];
  assert(!task.ended() && is_terminal(outcome.state));
  phase::Ended& end = begin_execution(state, task).end;
  end.outcome = outcome;
  end.finished = at;
  end.terminal_lsn = lsn;
  if (const auto* placed = task.placed()) end.worker = placed->worker;
  leave_phase(state, slot);
  task.phase = phase::Over{};
  task.ending = false;
  state.memory.task_ended(task);
  release_inputs(state, task);
  end_run(state, slot);
  state.ended_tasks.push_back(slot);
  ++state.finished;
  end_member(state, {task.workflow, task.member}, outcome.state, lsn, at);
  log_change(state, slot, at, lsn);
}

Task& add_task(State& state, const SubmitItem& item, const TaskSpecPtr& spec, OwnerIndex owner,
               WallTime at, Arrival arrival, Lsn lsn) {
  Task& task = state.tasks[state.tasks.insert(item.id, lsn, arrival)];
  task.spec = state.specs.hold(spec);
  task.params = item.params;
  task.params_hash = item.params_hash;
  task.owner = owner;
  task.submitted = at;
  task.ready_at = at;
  state.live_bytes += journal_bytes_of(task);
  state.memory.task_added(task);
  need_inputs(state, task);
  return task;
}

Execution& begin_execution(State& state, Task& task) {
  if (!task.execution) {
    task.execution = std::make_unique<Execution>();
    state.memory.exchange(0, sizeof(Execution));
  }
  return *task.execution;
}

// Until `due` nobody gets it.
void delay(State& state, TaskSlot slot, WallTime due) {
  Task& task = state.tasks[slot];
  task.ready_at = due;
  task.phase = phase::Delayed{};
  state.unarmed.push_back(slot);
}

bool is_doomed(const State& state, TaskSlot slot) {
  const Task& task = state.tasks[slot];
  if (!std::holds_alternative<phase::Waiting>(task.phase) || task.workflow.value() == kNoSlot) {
    return false;
  }
  const Workflow& workflow = state.workflows[task.workflow];
  if (workflow.on_failure != OnFailure::cancel_dependents) return false;
  const auto& after = workflow.members[task.member].after;
  return std::any_of(after.begin(), after.end(), [&](std::uint32_t dependency) {
    const Member& member = workflow.members[dependency];
    return member.ended && member.state != TaskState::success;
  });
}

void fold_dispatch(State& state, TaskSlot slot, WorkerSlot worker, Epoch epoch, Attempt attempt) {
  leave_phase(state, slot);
  Task& task = state.tasks[slot];
  Execution& execution = begin_execution(state, task);
  execution.epoch = epoch;
  execution.attempt = attempt;
  execution.placed = phase::Placed{};
  execution.placed.worker = worker;
  task.phase = phase::AtWorker{};
  state.workers.link(state.tasks, worker, slot);
}

void disarm(State& state, TaskSlot slot) {
  if (state.armed.empty()) return;
  const auto found = state.armed.find(slot);
  if (found == state.armed.end()) return;
  state.alarms.erase({found->second, slot});
  state.armed.erase(found);
}

void make_ready(State& state, TaskSlot slot, bool before_others) {
  Task& task = state.tasks[slot];
  const ToolIndex tool = state.tools.intern(task.spec->tool);
  const SignatureIndex index = state.signatures.intern(tool, task.spec, care_of(state, task));
  Signature& signature = state.signatures[index];
  ++task.ticket;
  task.phase = phase::Ready{index};
  if (task.spec->limits.queue_time_ms > 0) state.unarmed.push_back(slot);
  if (before_others) {
    signature.queue.push_front(task.spec->priority, slot, task.ticket);
  } else {
    signature.queue.push_back(task.spec->priority, slot, task.ticket);
  }
  relist(state, index);
  if (!signature.fresh) {
    signature.fresh = true;
    state.fresh_signatures.push_back(index);
  }
}

}  // namespace taskpipe::broker
