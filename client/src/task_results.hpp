// From what the broker reports of an ended task to what a caller gets.
#pragma once

#include <span>
#include <vector>

#include "common/model/messages.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

// Decodes the report; one that cannot be read is left empty, and the outcome's reason says so.
[[nodiscard]] TaskResult result_of(DoneTask&& task);

// Without repetitions, in the order of first mention.
[[nodiscard]] std::vector<TaskId> distinct(std::span<const TaskId> ids);

// Puts results, which come in the order of the ends, into the order of `ids`; repeated ids get
// copies. Every id must have a result.
[[nodiscard]] std::vector<TaskResult> in_order_of(std::span<const TaskId> ids,
                                                  std::vector<TaskResult>&& results);

}  // namespace taskpipe::client
