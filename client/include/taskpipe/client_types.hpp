/// @file
/// What goes into a taskpipe::Client and what comes out of it: options, errors, requests, results.
/// Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/limits.hpp"
#include "common/model/messages.hpp"
#include "common/model/resources.hpp"
#include "common/model/run_report.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "common/model/value.hpp"
#include "common/model/workflow.hpp"

namespace taskpipe {

// --- Options and errors -------------------------------------------------------------------------

/// Where the broker is, and how patient the client is.
struct ClientOptions {
  /// "host", "host:port", "[v6]:port" or "tcp://host:port"; "ipc://path" as well. Empty: what
  /// `join` says, else this host's broker, tcp://127.0.0.1:7610.
  std::string broker;
  /// A join file, as `taskpipe keygen` or `taskpipe-broker init` makes it: keys, and where the
  /// broker is. Empty: no keys, for a broker without.
  std::string join;
  /// Where events come from, same forms. Empty: what the broker says, else its port + 2.
  std::string events;
  /// Empty = the login name. With keys the key's user counts, whatever stands here.
  std::string user;
  std::string name;                                   ///< shown to operators; empty = "client"
  Millis connect_timeout{limits::kConnectTimeoutMs};  ///< how long to look for a broker
  Millis request_timeout{limits::kRequestTimeoutMs};  ///< of submits, queries, cancels
  /// How long closing may wait for unsent data; cut to 2 s.
  Millis linger{limits::kClientLingerMs};
  /// submit_async waits while this many submits are not acknowledged yet.
  std::size_t max_unacknowledged = limits::kMaxUnacknowledgedSubmits;
};

/// The kinds of failure of a call.
enum class CallFailure : std::uint8_t {
  refused,      ///< the broker, or a check before sending, said no: `error.code` says why
  timed_out,    ///< the call's own time passed; the task, if any, goes on
  unreachable,  ///< no broker has answered at the address within the connect timeout
  stopped,      ///< CallOptions::stop was requested
  closed,       ///< the client was closed, replaced, or is used in a forked child
};
/// "refused", "timed out", "unreachable", "stopped", "closed".
[[nodiscard]] std::string_view name_of(CallFailure failure);

/// Why a call has no result.
struct ClientError {
  CallFailure failure = CallFailure::refused;  ///< what kind it is
  /// code: of a refusal, else ok; text: a sentence with the remedy; field where known.
  Error error;
  /// Of a submit that was sent but never acknowledged: it may have been accepted under this id. Of
  /// a run that ended before its task: it was.
  /// Submitting again with TaskRequest::id set to it cannot run the task twice.
  std::optional<TaskId> maybe_accepted{};

  /// What is wrong and what to do.
  [[nodiscard]] const std::string& text() const { return error.text; }
  /// Whether it is a refusal with this code.
  [[nodiscard]] bool is(ErrorCode code) const {
    return failure == CallFailure::refused && error.code == code;
  }
  /// Equal in every field.
  friend bool operator==(const ClientError&, const ClientError&) = default;
};

/// What a call returns: a value, or why there is none.
template <class T>
using CallResult = tl::expected<T, ClientError>;

/// What a call may be told about its end. Nothing = the default that the call documents.
struct CallOptions {
  std::optional<Millis> timeout{};  ///< longest duration of the call
  std::stop_token stop{};           ///< ends a blocking call early, with CallFailure::stopped
  /// Asked on the calling thread, every limits::kAttentionMs while a blocking call waits; false
  /// ends the call as `stop` does. For programs that must handle signals on that very thread. Must
  /// not throw.
  std::function<bool()> keep_waiting{};
};

// --- What is submitted --------------------------------------------------------------------------

/// A local file that a task needs. The client uploads what the broker does not have yet.
struct InputFile {
  std::string path;        ///< of the file here
  std::string name{};      ///< in the attempt's directory; empty = the last part of `path`
  bool executable{false};  ///< whether the task may execute it; also when it is executable here
  /// Equal in every field.
  friend bool operator==(const InputFile&, const InputFile&) = default;
};

/// A task to submit.
struct TaskRequest {
  std::string tool;           ///< what runs it, as `Client::tools` names it
  std::string script;         ///< a name in the tool's script folders, or the inline script's name
  ValueMap params{};          ///< reach the tool as SIM_<KEY>
  std::int32_t priority = 0;  ///< larger runs earlier
  Resources resources{};      ///< cpus 0 means 1
  TaskLimits limits{};        ///< of its run time, its end, its silence, its wait for a worker
  /// Whether a failed attempt is followed by another, and when. Unless it says so, the first
  /// failure is final. The lost connection of a worker is no failure, and has its own budget.
  RetryPolicy retry{};
  std::vector<Label> labels{};     ///< any order; each key once
  std::string inline_script{};     ///< the script's text; empty = the worker's own file
  bool wait_for_capacity = false;  ///< wait, rather than UNSATISFIABLE, when no worker could run it
  std::vector<InputFile> input_files{};  ///< uploaded before the submit, unless the broker has them
  std::vector<TaskInput> inputs{};       ///< files whose content the broker has already, by hash
  std::optional<TaskId> id{};  ///< only to repeat a submit; otherwise the client draws one
};

/// A task of a workflow, and what it waits for.
struct WorkflowTask {
  TaskRequest task;                    ///< the task
  std::vector<std::uint32_t> after{};  ///< indices into WorkflowRequest::tasks
};

/// A workflow to submit.
struct WorkflowRequest {
  std::string name;                                  ///< for people, at most 128 bytes
  OnFailure on_failure = OnFailure::run_dependents;  ///< of a task that others wait for
  std::vector<WorkflowTask> tasks{};                 ///< at least one
};

/// An accepted workflow.
struct WorkflowReceipt {
  WorkflowId id;              ///< of the workflow
  std::vector<TaskId> tasks;  ///< in the order of the request
};

/// Not every item of a batch was accepted. Those not listed in `items` were, and are durable.
struct BatchError {
  /// One that was not accepted.
  struct Item {
    std::size_t index = 0;  ///< into the batch
    ClientError error;      ///< why
  };
  std::vector<TaskId> ids;  ///< of every item, also of the refused ones
  std::vector<Item> items;  ///< ordered by index, never empty
  /// Why the first of `items` was not accepted.
  [[nodiscard]] const ClientError& first() const { return items.front().error; }
};

// --- What comes back ----------------------------------------------------------------------------

/// How a task ended. A task that ended badly is a result as well, not an error of the call.
struct TaskResult {
  TaskId id;           ///< of the task
  Outcome outcome;     ///< `report` is the encoded form of the next field
  RunReport report;    ///< empty when the task never ran
  Epoch epoch;         ///< of the deciding dispatch; 0 when it never ran
  Attempt attempt;     ///< the deciding one; 0 when it never ran
  std::string worker;  ///< name of the deciding worker; empty when it never ran
  WallTime submitted;  ///< when the broker accepted it
  WallTime started;    ///< when the deciding run began; not set when it never ran
  WallTime finished;   ///< when it ended
  /// Whether it ended in TaskState::success.
  [[nodiscard]] bool succeeded() const { return outcome.state == TaskState::success; }
};

/// The states of several tasks at one moment.
struct TaskStatuses {
  std::vector<TaskRow> rows;    ///< in the order asked for, without the unknown ones
  std::vector<TaskId> unknown;  ///< never existed, or are another owner's
};

/// The session in use.
struct ConnectionInfo {
  std::string broker;              ///< the address in use
  std::string events;              ///< where events come from; empty = over the client port
  std::string bulk;                ///< where artifacts and inputs go; empty = nowhere
  BrokerUuid broker_uuid;          ///< of the broker's data folder
  Epoch epoch;                     ///< counts the broker's starts
  SessionId session;               ///< of this client
  std::uint32_t heartbeat_ms = 0;  ///< how often both sides say that they are alive
  std::uint32_t lease_ms = 0;      ///< silence after which the other side counts as gone
  std::optional<Role> role{};      ///< what the key makes this client; nothing without keys
  std::string user{};              ///< with keys: whose tasks it submits

  /// Whether it may follow everybody's tasks.
  [[nodiscard]] bool sees_everybody() const { return !role || *role != Role::client; }
};

/// How far the transfer of a file has come.
struct FileTransfer {
  std::string_view name;         ///< of the artifact or input, valid during the callback
  std::uint64_t done_bytes = 0;  ///< of it
  std::uint64_t size_bytes = 0;  ///< in all
};

/// A piece of a task's output.
struct LogChunk {
  std::uint64_t offset = 0;  ///< of data[0] in the stream
  std::string_view data;     ///< valid during the callback
  Attempt attempt{};         ///< that wrote it; with a later one the offset begins again at 0
};
/// How far a log was read.
struct LogEnd {
  std::uint64_t next_offset = 0;  ///< where a later call goes on
  bool complete = false;          ///< the task's stream has ended there
};

}  // namespace taskpipe
