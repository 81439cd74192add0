#include "broker/history/history_check.hpp"

#include "broker/history/schema.hpp"

namespace taskpipe::broker {
namespace {

constexpr int kBusyTimeoutMs = 10'000;  // a broker holds its locks for milliseconds

Lsn watermark_of(SqliteDatabase& database) {
  return Lsn(static_cast<std::uint64_t>(database.integer("SELECT watermark FROM progress")));
}

std::uint64_t count(SqliteDatabase& database, const char* sql) {
  return static_cast<std::uint64_t>(database.integer(sql));
}

}  // namespace

HistoryCheck check_history(const std::filesystem::path& path) {
  SqliteDatabase database(path, kBusyTimeoutMs, SqliteAccess::read_alone);
  check_history_format(database, path.string());
  HistoryCheck check;
  check.schema = database.integer("PRAGMA user_version");
  {
    SqliteStatement findings(database, "PRAGMA integrity_check");
    while (findings.step()) {
      if (findings.text(0) != "ok") check.damage.emplace_back(findings.text(0));
    }
  }
  if (!check.damage.empty()) return check;
  check.watermark = watermark_of(database);
  check.tasks = count(database, "SELECT count(*) FROM tasks");
  check.workflows = count(database, "SELECT count(*) FROM workflows");
  return check;
}

HistorySnapshot::HistorySnapshot(const std::filesystem::path& path, SqliteAccess access)
    : database_(path, kBusyTimeoutMs, access) {
  database_.execute("BEGIN");
  check_history_format(database_, path.string());  // its first read fixes the moment
  watermark_ = watermark_of(database_);
}

}  // namespace taskpipe::broker
