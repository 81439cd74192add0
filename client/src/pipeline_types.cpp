// The values of TaskPipeline: their dicts and what can be told from them.
#include "taskpipe/pipeline_types.hpp"

#include <algorithm>
#include <set>

#include "common/model/limits.hpp"
#include "taskpipe/pipeline_errors.hpp"

namespace taskpipe {
namespace {

Value count(std::uint64_t number) { return static_cast<std::int64_t>(number); }

Value seconds(std::uint64_t us) { return static_cast<double>(us) / 1e6; }

Value or_null(const std::optional<bool>& flag) { return flag ? Value(*flag) : Value(); }

Value list_of(const std::vector<std::string>& texts) {
  return ValueList(texts.begin(), texts.end());
}

std::size_t& count_of(PipelineWorkflowStatus& status, TaskState state) {
  switch (state) {
    case TaskState::pending: return status.pending;
    case TaskState::running: return status.running;
    case TaskState::success: return status.completed;
    default: return status.failed;
  }
}

}  // namespace

std::string_view PipelineResult::status() const {
  switch (state) {
    case TaskState::success: return "success";
    case TaskState::failure: return "failed";
    case TaskState::timeout: return "timeout";
    default: return "error";
  }
}

ValueMap PipelineResult::to_dict() const {
  ValueList paths;
  ValueList details;
  for (const Artifact& artifact : artifacts) {
    paths.emplace_back(artifact.path);
    ValueMap detail{{"name", artifact.name},
                    {"path", artifact.path},
                    {"size", count(artifact.size_bytes)},
                    {"sha256", artifact.sha256.empty() ? Value() : Value(artifact.sha256)},
                    {"stored", artifact.stored},
                    {"shared", artifact.shared}};
    if (!artifact.problem.empty()) detail["problem"] = artifact.problem;
    details.emplace_back(std::move(detail));
  }
  ValueMap dict{{"status", status()},
                {"tool", tool},
                {"script", script},
                {"params", params},
                {"returncode", returncode ? Value(*returncode) : Value()},
                {"stdout", stdout_tail},
                {"stderr", stderr_tail},
                {"artifacts", std::move(paths)},
                {"artifact_details", std::move(details)},
                {"resource_usage", ValueMap{{"wall_seconds", duration_seconds},
                                            {"user_seconds", seconds(usage.user_us)},
                                            {"system_seconds", seconds(usage.system_us)},
                                            {"max_rss_bytes", count(usage.max_rss_bytes)}}},
                {"duration_seconds", duration_seconds}};
  if (!error.empty()) dict["error"] = error;
  if (!value.is_null()) dict["value"] = value;
  return dict;
}

std::optional<bool> PipelineStatus::successful() const {
  if (!ready()) return std::nullopt;
  return state == TaskState::success;
}

std::optional<bool> PipelineStatus::failed() const {
  if (!ready()) return std::nullopt;
  return state != TaskState::success;
}

ValueMap PipelineStatus::to_dict() const {
  ValueMap dict{{"task_id", task_id},
                {"state", name_of(state)},
                {"ready", ready()},
                {"successful", or_null(successful())},
                {"failed", or_null(failed())}};
  if (state == TaskState::running) {
    dict["progress"] = progress_percent;
    dict["tool"] = tool;
    dict["script"] = script;
  }
  if (result) dict["result"] = result->to_dict();
  if (!error.empty()) dict["error"] = error;
  return dict;
}

void PipelineWorkflowStatus::put(PipelineStatus status) {
  ++count_of(*this, status.state);
  const auto [place, added] = tasks.try_emplace(status.task_id);
  if (added) {
    ++total;
  } else {
    --count_of(*this, place->second.state);
  }
  place->second = std::move(status);
}

ValueMap PipelineWorkflowStatus::to_dict() const {
  ValueMap by_id;
  for (const auto& [id, status] : tasks) by_id.emplace(id, status.to_dict());
  return {{"total", count(total)},     {"completed", count(completed)},
          {"failed", count(failed)},   {"running", count(running)},
          {"pending", count(pending)}, {"all_complete", all_complete()},
          {"tasks", std::move(by_id)}};
}

PipelineStats parallel_stats(const PipelineWorkflowStatus& status) {
  PipelineStats stats;
  stats.total_tasks = status.total;
  stats.completed = status.completed;
  stats.failed = status.failed;
  stats.running = status.running;
  stats.pending = status.pending;
  std::size_t ended = 0;
  for (const auto& [id, task] : status.tasks) {
    if (!task.result) continue;
    ++ended;
    stats.total_duration += task.result->duration_seconds;
    stats.max_duration = std::max(stats.max_duration, task.result->duration_seconds);
  }
  if (ended > 0) stats.avg_duration = stats.total_duration / static_cast<double>(ended);
  if (stats.max_duration > 0.0) stats.speedup = stats.total_duration / stats.max_duration;
  if (stats.total_tasks > 0) {
    stats.efficiency = stats.speedup / static_cast<double>(stats.total_tasks);
  }
  return stats;
}

ValueMap PipelineStats::to_dict() const {
  return {{"total_tasks", count(total_tasks)},
          {"completed", count(completed)},
          {"failed", count(failed)},
          {"running", count(running)},
          {"pending", count(pending)},
          {"total_duration", total_duration},
          {"avg_duration", avg_duration},
          {"max_duration", max_duration},
          {"speedup", speedup},
          {"efficiency", efficiency}};
}

ValueMap PipelineBatch::to_dict() const {
  return {{"batch_num", count(batch_num)},
          {"batch_size", count(batch_size)},
          {"submitted", count(submitted)},
          {"total", count(total)},
          {"task_ids", list_of(task_ids)}};
}

ValueMap PipelineCompletion::to_dict() const {
  return {{"task_id", task_id}, {"status", status.to_dict()}};
}

ValueMap PipelineHealth::to_dict() const {
  return {{"status", "healthy"}, {"worker", worker}, {"message", message}};
}

ValueMap PipelineSimulations::to_dict() const {
  ValueMap by_name;
  for (const auto& [name, tool] : tools) {
    by_name.emplace(
        name, ValueMap{{"description", tool.description}, {"scripts", list_of(tool.scripts)}});
  }
  return {{"status", "success"}, {"tools", std::move(by_name)}};
}

std::vector<ValueMap> sweep_combinations(const ParamGrid& grid) {
  std::size_t total = 1;
  std::set<std::string_view> names;
  for (const auto& [name, values] : grid) {
    const std::string field = "param_grid." + name;
    if (name.empty()) throw InvalidArgumentError("param_grid has an empty name", "param_grid");
    if (!names.insert(name).second) {
      throw InvalidArgumentError(field + " is given twice; join its values", field);
    }
    if (values.empty()) total = 0;
    if (total > 0 && values.size() > limits::kMaxSweepTasks / total) {
      throw InvalidArgumentError("param_grid has more than " +
                                     std::to_string(limits::kMaxSweepTasks) +
                                     " combinations; split it",
                                 field);
    }
    total *= values.size();
  }
  std::vector<ValueMap> combinations;
  combinations.reserve(total);
  for (std::size_t number = 0; number < total; ++number) {
    // The digits of `number`, in a system whose bases are the counts of values.
    ValueMap params;
    std::size_t rest = number;
    for (auto axis = grid.rbegin(); axis != grid.rend(); ++axis) {
      params.emplace(axis->first, axis->second[rest % axis->second.size()]);
      rest /= axis->second.size();
    }
    combinations.push_back(std::move(params));
  }
  return combinations;
}

}  // namespace taskpipe
