// The bound of the broker's memory: what counts, and what follows when it is reached.
//
// Above the bound submits and workflows are answered BUSY, and output of running tasks is not kept
// (it is fetched from the workers then). Results, cancels and questions go on: they are what makes
// room again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/core/turn.hpp"

namespace taskpipe::broker {

[[nodiscard]] std::uint64_t memory_of(const LiveRun& run);
[[nodiscard]] std::uint64_t memory_of(const std::vector<PastAttempt>& pasts);
// What the question itself holds until its answer comes: params of submits above all.
[[nodiscard]] std::uint64_t memory_of(const Lookup& lookup);

// Whether the bound is reached. What was begun (a workflow of many parts) may exceed it by a
// quarter, so that two halves do not keep each other out.
[[nodiscard]] bool memory_is_full(const State& state, bool begun = false);
// BUSY with numbers and remedy, or nothing.
[[nodiscard]] std::optional<Error> why_memory_full(const State& state, bool begun = false);

// Tells the operator, once each time, that the bound was reached or that there is room again. Ends
// a turn.
void watch_memory(Turn& turn);

// The count, made anew from everything that is held; without what the shell holds. O(state).
[[nodiscard]] std::uint64_t count_memory(const State& state);

}  // namespace taskpipe::broker
