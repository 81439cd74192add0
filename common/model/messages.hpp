// The schema of the wire: every message as a plain struct. docs/protocol.md is the normative text;
// common/protocol/codec.* turns these into frames and back.
//
// Lists that refer to shared specifications hold an index into the message's own `specs`, so that a
// batch of a thousand tasks carries its specification once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/model/alternative_of.hpp"
#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/payload.hpp"
#include "common/model/resources.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "common/model/workflow.hpp"

namespace taskpipe {

inline constexpr std::uint8_t kProtocolMajor = 1;
inline constexpr std::uint32_t kProtocolVersionMin = 1;
inline constexpr std::uint32_t kProtocolVersionMax = 1;

// --- Session ------------------------------------------------------------------------------------

// What a peer is. A HELLO says client or worker; that a client is an observer or an admin, its key
// says, and WELCOME tells it.
enum class Role : std::uint8_t { client = 0, worker = 1, observer = 2, admin = 3 };
inline constexpr Role kLastRole = Role::admin;
// "client", "worker", "observer", "admin".
[[nodiscard]] std::string_view name_of(Role role);
[[nodiscard]] std::optional<Role> parse_role(std::string_view name);

struct ScriptOffer {
  std::string name;
  std::string sha256;  // 64 hex digits
  friend bool operator==(const ScriptOffer&, const ScriptOffer&) = default;
};

struct ToolOffer {
  std::string name;
  std::string version;
  std::string description;
  std::vector<ScriptOffer> scripts;
  bool inline_scripts = false;   // accepts scripts that travel with the task
  bool requires_script = false;  // refuses tasks without one
  friend bool operator==(const ToolOffer&, const ToolOffer&) = default;
};

// The part of HELLO that only workers send.
struct WorkerOffer {
  std::uint32_t slots = 0;  // attempts it runs at a time
  Resources resources;
  std::vector<ToolOffer> tools;
  std::vector<Label> labels;
  std::vector<AttemptKey> running;         // started, not ended
  std::vector<AttemptKey> unacknowledged;  // ended, RESULT not acknowledged yet
  friend bool operator==(const WorkerOffer&, const WorkerOffer&) = default;
};

struct Who {
  Epoch epoch;
  friend bool operator==(const Who&, const Who&) = default;
};

struct Hello {
  Role role = Role::client;
  std::string user;
  PeerUuid uuid;
  std::uint64_t incarnation = 0;  // raised at each start of the peer's process
  std::string name;
  std::string host;
  std::uint32_t pid = 0;
  std::uint32_t version_min = kProtocolVersionMin;
  std::uint32_t version_max = kProtocolVersionMax;
  std::vector<std::string> features;
  std::optional<Epoch> last_epoch;
  std::optional<WorkerOffer> worker;  // required with Role::worker
  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Welcome {
  std::uint32_t version = kProtocolVersionMax;
  SessionId session;
  BrokerUuid broker;
  Epoch epoch;
  std::uint32_t heartbeat_ms = 0;
  std::uint32_t lease_ms = 0;
  std::uint64_t max_message_bytes = 0;
  std::uint32_t max_batch_items = 0;
  std::uint64_t messages_total = 0;  // credit: items the client may submit, cumulative
  std::uint64_t bytes_total = 0;     // credit: payload bytes it may submit, cumulative
  std::string event_endpoint;        // where the XPUB socket listens; empty = the default port
  std::string bulk_endpoint;         // where artifacts and inputs go; empty = there is no such port
  BulkToken bulk_token;              // shows this session to that port
  // With keys: what the peer's key makes it. A plain client has no event port then.
  std::optional<Role> role;
  std::string user;  // with keys: whose tasks it submits, whatever HELLO said
  friend bool operator==(const Welcome&, const Welcome&) = default;
};

struct Ping {
  std::uint64_t t = 0;  // the sender's own clock, echoed
  friend bool operator==(const Ping&, const Ping&) = default;
};
struct Pong {
  std::uint64_t t = 0;
  Epoch epoch;
  friend bool operator==(const Pong&, const Pong&) = default;
};
struct Bye {
  std::string reason;  // "replaced" is final: another process took this uuid
  friend bool operator==(const Bye&, const Bye&) = default;
};
struct ErrorReply {
  Error error;
  friend bool operator==(const ErrorReply&, const ErrorReply&) = default;
};

// --- Client -------------------------------------------------------------------------------------

struct SubmitItem {
  TaskId id;
  std::uint32_t spec = 0;  // index into Submit::specs
  Payload params;          // an encoded ValueMap
  ParamsHash params_hash;
  friend bool operator==(const SubmitItem&, const SubmitItem&) = default;
};
struct Submit {
  std::vector<TaskSpecPtr> specs;
  std::vector<SubmitItem> items;
  bool wait = false;  // for what is accepted too, as a WAIT would
  friend bool operator==(const Submit& a, const Submit& b);
};

// Codes are per item; `error` explains the first refused one.
struct TaskCode {
  TaskId id;
  ErrorCode code = ErrorCode::ok;
  friend bool operator==(const TaskCode&, const TaskCode&) = default;
};
struct SubmitAck {
  std::vector<TaskCode> items;
  std::optional<Error> error;
  std::uint64_t messages_total = 0;
  std::uint64_t bytes_total = 0;
  bool waits = false;  // `Submit::wait` was seen; older brokers do not know it
  friend bool operator==(const SubmitAck&, const SubmitAck&) = default;
};

// Atomic: either every task is accepted or none. Larger workflows travel as several parts with the
// same id, in order; the last part commits the whole.
struct SubmitWorkflow {
  WorkflowId id;
  std::string name;
  OnFailure on_failure = OnFailure::run_dependents;
  std::uint32_t first_index = 0;  // index of items[0] within the workflow
  std::uint32_t total = 0;        // tasks in the whole workflow
  std::vector<TaskSpecPtr> specs;
  std::vector<SubmitItem> items;
  std::vector<Dependencies> dependencies;  // one per item
  friend bool operator==(const SubmitWorkflow& a, const SubmitWorkflow& b);
};
struct WorkflowAck {
  WorkflowId id;
  std::uint32_t received = 0;  // tasks of the workflow received so far; == total once accepted
  Error error;                 // code ok when accepted (or when more parts are expected)
  friend bool operator==(const WorkflowAck&, const WorkflowAck&) = default;
};

// Registers interest: every listed task answers once by DONE when it has ended, at once if it
// already has. DONE may repeat. Unknown ids answer in Done::unknown.
struct Wait {
  std::vector<TaskId> tasks;
  std::vector<WorkflowId> workflows;
  friend bool operator==(const Wait&, const Wait&) = default;
};
struct DoneTask {
  AttemptKey attempt;  // of the deciding attempt; attempt 0 when it never ran
  Outcome outcome;
  std::string worker;  // name of the deciding worker; empty when it never ran
  WallTime submitted;
  WallTime started;
  WallTime finished;
  friend bool operator==(const DoneTask&, const DoneTask&) = default;
};
struct DoneWorkflow {
  WorkflowId id;
  std::uint32_t total = 0;
  std::uint32_t succeeded = 0;
  friend bool operator==(const DoneWorkflow&, const DoneWorkflow&) = default;
};
struct Done {
  std::vector<DoneTask> tasks;
  std::vector<DoneWorkflow> workflows;
  std::vector<TaskId> unknown;
  std::vector<WorkflowId> unknown_workflows;
  friend bool operator==(const Done&, const Done&) = default;
};

// Which tasks: all given conditions hold. With `tasks`, unknown ids are answered in Rows::unknown.
struct QueryFilter {
  std::vector<TaskId> tasks;
  std::optional<WorkflowId> workflow;
  std::optional<TaskState> state;
  std::string tool;   // empty = any
  bool dead = false;  // dead letters: ended in failure, timeout or error, and not submitted again
  friend bool operator==(const QueryFilter&, const QueryFilter&) = default;
};
struct Query {
  QueryFilter filter;
  std::string cursor;  // empty = from the newest; else Rows::next of the page before
  std::uint32_t limit = 0;
  bool with_params = false;    // of exactly one task, named by its id: they may fill a message
  bool with_attempts = false;  // of exactly one task, likewise
  friend bool operator==(const Query&, const Query&) = default;
};
struct TaskRow {
  TaskId id;
  std::optional<WorkflowId> workflow;
  std::string owner;
  std::string tool;
  std::string script;
  TaskState state = TaskState::pending;
  FailureClass failure = FailureClass::none;
  std::int32_t priority = 0;
  Attempt attempt;
  std::string worker;  // name; empty when not placed
  std::int32_t exit_code = 0;
  double progress_percent = -1.0;  // negative = none reported
  std::string message;             // last progress message, or the reason it ended
  WallTime submitted;
  WallTime started;
  WallTime finished;
  std::optional<Payload> params;      // an encoded ValueMap; only where asked for
  std::vector<PastAttempt> attempts;  // those that did not decide; only where asked for
  std::optional<TaskId> original;     // the dead letter that it repeats
  friend bool operator==(const TaskRow&, const TaskRow&) = default;
};
struct Rows {
  std::vector<TaskRow> rows;
  std::vector<TaskId> unknown;
  std::string next;  // empty = no more
  friend bool operator==(const Rows&, const Rows&) = default;
};

// Tasks that ended without success, once more: each as a new task with the same specification and
// params. Atomic per item; the new ids make it repeatable, as with SUBMIT.
struct ResubmitItem {
  TaskId original;
  TaskId id;  // of the new task
  friend bool operator==(const ResubmitItem&, const ResubmitItem&) = default;
};
struct Resubmit {
  std::vector<ResubmitItem> items;
  friend bool operator==(const Resubmit&, const Resubmit&) = default;
};
// One code per item, in their order, with the new task's id.
struct ResubmitAck {
  std::vector<TaskCode> items;
  std::optional<Error> error;  // of the first refused one
  friend bool operator==(const ResubmitAck&, const ResubmitAck&) = default;
};

struct Cancel {
  std::vector<TaskId> tasks;
  std::vector<WorkflowId> workflows;
  std::uint32_t grace_ms = 0;  // 0 = the task's own
  friend bool operator==(const Cancel&, const Cancel&) = default;
};
// `was_live` is true when the task had not ended: it is, or will be, cancelled.
struct CancelCode {
  TaskId id;
  ErrorCode code = ErrorCode::ok;
  bool was_live = false;
  friend bool operator==(const CancelCode&, const CancelCode&) = default;
};
struct CancelAck {
  std::vector<CancelCode> items;
  bool more = false;  // another one follows: workflows may have more tasks than a message items
  friend bool operator==(const CancelAck&, const CancelAck&) = default;
};

enum class LogStream : std::uint8_t { out = 0, err = 1 };
inline constexpr LogStream kLastLogStream = LogStream::err;

// Reads a task's output from `offset`. With `follow`, CHUNKs keep coming until the end of the
// stream; a second Fetch with the same task and stream replaces the first.
struct Fetch {
  TaskId task;
  LogStream stream = LogStream::out;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;  // most bytes wanted; 0 = as many as fit
  bool follow = false;
  Attempt attempt{};  // whose output `offset` counts in; a later one is read from its beginning. 0
                      // = the newest there is
  friend bool operator==(const Fetch&, const Fetch&) = default;
};
struct Chunk {
  TaskId task;
  LogStream stream = LogStream::out;
  std::uint64_t offset = 0;
  bool eof = false;  // nothing will follow data
  Payload data;
  Attempt attempt{};  // that wrote it; 0 = unknown
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

// Listings come in pages; `cursor` is empty for the first, else `next` of the page before.
struct ToolsRequest {
  std::string cursor;
  friend bool operator==(const ToolsRequest&, const ToolsRequest&) = default;
};
struct ToolRow {
  ToolOffer offer;            // scripts: of every connected worker, merged
  std::uint32_t workers = 0;  // connected ones that offer it; 0 = known, but absent now
  friend bool operator==(const ToolRow&, const ToolRow&) = default;
};
struct ToolsReply {
  std::vector<ToolRow> tools;  // by name
  std::string next;            // empty = no more
  friend bool operator==(const ToolsReply&, const ToolsReply&) = default;
};

enum class WorkerState : std::uint8_t { ready = 0, suspect = 1, draining = 2, lost = 3 };
inline constexpr WorkerState kLastWorkerState = WorkerState::lost;
[[nodiscard]] std::string_view name_of(WorkerState state);

struct WorkersRequest {
  std::string cursor;
  friend bool operator==(const WorkersRequest&, const WorkersRequest&) = default;
};
struct WorkerRow {
  PeerUuid uuid;
  std::string name;
  std::string host;
  std::uint32_t pid = 0;
  WorkerState state = WorkerState::ready;
  Resources total;
  Resources free;
  std::uint32_t running = 0;  // attempts it has been given and not ended
  std::uint32_t last_heard_ms = 0;
  std::vector<std::string> tools;
  std::vector<Label> labels;
  friend bool operator==(const WorkerRow&, const WorkerRow&) = default;
};
struct WorkersReply {
  std::vector<WorkerRow> workers;
  std::string next;  // empty = no more
  friend bool operator==(const WorkersReply&, const WorkersReply&) = default;
};

struct HealthRequest {
  friend bool operator==(const HealthRequest&, const HealthRequest&) = default;
};
struct HealthReply {
  bool healthy = false;  // at least one ready worker and a journal that accepts submits
  std::vector<std::string> warnings;  // "no worker is connected", "no keys: insecure bind", …
  std::string version;                // of the broker
  Epoch epoch;
  std::uint64_t uptime_ms = 0;
  std::uint32_t workers_ready = 0;
  std::uint64_t tasks_pending = 0;
  std::uint64_t tasks_running = 0;
  std::uint64_t tasks_finished = 0;  // since this start
  std::uint64_t journal_bytes = 0;
  std::uint64_t history_lag_tasks = 0;
  std::uint64_t memory_bytes = 0;        // about what tasks, results and unsent messages take
  std::uint64_t memory_limit_bytes = 0;  // from there on submits are answered BUSY; 0 = unknown
  friend bool operator==(const HealthReply&, const HealthReply&) = default;
};

// --- Worker -------------------------------------------------------------------------------------

struct Reconcile {
  std::vector<AttemptKey> keep;    // go on running
  std::vector<AttemptKey> kill;    // stop: cancelled or superseded
  std::vector<AttemptKey> resend;  // send RESULT again: not recorded yet
  std::vector<AttemptKey> drop;    // forget the spooled RESULT: recorded or superseded
  friend bool operator==(const Reconcile&, const Reconcile&) = default;
};

// Cumulative since HELLO: unstarted work the worker is willing to hold.
struct Credit {
  std::uint64_t slots_total = 0;
  std::uint64_t bytes_total = 0;
  friend bool operator==(const Credit&, const Credit&) = default;
};

struct TaskItem {
  AttemptKey attempt;
  std::uint32_t spec = 0;             // index into Tasks::specs
  std::vector<Placement> placements;  // the lead first
  Payload params;
  friend bool operator==(const TaskItem&, const TaskItem&) = default;
};
struct Tasks {
  std::vector<TaskSpecPtr> specs;
  std::vector<TaskItem> items;
  friend bool operator==(const Tasks& a, const Tasks& b);
};

// Only refusals are listed: what is not refused is accepted.
struct TaskRefusal {
  AttemptKey attempt;
  Error error;
  friend bool operator==(const TaskRefusal&, const TaskRefusal&) = default;
};
struct TasksAck {
  std::vector<TaskRefusal> refused;
  friend bool operator==(const TasksAck&, const TasksAck&) = default;
};

struct Recall {
  std::vector<AttemptKey> attempts;
  friend bool operator==(const Recall&, const Recall&) = default;
};
struct Returned {
  std::vector<AttemptKey> attempts;  // given back unstarted; what is not listed had started
  friend bool operator==(const Returned&, const Returned&) = default;
};

struct StartedItem {
  AttemptKey attempt;
  std::uint32_t pid = 0;  // 0 for handler tasks
  friend bool operator==(const StartedItem&, const StartedItem&) = default;
};
struct Started {
  std::vector<StartedItem> items;
  friend bool operator==(const Started&, const Started&) = default;
};

struct ProgressItem {
  AttemptKey attempt;
  double percent = -1.0;  // 0–100; negative = unknown
  std::string message;
  std::vector<std::pair<std::string, double>> metrics;
  friend bool operator==(const ProgressItem&, const ProgressItem&) = default;
};
struct Progress {
  std::vector<ProgressItem> items;
  friend bool operator==(const Progress&, const Progress&) = default;
};

struct LogItem {
  AttemptKey attempt;
  LogStream stream = LogStream::out;
  std::uint64_t offset = 0;  // of data[0] within the stream
  Payload data;
  friend bool operator==(const LogItem&, const LogItem&) = default;
};
struct Log {
  std::vector<LogItem> items;
  friend bool operator==(const Log&, const Log&) = default;
};

struct ResultItem {
  AttemptKey attempt;
  Outcome outcome;
  friend bool operator==(const ResultItem&, const ResultItem&) = default;
};
struct Result {
  std::vector<ResultItem> items;
  friend bool operator==(const Result&, const Result&) = default;
};
struct ResultCode {
  AttemptKey attempt;
  ErrorCode code = ErrorCode::ok;  // ok, stale_attempt, unknown_task; storage: keep it spooled
  friend bool operator==(const ResultCode&, const ResultCode&) = default;
};
struct ResultAck {
  std::vector<ResultCode> items;
  friend bool operator==(const ResultAck&, const ResultAck&) = default;
};

struct KillItem {
  AttemptKey attempt;
  std::uint32_t grace_ms = 0;
  friend bool operator==(const KillItem&, const KillItem&) = default;
};
struct Kill {
  std::vector<KillItem> items;
  friend bool operator==(const Kill&, const Kill&) = default;
};

struct Drain {
  std::uint32_t deadline_ms = 0;
  friend bool operator==(const Drain&, const Drain&) = default;
};
// Sent by a worker that stops: first with `finished` false (give me nothing more), then true.
struct Drained {
  bool finished = false;
  friend bool operator==(const Drained&, const Drained&) = default;
};

// --- Bulk port: artifacts and inputs by content hash --------------------------------------------
// Header: `session` as given by WELCOME, `correlation` names the transfer, chosen by the peer.

struct BulkHello {
  BulkToken token;
  std::uint64_t connection = 0;  // tells the connections of one session apart; a newer one of the
                                 // same number replaces the older
  friend bool operator==(const BulkHello&, const BulkHello&) = default;
};
struct BulkWelcome {
  std::uint32_t chunk_bytes = 0;  // most of one PUT_DATA
  std::uint32_t transfers = 0;    // most at a time
  friend bool operator==(const BulkWelcome&, const BulkWelcome&) = default;
};
// I have a file with this hash and size: do you want it?
struct Put {
  std::string sha256;
  std::uint64_t size_bytes = 0;
  friend bool operator==(const Put&, const Put&) = default;
};
struct PutState {
  bool have = false;         // it is in the store, safely: the transfer is over
  std::uint64_t offset = 0;  // so much of it is there already; meaningful in the first one
  std::uint64_t credit = 0;  // bytes before this one may be sent; cumulative
  friend bool operator==(const PutState&, const PutState&) = default;
};
struct PutData {
  std::uint64_t offset = 0;
  Payload data;
  friend bool operator==(const PutData&, const PutData&) = default;
};
struct Get {
  std::string sha256;
  std::uint64_t offset = 0;  // where to begin
  std::uint64_t credit = 0;  // bytes before this one may be sent; cumulative
  friend bool operator==(const Get&, const Get&) = default;
};
struct GetData {
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;  // of the whole; the transfer is over once it is reached
  Payload data;
  friend bool operator==(const GetData&, const GetData&) = default;
};
struct GetCredit {
  std::uint64_t credit = 0;
  friend bool operator==(const GetCredit&, const GetCredit&) = default;
};
// The transfer is not wanted any more.
struct BulkCancel {
  friend bool operator==(const BulkCancel&, const BulkCancel&) = default;
};

// --- Events (on the PUB channel, and on the client port to whoever watches) ---------------------

struct TaskEvent {
  TaskId id;
  TaskState state = TaskState::pending;
  FailureClass failure = FailureClass::none;
  Attempt attempt;
  std::string tool;
  std::string script;
  std::string worker;  // name
  double percent = -1.0;
  std::string message;
  std::vector<std::pair<std::string, double>> metrics;
  WallTime at;
  std::uint64_t seq = 0;  // number of the record that made the change; 0 = progress or a present
                          // state
  friend bool operator==(const TaskEvent&, const TaskEvent&) = default;
};
struct WorkflowEvent {
  WorkflowId id;
  std::uint32_t total = 0;
  std::uint32_t ended = 0;
  std::uint32_t succeeded = 0;
  friend bool operator==(const WorkflowEvent&, const WorkflowEvent&) = default;
};
struct WorkerEvent {
  PeerUuid uuid;
  std::string name;
  WorkerState state = WorkerState::ready;
  friend bool operator==(const WorkerEvent&, const WorkerEvent&) = default;
};
struct StreamPosition {
  std::string topic;
  std::uint64_t seq = 0;
  friend bool operator==(const StreamPosition&, const StreamPosition&) = default;
};
// What happened on one stream: everything after `prev_seq` up to and including `seq`, so that a
// reader sees its own gaps. A record may change more tasks than a message may tell: the messages
// that end amid it have the seq before it, and the next one says how many were told (`offset`).
struct Events {
  Epoch epoch;
  std::uint64_t prev_seq = 0;
  std::uint64_t seq = 0;
  std::vector<TaskEvent> tasks;
  std::vector<WorkflowEvent> workflows;
  std::vector<WorkerEvent> workers;
  std::vector<StreamPosition> positions;  // heartbeat only: last seq of every stream
  std::uint32_t offset = 0;               // changes with the seq of tasks[0] in the messages before
  friend bool operator==(const Events&, const Events&) = default;
};

// Which changes of state: of one stream ("task.<tool>.", "task." for every tool, "workflow.<id>."),
// or of the listed tasks.
struct StreamFilter {
  std::string stream;         // empty = `tasks`
  std::vector<TaskId> tasks;  // only without `stream`
  bool everybody = false;     // also other owners' tasks, as the PUB channel has them
  friend bool operator==(const StreamFilter&, const StreamFilter&) = default;
};
// Asks for the changes after `after_seq`, then for all that follow: EVENTS with the correlation of
// this message, as many as granted. The first one comes at once, with or without items.
struct Watch {
  StreamFilter filter;
  std::optional<Epoch> epoch;              // in which `after_seq` was told
  std::optional<std::uint64_t> after_seq;  // absent = from now on
  std::uint64_t credit = 0;                // messages, cumulative, as in WatchCredit
  bool progress = false;                   // also the progress of running tasks, without numbers
  friend bool operator==(const Watch&, const Watch&) = default;
};
// Of the watch with the same correlation.
struct WatchCredit {
  std::uint64_t total = 0;
  bool end = false;  // nothing more of it
  friend bool operator==(const WatchCredit&, const WatchCredit&) = default;
};
// Asks for a page of the present states of a stream's live tasks.
struct Snapshot {
  StreamFilter filter;
  std::uint64_t cursor = 0;  // 0 = from the beginning; else Snap::next of the page before
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};
// One page, true at `seq`. A WATCH after the seq of the first page goes on from there.
struct Snap {
  Epoch epoch;
  std::uint64_t seq = 0;
  std::uint64_t oldest_seq = 0;  // a WATCH after this number or a later one misses nothing
  std::vector<TaskEvent> tasks;
  std::vector<WorkflowEvent> workflows;  // of a workflow's stream
  std::uint64_t next = 0;                // 0 = this was the last page
  friend bool operator==(const Snap&, const Snap&) = default;
};

// The order of alternatives is not part of the wire; `type_code` in common/protocol/envelope.hpp
// is.
using MessageVariant =
    std::variant<Who, Hello, Welcome, Ping, Pong, Bye, ErrorReply, Submit, SubmitAck,
                 SubmitWorkflow, WorkflowAck, Wait, Done, Query, Rows, Resubmit, ResubmitAck,
                 Cancel, CancelAck, Fetch, Chunk, ToolsRequest, ToolsReply, WorkersRequest,
                 WorkersReply, HealthRequest, HealthReply, Reconcile, Credit, Tasks, TasksAck,
                 Recall, Returned, Started, Progress, Log, Result, ResultAck, Kill, Drain, Drained,
                 Events, Watch, WatchCredit, Snapshot, Snap, BulkHello, BulkWelcome, Put, PutState,
                 PutData, Get, GetData, GetCredit, BulkCancel>;

// Visited and asked like the variant that it is. What makes, copies, moves and destroys one is
// compiled once, in message.cpp: left to each file, it costs the compiler more than all the rest.
class Message : public MessageVariant {
 public:
  Message() noexcept;
  template <AlternativeOf<MessageVariant> T>
  Message(T value) noexcept;  // NOLINT(google-explicit-constructor): as the variant's own
  Message(const Message& other);
  Message(Message&& other) noexcept;
  Message& operator=(const Message& other);
  Message& operator=(Message&& other) noexcept;
  ~Message();
};

}  // namespace taskpipe
