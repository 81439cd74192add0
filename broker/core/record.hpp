// Records: the facts that the journal keeps, in the order in which they became true. Replaying them
// from the first retained one rebuilds the broker's state; nothing else is needed.
//
// Each record has a number (LSN), counted by the core from 1 without gaps. Most are deltas about
// several tasks at once. `TaskImage` and `WorkflowImage` carry everything about one: they are
// written when an old segment is given up, and replay ignores deltas about tasks it has not met.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "common/model/workflow.hpp"

namespace taskpipe::broker {

namespace record {

// First record of every start of the broker.
struct EpochStarted {
  Epoch epoch;
  BrokerUuid broker;
  WallTime at;
  friend bool operator==(const EpochStarted&, const EpochStarted&) = default;
};

// Tools and workers met so far, so that "never heard of it" and "absent just now" stay different
// answers after a restart.
struct ToolsKnown {
  std::vector<ToolOffer> tools;  // without scripts
  friend bool operator==(const ToolsKnown&, const ToolsKnown&) = default;
};
struct KnownWorker {
  PeerUuid uuid;
  std::string name;
  std::string host;
  Resources total;
  friend bool operator==(const KnownWorker&, const KnownWorker&) = default;
};
struct WorkersKnown {
  std::vector<KnownWorker> workers;
  friend bool operator==(const WorkersKnown&, const WorkersKnown&) = default;
};

// items[i] has arrival number first_arrival + i.
struct TasksSubmitted {
  std::string owner;
  WallTime at;
  Arrival first_arrival;
  std::vector<TaskSpecPtr> specs;
  std::vector<SubmitItem> items;
  friend bool operator==(const TasksSubmitted& a, const TasksSubmitted& b);
};

// New tasks for dead letters: items[i] repeats originals[i].
struct TasksResubmitted {
  TasksSubmitted tasks;
  std::vector<TaskId> originals;
  friend bool operator==(const TasksResubmitted&, const TasksResubmitted&) = default;
};

struct WorkflowSubmitted {
  std::string owner;
  WallTime at;
  Arrival first_arrival;
  WorkflowId id;
  std::string name;
  OnFailure on_failure = OnFailure::run_dependents;
  std::vector<TaskSpecPtr> specs;
  std::vector<SubmitItem> items;
  std::vector<Dependencies> dependencies;
  friend bool operator==(const WorkflowSubmitted& a, const WorkflowSubmitted& b);
};

struct TaskAttempt {
  TaskId id;
  Attempt attempt;
  friend bool operator==(const TaskAttempt&, const TaskAttempt&) = default;
};

// Durable before TASKS leaves: an attempt number is never used twice.
struct TasksDispatched {
  Epoch epoch;
  std::vector<Placement> placements;  // the same for all items; the lead first
  std::vector<TaskAttempt> items;
  friend bool operator==(const TasksDispatched&, const TasksDispatched&) = default;
};

struct TasksStarted {
  WallTime at;
  std::vector<TaskAttempt> items;
  friend bool operator==(const TasksStarted&, const TasksStarted&) = default;
};

enum class RequeueCause : std::uint8_t {
  returned = 0,     // given back unstarted; costs nothing
  worker_lost = 1,  // counts against the task's own bound, or limits::kMaxWorkerLosses
};
inline constexpr RequeueCause kLastRequeueCause = RequeueCause::worker_lost;

struct TasksRequeued {
  WallTime at;
  RequeueCause cause = RequeueCause::returned;
  std::vector<TaskAttempt> items;
  friend bool operator==(const TasksRequeued&, const TasksRequeued&) = default;
};

// Attempts that failed and are followed by others, by their tasks' retry policies.
struct RetriedItem {
  TaskId id;
  Attempt attempt;  // the one that failed
  Outcome outcome;  // of it, without report
  WallTime due;     // when the next may begin
  friend bool operator==(const RetriedItem&, const RetriedItem&) = default;
};
struct TasksRetried {
  WallTime at;
  std::vector<RetriedItem> items;
  friend bool operator==(const TasksRetried&, const TasksRetried&) = default;
};

// Of tasks that a worker holds; the others end at once by TasksFinished.
struct CancelRequested {
  WallTime at;
  std::uint32_t grace_ms = 0;
  std::vector<TaskId> items;
  friend bool operator==(const CancelRequested&, const CancelRequested&) = default;
};

struct FinishedItem {
  TaskId id;
  Attempt attempt;  // 0 when it never ran
  Outcome outcome;
  friend bool operator==(const FinishedItem&, const FinishedItem&) = default;
};
struct TasksFinished {
  WallTime at;
  std::vector<FinishedItem> items;
  friend bool operator==(const TasksFinished&, const TasksFinished&) = default;
};

// Results of superseded attempts. They are kept with the task, and decide nothing.
struct StaleResults {
  WallTime at;
  PeerUuid worker;
  std::vector<ResultItem> items;
  friend bool operator==(const StaleResults&, const StaleResults&) = default;
};

// The whole of one task.
struct TaskImage {
  TaskId id;
  std::string owner;
  TaskSpecPtr spec;
  Payload params;
  ParamsHash params_hash;
  Arrival arrival;
  std::optional<WorkflowId> workflow;
  TaskState state = TaskState::pending;
  bool dispatched = false;  // pending or running at the placements below
  Epoch epoch;
  Attempt attempt;  // the highest one used so far
  std::vector<Placement> placements;
  std::uint32_t worker_losses = 0;
  std::uint32_t failures = 0;  // attempts that failed and were tried again
  WallTime ready_at;           // since when, or from when on, it may be placed
  std::vector<PastAttempt> pasts;
  std::optional<TaskId> original;  // the dead letter that it repeats
  bool cancel_requested = false;
  std::uint32_t cancel_grace_ms = 0;
  WallTime submitted;
  WallTime started;
  WallTime finished;
  std::optional<Outcome> outcome;  // once ended
  Lsn terminal_lsn;                // once ended
  friend bool operator==(const TaskImage& a, const TaskImage& b);
};

struct WorkflowMember {
  TaskId id;
  std::optional<TaskState> ended;  // its terminal state
  std::vector<std::uint32_t> after;
  friend bool operator==(const WorkflowMember&, const WorkflowMember&) = default;
};
struct WorkflowImage {
  WorkflowId id;
  std::string owner;
  std::string name;
  OnFailure on_failure = OnFailure::run_dependents;
  WallTime submitted;
  WallTime finished;
  Lsn terminal_lsn;  // once ended
  std::vector<WorkflowMember> members;
  friend bool operator==(const WorkflowImage&, const WorkflowImage&) = default;
};

}  // namespace record

// The order of alternatives is not part of the format on disk; broker/journal/record_codec.* is.
using Record =
    std::variant<record::EpochStarted, record::ToolsKnown, record::WorkersKnown,
                 record::TasksSubmitted, record::WorkflowSubmitted, record::TasksDispatched,
                 record::TasksStarted, record::TasksRequeued, record::TasksRetried,
                 record::TasksResubmitted, record::CancelRequested, record::TasksFinished,
                 record::StaleResults, record::TaskImage, record::WorkflowImage>;

}  // namespace taskpipe::broker
