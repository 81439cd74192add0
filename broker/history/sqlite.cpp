#include "broker/history/sqlite.hpp"

#include <sqlite3.h>

#include <stdexcept>

namespace taskpipe::broker {

// --- Database -----------------------------------------------------------------------------------

SqliteDatabase::SqliteDatabase(const std::filesystem::path& path, int busy_timeout_ms)
    : path_(path.string()) {
  constexpr int kFlags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (::sqlite3_open_v2(path_.c_str(), &native_, kFlags, nullptr) != SQLITE_OK) {
    const std::string why = native_ == nullptr ? "out of memory" : ::sqlite3_errmsg(native_);
    ::sqlite3_close(native_);
    throw std::runtime_error("history '" + path_ + "': " + why +
                             "; its folder must exist and be writable");
  }
  ::sqlite3_busy_timeout(native_, busy_timeout_ms);
}

SqliteDatabase::~SqliteDatabase() { ::sqlite3_close(native_); }

void SqliteDatabase::execute(const char* sql) {
  if (::sqlite3_exec(native_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

std::int64_t SqliteDatabase::integer(const char* sql) {
  SqliteStatement statement(*this, sql);
  if (!statement.step()) throw std::runtime_error("history '" + path_ + "': no row from " + sql);
  return statement.integer(0);
}

std::string SqliteDatabase::text(const char* sql) {
  SqliteStatement statement(*this, sql);
  if (!statement.step()) throw std::runtime_error("history '" + path_ + "': no row from " + sql);
  return std::string(statement.text(0));
}

std::int64_t SqliteDatabase::last_row() const { return ::sqlite3_last_insert_rowid(native_); }

void SqliteDatabase::fail(std::string_view doing) const {
  const int code = ::sqlite3_errcode(native_) & 0xFF;
  std::string text = "history '" + path_ + "': " + ::sqlite3_errmsg(native_);
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
    text += "; restore it from a backup, or move it away to begin a new history";
  } else if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    text += "; another program holds a lock on it: close whatever writes to it";
  } else if (code == SQLITE_FULL || code == SQLITE_IOERR) {
    text += "; free some space or check the disk";
  }
  throw std::runtime_error(text + " (while " + std::string(doing.substr(0, 80)) + ")");
}

// --- Statement ----------------------------------------------------------------------------------

SqliteStatement::SqliteStatement(SqliteDatabase& database, std::string_view sql)
    : database_(database) {
  const int result =
      ::sqlite3_prepare_v3(database.native(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &native_, nullptr);
  if (result != SQLITE_OK) database.fail("preparing a statement");
}

SqliteStatement::~SqliteStatement() { ::sqlite3_finalize(native_); }

void SqliteStatement::check(int result) const {
  if (result != SQLITE_OK) database_.fail("binding a parameter");
}

SqliteStatement& SqliteStatement::bind(int parameter, std::int64_t value) {
  check(::sqlite3_bind_int64(native_, parameter + 1, value));
  return *this;
}

SqliteStatement& SqliteStatement::bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.empty() ? "" : text.data();
  check(
      ::sqlite3_bind_text64(native_, parameter + 1, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

SqliteStatement& SqliteStatement::bind(int parameter, std::span<const std::byte> bytes) {
  const void* data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  check(::sqlite3_bind_blob64(native_, parameter + 1, data, bytes.size(), SQLITE_STATIC));
  return *this;
}

SqliteStatement& SqliteStatement::bind_null(int parameter) {
  check(::sqlite3_bind_null(native_, parameter + 1));
  return *this;
}

bool SqliteStatement::step() {
  const int result = ::sqlite3_step(native_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) {
    ::sqlite3_reset(native_);
    return false;
  }
  const std::string doing = ::sqlite3_sql(native_);
  ::sqlite3_reset(native_);
  database_.fail(doing);
}

bool SqliteStatement::run() {
  [[maybe_unused]] const bool has_row = step();
  return ::sqlite3_changes(database_.native()) > 0;
}

void SqliteStatement::reset() noexcept { ::sqlite3_reset(native_); }

bool SqliteStatement::is_null(int column) const {
  return ::sqlite3_column_type(native_, column) == SQLITE_NULL;
}

std::int64_t SqliteStatement::integer(int column) const {
  return ::sqlite3_column_int64(native_, column);
}

std::string_view SqliteStatement::text(int column) const {
  const auto* data = ::sqlite3_column_text(native_, column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data),
          static_cast<std::size_t>(::sqlite3_column_bytes(native_, column))};
}

std::span<const std::byte> SqliteStatement::bytes(int column) const {
  const auto* data = static_cast<const std::byte*>(::sqlite3_column_blob(native_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(::sqlite3_column_bytes(native_, column))};
}

// --- Transaction --------------------------------------------------------------------------------

SqliteTransaction::SqliteTransaction(SqliteDatabase& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() {
  if (open_) ::sqlite3_exec(database_.native(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteTransaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace taskpipe::broker
