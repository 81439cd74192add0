/// \file
/// What can be told of how a task ended: the same words and numbers in C++, Python and the command
/// line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe {

/// The exit code of the process, minus the signal that killed it, or nothing when there is neither.
[[nodiscard]] std::optional<std::int32_t> returncode_of(const Outcome& outcome);

/// Wall time of the deciding run: as the kernel counted it, else from its start to its end by the
/// broker's clock. 0 when it never ran, or when that clock was set back.
[[nodiscard]] Micros run_time_of(const TaskResult& result);

/// Why it did not succeed, in words; empty on success only.
[[nodiscard]] std::string reason_of(const Outcome& outcome);
/// The same of a result.
[[nodiscard]] inline std::string reason_of(const TaskResult& result) {
  return reason_of(result.outcome);
}

}  // namespace taskpipe
