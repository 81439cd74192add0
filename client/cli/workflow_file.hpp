// Workflows from TOML and JSON files.
//
//   name = "airfoil"
//   [[tasks]]
//   name = "mesh"
//   tool = "openfoam"
//   script = "mesh.py"
//   [[tasks]]
//   tool = "openfoam"
//   script = "flow.py"
//   after = ["mesh"]
//   params = {nu = 0.01}
//
// The same in JSON, where a list of tasks will do as well:
//
//   [{"name": "mesh", "tool": "openfoam", "script": "mesh.py"},
//    {"name": "flow", "tool": "openfoam", "script": "flow.py", "params": {"nu": 0.01},
//     "after": ["mesh"]}]
//
// or {"name": …, "on_failure": "cancel_dependents", "tasks": […]}. docs/cli.md lists the fields.
#pragma once

#include <cstdint>
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

enum class WorkflowFormat : std::uint8_t { json, toml };

// By the end of the file's name, else (standard input) by how the text begins.
[[nodiscard]] WorkflowFormat format_of(std::string_view path, std::string_view text);

// INVALID naming the field ("tasks[2].params"), and in TOML its place: "line 4, column 1: …".
// Cycles are found later, by the client.
[[nodiscard]] tl::expected<WorkflowFile, Error> read_workflow(
    std::string_view text, WorkflowFormat format = WorkflowFormat::json);

// Lets every task wait for the one before it as well.
void make_sequential(WorkflowRequest& request);

}  // namespace taskpipe::cli
