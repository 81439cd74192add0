// One task of a workflow file.
#pragma once

#include <string>

#include "client/cli/workflow_fields.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli {

// Everything but `after`, which needs the other tasks. INVALID naming the field.
[[nodiscard]] Checked read_task(const Fields& fields, std::string& name, TaskRequest& task);

}  // namespace taskpipe::cli
