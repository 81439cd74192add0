/// @file
/// What TaskPipeline takes and gives: plain values, and for each the dict that other languages see.
///
/// `to_dict` has exactly the keys that callers written against the Celery original know; the C++
/// fields hold the same and a little more. Building one costs a copy. Values belong to whoever
/// holds them and may be used on any thread, each on one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/model/run_report.hpp"
#include "common/model/task.hpp"
#include "common/model/value.hpp"

namespace taskpipe {

/// The values of `state`, as name_of(TaskState) gives them.
struct TaskStatus {
  static constexpr std::string_view PENDING = "PENDING";  ///< waits: for its turn, a worker, a task
  static constexpr std::string_view RUNNING = "RUNNING";  ///< a worker has begun it
  static constexpr std::string_view SUCCESS = "SUCCESS";  ///< the tool ended well
  static constexpr std::string_view FAILURE = "FAILURE";  ///< the tool's doing: exit code, signal
  static constexpr std::string_view TIMEOUT = "timeout";  ///< ran longer than it may
  static constexpr std::string_view ERROR = "error";      ///< ours: cannot start, worker lost
  static constexpr std::string_view CANCELLED = "REVOKED";  ///< on request
};

/// One task of a workflow or batch.
struct PipelineTask {
  std::string tool;    ///< empty = missing
  std::string script;  ///< empty = missing
  ValueMap params{};   ///< reach the tool as SIM_<KEY>
  /// Equal in every field.
  friend bool operator==(const PipelineTask&, const PipelineTask&) = default;
};

/// What a run of a tool left behind. Never of a cancelled task.
struct PipelineResult {
  TaskState state = TaskState::error;        ///< success, failure, timeout or error
  std::string tool;                          ///< what ran
  std::string script;                        ///< which script; may be empty
  ValueMap params{};                         ///< what it was submitted with
  std::optional<std::int32_t> returncode{};  ///< exit code, or minus the signal; none: never ran
  std::string stdout_tail;                   ///< last limits::kTailBytes
  std::string stderr_tail;                   ///< likewise
  std::vector<Artifact> artifacts;           ///< files it left; to have them: Client::get_artifacts
  Usage usage;                               ///< what the kernel counted
  double duration_seconds = 0.0;             ///< of the deciding run; 0: never ran
  std::string error;                         ///< why it did not succeed; empty on success
  Value value;  ///< what a handler inside the worker returned; else null

  /// The state in a word: 'success', 'failed', 'timeout' or 'error'.
  [[nodiscard]] std::string_view status() const;
  /// The dict: status, tool, script, params, returncode (null when it never ran), stdout,
  /// stderr, artifacts (paths on the worker's node, which are good here only where it is shared),
  /// artifact_details (name, path, size in bytes, sha256, stored: the broker has it, shared: `path`
  /// is on a shared file system; problem where it is neither and should be), resource_usage
  /// (wall_seconds, user_seconds, system_seconds, max_rss_bytes), duration_seconds; error where
  /// there is one; value where a handler returned one.
  [[nodiscard]] ValueMap to_dict() const;
  /// Equal in every field.
  friend bool operator==(const PipelineResult&, const PipelineResult&) = default;
};

/// A task at one moment.
struct PipelineStatus {
  std::string task_id;                     ///< 32 hex digits
  TaskState state = TaskState::pending;    ///< `name_of` gives the text
  std::string tool;                        ///< what runs
  std::string script;                      ///< which script; may be empty
  double progress_percent = 0.0;           ///< 0 to 100; 0 until the tool reports any
  std::string message{};                   ///< the last one that came with the progress
  std::optional<PipelineResult> result{};  ///< once ready, unless cancelled
  std::string error{};                     ///< once ready, unless successful

  /// Whether it has ended.
  [[nodiscard]] bool ready() const { return is_terminal(state); }
  /// Whether the run did what it should; nothing until ready.
  [[nodiscard]] std::optional<bool> successful() const;
  /// The opposite; nothing until ready.
  [[nodiscard]] std::optional<bool> failed() const;
  /// The dict: task_id, state, ready, successful, failed; while running progress (percent), tool,
  /// script; once ready result and error, as they apply.
  [[nodiscard]] ValueMap to_dict() const;
  /// Equal in every field.
  friend bool operator==(const PipelineStatus&, const PipelineStatus&) = default;
};

/// Several tasks at one moment. total = completed + failed + running + pending.
struct PipelineWorkflowStatus {
  std::size_t total = 0;      ///< distinct ids
  std::size_t completed = 0;  ///< successful
  std::size_t failed = 0;     ///< ended otherwise, cancelled ones included
  std::size_t running = 0;    ///< begun, not ended
  std::size_t pending = 0;    ///< not begun
  std::map<std::string, PipelineStatus, std::less<>> tasks;  ///< by id

  /// Whether all have ended.
  [[nodiscard]] bool all_complete() const { return completed + failed == total; }
  /// Adds or replaces one and keeps the counts right. O(log tasks).
  void put(PipelineStatus status);
  /// The dict: total, completed, failed, running, pending, all_complete, tasks {id: status}.
  [[nodiscard]] ValueMap to_dict() const;
};

/// How much running in parallel has brought. Durations in seconds, of tasks that have ended and
/// were not cancelled.
struct PipelineStats {
  std::size_t total_tasks = 0;  ///< distinct ids
  std::size_t completed = 0;    ///< successful
  std::size_t failed = 0;       ///< ended otherwise, cancelled ones included
  std::size_t running = 0;      ///< begun, not ended
  std::size_t pending = 0;      ///< not begun
  double total_duration = 0.0;  ///< sum of the durations
  double avg_duration = 0.0;    ///< their mean; 0 without any
  double max_duration = 0.0;    ///< the longest
  double speedup = 1.0;         ///< total_duration / max_duration; 1 when nothing has run
  double efficiency = 0.0;      ///< speedup / total_tasks; 0 without tasks

  [[nodiscard]] ValueMap to_dict() const;  ///< the fields by name
};
/// The statistics of these tasks. O(tasks).
[[nodiscard]] PipelineStats parallel_stats(const PipelineWorkflowStatus& status);

/// What submit_batch_workflow tells after each batch.
struct PipelineBatch {
  std::size_t batch_num = 0;          ///< from 1
  std::size_t batch_size = 0;         ///< tasks in this batch
  std::size_t submitted = 0;          ///< tasks so far
  std::size_t total = 0;              ///< tasks of the call
  std::vector<std::string> task_ids;  ///< of this batch

  [[nodiscard]] ValueMap to_dict() const;  ///< the fields by name
};

/// What wait_for_any gives.
struct PipelineCompletion {
  std::string task_id;                     ///< the first that has ended
  PipelineStatus status;                   ///< its status, which is ready
  [[nodiscard]] ValueMap to_dict() const;  ///< task_id, status
};

/// What health_check gives.
struct PipelineHealth {
  std::string worker;                      ///< name of a worker that is ready
  std::string message;                     ///< a sentence: workers, tasks, the broker's version
  [[nodiscard]] ValueMap to_dict() const;  ///< status 'healthy', worker, message
};

/// What list_available_simulations gives.
struct PipelineSimulations {
  /// One tool.
  struct Tool {
    std::string description;           ///< a line for people; may be empty
    std::vector<std::string> scripts;  ///< sorted
  };
  std::map<std::string, Tool, std::less<>> tools;  ///< by name
  [[nodiscard]] ValueMap to_dict()
      const;  ///< status 'success', tools {name: {description, scripts}}
};

/// The values of each parameter, in the order in which they are varied: the last one fastest.
using ParamGrid = std::vector<std::pair<std::string, ValueList>>;

/// Every combination: one map per task. A grid without parameters has one combination (no params),
/// a parameter without values leaves none. Throws InvalidArgumentError for a name that is empty or
/// stands twice, and for more than limits::kMaxSweepTasks combinations.
[[nodiscard]] std::vector<ValueMap> sweep_combinations(const ParamGrid& grid);

}  // namespace taskpipe
