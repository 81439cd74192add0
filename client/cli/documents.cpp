#include "client/cli/documents.hpp"

#include <string>
#include <utility>

#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

Value count(std::uint64_t number) { return static_cast<std::int64_t>(number); }

Value seconds(std::uint64_t us) { return static_cast<double>(us) / 1e6; }

Value or_null(std::string text) { return text.empty() ? Value() : Value(std::move(text)); }

Value time_value(WallTime time) { return or_null(process::to_iso_text(time)); }

// ready, successful and failed, as the status dict of TaskPipeline has them.
void add_readiness(ValueMap& map, TaskState state) {
  const bool ready = is_terminal(state);
  map["state"] = name_of(state);
  map["ready"] = ready;
  map["successful"] = ready ? Value(state == TaskState::success) : Value();
  map["failed"] = ready ? Value(state != TaskState::success) : Value();
}

Value resources_document(const Resources& resources) {
  ValueMap named;
  for (const NamedResource& resource : resources.named) {
    named[resource.name] = count(resource.amount);
  }
  return ValueMap{{"cpus", count(resources.cpus)},
                  {"gpus", count(resources.gpus)},
                  {"memory_bytes", count(resources.memory_bytes)},
                  {"named", std::move(named)}};
}

Value labels_document(const std::vector<Label>& labels) {
  ValueMap map;
  for (const Label& label : labels) map[label.key] = label.value;
  return map;
}

Value metrics_document(const std::vector<std::pair<std::string, double>>& metrics) {
  ValueMap map;
  for (const auto& [name, value] : metrics) map[name] = value;
  return map;
}

}  // namespace

Value artifact_document(const Artifact& artifact) {
  ValueMap map{{"name", artifact.name},
               {"path", artifact.path},
               {"size", count(artifact.size_bytes)},
               {"sha256", or_null(artifact.sha256)},
               {"stored", artifact.stored},
               {"shared", artifact.shared}};
  if (!artifact.problem.empty()) map["problem"] = artifact.problem;
  return map;
}

namespace {

void add_artifacts(ValueMap& map, const std::vector<Artifact>& artifacts) {
  ValueList paths;
  ValueList details;
  for (const Artifact& artifact : artifacts) {
    paths.emplace_back(artifact.path);
    details.push_back(artifact_document(artifact));
  }
  map["artifacts"] = std::move(paths);
  map["artifact_details"] = std::move(details);
}

Value usage_document(const TaskResult& result) {
  const Usage& usage = result.outcome.usage;
  return ValueMap{
      {"wall_seconds", seconds(static_cast<std::uint64_t>(run_time_of(result).count()))},
      {"user_seconds", seconds(usage.user_us)},
      {"system_seconds", seconds(usage.system_us)},
      {"max_rss_bytes", count(usage.max_rss_bytes)}};
}

}  // namespace

std::string_view status_word(TaskState state) {
  switch (state) {
    case TaskState::pending: return "pending";
    case TaskState::running: return "running";
    case TaskState::success: return "success";
    case TaskState::failure: return "failed";
    case TaskState::timeout: return "timeout";
    case TaskState::error: return "error";
    case TaskState::cancelled: return "cancelled";
  }
  return "?";
}

Value row_document(const TaskRow& row) {
  ValueMap map;
  map["task_id"] = row.id.to_string();
  add_readiness(map, row.state);
  map["workflow_id"] = row.workflow ? Value(row.workflow->to_string()) : Value();
  map["original"] = row.original ? Value(row.original->to_string()) : Value();
  map["owner"] = row.owner;
  map["tool"] = row.tool;
  map["script"] = row.script;
  map["failure_class"] = row.failure == FailureClass::none ? Value() : Value(name_of(row.failure));
  map["priority"] = row.priority;
  map["attempt"] = count(row.attempt.value());
  map["worker"] = or_null(row.worker);
  const bool exited = row.state == TaskState::success || row.failure == FailureClass::exit;
  map["exit_code"] = exited ? Value(row.exit_code) : Value();
  map["progress"] = row.progress_percent < 0 ? Value() : Value(row.progress_percent);
  map["message"] = row.message;
  map["submitted"] = time_value(row.submitted);
  map["started"] = time_value(row.started);
  map["finished"] = time_value(row.finished);
  return map;
}

Value result_document(const TaskResult& result, std::string_view tool, std::string_view script,
                      const ValueMap& params) {
  ValueMap map;
  map["task_id"] = result.id.to_string();
  add_readiness(map, result.outcome.state);
  map["status"] = status_word(result.outcome.state);
  map["tool"] = tool;
  map["script"] = script;
  map["params"] = params;
  const auto returncode = returncode_of(result.outcome);
  map["returncode"] = returncode ? Value(*returncode) : Value();
  map["stdout"] = result.report.stdout_tail;
  map["stderr"] = result.report.stderr_tail;
  map["stdout_bytes"] = count(result.report.stdout_bytes);
  map["stderr_bytes"] = count(result.report.stderr_bytes);
  add_artifacts(map, result.report.artifacts);
  map["resource_usage"] = usage_document(result);
  map["duration_seconds"] = seconds(static_cast<std::uint64_t>(run_time_of(result).count()));
  ValueMap metrics;
  for (const auto& [name, value] : result.report.metrics) metrics[name] = value;
  map["metrics"] = std::move(metrics);
  map["node"] = or_null(result.report.node);
  map["worker"] = or_null(result.worker);
  map["directory"] = or_null(result.report.directory);
  map["attempt"] = count(result.attempt.value());
  map["submitted"] = time_value(result.submitted);
  map["started"] = time_value(result.started);
  map["finished"] = time_value(result.finished);
  if (!result.report.value.is_null()) map["value"] = result.report.value;
  if (!result.succeeded()) {
    map["error"] = reason_of(result);
    map["failure_class"] = name_of(result.outcome.failure);
  }
  return map;
}

Value event_document(const TaskEvent& event) {
  ValueMap map;
  map["type"] = "event";
  map["task_id"] = event.id.to_string();
  add_readiness(map, event.state);
  map["tool"] = event.tool;
  map["script"] = event.script;
  map["attempt"] = count(event.attempt.value());
  map["worker"] = or_null(event.worker);
  map["progress"] = event.percent < 0 ? Value() : Value(event.percent);
  map["message"] = event.message;
  map["metrics"] = metrics_document(event.metrics);
  map["at"] = time_value(event.at);
  if (event.failure != FailureClass::none) map["failure_class"] = name_of(event.failure);
  return map;
}

Value tool_document(const ToolRow& row) {
  ValueList scripts;
  for (const ScriptOffer& script : row.offer.scripts) {
    scripts.emplace_back(ValueMap{{"name", script.name}, {"sha256", script.sha256}});
  }
  return ValueMap{{"name", row.offer.name},
                  {"version", or_null(row.offer.version)},
                  {"description", row.offer.description},
                  {"scripts", std::move(scripts)},
                  {"inline_scripts", row.offer.inline_scripts},
                  {"requires_script", row.offer.requires_script},
                  {"workers", count(row.workers)}};
}

Value worker_document(const WorkerRow& row) {
  ValueList tools;
  for (const std::string& tool : row.tools) tools.emplace_back(tool);
  return ValueMap{{"uuid", row.uuid.to_string()},
                  {"name", row.name},
                  {"host", row.host},
                  {"pid", count(row.pid)},
                  {"state", name_of(row.state)},
                  {"total", resources_document(row.total)},
                  {"free", resources_document(row.free)},
                  {"running", count(row.running)},
                  {"last_heard_ms", count(row.last_heard_ms)},
                  {"tools", std::move(tools)},
                  {"labels", labels_document(row.labels)}};
}

Value health_document(const HealthReply& reply) {
  ValueList warnings;
  for (const std::string& warning : reply.warnings) warnings.emplace_back(warning);
  return ValueMap{{"status", reply.healthy ? "healthy" : "unhealthy"},
                  {"healthy", reply.healthy},
                  {"warnings", std::move(warnings)},
                  {"version", reply.version},
                  {"epoch", count(reply.epoch.value())},
                  {"uptime_seconds", static_cast<double>(reply.uptime_ms) / 1e3},
                  {"workers", count(reply.workers_ready)},
                  {"tasks_pending", count(reply.tasks_pending)},
                  {"tasks_running", count(reply.tasks_running)},
                  {"tasks_finished", count(reply.tasks_finished)},
                  {"journal_bytes", count(reply.journal_bytes)},
                  {"history_lag_tasks", count(reply.history_lag_tasks)},
                  {"memory_bytes", count(reply.memory_bytes)},
                  {"memory_limit_bytes", count(reply.memory_limit_bytes)}};
}

Value error_document(const ClientError& error) {
  ValueMap map;
  map["failure"] = name_of(error.failure);
  map["code"] = error.error.code == ErrorCode::ok ? Value() : Value(name_of(error.error.code));
  map["field"] = or_null(error.error.field);
  map["text"] = error.error.text;
  if (error.maybe_accepted) map["maybe_accepted"] = error.maybe_accepted->to_string();
  return ValueMap{{"error", std::move(map)}};
}

}  // namespace taskpipe::cli
