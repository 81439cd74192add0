/// @file
/// TaskPipeline: tasks and workflows by string ids, in the words of the Celery pipeline it
/// replaces.
///
/// @code
/// taskpipe::TaskPipeline pipeline;  // connects on first use
/// const auto id = pipeline.submit_task("fenicsx", "poisson.py", {{"mesh_size", 64}});
/// const auto result = pipeline.wait_for_task(id, std::chrono::minutes(5));
/// const auto files = pipeline.client().get_artifacts(*taskpipe::TaskId::parse(id), "results");
/// @endcode
///
/// The Python class of the same name has the same methods; docs/task_pipeline.md describes both.
/// What is not offered here (retries, limits, inputs, priorities, resources, dependencies, logs,
/// artifacts) is a call to `client()`; ids are the same, `TaskId::parse` and `to_string` apart.
///
/// Errors are exceptions, see pipeline_errors.hpp. Every method may throw InvalidArgumentError,
/// before anything is sent, also for text that is no id (UnknownTaskError is for ids that no task
/// has), and ConnectionError, when no broker answers within ClientOptions::connect_timeout; further
/// ones are listed with the methods. A task that failed throws nothing: `successful` is false and
/// the result says why.
///
/// Nothing polls: ends and changes are pushed. An outage of the broker is lived through: waits go
/// on when it is back; the other calls end with TimeoutError after ClientOptions::request_timeout.
///
/// Threads: every method may be called from any thread at any time. Callbacks run on the calling
/// thread, may call the pipeline, and what they throw ends the call and reaches the caller.
///
/// Subclasses may replace any of the methods. Those for many tasks are made of those for one task,
/// and honour replaced ones: see `replaced`.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "taskpipe/client.hpp"
#include "taskpipe/pipeline_errors.hpp"
#include "taskpipe/pipeline_types.hpp"

namespace taskpipe {

namespace client {
class Countdown;
}

/// The defaults, with what these environment variables say where they are set and not empty: the
/// broker's address from TASKPIPE_BROKER, that of its events from TASKPIPE_EVENTS, the join file
/// from TASKPIPE_JOIN, and whose tasks from TASKPIPE_USER.
///
/// `broker`: its address, where the program is given one; then the first two, which belong
/// together, are not read. Empty: it is not.
[[nodiscard]] ClientOptions client_options_from_environment(std::string broker = {});

/// Tasks and workflows by string ids. See the top of the file.
class TaskPipeline {
 public:
  static constexpr Millis kPollInterval{2000};  ///< default of the longest silence

  using Timeout = std::optional<Millis>;  ///< nothing: none. Seconds and minutes convert.
  /// Gets the status of a task.
  using StatusCallback = std::function<void(const PipelineStatus&)>;
  /// Gets the status of all tasks that are waited for.
  using WorkflowCallback = std::function<void(const PipelineWorkflowStatus&)>;
  /// Gets what a batch was.
  using BatchCallback = std::function<void(const PipelineBatch&)>;

  /// Connects to nothing, starts no thread and never fails: bad options are reported by the first
  /// method. Without options: client_options_from_environment().
  TaskPipeline();
  explicit TaskPipeline(ClientOptions options);  ///< likewise, with these options
  TaskPipeline(const TaskPipeline&) = delete;
  TaskPipeline& operator=(const TaskPipeline&) = delete;
  /// Tasks go on. Calls in progress on other threads must have ended.
  virtual ~TaskPipeline();

  // --- One task ---------------------------------------------------------------------------------

  /// Submits a task and returns its id, 32 hex digits: from then on it survives a crash of the
  /// broker. `script` may be empty for tools that need none. RefusedError: unsatisfiable when no
  /// worker ever offered the tool, storage when the broker's disk is full. TimeoutError and
  /// ConnectionError hold the id under which it may have been accepted. One message.
  virtual std::string submit_task(const std::string& tool, const std::string& script,
                                  const ValueMap& params = {});

  /// The task as it is now. UnknownTaskError for an id that never existed or is somebody else's.
  /// One question; of a task that has ended one more for its result, and one for its params where
  /// this object did not submit it.
  virtual PipelineStatus get_task_status(const std::string& task_id);

  /// Follows a task to its end and returns the last status. `callback` runs with the present
  /// status, after every change and progress report, and once at the end, with the result. It runs
  /// again with the last known status whenever `poll_interval` passes without news; that asks
  /// nobody. UnknownTaskError. One subscription.
  virtual PipelineStatus monitor_task(const std::string& task_id,
                                      const StatusCallback& callback = {},
                                      Millis poll_interval = kPollInterval);

  /// The result of the task once it has ended: also of one that failed, ran too long or could not
  /// run. TimeoutError after `timeout`: the task goes on. TaskCancelledError, UnknownTaskError.
  virtual PipelineResult wait_for_task(const std::string& task_id, Timeout timeout = {});

  /// Ends a pending or running task with every process that belongs to it: SIGTERM, and SIGKILL
  /// after the task's grace period. True when the task had not ended. Durable once returned; the
  /// processes may take until then to be gone. UnknownTaskError. One message.
  virtual bool cancel_task(const std::string& task_id);

  // --- Many tasks -------------------------------------------------------------------------------

  /// Submits all tasks or none, and returns their ids in order. `sequential`: each starts once the
  /// one before it has ended, however it ended, and the call returns when all have; there is no
  /// timeout, and an exception in the meantime stops no task (`active_tasks` has the ids).
  /// Otherwise all start as soon as workers are free, and the call returns at once. A task without
  /// tool or script is an InvalidArgumentError. No tasks: no ids. One workflow, ordered by the
  /// broker: the chain goes on when this process ends.
  virtual std::vector<std::string> submit_workflow(const std::vector<PipelineTask>& tasks,
                                                   bool sequential = true);

  /// Counts and statuses of these tasks. UnknownTaskError for the first unknown one. Two messages
  /// for each limits::kMaxBatchItems tasks, a result for each that has ended, and a question for
  /// the params of each of these that this object did not submit, many of them at a time.
  virtual PipelineWorkflowStatus get_workflow_status(const std::vector<std::string>& task_ids);

  /// Waits until all have ended and returns their final status. `callback` runs after every change
  /// and once at the end, and again when `poll_interval` passes without news. TimeoutError after
  /// `timeout`: the tasks go on. UnknownTaskError. Cancelled tasks throw nothing here.
  virtual PipelineWorkflowStatus wait_for_workflow(const std::vector<std::string>& task_ids,
                                                   Timeout timeout = {},
                                                   const WorkflowCallback& callback = {},
                                                   Millis poll_interval = kPollInterval);

  /// Submits tasks in batches of `batch_size` (nothing: all in one) and returns their ids in order;
  /// `callback` runs after each batch. Independent tasks, in as few messages as possible.
  /// Everything that can be checked is checked before the first one is sent. BatchSubmitError when
  /// the broker accepted some and refused others.
  virtual std::vector<std::string> submit_batch_workflow(const std::vector<PipelineTask>& tasks,
                                                         std::optional<std::size_t> batch_size = {},
                                                         const BatchCallback& callback = {});

  /// Submits one task for each of `sweep_combinations(param_grid)`, as one batch.
  virtual std::vector<std::string> parameter_sweep(const std::string& tool,
                                                   const std::string& script,
                                                   const ParamGrid& param_grid,
                                                   const BatchCallback& callback = {});

  /// The first of these tasks that has ended or ends. TimeoutError "No task completed within …
  /// seconds". UnknownTaskError, and InvalidArgumentError for no ids.
  virtual PipelineCompletion wait_for_any(const std::vector<std::string>& task_ids,
                                          Timeout timeout = {});

  /// `parallel_stats` of get_workflow_status, without the params, which it does not need.
  virtual PipelineStats get_parallel_execution_stats(const std::vector<std::string>& task_ids);

  // --- The cluster ------------------------------------------------------------------------------

  /// HealthCheckError, "Health check failed: …", unless a broker answers, takes tasks, and hears a
  /// worker that is ready. Two questions.
  virtual PipelineHealth health_check();

  /// The tools of the workers that are connected now, with the scripts that they found.
  virtual PipelineSimulations list_available_simulations();

  // --- This object ------------------------------------------------------------------------------

  /// Forgets what this object tracks: the tool, script and params of the tasks that it submitted.
  /// The tasks go on, and their results stay readable by id.
  virtual void cleanup();

  /// The tasks submitted by this object since the last `cleanup`, by id. A copy.
  [[nodiscard]] std::map<std::string, PipelineTask> active_tasks() const;

  /// The client underneath; lives as long as this object. `client().close()` ends every call.
  [[nodiscard]] Client& client() { return client_; }

 protected:
  /// Which methods that others are made of are not this class's own.
  struct Replaced {
    bool submit_task = false;      ///< submit_task is not
    bool get_task_status = false;  ///< get_task_status is not
    bool wait_for_task = false;    ///< wait_for_task is not
    /// get_workflow_status is not: waits and statistics then go by it.
    bool get_workflow_status = false;
  };
  /// What the methods for many tasks ask first, each time. They send one message for many tasks
  /// where they may; where the method for one task is replaced they call it for each task, in turn.
  ///
  /// Says nothing for an object of this class, and everything for one of a subclass: whatever it
  /// replaces is called. A subclass that leaves these alone gives up for it what is pushed (a
  /// task may end between two questions, never seen running) and pays a message per task. Such a
  /// subclass says what it does:
  ///
  /// @code
  /// Replaced replaced() const override { return replaced_by<MyPipeline>(); }
  /// @endcode
  ///
  /// A binding to a language where objects can be changed asks the object instead.
  ///
  /// Replaced statuses come from nobody who could push them. They alone are asked for repeatedly:
  /// in monitor_task and wait_for_workflow (each `poll_interval`), and in wait_for_any (ten times a
  /// second). Where wait_for_task is replaced, wait_for_workflow calls it for each task first, and
  /// its callback once, at the end; but not where statuses are replaced as well and there is a
  /// callback, which they can tell in between.
  [[nodiscard]] virtual Replaced replaced() const;
  /// What Derived, or a class between it and this one, replaces by public methods.
  template <class Derived>
  [[nodiscard]] static constexpr Replaced replaced_by() {
    // A pointer to an inherited method has the type of the class that it comes from.
    using Base = TaskPipeline;
    return {!std::is_same_v<decltype(&Derived::submit_task), decltype(&Base::submit_task)>,
            !std::is_same_v<decltype(&Derived::get_task_status), decltype(&Base::get_task_status)>,
            !std::is_same_v<decltype(&Derived::wait_for_task), decltype(&Base::wait_for_task)>,
            !std::is_same_v<decltype(&Derived::get_workflow_status),
                            decltype(&Base::get_workflow_status)>};
  }

 private:
  enum class Params : bool { left_out, included };  // in the results

  // A task that has ended. `known` tells tool and script, and the status before its end.
  [[nodiscard]] PipelineStatus ended_status(TaskResult&& result, PipelineStatus&& known);
  [[nodiscard]] PipelineStatus ended_status(TaskResult&& result, PipelineStatus&& known,
                                            ValueMap&& params);
  // Of each id, given once. Those of tasks that this object did not submit are asked for together.
  [[nodiscard]] std::vector<PipelineStatus> statuses(const std::vector<TaskId>& ids, Params which);
  [[nodiscard]] std::vector<ValueMap> params_of(const std::vector<TaskId>& ids);
  [[nodiscard]] std::optional<PipelineTask> tracked(const std::string& task_id) const;
  void track(const std::vector<std::string>& ids, const PipelineTask* tasks);

  PipelineStatus ask_until_ready(const std::string& task_id, const StatusCallback& callback,
                                 Millis poll_interval);
  PipelineWorkflowStatus ask_until_complete(const std::vector<std::string>& task_ids,
                                            const client::Countdown& countdown,
                                            const WorkflowCallback& callback, Millis poll_interval);
  PipelineCompletion ask_for_any(const std::vector<std::string>& task_ids, Timeout timeout);
  void wait_for_each(const std::vector<std::string>& task_ids, const client::Countdown& countdown);
  void follow_all(const std::vector<std::string>& task_ids, const client::Countdown& countdown,
                  const WorkflowCallback& callback, Millis poll_interval);
  std::vector<std::string> submit_singly(const std::vector<PipelineTask>& tasks, bool sequential);
  // Tasks [begin, end); `before` were accepted in earlier batches.
  std::vector<std::string> submit_batch(const std::vector<PipelineTask>& tasks, std::size_t begin,
                                        std::size_t end, const std::vector<std::string>& before);

  const Millis request_timeout_;
  mutable std::mutex mutex_;  // of active_tasks_
  std::map<std::string, PipelineTask> active_tasks_;
  Client client_;
};

}  // namespace taskpipe
