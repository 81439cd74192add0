// What must hold after every command.
#pragma once

#include <optional>
#include <string>

#include "broker/core/state.hpp"

namespace taskpipe::broker {

// A sentence about the first violation, or nothing: counters agree with the tasks, lists are whole,
// charges add up to what workers lack, waiting tasks wait for exactly their open dependencies.
// O(tasks + workers + members).
[[nodiscard]] std::optional<std::string> check_invariants(const State& state);

}  // namespace taskpipe::broker
