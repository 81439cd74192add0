// From changes of the state to those who follow them: into the event log when a record is folded,
// and from there to the PUB channel.
#pragma once

#include "broker/core/turn.hpp"

namespace taskpipe::broker {

// The task has just got another state, by the record `lsn`: called by `fold` only.
void log_change(State& state, TaskSlot slot, WallTime at, Lsn lsn);

// Hands what was logged since the last call to the PUB channel's streams, as far as anybody
// subscribes. Before anything else is published about the same tasks, and at the end of a turn.
void publish_changes(State& state);
// The PUB channel's streams begin where the log ends: when the first subscriber comes.
void begin_publishing(State& state);

}  // namespace taskpipe::broker
