// What tasks take: of their workers' resources, of the journal, of a message.
#include "broker/core/fold.hpp"

namespace taskpipe::broker {

std::uint64_t journal_bytes_of(const Task& task) {
  constexpr std::uint64_t kFixedBytes = 256;
  return kFixedBytes + task.params.size() + task.spec->inline_script.size();
}

std::size_t text_bytes_of(const TaskSpec& spec) {
  std::size_t bytes = spec.tool.size() + spec.script.size() + spec.inline_script.size();
  for (const auto& label : spec.labels) bytes += label.key.size() + label.value.size();
  for (const auto& named : spec.resources.named) bytes += named.name.size();
  return bytes;
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
