#include "client/src/pipeline_results.hpp"

#include <algorithm>
#include <utility>

namespace taskpipe::client {
namespace {

template <class Source>
PipelineStatus status_from(const Source& source, double percent) {
  PipelineStatus status;
  status.task_id = source.id.to_string();
  status.state = source.state;
  status.tool = source.tool;
  status.script = source.script;
  status.progress_percent = std::max(percent, 0.0);
  if (!status.ready()) {
    status.message = source.message;
  } else if (status.state != TaskState::success) {
    status.error = source.message.empty() ? std::string(name_of(source.state)) : source.message;
  }
  return status;
}

double run_seconds(const TaskResult& result) {
  if (result.outcome.usage.wall_us > 0) {
    return static_cast<double>(result.outcome.usage.wall_us) / 1e6;
  }
  if (result.started.unix_ms == 0) return 0.0;  // never ran
  return static_cast<double>(
             std::max<std::int64_t>(result.finished.unix_ms - result.started.unix_ms, 0)) /
         1e3;
}

std::optional<std::int32_t> returncode_of(const Outcome& outcome) {
  if (outcome.signal != 0) return -outcome.signal;
  const bool exited = outcome.state == TaskState::success || outcome.failure == FailureClass::exit;
  return exited ? std::optional(outcome.exit_code) : std::nullopt;
}

}  // namespace

PipelineStatus status_of(const TaskRow& row) { return status_from(row, row.progress_percent); }

PipelineStatus status_of(const TaskEvent& event) { return status_from(event, event.percent); }

PipelineResult pipeline_result(TaskResult&& result, std::string tool, std::string script,
                               ValueMap params) {
  PipelineResult shown;
  shown.state = result.outcome.state;
  shown.tool = std::move(tool);
  shown.script = std::move(script);
  shown.params = std::move(params);
  shown.returncode = returncode_of(result.outcome);
  shown.duration_seconds = run_seconds(result);
  shown.error = reason_of(result.outcome);
  shown.usage = result.outcome.usage;
  shown.stdout_tail = std::move(result.report.stdout_tail);
  shown.stderr_tail = std::move(result.report.stderr_tail);
  shown.artifacts = std::move(result.report.artifacts);
  shown.value = std::move(result.report.value);
  return shown;
}

std::string reason_of(const Outcome& outcome) {
  if (outcome.state == TaskState::success || !outcome.reason.empty()) return outcome.reason;
  if (outcome.failure == FailureClass::exit) {
    return "exit code " + std::to_string(outcome.exit_code);
  }
  if (outcome.signal != 0) return "killed by signal " + std::to_string(outcome.signal);
  if (outcome.failure != FailureClass::none) return std::string(name_of(outcome.failure));
  return std::string(name_of(outcome.state));
}

}  // namespace taskpipe::client
