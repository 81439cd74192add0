// Results for people.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "client/cli/console.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli {

// One task in full: state, times, exit code, metrics, artifacts, the last lines it wrote. `row`
// tells tool and script.
[[nodiscard]] std::string result_text(const TaskResult& result, const TaskRow& row,
                                      const TextStyle& style);

// A line per task. `rows` in the order of `results`; `labels` as well, where the tasks have names
// of their own: these then stand for tool and script.
[[nodiscard]] std::string results_table(std::span<const TaskResult> results,
                                        std::span<const TaskRow> rows, const TextStyle& style,
                                        std::span<const std::string> labels = {});

// What went wrong, for the first ten tasks that did not succeed: reason, last lines of stderr; then
// how many more there are. Empty when all succeeded.
[[nodiscard]] std::string failures_text(std::span<const TaskResult> results,
                                        std::span<const TaskRow> rows, const TextStyle& style,
                                        std::span<const std::string> labels = {});

}  // namespace taskpipe::cli
