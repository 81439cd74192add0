// Plans tasks through the shipped toolbox and runs them in folders that are removed afterwards.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/model/task.hpp"
#include "common/model/value.hpp"
#include "tests/integration/solvers/plan_runner.hpp"
#include "worker/tools/tool_registry.hpp"

namespace taskpipe::worker {

class SolverTest : public testing::Test {
 protected:
  SolverTest();
  ~SolverTest() override;

  // Loads the toolbox; prints UNAVAILABLE and skips the test when `tool` is not offered here.
  // Call it as `if (!have("lammps")) GTEST_SKIP();`.
  [[nodiscard]] bool have(const std::string& tool);

  // Runs a task in a fresh folder. The test fails when it cannot be planned.
  FinishedRun run(const std::string& tool, const std::string& script, const ValueMap& params = {},
                  std::uint32_t cpus = 1, const std::string& inline_script = "");

  // Of the last run.
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] std::string text_of(const std::string& file) const;
  [[nodiscard]] nlohmann::json json_of(const std::string& file) const;

  // The home folder of later runs, before `have`.
  void set_home(const std::filesystem::path& home) { home_ = home; }
  [[nodiscard]] const std::filesystem::path& scratch() const { return scratch_; }

 private:
  std::filesystem::path scratch_;
  std::filesystem::path home_;
  std::filesystem::path directory_;
  std::optional<ToolRegistry> registry_;
  int runs_ = 0;
};

}  // namespace taskpipe::worker
