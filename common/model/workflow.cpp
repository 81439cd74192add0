#include "common/model/workflow.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe {
namespace {

constexpr std::size_t kMaxShownTasks = 10;  // of a cycle, in an error's text

std::string field_of(std::size_t task) { return "tasks[" + std::to_string(task) + "].after"; }

Error refused(ErrorCode code, std::string field, const std::string& why) {
  return Error{code, field + " " + why, std::move(field)};
}

std::optional<Error> check_sizes(const std::vector<Dependencies>& tasks) {
  if (tasks.empty()) return refused(ErrorCode::invalid, "tasks", "is empty; add at least one");
  if (tasks.size() > limits::kMaxWorkflowTasks) {
    return refused(ErrorCode::too_big, "tasks", "has more than 100000 entries; split the workflow");
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto& after = tasks[i].after;
    total += after.size();
    if (after.size() > limits::kMaxDependenciesPerTask) {
      return refused(ErrorCode::too_big, field_of(i),
                     "has more than 1024 entries; let a task in between gather them");
    }
    const auto wrong = std::find_if(after.begin(), after.end(), [&](std::uint32_t dependency) {
      return dependency >= tasks.size();
    });
    if (wrong != after.end()) {
      return refused(ErrorCode::invalid, field_of(i),
                     "names task " + std::to_string(*wrong) + ", but there are only " +
                         std::to_string(tasks.size()));
    }
  }
  if (total > limits::kMaxWorkflowDependencies) {
    return refused(ErrorCode::too_big, "tasks",
                   "has more than 4000000 dependencies in all; let tasks in between gather them");
  }
  return std::nullopt;
}

// `open` counts the dependencies of each task that could not be ordered. From any task with some,
// going on to such a dependency ends in a circle.
Error cycle_error(const std::vector<Dependencies>& tasks, const std::vector<std::uint32_t>& open) {
  const auto is_open = [&](std::uint32_t task) { return open[task] != 0; };
  const auto next_of = [&](std::uint32_t task) {
    const auto& after = tasks[task].after;
    return *std::find_if(after.begin(), after.end(), is_open);
  };
  const auto first = std::find_if(open.begin(), open.end(), [](auto count) { return count != 0; });
  auto task = static_cast<std::uint32_t>(first - open.begin());
  for (std::vector<bool> met(tasks.size()); !met[task]; task = next_of(task)) met[task] = true;

  std::string way = std::to_string(task);
  std::uint32_t next = next_of(task);
  for (std::size_t shown = 1; next != task; next = next_of(next), ++shown) {
    if (shown < kMaxShownTasks) way += " after " + std::to_string(next);
    if (shown == kMaxShownTasks) way += " after \u2026";
  }
  return refused(ErrorCode::cycle, field_of(task),
                 "is part of a cycle (" + way + " after " + std::to_string(task) +
                     "); remove one of these dependencies");
}

}  // namespace

std::optional<Error> check_dependencies(const std::vector<Dependencies>& tasks) {
  if (auto error = check_sizes(tasks)) return error;
  std::vector<std::uint32_t> open(tasks.size(), 0);
  std::vector<std::vector<std::uint32_t>> dependents(tasks.size());
  for (std::uint32_t i = 0; i < tasks.size(); ++i) {
    open[i] = static_cast<std::uint32_t>(tasks[i].after.size());
    for (const std::uint32_t dependency : tasks[i].after) dependents[dependency].push_back(i);
  }
  std::vector<std::uint32_t> ready;
  for (std::uint32_t i = 0; i < tasks.size(); ++i) {
    if (open[i] == 0) ready.push_back(i);
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
  return cycle_error(tasks, open);
}

}  // namespace taskpipe
