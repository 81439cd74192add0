// TaskPipeline: submitting many tasks.
#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "client/src/pipeline_raise.hpp"
#include "client/src/task_preparation.hpp"
#include "taskpipe/task_pipeline.hpp"

namespace taskpipe {
namespace {

std::string place_of(std::size_t index) { return "tasks[" + std::to_string(index) + "]."; }

void check_present(const std::vector<PipelineTask>& tasks) {
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const char* missing = tasks[i].tool.empty()     ? "tool"
                          : tasks[i].script.empty() ? "script"
                                                    : nullptr;
    if (missing == nullptr) continue;
    throw InvalidArgumentError("each task must have 'tool' and 'script' fields; task " +
                                   std::to_string(i) + " has no '" + missing + "'",
                               place_of(i) + missing);
  }
}

TaskRequest request_of(const PipelineTask& task) {
  TaskRequest request;
  request.tool = task.tool;
  request.script = task.script;
  request.params = task.params;
  return request;
}

// What the client would refuse anyway, but before the first batch is on its way.
void check_requests(const std::vector<PipelineTask>& tasks) {
  client::TaskPreparation preparation;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto prepared = preparation.prepare(request_of(tasks[i]), TaskId(0, 1));
    if (prepared) continue;
    throw InvalidArgumentError("task " + std::to_string(i) + ": " + prepared.error().text,
                               place_of(i) + prepared.error().field);
  }
}

template <class Ids>
std::vector<std::string> texts_of(const Ids& ids) {
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (const TaskId& id : ids) texts.push_back(id.to_string());
  return texts;
}

}  // namespace

std::vector<std::string> TaskPipeline::submit_workflow(const std::vector<PipelineTask>& tasks,
                                                       bool sequential) {
  check_present(tasks);
  if (tasks.empty()) return {};
  const Replaced instead = replaced();
  if (instead.submit_task || (sequential && instead.wait_for_task)) {
    return submit_singly(tasks, sequential);
  }
  WorkflowRequest workflow;
  // A link of the chain that failed is seen in its status; the next one still runs.
  workflow.on_failure = OnFailure::run_dependents;
  workflow.tasks.reserve(tasks.size());
  for (const PipelineTask& task : tasks) {
    const auto before = static_cast<std::uint32_t>(workflow.tasks.size()) - 1;
    WorkflowTask link{request_of(task), {}};
    if (sequential && !workflow.tasks.empty()) link.after.push_back(before);
    workflow.tasks.push_back(std::move(link));
  }
  const auto receipt = client::value_or_raise(client_.submit_workflow(workflow));
  std::vector<std::string> ids = texts_of(receipt.tasks);
  track(ids, tasks.data());
  if (sequential) (void)client::value_or_raise(client_.wait_workflow(receipt.id));
  return ids;
}

std::vector<std::string> TaskPipeline::submit_singly(const std::vector<PipelineTask>& tasks,
                                                     bool sequential) {
  std::vector<std::string> ids;
  for (const PipelineTask& task : tasks) {
    ids.push_back(submit_task(task.tool, task.script, task.params));
    if (!sequential) continue;
    try {
      (void)wait_for_task(ids.back(), std::nullopt);
    } catch (const TaskCancelledError&) {
      // Cancelled is one way to end; the next one runs.
    }
  }
  return ids;
}

std::vector<std::string> TaskPipeline::submit_batch_workflow(const std::vector<PipelineTask>& tasks,
                                                             std::optional<std::size_t> batch_size,
                                                             const BatchCallback& callback) {
  if (batch_size == std::size_t{0}) {
    throw InvalidArgumentError("batch_size is 0; leave it out for one batch", "batch_size");
  }
  check_present(tasks);
  const bool singly = replaced().submit_task;
  if (!singly) check_requests(tasks);
  std::vector<std::string> ids;
  PipelineBatch batch;
  batch.total = tasks.size();
  const std::size_t step = std::min(batch_size.value_or(tasks.size()), tasks.size());
  for (std::size_t begin = 0; begin < tasks.size(); begin += step) {
    const std::size_t end = begin + std::min(step, tasks.size() - begin);
    if (singly) {
      batch.task_ids = submit_singly({tasks.begin() + static_cast<std::ptrdiff_t>(begin),
                                      tasks.begin() + static_cast<std::ptrdiff_t>(end)},
                                     false);
    } else {
      batch.task_ids = submit_batch(tasks, begin, end, ids);
    }
    ids.insert(ids.end(), batch.task_ids.begin(), batch.task_ids.end());
    batch.batch_num += 1;
    batch.batch_size = batch.task_ids.size();
    batch.submitted = ids.size();
    if (callback) callback(batch);
  }
  return ids;
}

std::vector<std::string> TaskPipeline::submit_batch(const std::vector<PipelineTask>& tasks,
                                                    std::size_t begin, std::size_t end,
                                                    const std::vector<std::string>& before) {
  std::vector<TaskRequest> requests;
  requests.reserve(end - begin);
  for (std::size_t i = begin; i < end; ++i) requests.push_back(request_of(tasks[i]));
  const auto ids = client_.submit_batch(requests);
  if (ids) {
    std::vector<std::string> texts = texts_of(*ids);
    track(texts, tasks.data() + begin);
    return texts;
  }
  auto refused = ids.error().items.begin();
  for (std::size_t i = 0; i < ids.error().ids.size(); ++i) {
    if (refused != ids.error().items.end() && refused->index == i) {
      ++refused;
    } else {
      track({ids.error().ids[i].to_string()}, &tasks[begin + i]);
    }
  }
  client::raise(ids.error(), begin, before);
}

std::vector<std::string> TaskPipeline::parameter_sweep(const std::string& tool,
                                                       const std::string& script,
                                                       const ParamGrid& param_grid,
                                                       const BatchCallback& callback) {
  std::vector<PipelineTask> tasks;
  for (ValueMap& params : sweep_combinations(param_grid)) {
    tasks.push_back({tool, script, std::move(params)});
  }
  if (tasks.empty()) check_present({{tool, script, {}}});
  return submit_batch_workflow(tasks, std::nullopt, callback);
}

}  // namespace taskpipe
