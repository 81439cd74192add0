#include "broker/history/task_rows.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace taskpipe::broker {
namespace {

enum Column : int {
  kId,
  kOwner,
  kArrival,
  kState,
  kTool,
  kSpec,
  kWorkflow,
  kWorker,
  kEpoch,
  kAttempt,
  kFailure,
  kExitCode,
  kSignal,
  kSubmitted,
  kStarted,
  kFinished,
  kWall,
  kUser,
  kSystem,
  kMaxRss,
  kTerminalLsn,
  kReason,
  kPlacements,
  kParamsHash,
  kParams,
  kReport,
  kOriginal,
};
static_assert(kOriginal + 1 == kTaskColumnCount);

std::int64_t as_signed(std::uint64_t number) { return static_cast<std::int64_t>(number); }

void bind_or_null(SqliteStatement& statement, int parameter, std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    statement.bind_null(parameter);
  } else {
    statement.bind(parameter, bytes);
  }
}

std::vector<std::byte> bytes_of(const std::vector<Placement>& placements) {
  std::vector<std::byte> bytes;
  bytes.reserve(placements.size() * kUniqueIdBytes);
  for (const Placement& placement : placements) {
    const auto worker = placement.worker.bytes();
    bytes.insert(bytes.end(), worker.begin(), worker.end());
  }
  return bytes;
}

[[noreturn]] void malformed(std::string_view column) {
  throw std::runtime_error("the history holds a malformed task (column " + std::string(column) +
                           "); restore it from a backup");
}

template <class Id>
Id id_of(std::span<const std::byte> bytes, std::string_view column) {
  if (bytes.size() != kUniqueIdBytes) malformed(column);
  return Id::from_bytes(bytes.first<kUniqueIdBytes>());
}

std::vector<Placement> placements_of(std::span<const std::byte> bytes) {
  if (bytes.size() % kUniqueIdBytes != 0) malformed("placements");
  std::vector<Placement> placements;
  placements.reserve(bytes.size() / kUniqueIdBytes);
  for (; !bytes.empty(); bytes = bytes.subspan(kUniqueIdBytes)) {
    placements.push_back({PeerUuid::from_bytes(bytes.first<kUniqueIdBytes>())});
  }
  return placements;
}

template <class Enum>
Enum enum_of(std::int64_t number, Enum last, std::string_view column) {
  if (number < 0 || number > static_cast<std::int64_t>(last)) malformed(column);
  return static_cast<Enum>(number);
}

Outcome outcome_of(const SqliteStatement& row) {
  Outcome outcome;
  outcome.state = enum_of(row.integer(kState), kLastTaskState, "state");
  outcome.failure = enum_of(row.integer(kFailure), kLastFailureClass, "failure");
  outcome.exit_code = static_cast<std::int32_t>(row.integer(kExitCode));
  outcome.signal = static_cast<std::int32_t>(row.integer(kSignal));
  outcome.usage.wall_us = static_cast<std::uint64_t>(row.integer(kWall));
  outcome.usage.user_us = static_cast<std::uint64_t>(row.integer(kUser));
  outcome.usage.system_us = static_cast<std::uint64_t>(row.integer(kSystem));
  outcome.usage.max_rss_bytes = static_cast<std::uint64_t>(row.integer(kMaxRss));
  outcome.reason = row.text(kReason);
  outcome.report = Payload(row.bytes(kReport));
  return outcome;
}

}  // namespace

bool insert_task(SqliteStatement& insert, const FinishedTask& task,
                 const TaskReferences& references) {
  const auto id = task.id.bytes();
  const auto workflow = task.workflow.value_or(WorkflowId{}).bytes();
  const auto placements = bytes_of(task.placements);
  const auto params_hash = TaskId(task.params_hash.high, task.params_hash.low).bytes();
  const auto original = task.original.value_or(TaskId{}).bytes();
  const Outcome& outcome = task.outcome;

  insert.bind(kId, id).bind(kOwner, references.owner);
  insert.bind(kArrival, as_signed(task.arrival.value()));
  insert.bind(kState, static_cast<std::int64_t>(outcome.state));
  insert.bind(kTool, references.tool).bind(kSpec, references.spec);
  bind_or_null(insert, kWorkflow,
               task.workflow ? std::span<const std::byte>(workflow) : std::span<const std::byte>());
  if (references.worker == 0) {
    insert.bind_null(kWorker);
  } else {
    insert.bind(kWorker, references.worker);
  }
  insert.bind(kEpoch, as_signed(task.epoch.value()));
  insert.bind(kAttempt, std::int64_t{task.attempt.value()});
  insert.bind(kFailure, static_cast<std::int64_t>(outcome.failure));
  insert.bind(kExitCode, std::int64_t{outcome.exit_code});
  insert.bind(kSignal, std::int64_t{outcome.signal});
  insert.bind(kSubmitted, task.submitted.unix_ms).bind(kStarted, task.started.unix_ms);
  insert.bind(kFinished, task.finished.unix_ms);
  insert.bind(kWall, as_signed(outcome.usage.wall_us));
  insert.bind(kUser, as_signed(outcome.usage.user_us));
  insert.bind(kSystem, as_signed(outcome.usage.system_us));
  insert.bind(kMaxRss, as_signed(outcome.usage.max_rss_bytes));
  insert.bind(kTerminalLsn, as_signed(task.terminal_lsn.value()));
  insert.bind(kReason, std::string_view(outcome.reason));
  bind_or_null(insert, kPlacements, placements);
  insert.bind(kParamsHash, params_hash);
  bind_or_null(insert, kParams, task.params.bytes());
  bind_or_null(insert, kReport, outcome.report.bytes());
  bind_or_null(insert, kOriginal,
               task.original ? std::span<const std::byte>(original) : std::span<const std::byte>());
  return insert.run();
}

void bind_past(SqliteStatement& insert, const PastAttempt& past) {
  insert.bind(1, static_cast<std::int64_t>(past.kind));
  insert.bind(2, as_signed(past.epoch.value())).bind(3, std::int64_t{past.attempt.value()});
  insert.bind(4, std::string_view(past.worker));
  insert.bind(5, past.started.unix_ms).bind(6, past.ended.unix_ms);
  insert.bind(7, static_cast<std::int64_t>(past.outcome.state));
  insert.bind(8, static_cast<std::int64_t>(past.outcome.failure));
  insert.bind(9, std::int64_t{past.outcome.exit_code});
  insert.bind(10, std::int64_t{past.outcome.signal});
  insert.bind(11, as_signed(past.outcome.usage.wall_us));
  insert.bind(12, std::string_view(past.outcome.reason));
}

PastAttempt read_past(const SqliteStatement& row) {
  PastAttempt past;
  past.kind = enum_of(row.integer(0), kLastPastKind, "attempts.kind");
  past.epoch = Epoch(static_cast<std::uint64_t>(row.integer(1)));
  past.attempt = Attempt(static_cast<std::uint32_t>(row.integer(2)));
  past.worker = row.text(3);
  past.started = WallTime{row.integer(4)};
  past.ended = WallTime{row.integer(5)};
  past.outcome.state = enum_of(row.integer(6), kLastTaskState, "attempts.state");
  past.outcome.failure = enum_of(row.integer(7), kLastFailureClass, "attempts.failure");
  past.outcome.exit_code = static_cast<std::int32_t>(row.integer(8));
  past.outcome.signal = static_cast<std::int32_t>(row.integer(9));
  past.outcome.usage.wall_us = static_cast<std::uint64_t>(row.integer(10));
  past.outcome.reason = row.text(11);
  return past;
}

FinishedTask read_task(const SqliteStatement& row, InternedNames& names, InternedSpecs& specs) {
  FinishedTask task;
  task.id = id_of<TaskId>(row.bytes(kId), "id");
  task.owner = names.name_of(row.integer(kOwner));
  task.arrival = Arrival(static_cast<std::uint64_t>(row.integer(kArrival)));
  task.spec = specs.spec_of(row.integer(kSpec));
  if (!row.is_null(kWorkflow)) task.workflow = id_of<WorkflowId>(row.bytes(kWorkflow), "workflow");
  if (!row.is_null(kWorker)) task.worker = names.name_of(row.integer(kWorker));
  task.epoch = Epoch(static_cast<std::uint64_t>(row.integer(kEpoch)));
  task.attempt = Attempt(static_cast<std::uint32_t>(row.integer(kAttempt)));
  task.submitted = WallTime{row.integer(kSubmitted)};
  task.started = WallTime{row.integer(kStarted)};
  task.finished = WallTime{row.integer(kFinished)};
  task.terminal_lsn = Lsn(static_cast<std::uint64_t>(row.integer(kTerminalLsn)));
  task.placements = placements_of(row.bytes(kPlacements));
  const auto params_hash = id_of<TaskId>(row.bytes(kParamsHash), "params_hash");
  task.params_hash = ParamsHash{params_hash.high(), params_hash.low()};
  task.params = Payload(row.bytes(kParams));
  task.outcome = outcome_of(row);
  if (!row.is_null(kOriginal)) task.original = id_of<TaskId>(row.bytes(kOriginal), "original");
  return task;
}

}  // namespace taskpipe::broker
