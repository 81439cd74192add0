// How each record changes the state. The same code runs when a record is made and when it is
// replayed, so a restarted broker cannot come to another conclusion than the one that wrote it.
#pragma once

#include "broker/core/record.hpp"
#include "broker/core/state.hpp"

namespace taskpipe::broker {

// Items about tasks that are not known are ignored: at replay their image comes later, or they are
// in the history.
void fold(State& state, const Record& record, Lsn lsn);

// Steps of folding that handlers take one task at a time.
void fold_dispatch(State& state, TaskSlot slot, WorkerSlot worker, Epoch epoch, Attempt attempt);

// About what one task takes in the journal.
[[nodiscard]] std::uint64_t journal_bytes_of(const Task& task);

// Of everything in a spec that has no fixed length.
[[nodiscard]] std::size_t text_bytes_of(const TaskSpec& spec);

// Waits for something that failed, in a workflow that cancels dependents.
[[nodiscard]] bool is_doomed(const State& state, TaskSlot slot);

// How often its worker may be lost; once more, and it ends.
[[nodiscard]] std::uint32_t most_losses(const State& state, const Task& task);

// Forgets the alarm of a task that waits for a time.
void disarm(State& state, TaskSlot slot);

// Puts a task into the ready queue of its signature, behind (or before) those of its priority.
void make_ready(State& state, TaskSlot slot, bool before_others);

// Which care its losses ask for.
[[nodiscard]] Care care_of(const State& state, const Task& task);

// Puts the signature where the head of its queue belongs among those of its tool, or out of the
// list when nothing of it is queued. After every change of its queue.
void relist(State& state, SignatureIndex index);

// Capacity accounting; both mark the worker as having gained or lost room.
void charge(State& state, TaskSlot slot);
void discharge(State& state, TaskSlot slot);
void mark_dirty(State& state, WorkerSlot worker);

}  // namespace taskpipe::broker
