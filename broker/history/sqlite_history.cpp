#include "broker/history/sqlite_history.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "broker/history/interned.hpp"
#include "broker/history/lock_file.hpp"
#include "broker/history/schema.hpp"
#include "broker/history/sqlite.hpp"
#include "broker/history/task_rows.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

// Opened, checked and, when new, created; statements can be prepared from here on.
struct PreparedDatabase : SqliteDatabase {
  PreparedDatabase(const std::filesystem::path& path, const SqliteHistoryOptions& options)
      : SqliteDatabase(path, options.busy_timeout_ms, options.access) {
    if (options.access == SqliteAccess::own) {
      prepare_history(*this, path.string());
    } else {
      prepare_reading(*this, path.string());
    }
  }
};

std::string insert_task_sql() {
  std::string sql = "INSERT INTO tasks(" + std::string(kTaskColumns) + ") VALUES (?";
  for (int i = 1; i < kTaskColumnCount; ++i) sql += ", ?";
  return sql + ") ON CONFLICT(id) DO NOTHING";
}

std::string select_tasks_sql(std::string_view condition) {
  return "SELECT " + std::string(kTaskColumns) + ", row FROM tasks WHERE " + std::string(condition);
}
constexpr int kRowColumn = kTaskColumnCount;

std::string insert_past_sql() {
  std::string sql = "INSERT INTO attempts(task, " + std::string(kPastColumns) + ") VALUES (?";
  for (int i = 0; i < kPastColumnCount; ++i) sql += ", ?";
  return sql + ") ON CONFLICT DO NOTHING";
}

// Where a listing goes on: behind this place in the order (arrival, row), both descending. Arrival
// numbers alone would do if they never repeated.
struct Cursor {
  std::int64_t arrival = 0;
  std::int64_t row = 0;

  [[nodiscard]] std::string to_string() const {
    return std::to_string(arrival) + "." + std::to_string(row);
  }
  [[nodiscard]] static std::optional<Cursor> parse(std::string_view text) {
    Cursor cursor;
    const char* const end = text.data() + text.size();
    const auto arrival = std::from_chars(text.data(), end, cursor.arrival);
    if (arrival.ec != std::errc() || arrival.ptr == end || *arrival.ptr != '.') return std::nullopt;
    const auto row = std::from_chars(arrival.ptr + 1, end, cursor.row);
    if (row.ec != std::errc() || row.ptr != end) return std::nullopt;
    return cursor;
  }
};

std::string blob_literals(const std::vector<TaskId>& ids) {
  std::string text;
  for (const TaskId& id : ids) text += (text.empty() ? "x'" : ", x'") + id.to_string() + "'";
  return text;
}

// SQLite cuts its log to this length when it begins anew (journal_size_limit in schema.cpp).
constexpr std::uintmax_t kLogBytes = 64U << 20U;
constexpr int kLogBusyTimeoutMs = 100;  // other readers may take longer: then later

std::size_t payload_bytes(const FinishedTask& task) {
  return task.params.size() + task.outcome.report.size();
}

}  // namespace

struct SqliteHistory::Impl {
  Impl(const std::filesystem::path& path, const SqliteHistoryOptions& options)
      : lock(options.access == SqliteAccess::own
                 ? std::make_unique<LockFile>(path.string() + ".lock")
                 : nullptr),
        database(path, options),
        log(path.string() + "-wal"),
        busy_timeout_ms(options.busy_timeout_ms) {
    const SqliteReset reset(read_progress);
    if (!read_progress.step()) {
      throw std::runtime_error("the history '" + path.string() +
                               "' has lost its watermark; restore it from a backup");
    }
    watermark = Lsn(static_cast<std::uint64_t>(read_progress.integer(0)));
    last_arrival = Arrival(static_cast<std::uint64_t>(read_progress.integer(1)));
  }

  void insert(std::span<const FinishedTask> tasks);
  void insert(const FinishedWorkflow& workflow);
  void insert(std::int64_t task_row, const PastAttempt& past);
  void insert(const LateAttempt& late);
  void keep_log_short();
  [[nodiscard]] std::optional<FinishedTask> find(const TaskId& id);
  [[nodiscard]] std::optional<FinishedWorkflow> find(const WorkflowId& id);
  [[nodiscard]] HistoryPage scan(std::int64_t owner, std::int64_t tool, const QueryFilter& filter,
                                 const std::optional<Cursor>& cursor, std::uint32_t limit);

  std::unique_ptr<LockFile> lock;  // null where it only reads
  PreparedDatabase database;
  InternedNames names{database};
  InternedSpecs specs{database};
  SqliteStatement insert_task_row{database, insert_task_sql()};
  SqliteStatement find_task{database, select_tasks_sql("id = ?")};
  SqliteStatement insert_past{database, insert_past_sql()};
  SqliteStatement find_pasts{database, "SELECT " + std::string(kPastColumns) +
                                           " FROM attempts WHERE task = ? "
                                           "ORDER BY ended_ms, epoch, attempt, kind"};
  // Unless that attempt has had its effect: then its result has only been repeated.
  SqliteStatement find_row{
      database,
      "SELECT row FROM tasks WHERE id = ?1 AND NOT (epoch = ?2 AND attempt = ?3) AND NOT EXISTS "
      "(SELECT 1 FROM attempts WHERE task = tasks.row AND epoch = ?2 AND attempt = ?3 AND kind = "
      "0)"};
  SqliteStatement insert_workflow{
      database,
      "INSERT INTO workflows(id, owner, name, on_failure, succeeded, submitted_ms, finished_ms, "
      "terminal_lsn) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO NOTHING"};
  SqliteStatement insert_member{database, "INSERT INTO workflow_tasks VALUES (?, ?, ?)"};
  SqliteStatement find_workflow{
      database,
      "SELECT row, owner, name, on_failure, succeeded, submitted_ms, finished_ms, terminal_lsn "
      "FROM workflows WHERE id = ?"};
  SqliteStatement find_members{
      database, "SELECT task FROM workflow_tasks WHERE workflow = ? ORDER BY position"};
  SqliteStatement read_progress{database, "SELECT watermark, last_arrival FROM progress"};
  SqliteStatement write_progress{database, "UPDATE progress SET watermark = ?, last_arrival = ?"};
  Lsn watermark;
  Arrival last_arrival;
  std::filesystem::path log;  // SQLite's write-ahead log
  int busy_timeout_ms = 0;
  std::uintmax_t longest_log_bytes = kLogBytes;
};

// --- Storing ------------------------------------------------------------------------------------

void SqliteHistory::Impl::insert(std::span<const FinishedTask> tasks) {
  // Tasks of a batch usually share the very object; its fingerprint is then worked out once.
  std::unordered_map<const TaskSpec*, std::pair<std::int64_t, std::int64_t>> known;
  for (const FinishedTask& task : tasks) {
    assert(task.spec != nullptr);
    const auto [entry, is_new] = known.try_emplace(task.spec.get());
    if (is_new) entry->second = {specs.row_of(*task.spec), names.row_of(task.spec->tool)};
    TaskReferences references;
    std::tie(references.spec, references.tool) = entry->second;
    references.owner = names.row_of(task.owner);
    if (!task.worker.empty()) references.worker = names.row_of(task.worker);
    if (!insert_task(insert_task_row, task, references) || task.pasts.empty()) continue;
    const std::int64_t row = database.last_row();
    for (const PastAttempt& past : task.pasts) insert(row, past);
  }
}

void SqliteHistory::Impl::insert(std::int64_t task_row, const PastAttempt& past) {
  insert_past.bind(0, task_row);
  bind_past(insert_past, past);
  insert_past.run();
}

void SqliteHistory::Impl::insert(const LateAttempt& late) {
  const auto id = late.task.bytes();
  std::int64_t row = 0;
  {
    const SqliteReset reset(find_row);
    find_row.bind(0, id).bind(1, static_cast<std::int64_t>(late.attempt.epoch.value()));
    find_row.bind(2, std::int64_t{late.attempt.attempt.value()});
    if (!find_row.step()) return;
    row = find_row.integer(0);
  }
  insert(row, late.attempt);
}

void SqliteHistory::Impl::insert(const FinishedWorkflow& workflow) {
  const auto id = workflow.id.bytes();
  insert_workflow.bind(0, id).bind(1, names.row_of(workflow.owner));
  insert_workflow.bind(2, std::string_view(workflow.name));
  insert_workflow.bind(3, static_cast<std::int64_t>(workflow.on_failure));
  insert_workflow.bind(4, std::int64_t{workflow.succeeded});
  insert_workflow.bind(5, workflow.submitted.unix_ms).bind(6, workflow.finished.unix_ms);
  insert_workflow.bind(7, static_cast<std::int64_t>(workflow.terminal_lsn.value()));
  if (!insert_workflow.run()) return;
  const std::int64_t row = database.last_row();
  std::int64_t position = 0;
  for (const TaskId& task : workflow.tasks) {
    const auto bytes = task.bytes();
    insert_member.bind(0, row).bind(1, position++).bind(2, bytes).run();
  }
}

// The log begins anew when nobody reads from it at the end of a transaction. A reader that is
// always at it leaves no such moment, and has to be waited for; one that takes its time is left
// alone until the log has grown as much again.
void SqliteHistory::Impl::keep_log_short() {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(log, error);
  if (error || bytes <= longest_log_bytes) return;
  bool busy = true;
  database.set_busy_timeout(kLogBusyTimeoutMs);
  try {
    busy = database.integer("PRAGMA wal_checkpoint(RESTART)") != 0;
  } catch (const std::runtime_error&) {
    // What was stored is safe in the log; a disk that fails shows at the next transaction.
  }
  database.set_busy_timeout(busy_timeout_ms);
  longest_log_bytes = busy ? bytes + kLogBytes : kLogBytes;
}

// --- Reading ------------------------------------------------------------------------------------

std::optional<FinishedTask> SqliteHistory::Impl::find(const TaskId& id) {
  const auto bytes = id.bytes();
  const SqliteReset reset(find_task);
  if (!find_task.bind(0, bytes).step()) return std::nullopt;
  FinishedTask task = read_task(find_task, names, specs);
  const SqliteReset reset_pasts(find_pasts);
  find_pasts.bind(0, find_task.integer(kRowColumn));
  while (find_pasts.step()) task.pasts.push_back(read_past(find_pasts));
  return task;
}

std::optional<FinishedWorkflow> SqliteHistory::Impl::find(const WorkflowId& id) {
  const auto bytes = id.bytes();
  FinishedWorkflow workflow;
  std::int64_t row = 0;
  {
    const SqliteReset reset(find_workflow);
    if (!find_workflow.bind(0, bytes).step()) return std::nullopt;
    row = find_workflow.integer(0);
    workflow.id = id;
    workflow.owner = names.name_of(find_workflow.integer(1));
    workflow.name = find_workflow.text(2);
    workflow.on_failure = static_cast<OnFailure>(find_workflow.integer(3));
    workflow.succeeded = static_cast<std::uint32_t>(find_workflow.integer(4));
    workflow.submitted = WallTime{find_workflow.integer(5)};
    workflow.finished = WallTime{find_workflow.integer(6)};
    workflow.terminal_lsn = Lsn(static_cast<std::uint64_t>(find_workflow.integer(7)));
  }
  const SqliteReset reset(find_members);
  find_members.bind(0, row);
  while (find_members.step()) {
    const auto task = find_members.bytes(0);
    if (task.size() != kUniqueIdBytes) {
      throw std::runtime_error("the history holds a malformed workflow (" + id.to_string() +
                               "); restore it from a backup");
    }
    workflow.tasks.push_back(TaskId::from_bytes(task.first<kUniqueIdBytes>()));
  }
  return workflow;
}

HistoryPage SqliteHistory::Impl::scan(std::int64_t owner, std::int64_t tool,
                                      const QueryFilter& filter,
                                      const std::optional<Cursor>& cursor, std::uint32_t limit) {
  // A workflow or given ids narrow most; the plus keeps SQLite from choosing another index there.
  const bool narrow = filter.workflow || !filter.tasks.empty();
  const std::string plus = narrow ? "+" : "";
  // Everybody's is told in the order of its end: no index is kept for the few who may ask.
  const bool everybody = owner == 0;
  std::string condition = everybody ? "1" : plus + "owner = ?1";
  if (filter.state) condition += " AND " + plus + "state = ?2";
  // Said again in the words of the index tasks_not_success, which lists what is rare.
  if (filter.state && *filter.state != TaskState::success) condition += " AND state <> 2";
  // Repeated ones are dead no more: whoever repeats them is, if at all.
  if (filter.dead) {
    condition +=
        " AND state IN (3, 4, 5) AND state <> 2 AND NOT EXISTS (SELECT 1 FROM tasks AS "
        "again WHERE again.original = tasks.id)";
  }
  if (tool != 0) condition += " AND " + plus + "tool = ?3";
  if (filter.workflow) condition += " AND workflow = ?4";
  if (!filter.tasks.empty()) condition += " AND id IN (" + blob_literals(filter.tasks) + ")";
  if (cursor) condition += everybody ? " AND row < ?6" : " AND (arrival, row) < (?5, ?6)";
  const std::string order = everybody ? "row DESC" : "arrival DESC, row DESC";
  SqliteStatement rows(database, select_tasks_sql(condition + " ORDER BY " + order + " LIMIT ?7"));
  const auto workflow = filter.workflow.value_or(WorkflowId{}).bytes();
  if (!everybody) rows.bind(0, owner);
  if (filter.state) rows.bind(1, static_cast<std::int64_t>(*filter.state));
  if (tool != 0) rows.bind(2, tool);
  if (filter.workflow) rows.bind(3, workflow);
  if (cursor && !everybody) rows.bind(4, cursor->arrival);
  if (cursor) rows.bind(5, cursor->row);
  rows.bind(6, std::int64_t{limit} + 1);  // one more tells whether there is another page

  HistoryPage page;
  Cursor last;
  std::size_t bytes = 0;
  while (rows.step()) {
    if (page.tasks.size() >= limit || bytes >= limits::kMaxHistoryPageBytes) {
      page.next = last.to_string();
      break;
    }
    page.tasks.push_back(read_task(rows, names, specs));
    const FinishedTask& task = page.tasks.back();
    last = {static_cast<std::int64_t>(task.arrival.value()), rows.integer(kRowColumn)};
    bytes += payload_bytes(task);
  }
  return page;
}

// --- The contract -------------------------------------------------------------------------------

SqliteHistory::SqliteHistory(const std::filesystem::path& path, const SqliteHistoryOptions& options)
    : impl_(std::make_unique<Impl>(path, options)) {}

SqliteHistory::~SqliteHistory() = default;

Lsn SqliteHistory::watermark() const { return impl_->watermark; }
Arrival SqliteHistory::last_arrival() const { return impl_->last_arrival; }

void SqliteHistory::store(std::span<const FinishedTask> tasks,
                          std::span<const FinishedWorkflow> workflows, Lsn watermark) {
  assert(watermark >= impl_->watermark);
  Arrival last_arrival = impl_->last_arrival;
  for (const FinishedTask& task : tasks) last_arrival = std::max(last_arrival, task.arrival);
  try {
    SqliteTransaction transaction(impl_->database);
    impl_->insert(tasks);
    for (const FinishedWorkflow& workflow : workflows) impl_->insert(workflow);
    impl_->write_progress.bind(0, static_cast<std::int64_t>(watermark.value()));
    impl_->write_progress.bind(1, static_cast<std::int64_t>(last_arrival.value())).run();
    transaction.commit();
  } catch (...) {
    impl_->names.forget();
    impl_->specs.forget();
    throw;
  }
  impl_->watermark = watermark;
  impl_->last_arrival = last_arrival;
  impl_->keep_log_short();
}

void SqliteHistory::add_late(std::span<const LateAttempt> attempts) {
  SqliteTransaction transaction(impl_->database);
  for (const LateAttempt& late : attempts) impl_->insert(late);
  transaction.commit();
}

std::vector<FinishedTask> SqliteHistory::find_tasks(std::span<const TaskId> ids) {
  std::vector<FinishedTask> tasks;
  SqliteTransaction view(impl_->database, SqliteTransaction::Kind::read);
  for (const TaskId& id : ids) {
    if (auto task = impl_->find(id)) tasks.push_back(std::move(*task));
  }
  view.commit();
  return tasks;
}

std::vector<FinishedWorkflow> SqliteHistory::find_workflows(std::span<const WorkflowId> ids) {
  std::vector<FinishedWorkflow> workflows;
  for (const WorkflowId& id : ids) {
    if (auto workflow = impl_->find(id)) workflows.push_back(std::move(*workflow));
  }
  return workflows;
}

HistoryPage SqliteHistory::list(const std::string& owner, const QueryFilter& filter,
                                const std::string& cursor, std::uint32_t limit) {
  const std::int64_t owner_row = owner.empty() ? 0 : impl_->names.find(owner);
  const std::int64_t tool_row = filter.tool.empty() ? 0 : impl_->names.find(filter.tool);
  const bool tool_unknown = !filter.tool.empty() && tool_row == 0;
  const bool owner_unknown = !owner.empty() && owner_row == 0;
  if (owner_unknown || tool_unknown || limit == 0) return {};
  return impl_->scan(owner_row, tool_row, filter, Cursor::parse(cursor), limit);
}

}  // namespace taskpipe::broker
