// The history's tables: a format that people read with any SQLite tool (3.8.3 or newer).
//
//   sqlite3 history.sqlite "SELECT * FROM tasks_readable WHERE state = 'FAILURE' LIMIT 10"
//
// Tables are made for speed and exactness: ids are blobs of 16 bytes, owners, tools and workers are
// numbers into `names`, a specification that many tasks share is one row of `specs`. The views
// `tasks_readable` and `workflows_readable` show the same with hex ids, names and ISO times.
// Unsigned 64-bit numbers are stored as SQLite's signed ones, bit by bit.
//
// The header's application_id says that a file is a history, user_version which version of the
// schema it follows. A newer one is refused; an older one is brought up to date in one transaction.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "broker/history/sqlite.hpp"

namespace taskpipe::broker {

inline constexpr std::int64_t kHistoryApplicationId = 0x54504849;  // "TPHI"
inline constexpr std::int64_t kHistorySchemaVersion = 3;

// A newer release wrote the file: nothing is wrong with it.
class NewerHistory : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws std::runtime_error for a file that is something else, NewerHistory for one of a newer
// version. Changes nothing.
void check_history_format(SqliteDatabase& database, const std::string& path);

// Sets the connection up, creates the tables in a new file. Throws std::runtime_error for a file
// that is something else, is damaged, or was written by a newer version.
void prepare_history(SqliteDatabase& database, const std::string& path);

// Sets up a connection that only reads. Throws std::runtime_error for a file that is no history or
// of an earlier version, which it does not bring forward, NewerHistory for one of a newer version.
void prepare_reading(SqliteDatabase& database, const std::string& path);

}  // namespace taskpipe::broker
