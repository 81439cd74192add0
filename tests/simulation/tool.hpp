// The tools of the simulated cluster. What a run of one does follows from its attempt alone, so
// that it does not depend on who asks when.
#pragma once

#include <array>
#include <string_view>

#include "common/model/task.hpp"
#include "tests/simulation/random.hpp"
#include "worker/core/worker_config.hpp"

namespace taskpipe::simulation {

struct Tool {
  std::string_view name;
  worker::AttemptKind kind;
  Nanos least;  // how long a run takes
  Nanos most;
};

inline constexpr std::array kTools = {
    Tool{"blink", worker::AttemptKind::handler, std::chrono::microseconds(10),
         std::chrono::milliseconds(5)},
    Tool{"walk", worker::AttemptKind::process, std::chrono::milliseconds(20),
         std::chrono::seconds(2)},
    Tool{"march", worker::AttemptKind::process, std::chrono::seconds(1), std::chrono::seconds(60)},
    // Longer than any cancel may take to arrive.
    Tool{"marathon", worker::AttemptKind::process, std::chrono::minutes(8),
         std::chrono::minutes(15)},
};

struct Plan {
  Nanos duration{0};
  Outcome outcome;  // when nobody stops it
};
[[nodiscard]] Plan plan_of(const Tool& tool, const AttemptKey& attempt);
// Whether a run of this task kills its worker, where poison is about: some of the short ones, which
// are sent ahead by the dozen and never announced.
[[nodiscard]] bool is_poisonous(std::string_view tool, const TaskId& task);
[[nodiscard]] const Tool& tool_named(std::string_view name);

}  // namespace taskpipe::simulation
