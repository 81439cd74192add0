// A workflow: tasks, what each waits for, and what happens when one fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"

namespace taskpipe {

enum class OnFailure : std::uint8_t {
  run_dependents = 0,     // a dependency counts as met however it ended
  cancel_dependents = 1,  // whatever (transitively) depends on a failed task is cancelled
};
inline constexpr OnFailure kLastOnFailure = OnFailure::cancel_dependents;

// `after` holds indices into the workflow's task list.
struct Dependencies {
  std::vector<std::uint32_t> after;
  friend bool operator==(const Dependencies&, const Dependencies&) = default;
};

// INVALID (no tasks, index out of range), TOO_BIG, CYCLE naming a task on the cycle and showing the
// way round, or nothing. Kahn's algorithm: O(tasks + dependencies).
[[nodiscard]] std::optional<Error> check_dependencies(const std::vector<Dependencies>& tasks);

}  // namespace taskpipe
