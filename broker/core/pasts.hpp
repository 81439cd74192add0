// What is remembered of attempts that did not decide how their task ended, and of the dead letters
// that tasks repeat. Beside the tasks: most have neither.
#pragma once

#include <string>

#include "broker/core/state.hpp"

namespace taskpipe::broker {

// Once for each kind, epoch and attempt; no more than limits::kMaxPastAttempts of a task.
void remember_past(State& state, TaskSlot slot, PastAttempt past);
// The attempt that a worker has just now, as it is remembered once it is over.
[[nodiscard]] PastAttempt past_of(const State& state, TaskSlot slot, PastKind kind, WallTime ended);
[[nodiscard]] Outcome lost_outcome();
// The present attempt was lost, but came back and goes on.
void forget_loss(State& state, TaskSlot slot);
// The task leaves memory.
void forget_pasts(State& state, TaskSlot slot);

// A result that has been acted upon before, by another attempt.
[[nodiscard]] bool was_retried(const State& state, TaskSlot slot, const AttemptKey& key);
// Why a pending task that has failed before runs again; empty for the others.
[[nodiscard]] std::string retry_message(const State& state, TaskSlot slot);

// Remembers, and forgets, that a task repeats a dead letter.
void link_original(State& state, TaskSlot slot, const TaskId& original);
void unlink_original(State& state, TaskSlot slot);

}  // namespace taskpipe::broker
