// From what the wire brings to what TaskPipeline shows.
#pragma once

#include <string>

#include "taskpipe/client.hpp"
#include "taskpipe/pipeline_types.hpp"

namespace taskpipe::client {

// Of a task that may not have ended; the result is not in it.
[[nodiscard]] PipelineStatus status_of(const TaskRow& row);
[[nodiscard]] PipelineStatus status_of(const TaskEvent& event);

// `task` names tool, script and params.
[[nodiscard]] PipelineResult pipeline_result(TaskResult&& result, std::string tool,
                                             std::string script, ValueMap params);

}  // namespace taskpipe::client
