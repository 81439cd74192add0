#include "tests/integration/solvers/solver_fixture.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace taskpipe::worker {

SolverTest::SolverTest() : home_(TASKPIPE_SOLVERS_HOME) {
  std::string pattern = (std::filesystem::temp_directory_path() / "solvers-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  scratch_ = pattern;
}

SolverTest::~SolverTest() {
  std::error_code ignored;
  std::filesystem::remove_all(scratch_, ignored);
}

bool SolverTest::have(const std::string& tool) {
  std::filesystem::create_directories(home_);
  Environment environment = environment_of_process();
  environment["HOME"] = home_.string();
  // Only the wanted manifest: each probe of the others costs a second.
  const auto toolbox = scratch_ / "toolbox";
  std::filesystem::create_directories(toolbox);
  for (const auto& entry : std::filesystem::directory_iterator(TASKPIPE_TOOLBOX_DIR)) {
    if (entry.path().extension() == ".toml" && entry.path().stem() != tool) continue;
    std::filesystem::copy(entry.path(), toolbox / entry.path().filename(),
                          std::filesystem::copy_options::recursive);
  }
  registry_ = ToolRegistry::load({toolbox}, environment);
  for (const auto& rejection : registry_->rejections()) {
    std::cout << "UNAVAILABLE: " << rejection.reason << '\n';
  }
  return registry_->find(tool) != nullptr;
}

FinishedRun SolverTest::run(const std::string& tool, const std::string& script,
                            const ValueMap& params, std::uint32_t cpus,
                            const std::string& inline_script) {
  TaskSpec spec;
  spec.tool = tool;
  spec.script = script;
  spec.inline_script = Payload(inline_script);
  spec.resources.cpus = cpus;
  directory_ = scratch_ / ("run-" + std::to_string(++runs_));
  auto plan = registry_->plan(spec, params,
                              AttemptContext{directory_.string(), {{"TASKPIPE_TASK_ID", "test"}}});
  if (!plan) throw std::runtime_error(plan.error().text);
  return run_plan(std::move(*plan), directory_);
}

std::string SolverTest::text_of(const std::string& file) const {
  std::ifstream in(directory_ / file, std::ios::binary);
  if (!in) throw std::runtime_error("no file " + (directory_ / file).string());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

nlohmann::json SolverTest::json_of(const std::string& file) const {
  return nlohmann::json::parse(text_of(file));
}

}  // namespace taskpipe::worker
