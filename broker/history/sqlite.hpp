// SQLite as values and resources: a connection, prepared statements, transactions.
//
// The only code that knows <sqlite3.h>. Every failure throws std::runtime_error with the file's
// path and SQLite's own words, a full disk HistoryFull. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace taskpipe::broker {

enum class SqliteAccess {
  own,          // read and write; the file is made when there is none
  read_beside,  // while another connection writes: what was committed when a transaction begins
  read_alone,   // nobody writes meanwhile, the caller says; works where nothing can be written, and
                // leaves no file of SQLite's own behind
};

class SqliteDatabase {
 public:
  // `busy_timeout_ms`: how long to wait while another program holds a lock.
  SqliteDatabase(const std::filesystem::path& path, int busy_timeout_ms,
                 SqliteAccess access = SqliteAccess::own);
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;
  ~SqliteDatabase();

  void set_busy_timeout(int milliseconds);

  // One or several statements whose rows, if any, do not matter.
  void execute(const char* sql);
  // The first column of the only row.
  [[nodiscard]] std::int64_t integer(const char* sql);
  [[nodiscard]] std::string text(const char* sql);

  [[nodiscard]] std::int64_t last_row() const;

  // Writes all of it to `path`, durably: as it is, or as the transaction that is open sees it.
  void copy_to(const std::filesystem::path& path);
  [[nodiscard]] sqlite3* native() const { return native_; }
  // Throws what went wrong last; `doing` says at what ("storing tasks").
  [[noreturn]] void fail(std::string_view doing) const;

 private:
  std::string path_;
  sqlite3* native_ = nullptr;
};

// Prepared once, used many times. Parameters and columns count from 0. Bound bytes are not copied:
// they must live until the statement has run.
class SqliteStatement {
 public:
  SqliteStatement(SqliteDatabase& database, std::string_view sql);
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;
  ~SqliteStatement();

  SqliteStatement& bind(int parameter, std::int64_t value);
  SqliteStatement& bind(int parameter, std::string_view text);
  SqliteStatement& bind(int parameter, std::span<const std::byte> bytes);
  SqliteStatement& bind_null(int parameter);

  // True while there is a row to read. After the last one (and after an error) the statement may be
  // bound and run again.
  [[nodiscard]] bool step();
  // Runs a statement that returns no rows; true when it changed one.
  bool run();
  // Gives up the rows that are left.
  void reset() noexcept;

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  // Valid until the next step.
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::span<const std::byte> bytes(int column) const;

 private:
  void check(int result) const;

  SqliteDatabase& database_;
  sqlite3_stmt* native_ = nullptr;
};

// Gives up the rows that are left when a reader stops early, also by an exception.
class SqliteReset {
 public:
  explicit SqliteReset(SqliteStatement& statement) : statement_(statement) {}
  SqliteReset(const SqliteReset&) = delete;
  SqliteReset& operator=(const SqliteReset&) = delete;
  ~SqliteReset() { statement_.reset(); }

 private:
  SqliteStatement& statement_;
};

// Rolled back unless committed.
class SqliteTransaction {
 public:
  // `write` takes the write lock at once. `read`: one view for several statements, which do not
  // take the locks anew each.
  enum class Kind : bool { read, write };
  explicit SqliteTransaction(SqliteDatabase& database, Kind kind = Kind::write);
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  ~SqliteTransaction();
  void commit();

 private:
  SqliteDatabase& database_;
  bool open_ = true;
};

}  // namespace taskpipe::broker
