#include "client/src/pipeline_results.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "taskpipe/result_facts.hpp"

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
    Outcome outcome;  // which has no exit code here
    outcome.state = source.state;
    outcome.reason = source.message;
    status.error = reason_of(outcome);
  }
  return status;
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
  shown.duration_seconds = std::chrono::duration<double>(run_time_of(result)).count();
  shown.error = reason_of(result.outcome);
  shown.usage = result.outcome.usage;
  shown.stdout_tail = std::move(result.report.stdout_tail);
  shown.stderr_tail = std::move(result.report.stderr_tail);
  shown.artifacts = std::move(result.report.artifacts);
  shown.value = std::move(result.report.value);
  return shown;
}

}  // namespace taskpipe::client
