// Everything the broker core knows. Changed only by `fold` (what the journal keeps) and by the
// command handlers (sessions, capacity, timers: what a restart may forget).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "broker/core/broker_config.hpp"
#include "broker/core/event_log.hpp"
#include "broker/core/event_streams.hpp"
#include "broker/core/finished.hpp"
#include "broker/core/log_ring.hpp"
#include "broker/core/memory_ledger.hpp"
#include "broker/core/name_table.hpp"
#include "broker/core/ready_queue.hpp"
#include "broker/core/session_table.hpp"
#include "broker/core/task_table.hpp"
#include "broker/core/watch_table.hpp"
#include "broker/core/worker_table.hpp"
#include "broker/core/workflow_table.hpp"
#include "common/model/limits.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::broker {

// What a running attempt tells, kept while it runs.
struct LiveRun {
  double percent = -1.0;
  std::string message;
  LogRing logs[2];  // by LogStream
};

// A question that waits for the history. Each holds what is needed to go on.
namespace lookup {
struct Submitting {
  SessionId session;
  Correlation correlation;
  Submit submit;
};
struct SubmittingWorkflow {
  SessionId session;
  Correlation correlation;
  SubmitWorkflow part;
};
struct Waiting {
  SessionId session;
  Correlation correlation;
  std::vector<TaskId> tasks;
};
struct WaitingWorkflows {
  SessionId session;
  Correlation correlation;
  std::vector<WorkflowId> workflows;
};
struct Querying {
  SessionId session;
  Correlation correlation;
  Query query;
  Lsn watermark;                // what ended above it was found in memory
  Rows rows;                    // found in memory
  std::vector<TaskId> missing;  // asked for by id
};
struct Resubmitting {
  SessionId session;
  Correlation correlation;
  Resubmit resubmit;
};
struct Cancelling {
  SessionId session;
  Correlation correlation;
  CancelAck ack;  // what memory knew
  std::vector<TaskId> missing;
  std::vector<WorkflowId> missing_workflows;
};
struct Fetching {
  SessionId session;
  Correlation correlation;
  Fetch fetch;
};
}  // namespace lookup
using Lookup = std::variant<lookup::Submitting, lookup::SubmittingWorkflow, lookup::Waiting,
                            lookup::WaitingWorkflows, lookup::Querying, lookup::Resubmitting,
                            lookup::Cancelling, lookup::Fetching>;

enum class TimerKind : std::uint8_t { worker_silence, session_silence, late_acks, heartbeat };
struct Timer {
  MonotonicTime at;
  TimerKind kind = TimerKind::heartbeat;
  std::uint64_t subject = 0;  // worker slot or session id
  friend bool operator>(const Timer& a, const Timer& b) {
    return std::tie(a.at, a.kind, a.subject) > std::tie(b.at, b.kind, b.subject);
  }
};

// Who follows a stream of a task's output, and how far they have read.
struct LogFollower {
  SessionId session;
  Correlation correlation;
  std::uint64_t next_offset = 0;
  Attempt attempt;  // whose output the offset counts in
};
// A FETCH that a worker was asked to answer.
struct ForwardedFetch {
  SessionId session;
  Correlation correlation;
  WorkerSlot worker;
};

// A place in a workflow.
struct MemberRef {
  WorkflowSlot workflow{kNoSlot};
  std::uint32_t member = 0;
};

struct State {
  explicit State(BrokerConfig decided)
      : config(std::move(decided)), event_log(config.event_retention_bytes) {}

  BrokerConfig config;
  Epoch epoch;
  Lsn epoch_lsn;  // of the record that began it
  BrokerUuid broker;
  Lsn last_lsn;
  Arrival next_arrival{1};
  MonotonicTime started_at;
  bool accepts_submits = true;  // the journal has room
  std::string read_only;        // why nothing can be recorded; empty = all is well
  bool shutting_down = false;
  std::uint64_t journal_bytes = 0;

  NameTable<OwnerIndex> owners;
  SpecTable specs;
  TaskTable tasks;
  WorkflowTable workflows;
  WorkerTable workers;
  ToolTable tools;
  SignatureTable signatures;
  SessionTable sessions;

  EventLog event_log;
  EventStreams events;
  EventLog::Cursor published;  // what lies before it was handed to `events`, if to anybody
  Lsn published_lsn;           // the last record of that
  WatchTable watches;

  std::unordered_map<TaskSlot, std::vector<std::uint32_t>> more_waiters;
  std::unordered_map<TaskSlot, LiveRun> runs;
  std::unordered_map<TaskSlot, std::vector<PastAttempt>> pasts;
  // Tasks in memory that repeat dead letters, and these with how many repeat them.
  std::unordered_map<TaskSlot, TaskId> originals;
  std::unordered_map<TaskId, std::uint32_t> repeated;
  std::map<std::pair<TaskId, LogStream>, std::vector<LogFollower>> followers;
  std::size_t follower_count = 0;
  std::map<std::uint64_t, ForwardedFetch> forwarded_fetches;
  std::map<std::uint64_t, Lookup> lookups;
  std::uint64_t last_ticket = 0;
  std::uint64_t offers_version = 1;  // raised whenever a worker comes, goes or changes its offer

  // Inputs of tasks that have not ended, by hash, with how many tasks need them.
  std::unordered_map<std::string, std::uint32_t> inputs_needed;

  // Only while the journal is replayed: members of workflows that came as images.
  std::unordered_map<TaskId, MemberRef> imaged_members;

  // Ended, not yet known to be in the history; in the order of their terminal records.
  std::deque<TaskSlot> ended_tasks;
  std::deque<WorkflowSlot> ended_workflows;
  // How many of these, from the front, the history has been given.
  std::size_t archived_tasks = 0;
  std::size_t archived_workflows = 0;
  Lsn archived_up_to;            // what ended at or below it was given, or is in the history
  std::deque<LateAttempt> late;  // of tasks that were given before; not given yet themselves
  Lsn history_committed;         // what ended at or below it may leave memory
  Lsn history_watermark;         // what ended at or below it has left memory
  MemoryLedger memory;
  bool memory_full = false;      // and the operator was told
  std::uint64_t live_bytes = 0;  // about what the tasks in memory take in the journal
  std::uint64_t running = 0;
  std::uint64_t finished = 0;  // since the start

  // A worker that gets nothing more until it is empty, for a task that has to run alone. One at a
  // time, so that little stands still.
  struct Reservation {
    WorkerSlot worker;
    TaskSlot task;
    std::uint32_t ticket = 0;  // of the task's Ready phase
  };
  std::optional<Reservation> reserved;
  std::uint64_t placement_looks = 0;  // queue heads and workers looked at, since the start

  // Work of this turn; what is left when it ends goes on in the next.
  std::vector<WorkerSlot> dirty_workers;
  std::vector<SignatureIndex> fresh_signatures;
  std::vector<SessionId> sessions_with_done;
  std::vector<WorkerSlot> workers_with_outbox;
  std::vector<TaskSlot> doomed;   // dependents to be cancelled
  std::vector<TaskSlot> unarmed;  // wait for a time for which no alarm is set yet

  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers;
  // Of single tasks, each with one at most while its phase is Ready or Delayed.
  std::set<std::pair<MonotonicTime, TaskSlot>> alarms;
  std::unordered_map<TaskSlot, MonotonicTime> armed;  // the same by task
};

}  // namespace taskpipe::broker
