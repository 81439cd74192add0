#include "common/model/workflow.hpp"

#include <string>

#include "common/model/limits.hpp"

namespace taskpipe {
namespace {

std::string field_of(std::size_t task) { return "tasks[" + std::to_string(task) + "].after"; }

}  // namespace

std::optional<Error> check_dependencies(const std::vector<Dependencies>& tasks) {
  if (tasks.empty()) return Error{ErrorCode::invalid, "tasks is empty; add at least one", "tasks"};
  if (tasks.size() > limits::kMaxWorkflowTasks) {
    return Error{ErrorCode::too_big, "tasks has more than 100000 entries; split the workflow",
                 "tasks"};
  }
  std::vector<std::uint32_t> open(tasks.size(), 0);
  std::vector<std::vector<std::uint32_t>> dependents(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].after.size() > limits::kMaxDependenciesPerTask) {
      return Error{ErrorCode::too_big, field_of(i) + " has more than 1024 entries", field_of(i)};
    }
    for (const std::uint32_t dependency : tasks[i].after) {
      if (dependency >= tasks.size()) {
        return Error{ErrorCode::invalid,
                     field_of(i) + " names task " + std::to_string(dependency) +
                         ", but there are only " + std::to_string(tasks.size()),
                     field_of(i)};
      }
      dependents[dependency].push_back(static_cast<std::uint32_t>(i));
      ++open[i];
    }
  }
  std::vector<std::uint32_t> ready;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (open[i] == 0) ready.push_back(static_cast<std::uint32_t>(i));
  }
  std::size_t ordered = 0;
  while (!ready.empty()) {
    const std::uint32_t task = ready.back();
    ready.pop_back();
    ++ordered;
    for (const std::uint32_t dependent : dependents[task]) {
      if (--open[dependent] == 0) ready.push_back(dependent);
    }
  }
  if (ordered == tasks.size()) return std::nullopt;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (open[i] != 0) {
      return Error{ErrorCode::cycle, field_of(i) + " is part of or behind a cycle of dependencies",
                   field_of(i)};
    }
  }
  return std::nullopt;
}

}  // namespace taskpipe
