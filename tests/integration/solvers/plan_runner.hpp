// Runs a RunPlan as the executor would, without the executor: files, environment, working
// directory, argv, and the parser fed line by line as the lines arrive.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "worker/exec/executor.hpp"

namespace taskpipe::worker {

struct FinishedRun {
  int exit_code = -1;  // -1 = killed by a signal
  std::string out;
  std::string err;
  std::vector<double> percents;  // of the parser and of `taskpipe-progress` lines, in order
  std::map<std::string, std::vector<double>> metrics;

  [[nodiscard]] std::size_t distinct_percents() const;
};

// Creates `directory`. Throws std::runtime_error when the program cannot be started.
[[nodiscard]] FinishedRun run_plan(RunPlan plan, const std::filesystem::path& directory);

}  // namespace taskpipe::worker
