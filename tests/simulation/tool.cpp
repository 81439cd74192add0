#include "tests/simulation/tool.hpp"

#include <algorithm>
#include <cassert>
#include <string>

namespace taskpipe::simulation {

const Tool& tool_named(std::string_view name) {
  const auto* found =
      std::find_if(kTools.begin(), kTools.end(), [&](const Tool& t) { return t.name == name; });
  assert(found != kTools.end());
  return *found;
}

bool is_poisonous(std::string_view tool, const TaskId& task) {
  constexpr std::uint64_t kOneOf = 40;
  Random random(task.high() ^ (task.low() * 31));
  return tool == kTools[0].name && random.below(kOneOf) == 0;
}

Plan plan_of(const Tool& tool, const AttemptKey& attempt) {
  Random random(attempt.task.high() ^ (attempt.task.low() * 31) ^ (attempt.epoch.value() << 32U) ^
                attempt.attempt.value());
  Plan plan;
  plan.duration = random.between(tool.least, tool.most);
  Outcome& outcome = plan.outcome;
  outcome.state = TaskState::success;
  if (random.chance(100)) {
    outcome.state = TaskState::failure;
    outcome.failure = FailureClass::exit;
    outcome.exit_code = 1;
    outcome.reason = "exit code 1";
  }
  outcome.usage.wall_us = static_cast<std::uint64_t>(plan.duration.count() / 1000);
  // Says which run it came from.
  outcome.report = Payload(attempt.task.to_string() + ":" + std::to_string(attempt.epoch.value()) +
                           ":" + std::to_string(attempt.attempt.value()));
  return plan;
}

}  // namespace taskpipe::simulation
