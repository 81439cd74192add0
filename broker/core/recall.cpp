// RECALL: short tasks are sent ahead of free resources, so that one worker may sit on hundreds
// while another has nothing to do. The idle one gets half of what the busiest holds unstarted.
//
// Bounded: one RECALL of one worker at a time, and none for what is done sooner than a RECALL is
// worth. A worker that had started everything is not asked again before it is given more.
#include <algorithm>
#include <utility>

#include "broker/core/fold.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

// About how many tasks the worker holds beyond those that run.
std::uint32_t ahead_of(const Worker& worker) {
  const std::uint32_t ahead =
      worker.placed_count - std::min(worker.placed_count, worker.slots_charged);
  return ahead - std::min(ahead, worker.slots);
}

bool is_worth_it(const State& state, const Worker& busy, const Tool& tool) {
  const double wait_us = tool.mean_run_us * ahead_of(busy) / std::max(busy.slots, 1U);
  return wait_us >= static_cast<double>(state.config.recall_wait_us);
}

// The one with the most, among some of those that offer the tool.
std::optional<WorkerSlot> busiest(State& state, Tool& tool, WorkerSlot idle) {
  std::optional<WorkerSlot> found;
  const std::size_t looks = std::min(tool.workers.size(), limits::kMaxRecallLooks);
  for (std::size_t i = 0; i < looks; ++i) {
    ++state.placement_looks;
    const WorkerSlot slot = tool.workers[tool.next_recall++ % tool.workers.size()];
    const Worker& worker = state.workers[slot];
    if (slot == idle || worker.recall_open || worker.recall_in_vain || ahead_of(worker) == 0) {
      continue;
    }
    if (!is_worth_it(state, worker, tool)) continue;
    if (!found || ahead_of(worker) > ahead_of(state.workers[*found])) found = slot;
  }
  return found;
}

bool can_run(const State& state, const Worker& worker, const Task& task) {
  const auto tool = state.tools.find(task.spec->tool);
  const OfferedTool* offered = tool ? worker.offered(*tool) : nullptr;
  if (offered == nullptr || !fits(required_resources(*task.spec), worker.total)) return false;
  if (!task.spec->inputs.empty() && !offered->fetches_inputs) return false;
  if (brings_script(*task.spec)) return offered->inline_scripts;
  return task.spec->script.empty() || offered->scripts.empty() ||
         offered->scripts.contains(task.spec->script);
}

// The newest first: they are the last to start.
Recall half_of(const State& state, const Worker& busy, const Worker& idle) {
  constexpr std::size_t kMostSteps = 2 * limits::kMaxBatchItems;
  const std::size_t wanted =
      std::min<std::size_t>((ahead_of(busy) + 1) / 2, limits::kMaxBatchItems);
  Recall recall;
  TaskSlot at = busy.placed_head;
  for (std::size_t step = 0; step < kMostSteps && at.value() != kNoSlot; ++step) {
    if (recall.attempts.size() == wanted) break;
    const Task& task = state.tasks[at];
    const phase::Placed& placed = *task.placed();
    if (!placed.started && !placed.charged && !placed.cancel_requested &&
        can_run(state, idle, task)) {
      recall.attempts.push_back({task.id, task.epoch(), task.attempt()});
    }
    at = placed.next;
  }
  return recall;
}

}  // namespace

void recall_for(Turn& turn, WorkerSlot slot) {
  State& state = turn.state;
  const Worker& idle = state.workers[slot];
  if (!idle.accepts_work() || idle.placed_count > 0 || idle.free_credit() == 0) return;
  if (state.reserved && state.reserved->worker == slot) return;
  for (const auto& offered : idle.tools) {
    Tool& tool = state.tools[offered.tool];
    if (!tool.prefetch()) continue;
    const auto from = busiest(state, tool, slot);
    if (!from) continue;
    Worker& busy = state.workers[*from];
    const Session* session = state.sessions.find(busy.session);
    Recall recall = half_of(state, busy, idle);
    if (session == nullptr || recall.attempts.empty()) {
      busy.recall_in_vain = true;
      continue;
    }
    busy.recall_open = true;
    busy.recalled_for = slot;
    turn.send(*session, Correlation{}, std::move(recall));
    return;
  }
}

void end_recall(Turn& turn, WorkerSlot slot, bool gave_any) {
  Worker& worker = turn.state.workers[slot];
  if (!std::exchange(worker.recall_open, false)) return;
  worker.recall_in_vain = !gave_any;
  mark_dirty(turn.state, worker.recalled_for);
}

}  // namespace taskpipe::broker
