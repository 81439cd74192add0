#include "broker/core/invariants.hpp"

#include <map>
#include <vector>

#include "broker/core/memory.hpp"

namespace taskpipe::broker {
namespace {

struct Tally {
  std::size_t alarms = 0;
  std::uint64_t running = 0;
  std::size_t ended = 0;
  std::map<WorkerSlot, std::uint32_t> placed;
  std::map<WorkerSlot, Resources> charged;
  std::map<SignatureIndex, std::size_t> ready;
};

void add_up(Resources& sum, const Resources& need) {
  sum.cpus += need.cpus;
  sum.gpus += need.gpus;
  sum.memory_bytes += need.memory_bytes;
  sum.named.insert(sum.named.end(), need.named.begin(), need.named.end());
  normalize(sum);
}

std::optional<std::string> check_member(const State& state, const Task& task, TaskSlot slot) {
  if (task.workflow.value() == kNoSlot) return std::nullopt;
  const Workflow& workflow = state.workflows[task.workflow];
  const Member& member = workflow.members.at(task.member);
  if (member.slot != slot || member.id != task.id) return "a workflow member names another task";
  if (member.ended != task.ended()) return "a workflow member disagrees with its task's end";
  const auto* waiting = std::get_if<phase::Waiting>(&task.phase);
  if (waiting == nullptr || workflow.on_failure == OnFailure::cancel_dependents)
    return std::nullopt;
  std::uint32_t open = 0;
  for (const std::uint32_t dependency : member.after) {
    if (!workflow.members[dependency].ended) ++open;
  }
  if (open != waiting->open_dependencies)
    return "a task waits for the wrong number of dependencies";
  if (open == 0) return "a task waits for nothing";
  return std::nullopt;
}

// Every alarm belongs to the phase that set it.
std::optional<std::string> tally_alarm(const State& state, TaskSlot slot, Tally& tally) {
  const auto armed = state.armed.find(slot);
  if (armed == state.armed.end()) return std::nullopt;
  ++tally.alarms;
  if (state.alarms.contains({armed->second, slot})) return std::nullopt;
  return "task " + state.tasks[slot].id.to_string() + " waits for an alarm that is not set";
}

std::optional<std::string> tally_task(const State& state, TaskSlot slot, Tally& tally) {
  const Task& task = state.tasks[slot];
  if (state.tasks.find(task.id) != slot)
    return "the index does not find task " + task.id.to_string();
  if (task.ending) return "task " + task.id.to_string() + " was marked as ending but did not end";
  if (const auto* ready = std::get_if<phase::Ready>(&task.phase)) {
    ++tally.ready[ready->signature];
    if (auto wrong = tally_alarm(state, slot, tally)) return wrong;
  } else if (std::holds_alternative<phase::Delayed>(task.phase)) {
    if (auto wrong = tally_alarm(state, slot, tally)) return wrong;
    if (task.failures() == 0) return "a task is delayed that has not failed";
  } else if (const auto* placed = task.placed()) {
    ++tally.placed[placed->worker];
    if (placed->started) ++tally.running;
    if (placed->charged) add_up(tally.charged[placed->worker], required_resources(*task.spec));
    if (task.attempt().value() == 0 || task.epoch().value() == 0)
      return "a placed task has no fence";
  } else if (task.ended()) {
    ++tally.ended;
    if (!is_terminal(task.end().outcome.state)) return "an ended task is not terminal";
  }
  return check_member(state, task, slot);
}

std::optional<std::string> check_worker(const State& state, WorkerSlot slot, const Tally& tally) {
  const Worker& worker = state.workers[slot];
  const auto placed = tally.placed.find(slot);
  if (worker.placed_count != (placed == tally.placed.end() ? 0 : placed->second)) {
    return "worker '" + worker.name + "' miscounts its tasks";
  }
  if (!worker.connected()) return std::nullopt;
  Resources sum = worker.free;
  const auto charged = tally.charged.find(slot);
  if (charged != tally.charged.end()) add_up(sum, charged->second);
  normalize(sum);
  Resources total = worker.total;
  normalize(total);
  if (sum != total) return "worker '" + worker.name + "' lost or gained resources";
  return std::nullopt;
}

std::optional<std::string> check_workflows(const State& state) {
  for (const auto& [id, slot] : state.workflows.all()) {
    const Workflow& workflow = state.workflows[slot];
    std::uint32_t ended = 0;
    std::uint32_t succeeded = 0;
    for (const auto& member : workflow.members) {
      if (member.ended) ++ended;
      if (member.ended && member.state == TaskState::success) ++succeeded;
      if (!member.ended && member.slot.value() == kNoSlot) {
        return "a live member of workflow " + id.to_string() + " has no task";
      }
    }
    if (ended != workflow.ended || succeeded != workflow.succeeded) {
      return "workflow " + id.to_string() + " miscounts its members";
    }
    if (workflow.done() != (workflow.terminal_lsn.value() != 0)) {
      return "workflow " + id.to_string() + " is done without a record, or the other way round";
    }
  }
  return std::nullopt;
}

std::optional<std::string> check_inputs(const State& state) {
  std::unordered_map<std::string, std::uint32_t> needed;
  for (TaskSlot slot = state.tasks.newest(); slot.value() != kNoSlot;
       slot = state.tasks[slot].by_arrival.previous) {
    if (state.tasks[slot].ended()) continue;
    for (const auto& input : state.tasks[slot].spec->inputs) ++needed[input.sha256];
  }
  if (needed == state.inputs_needed) return std::nullopt;
  return "the inputs of live tasks are miscounted";
}

}  // namespace

std::optional<std::string> check_invariants(const State& state) {
  Tally tally;
  std::size_t listed = 0;
  Arrival younger = state.next_arrival;
  for (TaskSlot slot = state.tasks.newest(); slot.value() != kNoSlot;
       slot = state.tasks[slot].by_arrival.previous) {
    ++listed;
    if (state.tasks[slot].arrival >= younger) return "the arrival list is out of order";
    younger = state.tasks[slot].arrival;
    if (auto wrong = tally_task(state, slot, tally)) return wrong;
  }
  if (listed != state.tasks.size()) return "the arrival list has lost tasks";
  Lsn home;
  std::size_t homes = 0;
  for (TaskSlot slot = state.tasks.oldest_home(); slot.value() != kNoSlot;
       slot = state.tasks[slot].by_home.next) {
    ++homes;
    if (state.tasks[slot].home_lsn < home) return "the home list is out of order";
    home = state.tasks[slot].home_lsn;
  }
  if (homes != listed) return "the home list has lost tasks";
  if (tally.alarms != state.alarms.size() || tally.alarms != state.armed.size())
    return "an alarm is set for a task that does not wait";
  if (tally.running != state.running) return "the count of running tasks is wrong";
  if (tally.ended != state.ended_tasks.size()) return "the list of ended tasks is wrong";
  if (state.archived_tasks > state.ended_tasks.size() ||
      state.archived_workflows > state.ended_workflows.size()) {
    return "the history was given more than has ended";
  }
  for (std::uint32_t i = 0; i < state.signatures.size(); ++i) {
    const auto ready = tally.ready.find(SignatureIndex(i));
    const std::size_t expected = ready == tally.ready.end() ? 0 : ready->second;
    const Signature& signature = state.signatures[SignatureIndex(i)];
    if (signature.queue.size() != expected) return "a ready queue miscounts its tasks";
    if (signature.listed.has_value() != (expected > 0)) return "a signature is not listed as it is";
    if (signature.listed && !state.tools[signature.tool].heads.contains(*signature.listed)) {
      return "a signature has lost its place among those of its tool";
    }
  }
  for (std::uint32_t i = 0; i < state.workers.size(); ++i) {
    if (auto wrong = check_worker(state, WorkerSlot(i), tally)) return wrong;
  }
  const std::uint64_t counted = count_memory(state);
  if (counted != state.memory.held()) {
    return "memory is miscounted: " + std::to_string(state.memory.held()) + " for " +
           std::to_string(counted);
  }
  if (auto wrong = check_inputs(state)) return wrong;
  return check_workflows(state);
}

}  // namespace taskpipe::broker
