// Requests as Python makes them. The Python side has checked types and ranges.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>
#include <vector>

#include "taskpipe/client.hpp"

namespace taskpipe::python {

// From keyword arguments: tool, script, params and any of priority, cpus, gpus, memory_bytes, named
// (dict), run_time_ms, grace_ms, queue_time_ms, no_progress_ms, max_attempts, retry_on (list of
// names), backoff_ms, max_backoff_ms, max_worker_losses, labels (dict), inputs
// (pairs of path and name), inline_script,
// wait_for_capacity, task_id. Unknown names are a TypeError.
[[nodiscard]] TaskRequest to_request(const std::string& tool, const std::string& script,
                                     nanobind::handle params, const nanobind::dict& options);

// Raise InvalidArgument for what is no id of 32 hex digits.
[[nodiscard]] TaskId to_task_id(const std::string& text);
[[nodiscard]] WorkflowId to_workflow_id(const std::string& text);
[[nodiscard]] std::vector<TaskId> to_task_ids(const std::vector<std::string>& texts);

}  // namespace taskpipe::python
