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
  for (const auto& input : spec.inputs)
    bytes += sizeof input + input.name.size() + input.sha256.size();
  return bytes;
}

std::uint32_t most_losses(const State& state, const Task& task) {
  return task.spec->retry.max_worker_losses.value_or(state.config.max_worker_losses);
}

Care care_of(const State& state, const Task& task) {
  if (task.worker_losses() == 0) return Care::none;
  return task.worker_losses() < most_losses(state, task) ? Care::own_slot : Care::alone;
}

void relist(State& state, SignatureIndex index) {
  Signature& signature = state.signatures[index];
  auto& heads = state.tools[signature.tool].heads;
  std::optional<HeadKey> key;
  if (signature.queue.size() > 0) {
    const Task& head = state.tasks[signature.queue.head(state.tasks)];
    key = HeadKey{head.spec->priority, head.arrival, index};
  } else {
    signature.queue.clear();
    state.signatures.make_idle(index);
  }
  if (signature.listed == key) return;
  if (signature.listed) heads.erase(*signature.listed);
  if (key) heads.insert(*key);
  signature.listed = key;
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
  gained.searching = false;  // what did not fit before may fit now
  if (gained.dirty) return;
  gained.dirty = true;
  state.dirty_workers.push_back(worker);
}

}  // namespace taskpipe::broker
