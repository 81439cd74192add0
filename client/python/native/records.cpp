#include "client/python/native/records.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "client/python/native/values.hpp"
#include "taskpipe/result_facts.hpp"

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

nb::object text(const std::string& value) { return to_python(std::string_view(value)); }

nb::object or_none(const std::string& value) {
  return value.empty() ? nb::object(nb::none()) : text(value);
}

// Seconds since 1970.
nb::object seconds_of(WallTime time) {
  if (time.unix_ms == 0) return nb::none();
  return nb::float_(static_cast<double>(time.unix_ms) / 1e3);
}

double seconds(std::uint64_t us) { return static_cast<double>(us) / 1e6; }

nb::object percent_of(double percent) {
  return percent < 0 ? nb::object(nb::none()) : nb::object(nb::float_(percent));
}

nb::object class_of(FailureClass failure) {
  return failure == FailureClass::none ? nb::object(nb::none()) : to_python(name_of(failure));
}

template <class Pairs>
nb::dict numbers(const Pairs& pairs) {
  nb::dict dict;
  for (const auto& [name, value] : pairs) dict[text(name)] = value;
  return dict;
}

nb::dict to_dict(const Artifact& artifact) {
  nb::dict dict;
  dict["name"] = text(artifact.name);
  dict["path"] = text(artifact.path);
  dict["size_bytes"] = artifact.size_bytes;
  dict["sha256"] = or_none(artifact.sha256);
  dict["stored"] = artifact.stored;
  dict["shared"] = artifact.shared;
  dict["problem"] = or_none(artifact.problem);
  return dict;
}

nb::dict to_dict(const Resources& resources) {
  nb::dict dict;
  dict["cpus"] = resources.cpus;
  dict["gpus"] = resources.gpus;
  dict["memory_bytes"] = resources.memory_bytes;
  nb::dict named;
  for (const auto& item : resources.named) named[text(item.name)] = item.amount;
  dict["named"] = named;
  return dict;
}

nb::dict usage_of(const Usage& usage, double wall_s) {
  nb::dict dict;
  dict["wall_s"] = wall_s;
  dict["user_s"] = seconds(usage.user_us);
  dict["system_s"] = seconds(usage.system_us);
  dict["max_rss_bytes"] = usage.max_rss_bytes;
  return dict;
}

nb::object returncode_in(const Outcome& outcome) {
  const auto returncode = returncode_of(outcome);
  return returncode ? nb::object(nb::int_(*returncode)) : nb::object(nb::none());
}

nb::dict to_dict(const PastAttempt& past) {
  nb::dict dict;
  dict["attempt"] = past.attempt.value();
  dict["epoch"] = past.epoch.value();
  dict["became"] = to_python(name_of(past.kind));
  dict["worker"] = or_none(past.worker);
  dict["state"] = to_python(name_of(past.outcome.state));
  dict["failure"] = class_of(past.outcome.failure);
  dict["returncode"] = returncode_in(past.outcome);
  dict["reason"] = text(past.outcome.reason);
  dict["usage"] = usage_of(past.outcome.usage, seconds(past.outcome.usage.wall_us));
  dict["started"] = seconds_of(past.started);
  dict["ended"] = seconds_of(past.ended);
  return dict;
}

void add_report(nb::dict& dict, const RunReport& report) {
  dict["node"] = or_none(report.node);
  dict["directory"] = or_none(report.directory);
  dict["stdout"] = text(report.stdout_tail);
  dict["stderr"] = text(report.stderr_tail);
  dict["stdout_bytes"] = report.stdout_bytes;
  dict["stderr_bytes"] = report.stderr_bytes;
  nb::list artifacts;
  for (const auto& artifact : report.artifacts) artifacts.append(to_dict(artifact));
  dict["artifacts"] = artifacts;
  dict["metrics"] = numbers(report.metrics);
  dict["value"] = to_python(report.value);
}

}  // namespace

nb::dict to_dict(const TaskResult& result) {
  nb::dict dict;
  dict["task_id"] = result.id.to_string();
  dict["state"] = to_python(name_of(result.outcome.state));
  dict["failure"] = class_of(result.outcome.failure);
  dict["returncode"] = returncode_in(result.outcome);
  dict["reason"] = text(reason_of(result));
  dict["attempt"] = result.attempt.value();
  dict["worker"] = or_none(result.worker);
  add_report(dict, result.report);
  dict["usage"] =
      usage_of(result.outcome.usage, std::chrono::duration<double>(run_time_of(result)).count());
  dict["submitted"] = seconds_of(result.submitted);
  dict["started"] = seconds_of(result.started);
  dict["finished"] = seconds_of(result.finished);
  return dict;
}

nb::dict to_dict(const TaskRow& row) {
  nb::dict dict;
  dict["task_id"] = row.id.to_string();
  dict["state"] = to_python(name_of(row.state));
  dict["workflow_id"] = row.workflow ? nb::cast(row.workflow->to_string()) : nb::object(nb::none());
  dict["owner"] = text(row.owner);
  dict["tool"] = text(row.tool);
  dict["script"] = text(row.script);
  dict["failure"] = class_of(row.failure);
  dict["priority"] = row.priority;
  dict["attempt"] = row.attempt.value();
  dict["worker"] = or_none(row.worker);
  dict["progress"] = percent_of(row.progress_percent);
  dict["message"] = text(row.message);
  dict["submitted"] = seconds_of(row.submitted);
  dict["started"] = seconds_of(row.started);
  dict["finished"] = seconds_of(row.finished);
  dict["original"] = row.original ? nb::cast(row.original->to_string()) : nb::object(nb::none());
  nb::list attempts;
  for (const PastAttempt& past : row.attempts) attempts.append(to_dict(past));
  dict["attempts"] = attempts;
  return dict;
}

nb::dict to_dict(const TaskEvent& event) {
  nb::dict dict;
  dict["task_id"] = event.id.to_string();
  dict["state"] = to_python(name_of(event.state));
  dict["failure"] = class_of(event.failure);
  dict["attempt"] = event.attempt.value();
  dict["tool"] = text(event.tool);
  dict["script"] = text(event.script);
  dict["worker"] = or_none(event.worker);
  dict["progress"] = percent_of(event.percent);
  dict["message"] = text(event.message);
  dict["metrics"] = numbers(event.metrics);
  dict["at"] = seconds_of(event.at);
  dict["seq"] = event.seq == 0 ? nb::object(nb::none()) : nb::cast(event.seq);
  return dict;
}

nb::dict to_dict(const WorkflowEvent& event) {
  nb::dict dict;
  dict["workflow_id"] = event.id.to_string();
  dict["total"] = event.total;
  dict["ended"] = event.ended;
  dict["succeeded"] = event.succeeded;
  return dict;
}

nb::dict to_dict(const StreamChanges& changes) {
  nb::dict dict;
  dict["seq"] = changes.seq;
  dict["tasks"] = to_list(changes.tasks);
  dict["workflows"] = to_list(changes.workflows);
  dict["resynchronised"] = changes.resynchronised;
  dict["first_page"] = changes.first_page;
  return dict;
}

nb::dict to_dict(const EventBatch& batch) {
  nb::dict dict;
  dict["topic"] = text(batch.topic);
  dict["gap"] = batch.gap;
  dict["tasks"] = to_list(batch.events.tasks);
  dict["workflows"] = to_list(batch.events.workflows);
  nb::list workers;
  for (const auto& event : batch.events.workers) {
    nb::dict item;
    item["uuid"] = event.uuid.to_string();
    item["name"] = text(event.name);
    item["state"] = to_python(name_of(event.state));
    workers.append(item);
  }
  dict["workers"] = workers;
  return dict;
}

nb::dict to_dict(const ToolRow& row) {
  nb::dict dict;
  dict["name"] = text(row.offer.name);
  dict["version"] = text(row.offer.version);
  dict["description"] = text(row.offer.description);
  nb::list scripts;
  for (const auto& script : row.offer.scripts) scripts.append(text(script.name));
  dict["scripts"] = scripts;
  dict["inline_scripts"] = row.offer.inline_scripts;
  dict["requires_script"] = row.offer.requires_script;
  dict["workers"] = row.workers;
  return dict;
}

nb::dict to_dict(const WorkerRow& row) {
  nb::dict dict;
  dict["uuid"] = row.uuid.to_string();
  dict["name"] = text(row.name);
  dict["host"] = text(row.host);
  dict["pid"] = row.pid;
  dict["state"] = to_python(name_of(row.state));
  dict["total"] = to_dict(row.total);
  dict["free"] = to_dict(row.free);
  dict["running"] = row.running;
  dict["last_heard_s"] = static_cast<double>(row.last_heard_ms) / 1e3;
  nb::list tools;
  for (const auto& tool : row.tools) tools.append(text(tool));
  dict["tools"] = tools;
  nb::dict labels;
  for (const auto& label : row.labels) labels[text(label.key)] = text(label.value);
  dict["labels"] = labels;
  return dict;
}

nb::dict to_dict(const HealthReply& reply) {
  nb::dict dict;
  dict["healthy"] = reply.healthy;
  nb::list warnings;
  for (const auto& warning : reply.warnings) warnings.append(text(warning));
  dict["warnings"] = warnings;
  dict["version"] = text(reply.version);
  dict["epoch"] = reply.epoch.value();
  dict["uptime_s"] = static_cast<double>(reply.uptime_ms) / 1e3;
  dict["workers_ready"] = reply.workers_ready;
  dict["tasks_pending"] = reply.tasks_pending;
  dict["tasks_running"] = reply.tasks_running;
  dict["tasks_finished"] = reply.tasks_finished;
  dict["journal_bytes"] = reply.journal_bytes;
  dict["history_lag_tasks"] = reply.history_lag_tasks;
  dict["memory_bytes"] = reply.memory_bytes;
  dict["memory_limit_bytes"] = reply.memory_limit_bytes;
  return dict;
}

nb::dict to_dict(const ConnectionInfo& info) {
  nb::dict dict;
  dict["broker"] = text(info.broker);
  dict["events"] = text(info.events);
  dict["bulk"] = text(info.bulk);
  dict["broker_uuid"] = info.broker_uuid.to_string();
  dict["epoch"] = info.epoch.value();
  dict["session"] = info.session.value();
  dict["heartbeat_s"] = static_cast<double>(info.heartbeat_ms) / 1e3;
  dict["lease_s"] = static_cast<double>(info.lease_ms) / 1e3;
  dict["role"] = info.role ? nb::object(text(std::string(name_of(*info.role)))) : nb::none();
  dict["user"] = text(info.user);
  return dict;
}

nb::dict to_dict(const DoneWorkflow& workflow) {
  nb::dict dict;
  dict["workflow_id"] = workflow.id.to_string();
  dict["total"] = workflow.total;
  dict["succeeded"] = workflow.succeeded;
  return dict;
}

}  // namespace taskpipe::python
