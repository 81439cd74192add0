#include "broker/core/pasts.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/memory.hpp"

namespace taskpipe::broker {

void remember_past(State& state, TaskSlot slot, PastAttempt past) {
  std::vector<PastAttempt>& pasts = state.pasts[slot];
  const std::uint64_t before = memory_of(pasts);
  const bool known = std::any_of(pasts.begin(), pasts.end(), [&](const PastAttempt& other) {
    return other.kind == past.kind && other.epoch == past.epoch && other.attempt == past.attempt;
  });
  if (!known && pasts.size() < limits::kMaxPastAttempts) pasts.push_back(std::move(past));
  state.memory.exchange(before, memory_of(pasts));
}

// The attempt that runs on a worker, as it is remembered once it is over.
PastAttempt past_of(const State& state, TaskSlot slot, PastKind kind, WallTime ended) {
  const Task& task = state.tasks[slot];
  const phase::Placed& placed = *task.placed();
  PastAttempt past;
  past.kind = kind;
  past.epoch = task.epoch();
  past.attempt = task.attempt();
  past.worker = state.workers[placed.worker].name;
  if (placed.started) past.started = task.started();
  past.ended = ended;
  return past;
}

Outcome lost_outcome() {
  Outcome outcome;
  outcome.failure = FailureClass::worker_lost;
  outcome.reason = "its worker was silent past the lease";
  return outcome;
}

// It was lost, but came back and goes on.
void forget_loss(State& state, TaskSlot slot) {
  const Task& task = state.tasks[slot];
  const auto found = state.pasts.find(slot);
  if (found == state.pasts.end()) return;
  const std::uint64_t before = memory_of(found->second);
  std::erase_if(found->second, [&](const PastAttempt& past) {
    return past.kind == PastKind::lost && task.fence_is(past.epoch, past.attempt);
  });
  state.memory.exchange(before, memory_of(found->second));
  if (found->second.empty()) state.pasts.erase(found);
}

void link_original(State& state, TaskSlot slot, const TaskId& original) {
  if (state.originals.emplace(slot, original).second) ++state.repeated[original];
}

void unlink_original(State& state, TaskSlot slot) {
  const auto link = state.originals.find(slot);
  if (link == state.originals.end()) return;
  const auto repeated = state.repeated.find(link->second);
  if (--repeated->second == 0) state.repeated.erase(repeated);
  state.originals.erase(link);
}

void forget_pasts(State& state, TaskSlot slot) {
  const auto pasts = state.pasts.find(slot);
  if (pasts == state.pasts.end()) return;
  state.memory.exchange(memory_of(pasts->second), 0);
  state.pasts.erase(pasts);
}

bool was_retried(const State& state, TaskSlot slot, const AttemptKey& key) {
  if (state.tasks[slot].failures() == 0) return false;
  const auto pasts = state.pasts.find(slot);
  if (pasts == state.pasts.end()) return false;
  return std::any_of(pasts->second.begin(), pasts->second.end(), [&](const PastAttempt& past) {
    return past.kind == PastKind::retried && past.epoch == key.epoch && past.attempt == key.attempt;
  });
}

std::string retry_message(const State& state, TaskSlot slot) {
  const Task& task = state.tasks[slot];
  const auto pasts = state.pasts.find(slot);
  if (pasts == state.pasts.end()) return {};
  const auto last =
      std::find_if(pasts->second.rbegin(), pasts->second.rend(),
                   [](const PastAttempt& past) { return past.kind == PastKind::retried; });
  if (last == pasts->second.rend()) return {};
  std::string text = "try " + std::to_string(task.failures() + 1) + " of " +
                     std::to_string(task.spec->retry.max_attempts) +
                     " comes next; the last: " + last->outcome.reason;
  text.resize(std::min(text.size(), limits::kMaxTextBytes));
  return text;
}

}  // namespace taskpipe::broker
