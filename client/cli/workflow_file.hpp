// Workflows from JSON files.
//
//   [{"name": "mesh", "tool": "openfoam", "script": "mesh.py"},
//    {"name": "flow", "tool": "openfoam", "script": "flow.py", "params": {"nu": 0.01},
//     "after": ["mesh"]}]
//
// or {"name": …, "on_failure": "cancel_dependents", "tasks": […]}. docs/cli.md lists the fields.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "taskpipe/client.hpp"

namespace taskpipe::cli {

struct WorkflowFile {
  WorkflowRequest request;
  std::vector<std::string> names;  // of the tasks; empty where the file gives none
};

// INVALID naming the field ("tasks[2].params"). Cycles are found later, by the client.
[[nodiscard]] tl::expected<WorkflowFile, Error> read_workflow(std::string_view text);

// Lets every task wait for the one before it as well.
void make_sequential(WorkflowRequest& request);

}  // namespace taskpipe::cli
