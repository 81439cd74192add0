// A FinishedTask as a row of `tasks`, and back: the one place that knows the columns' order.
#pragma once

#include <cstdint>
#include <string>

#include "broker/core/finished.hpp"
#include "broker/history/interned.hpp"
#include "broker/history/sqlite.hpp"

namespace taskpipe::broker {

// The columns that `bind_task` fills, in order, and that `read_task` reads from column 0 on.
inline constexpr const char* kTaskColumns =
    "id, owner, arrival, state, tool, spec, workflow, worker, epoch, attempt, failure, exit_code, "
    "signal, submitted_ms, started_ms, finished_ms, wall_us, user_us, system_us, max_rss_bytes, "
    "terminal_lsn, reason, placements, params_hash, params, report, original";
inline constexpr int kTaskColumnCount = 27;

// Rows in other tables that a task refers to.
struct TaskReferences {
  std::int64_t owner = 0;
  std::int64_t tool = 0;
  std::int64_t spec = 0;
  std::int64_t worker = 0;  // 0 = it never ran
};

// Binds and runs: what it binds lives no longer than the call. True when the row is new.
bool insert_task(SqliteStatement& insert, const FinishedTask& task,
                 const TaskReferences& references);

// The columns of `attempts` behind `task`, in the order of `bind_past` and `read_past`.
inline constexpr const char* kPastColumns =
    "kind, epoch, attempt, worker, started_ms, ended_ms, state, failure, exit_code, signal, "
    "wall_us, reason";
inline constexpr int kPastColumnCount = 12;

// Binds from parameter 1 on; parameter 0 names the task.
void bind_past(SqliteStatement& insert, const PastAttempt& past);
[[nodiscard]] PastAttempt read_past(const SqliteStatement& row);

// Without its past attempts, which lie in a table of their own.
[[nodiscard]] FinishedTask read_task(const SqliteStatement& row, InternedNames& names,
                                     InternedSpecs& specs);

}  // namespace taskpipe::broker
