#include "taskpipe/result_facts.hpp"

#include <algorithm>
#include <string_view>

namespace taskpipe {
namespace {

// Where neither worker nor broker has given a reason, as one of another version might not.
std::string_view words_for(TaskState state) {
  switch (state) {
    case TaskState::pending:
    case TaskState::running: return "the task has not ended";
    case TaskState::success: return "";
    case TaskState::failure: return "the tool failed";
    case TaskState::timeout: return "exceeded its time limit";
    case TaskState::error: return "the task could not be run";
    case TaskState::cancelled: return "the task was cancelled";
  }
  return "it ended in a way that this version does not know";
}

std::string_view words_for(const Outcome& outcome) {
  switch (outcome.failure) {
    case FailureClass::oom: return "killed for exceeding its memory limit";
    case FailureClass::timeout: return "exceeded its time limit";
    case FailureClass::worker_lost: return "lost with its worker";
    case FailureClass::spawn: return "could not be started";
    case FailureClass::cancelled: return "the task was cancelled";
    case FailureClass::rejected: return "refused by its worker";
    case FailureClass::none:
    case FailureClass::exit:
    case FailureClass::signal: break;
  }
  return words_for(outcome.state);
}

}  // namespace

std::optional<std::int32_t> returncode_of(const Outcome& outcome) {
  if (outcome.signal != 0) return -outcome.signal;
  const bool exited = outcome.state == TaskState::success || outcome.failure == FailureClass::exit;
  return exited ? std::optional(outcome.exit_code) : std::nullopt;
}

Micros run_time_of(const TaskResult& result) {
  const std::uint64_t counted_us = result.outcome.usage.wall_us;
  if (counted_us > 0) return Micros(static_cast<Micros::rep>(counted_us));
  if (result.started.unix_ms == 0) return Micros(0);
  return Millis(std::max<std::int64_t>(result.finished.unix_ms - result.started.unix_ms, 0));
}

std::string reason_of(const Outcome& outcome) {
  if (outcome.state == TaskState::success || !outcome.reason.empty()) return outcome.reason;
  if (outcome.failure == FailureClass::exit) {
    return "exit code " + std::to_string(outcome.exit_code);
  }
  if (outcome.failure != FailureClass::oom && outcome.signal != 0) {
    return "killed by signal " + std::to_string(outcome.signal);
  }
  return std::string(words_for(outcome));
}

}  // namespace taskpipe
