// Waiting for tasks, with and without looking on; shared by submit, wait, monitor and workflow.
#pragma once

#include <string>
#include <vector>

#include "client/cli/invocation.hpp"

namespace taskpipe::cli {

// What is known of the tasks beforehand; the lists are as long as `ids` or empty.
struct Followed {
  std::vector<TaskId> ids;
  std::vector<std::string> labels;  // empty = tool and script, asked of the broker
  // How the commands that hints suggest name them: "--workflow ID"; empty = by their ids.
  std::string reference = {};
  bool table = false;  // at the end also a table of the results, for people
};

// Shows the tasks until all have ended: live bars on a terminal, a line per change otherwise, with
// --json events and at last results, a line each. Then what went wrong with those that failed.
// Returns the code to end with. `timeout` 0 = none; it ends the looking on, never the tasks.
ExitCode follow(Invocation& call, const Followed& followed, Millis timeout);

// Waits and prints the results: a table, or {"tasks": [result…]} with --json.
ExitCode wait_for(Invocation& call, const Followed& followed, Millis timeout);

// Prints them that way. `labels` as in Followed.
ExitCode print_results(Invocation& call, const std::vector<TaskResult>& results,
                       const std::vector<std::string>& labels = {});

}  // namespace taskpipe::cli
