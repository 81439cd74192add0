#include "broker/history/sqlite.hpp"

#include <sqlite3.h>

#include <array>
#include <stdexcept>
#include <system_error>

#include "broker/history/history.hpp"

namespace taskpipe::broker {

namespace {

std::string uri_of(const std::string& path, std::string_view parameters) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.";
  constexpr std::array<char, 17> kHex{"0123456789ABCDEF"};
  // An empty authority: else a path that begins with two slashes would be read as one.
  std::string uri = path.starts_with('/') ? "file://" : "file:";
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      uri += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return uri.append("?").append(parameters);
}

// Without shared memory and locks, which are files as well. A write-ahead log that holds something
// has to be read, and its index is then kept in our own memory; where there is none, SQLite would
// make an empty one.
std::string reader_uri(const std::string& path) {
  std::error_code error;
  const auto logged = std::filesystem::file_size(path + "-wal", error);
  return uri_of(path, error || logged == 0 ? "mode=ro&immutable=1" : "mode=ro&vfs=unix-none");
}

}  // namespace

// --- Database -----------------------------------------------------------------------------------

SqliteDatabase::SqliteDatabase(const std::filesystem::path& path, int busy_timeout_ms,
                               SqliteAccess access)
    : path_(path.string()) {
  constexpr int kOwn = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  constexpr int kRead = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  const int flags =
      (access == SqliteAccess::own ? kOwn : kRead) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const std::string name = access == SqliteAccess::own           ? path_
                           : access == SqliteAccess::read_beside ? uri_of(path_, "mode=ro")
                                                                 : reader_uri(path_);
  if (::sqlite3_open_v2(name.c_str(), &native_, flags, nullptr) != SQLITE_OK) {
    const std::string why = native_ == nullptr ? "out of memory" : ::sqlite3_errmsg(native_);
    ::sqlite3_close(native_);
    throw std::runtime_error("history '" + path_ + "': " + why +
                             "; its folder must exist and be writable");
  }
  set_busy_timeout(busy_timeout_ms);
  if (access != SqliteAccess::read_alone) return;
  try {
    execute("PRAGMA locking_mode = EXCLUSIVE");
  } catch (...) {
    ::sqlite3_close(native_);
    throw;
  }
}

SqliteDatabase::~SqliteDatabase() { ::sqlite3_close(native_); }

void SqliteDatabase::set_busy_timeout(int milliseconds) {
  ::sqlite3_busy_timeout(native_, milliseconds);
}

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

void SqliteDatabase::copy_to(const std::filesystem::path& path) {
  SqliteDatabase target(path, 0);
  ::sqlite3_backup* backup = ::sqlite3_backup_init(target.native_, "main", native_, "main");
  if (backup == nullptr) target.fail("beginning a copy");
  const int stepped = ::sqlite3_backup_step(backup, -1);
  // Names what went wrong on the target's side, which is where a copy fails.
  if (::sqlite3_backup_finish(backup) != SQLITE_OK || stepped != SQLITE_DONE) {
    target.fail("copying '" + path_ + "'");
  }
}

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
  text += " (while " + std::string(doing.substr(0, 80)) + ")";
  if (code == SQLITE_FULL) throw HistoryFull(text);
  throw std::runtime_error(text);
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

SqliteTransaction::SqliteTransaction(SqliteDatabase& database, Kind kind) : database_(database) {
  database_.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED");
}

SqliteTransaction::~SqliteTransaction() {
  if (open_) ::sqlite3_exec(database_.native(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteTransaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace taskpipe::broker
