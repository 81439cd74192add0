// What is kept of tasks and workflows once they have ended: the rows of the history.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "common/model/workflow.hpp"

namespace taskpipe::broker {

struct FinishedTask {
  TaskId id;
  std::optional<WorkflowId> workflow;
  std::string owner;
  TaskSpecPtr spec;  // never null
  Payload params;
  ParamsHash params_hash;
  Arrival arrival;
  Epoch epoch;                        // of the deciding dispatch; 0 when it never ran
  Attempt attempt;                    // the deciding attempt; 0 when it never ran
  std::vector<Placement> placements;  // of that attempt
  std::string worker;                 // the lead's name; empty when it never ran
  Outcome outcome;
  WallTime submitted;
  WallTime started;
  WallTime finished;
  Lsn terminal_lsn;                // of the record that ended it
  std::optional<TaskId> original;  // the dead letter that it repeats
  std::vector<PastAttempt> pasts;  // in the order in which they were over
};

// A result that came when it counted no more, of a task that has ended.
struct LateAttempt {
  TaskId task;
  PastAttempt attempt;
  Lsn lsn;  // of its record
};

struct FinishedWorkflow {
  WorkflowId id;
  std::string owner;
  std::string name;
  OnFailure on_failure = OnFailure::run_dependents;
  std::vector<TaskId> tasks;  // in the order of submission
  std::uint32_t succeeded = 0;
  WallTime submitted;
  WallTime finished;
  Lsn terminal_lsn;
};

// What has ended since the batch before.
struct HistoryBatch {
  std::vector<FinishedTask> tasks;
  std::vector<FinishedWorkflow> workflows;
  Lsn watermark;  // everything that ended at or below it is in this batch or an earlier one
  std::vector<LateAttempt> late;
};

}  // namespace taskpipe::broker
