// TaskPipeline: one task, the cluster, and what the object itself knows.
#include "taskpipe/task_pipeline.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <typeinfo>
#include <utility>

#include "client/src/paced_monitor.hpp"
#include "client/src/pipeline_raise.hpp"
#include "client/src/pipeline_results.hpp"
#include "taskpipe/result_facts.hpp"

namespace taskpipe {

using client::task_id_of;
using client::value_or_raise;

ClientOptions client_options_from_environment(std::string broker) {
  ClientOptions options;
  const auto take = [](const char* name, std::string& into) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') into = value;
  };
  if (broker.empty()) {
    take("TASKPIPE_BROKER", options.broker);
    take("TASKPIPE_EVENTS", options.events);
  } else {
    options.broker = std::move(broker);
  }
  take("TASKPIPE_JOIN", options.join);
  take("TASKPIPE_USER", options.user);
  return options;
}

TaskPipeline::TaskPipeline() : TaskPipeline(client_options_from_environment()) {}

TaskPipeline::TaskPipeline(ClientOptions options)
    : request_timeout_(options.request_timeout), client_(std::move(options)) {}

TaskPipeline::~TaskPipeline() = default;

TaskPipeline::Replaced TaskPipeline::replaced() const {
  const bool is_subclass = typeid(*this) != typeid(TaskPipeline);
  return {is_subclass, is_subclass, is_subclass, is_subclass};
}

// --- What is tracked

void TaskPipeline::track(const std::vector<std::string>& ids, const PipelineTask* tasks) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < ids.size(); ++i) active_tasks_[ids[i]] = tasks[i];
}

std::optional<PipelineTask> TaskPipeline::tracked(const std::string& task_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = active_tasks_.find(task_id);
  return found == active_tasks_.end() ? std::nullopt : std::optional(found->second);
}

std::map<std::string, PipelineTask> TaskPipeline::active_tasks() const {
  const std::lock_guard lock(mutex_);
  return active_tasks_;
}

void TaskPipeline::cleanup() {
  const std::lock_guard lock(mutex_);
  active_tasks_.clear();
}

// --- One task

std::string TaskPipeline::submit_task(const std::string& tool, const std::string& script,
                                      const ValueMap& params) {
  TaskRequest request;
  request.tool = tool;
  request.script = script;
  request.params = params;
  std::string id = value_or_raise(client_.submit(request)).to_string();
  const PipelineTask task{tool, script, params};
  track({id}, &task);
  return id;
}

PipelineStatus TaskPipeline::get_task_status(const std::string& task_id) {
  return std::move(statuses({task_id_of(task_id)}, Params::included).front());
}

PipelineStatus TaskPipeline::monitor_task(const std::string& task_id,
                                          const StatusCallback& callback, Millis poll_interval) {
  client::check_poll_interval(poll_interval);
  if (replaced().get_task_status) return ask_until_ready(task_id, callback, poll_interval);
  const TaskId id = task_id_of(task_id);
  std::optional<PipelineStatus> last;
  const auto tell = [&] {
    if (last && callback) callback(*last);
  };
  const auto on_event = [&](const TaskEvent& event) {
    last = client::status_of(event);
    if (!last->ready()) tell();  // the end is told with its result
  };
  auto results = value_or_raise(
      client::paced_monitor(client_, std::span(&id, 1), on_event, tell, poll_interval, {}),
      task_id);
  last = ended_status(std::move(results.front()), std::move(last).value_or(PipelineStatus{}));
  tell();
  return *std::move(last);
}

PipelineResult TaskPipeline::wait_for_task(const std::string& task_id, Timeout timeout) {
  const TaskId id = task_id_of(task_id);
  auto ended = client_.wait(id, {timeout, {}});
  if (!ended && ended.error().failure == CallFailure::timed_out) {
    throw TimeoutError("task " + task_id + " did not complete within " +
                           client::seconds_text(timeout.value_or(Millis(0))) +
                           " seconds; it goes on",
                       task_id);
  }
  TaskResult result = value_or_raise(std::move(ended), task_id);
  if (result.outcome.state == TaskState::cancelled) {
    throw TaskCancelledError("task " + task_id + " was cancelled", task_id);
  }
  auto task = tracked(id.to_string());
  if (task) {
    return client::pipeline_result(std::move(result), std::move(task->tool),
                                   std::move(task->script), std::move(task->params));
  }
  TaskRow row = value_or_raise(client_.status(id), task_id);
  return client::pipeline_result(std::move(result), std::move(row.tool), std::move(row.script),
                                 value_or_raise(client_.params(id), task_id));
}

bool TaskPipeline::cancel_task(const std::string& task_id) {
  return value_or_raise(client_.cancel(task_id_of(task_id)), task_id);
}

PipelineStatus TaskPipeline::ended_status(TaskResult&& result, PipelineStatus&& known) {
  const bool has_result = result.outcome.state != TaskState::cancelled;
  ValueMap params = has_result ? std::move(params_of({result.id}).front()) : ValueMap{};
  return ended_status(std::move(result), std::move(known), std::move(params));
}

PipelineStatus TaskPipeline::ended_status(TaskResult&& result, PipelineStatus&& known,
                                          ValueMap&& params) {
  PipelineStatus status = std::move(known);
  status.task_id = result.id.to_string();
  status.state = result.outcome.state;
  status.message.clear();
  status.error = reason_of(result.outcome);
  if (status.state == TaskState::success) status.progress_percent = 100.0;
  if (status.state == TaskState::cancelled) return status;
  status.result =
      client::pipeline_result(std::move(result), status.tool, status.script, std::move(params));
  return status;
}

std::vector<ValueMap> TaskPipeline::params_of(const std::vector<TaskId>& ids) {
  std::vector<ValueMap> params(ids.size());
  std::vector<TaskId> others;
  std::vector<std::size_t> places;  // of the others in `ids`
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (auto task = tracked(ids[i].to_string())) {
      params[i] = std::move(task->params);
    } else {
      others.push_back(ids[i]);
      places.push_back(i);
    }
  }
  auto asked = value_or_raise(client_.params(others));
  for (std::size_t i = 0; i < others.size(); ++i) params[places[i]] = std::move(asked[i]);
  return params;
}

std::vector<PipelineStatus> TaskPipeline::statuses(const std::vector<TaskId>& ids, Params which) {
  auto found = value_or_raise(client_.status(ids));
  if (!found.unknown.empty()) {
    const std::string unknown = found.unknown.front().to_string();
    throw UnknownTaskError("task " + unknown + ": it does not exist, or belongs to somebody else",
                           unknown);
  }
  std::vector<TaskId> ended;
  for (const TaskRow& row : found.rows) {
    if (is_terminal(row.state) && row.state != TaskState::cancelled) ended.push_back(row.id);
  }
  // They have ended: every answer is there at once.
  auto results = value_or_raise(client_.wait_all(ended, {request_timeout_, {}}));
  auto params = which == Params::included ? params_of(ended) : std::vector<ValueMap>(ended.size());
  std::vector<PipelineStatus> list;
  std::size_t next = 0;  // of the results
  for (const TaskRow& row : found.rows) {
    PipelineStatus status = client::status_of(row);
    if (next < results.size() && results[next].id == row.id) {
      status = ended_status(std::move(results[next]), std::move(status), std::move(params[next]));
      ++next;
    }
    list.push_back(std::move(status));
  }
  return list;
}

// --- The cluster

PipelineHealth TaskPipeline::health_check() {
  constexpr const char* kFailed = "Health check failed: ";
  const auto health = client_.health();
  if (!health) throw HealthCheckError(kFailed + health.error().text());
  if (!health->healthy) {
    std::string why;
    for (const std::string& warning : health->warnings) {
      why += (why.empty() ? "" : "; ") + warning;
    }
    throw HealthCheckError(kFailed + (why.empty() ? "the broker is not healthy" : why));
  }
  const auto workers = client_.workers();
  if (!workers) throw HealthCheckError(kFailed + workers.error().text());
  const auto ready = std::find_if(workers->begin(), workers->end(), [](const WorkerRow& worker) {
    return worker.state == WorkerState::ready;
  });
  if (ready == workers->end()) {
    throw HealthCheckError(std::string(kFailed) + "no worker is ready");
  }
  return {ready->name, std::to_string(health->workers_ready) + " workers are ready, " +
                           std::to_string(health->tasks_pending) + " tasks are pending and " +
                           std::to_string(health->tasks_running) + " are running; broker " +
                           health->version};
}

PipelineSimulations TaskPipeline::list_available_simulations() {
  PipelineSimulations list;
  for (const ToolRow& row : value_or_raise(client_.tools())) {
    if (row.workers == 0) continue;  // known, but nobody here offers it
    PipelineSimulations::Tool& tool = list.tools[row.offer.name];
    tool.description = row.offer.description;
    for (const ScriptOffer& script : row.offer.scripts) tool.scripts.push_back(script.name);
    std::sort(tool.scripts.begin(), tool.scripts.end());
  }
  return list;
}

}  // namespace taskpipe
