// What tasks take: of their workers' resources, and of the journal.
#include "broker/core/fold.hpp"

namespace taskpipe::broker {

std::uint64_t journal_bytes_of(const Task& task) {
  constexpr std::uint64_t kFixedBytes = 256;
  return kFixedBytes + task.params.size() + task.spec->inline_script.size();
}

void charge(State& state, TaskSlot slot) {
  phase::Placed& placed = *state.tasks[slot].placed();
  Worker& worker = state.workers[placed.worker];
  const Resources need = required_resources(*state.tasks[slot].spec);
  if (placed.charged || !fits(need, worker.free)) return;
  subtract(worker.free, need);
  ++worker.slots_charged;
  placed.charged = true;
}

void discharge(State& state, TaskSlot slot) {
  phase::Placed& placed = *state.tasks[slot].placed();
  if (placed.charged) {
    Worker& worker = state.workers[placed.worker];
    add(worker.free, required_resources(*state.tasks[slot].spec));
    --worker.slots_charged;
    placed.charged = false;
  }
  mark_dirty(state, placed.worker);
}

void mark_dirty(State& state, WorkerSlot worker) {
  Worker& gained = state.workers[worker];
  if (gained.dirty) return;
  gained.dirty = true;
  state.dirty_workers.push_back(worker);
}

}  // namespace taskpipe::broker
