// TaskPipeline: states of many tasks, and waiting for them.
#include <algorithm>
#include <thread>
#include <utility>

#include "client/src/paced_monitor.hpp"
#include "client/src/pipeline_countdown.hpp"
#include "client/src/pipeline_raise.hpp"
#include "client/src/pipeline_results.hpp"
#include "taskpipe/task_pipeline.hpp"

namespace taskpipe {

using client::Countdown;

namespace {

constexpr Millis kAskForAny{100};

[[noreturn]] void throw_late(const TaskPipeline::Timeout& timeout) {
  throw TimeoutError("workflow did not complete within " +
                     client::seconds_text(timeout.value_or(Millis(0))) +
                     " seconds; its tasks go on");
}

[[noreturn]] void throw_none(const TaskPipeline::Timeout& timeout) {
  throw TimeoutError("No task completed within " +
                     client::seconds_text(timeout.value_or(Millis(0))) + " seconds");
}

// The end of a wait.
PipelineWorkflowStatus told(PipelineWorkflowStatus workflow,
                            const TaskPipeline::WorkflowCallback& callback) {
  if (callback) callback(workflow);
  return workflow;
}

}  // namespace

PipelineWorkflowStatus TaskPipeline::get_workflow_status(const std::vector<std::string>& task_ids) {
  PipelineWorkflowStatus workflow;
  if (task_ids.empty()) return workflow;
  if (!replaced().get_task_status) {
    for (PipelineStatus& status : statuses(client::task_ids_of(task_ids), Params::included)) {
      workflow.put(std::move(status));
    }
    return workflow;
  }
  for (const std::string& id : task_ids) {
    if (workflow.tasks.contains(id)) continue;
    PipelineStatus status = get_task_status(id);
    status.task_id = id;
    workflow.put(std::move(status));
  }
  return workflow;
}

PipelineWorkflowStatus TaskPipeline::wait_for_workflow(const std::vector<std::string>& task_ids,
                                                       Timeout timeout,
                                                       const WorkflowCallback& callback,
                                                       Millis poll_interval) {
  client::check_poll_interval(poll_interval);
  const Countdown countdown(timeout);
  if (task_ids.empty()) return told(get_workflow_status(task_ids), callback);
  const Replaced instead = replaced();
  const bool asks = instead.get_task_status || instead.get_workflow_status;
  // Waiting task by task tells nothing before the end: it is not for callers who want to be told
  // and can be, by replaced statuses.
  if (instead.wait_for_task && !(asks && callback)) {
    wait_for_each(task_ids, countdown);
    // That should have been all of it. What follows then finds them ended.
    if (!asks) {
      PipelineWorkflowStatus workflow = get_workflow_status(task_ids);
      if (workflow.all_complete()) return told(std::move(workflow), callback);
    }
  }
  if (asks) return ask_until_complete(task_ids, countdown, callback, poll_interval);
  follow_all(task_ids, countdown, callback, poll_interval);
  return told(get_workflow_status(task_ids), callback);
}

void TaskPipeline::follow_all(const std::vector<std::string>& task_ids, const Countdown& countdown,
                              const WorkflowCallback& callback, Millis poll_interval) {
  const std::vector<TaskId> ids = client::task_ids_of(task_ids);
  CallResult<std::vector<TaskResult>> ended;
  if (!callback) {
    ended = client_.wait_all(ids, {countdown.left(), {}});
  } else {
    PipelineWorkflowStatus workflow;
    for (const TaskId& id : ids) {
      PipelineStatus status;
      status.task_id = id.to_string();
      workflow.put(std::move(status));
    }
    const auto tell = [&] { callback(workflow); };
    const auto on_event = [&](const TaskEvent& event) {
      PipelineStatus status = client::status_of(event);
      if (status.ready() && status.state != TaskState::cancelled) {
        // It has ended: the result is there at once.
        auto result = client_.wait(event.id, {request_timeout_, {}});
        if (result) status = ended_status(std::move(*result), std::move(status));
      }
      const bool is_first = status.state == TaskState::pending && status.message.empty();
      workflow.put(std::move(status));
      if (!is_first && !workflow.all_complete()) tell();
    };
    ended = client::paced_monitor(client_, ids, on_event, tell, poll_interval, countdown.left());
  }
  if (ended) return;
  if (ended.error().failure == CallFailure::timed_out) throw_late(countdown.timeout());
  client::raise(ended.error());
}

void TaskPipeline::wait_for_each(const std::vector<std::string>& task_ids,
                                 const Countdown& countdown) {
  for (const std::string& id : task_ids) {
    try {
      (void)wait_for_task(id, countdown.left());
    } catch (const TaskCancelledError&) {
      // It has ended.
    } catch (const TimeoutError&) {
      if (!countdown.timeout()) throw;
      return;  // the caller sees who has ended, and that no time is left
    }
  }
}

PipelineCompletion TaskPipeline::wait_for_any(const std::vector<std::string>& task_ids,
                                              Timeout timeout) {
  if (task_ids.empty()) {
    throw InvalidArgumentError("task_ids is empty; there is nothing to wait for", "task_ids");
  }
  if (replaced().get_task_status) return ask_for_any(task_ids, timeout);
  const auto first = client_.wait_any(client::task_ids_of(task_ids), {timeout, {}});
  if (!first && first.error().failure == CallFailure::timed_out) throw_none(timeout);
  if (!first) client::raise(first.error());
  const std::string id = first->id.to_string();
  return {id, get_task_status(id)};
}

PipelineStats TaskPipeline::get_parallel_execution_stats(const std::vector<std::string>& task_ids) {
  const Replaced instead = replaced();
  if (task_ids.empty() || instead.get_task_status || instead.get_workflow_status) {
    return parallel_stats(get_workflow_status(task_ids));
  }
  PipelineWorkflowStatus workflow;
  for (PipelineStatus& status : statuses(client::task_ids_of(task_ids), Params::left_out)) {
    workflow.put(std::move(status));
  }
  return parallel_stats(workflow);
}

// --- Replaced statuses: nobody pushes them

PipelineStatus TaskPipeline::ask_until_ready(const std::string& task_id,
                                             const StatusCallback& callback, Millis poll_interval) {
  for (;; std::this_thread::sleep_for(poll_interval)) {
    PipelineStatus status = get_task_status(task_id);
    if (callback) callback(status);
    if (status.ready()) return status;
  }
}

PipelineWorkflowStatus TaskPipeline::ask_until_complete(const std::vector<std::string>& task_ids,
                                                        const Countdown& countdown,
                                                        const WorkflowCallback& callback,
                                                        Millis poll_interval) {
  for (;; countdown.pause(poll_interval)) {
    PipelineWorkflowStatus workflow = get_workflow_status(task_ids);
    if (callback) callback(workflow);
    if (workflow.all_complete()) return workflow;
    if (countdown.over()) throw_late(countdown.timeout());
  }
}

PipelineCompletion TaskPipeline::ask_for_any(const std::vector<std::string>& task_ids,
                                             Timeout timeout) {
  const Countdown countdown(timeout);
  for (;; countdown.pause(kAskForAny)) {
    for (const std::string& id : task_ids) {
      PipelineStatus status = get_task_status(id);
      if (status.ready()) return {id, std::move(status)};
    }
    if (countdown.over()) throw_none(timeout);
  }
}

}  // namespace taskpipe
