// The steps that folding a record is made of. Only for fold.cpp; what handlers need as well is in
// fold.hpp.
#pragma once

#include "broker/core/state.hpp"

namespace taskpipe::broker {

// Takes a live task out of whatever it is in; its phase must be set anew afterwards.
void leave_phase(State& state, TaskSlot slot);
// What a running attempt has told is needed no more.
void end_run(State& state, TaskSlot slot);

Task& add_task(State& state, const SubmitItem& item, const TaskSpecPtr& spec, OwnerIndex owner,
               WallTime at, Arrival arrival, Lsn lsn);
// The one that it has, or a new one.
Execution& begin_execution(State& state, Task& task);
// And everything that follows for its workflow.
void end_task(State& state, TaskSlot slot, const Outcome& outcome, WallTime at, Lsn lsn);
void end_member(State& state, MemberRef ref, TaskState ended_as, Lsn lsn, WallTime at);
// Whether the history was given this task, or has it.
[[nodiscard]] bool is_archived(const State& state, TaskSlot slot);

// The store keeps the inputs of a task until it has ended.
void need_inputs(State& state, const Task& task);
void release_inputs(State& state, const Task& task);

// Works out from its workflow what a task that no worker holds waits for.
void settle_waiting(State& state, TaskSlot slot);
// A task whose image came before its workflow's finds its place.
void link_member(State& state, MemberRef ref);
// Until `due` nobody gets it.
void delay(State& state, TaskSlot slot, WallTime due);

}  // namespace taskpipe::broker
