// What many rows share is stored once: names, and whole specifications.
//
// Both are filled inside the transaction that stores the rows which refer to them, and keep what
// they know in bounded caches. `forget` must follow a transaction that was rolled back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "broker/history/sqlite.hpp"
#include "common/model/task.hpp"

namespace taskpipe::broker {

inline constexpr std::size_t kMaxInternedNames = 65'536;  // in each cache
inline constexpr std::size_t kMaxInternedSpecs = 4096;
inline constexpr std::size_t kMaxInternedScriptBytes = 64U << 20U;  // of inline scripts, when read

class InternedNames {
 public:
  explicit InternedNames(SqliteDatabase& database);

  // The row of `name`, made when it is new. Within a transaction.
  [[nodiscard]] std::int64_t row_of(const std::string& name);
  // Nothing (0) when no row has this name.
  [[nodiscard]] std::int64_t find(const std::string& name);
  [[nodiscard]] std::string name_of(std::int64_t row);
  void forget() { rows_.clear(); }

 private:
  SqliteDatabase& database_;
  SqliteStatement find_;
  SqliteStatement insert_;
  SqliteStatement read_;
  std::unordered_map<std::string, std::int64_t> rows_;
  std::unordered_map<std::int64_t, std::string> names_;
};

class InternedSpecs {
 public:
  explicit InternedSpecs(SqliteDatabase& database);

  [[nodiscard]] std::int64_t row_of(const TaskSpec& spec);
  // Rows that name the same specification get the same object while it is cached.
  [[nodiscard]] TaskSpecPtr spec_of(std::int64_t row);
  void forget() { rows_.clear(); }

 private:
  void insert(const TaskSpec& spec, std::string_view fingerprint);
  [[nodiscard]] TaskSpecPtr read(std::int64_t row);

  SqliteDatabase& database_;
  SqliteStatement find_;
  SqliteStatement insert_;
  SqliteStatement insert_resource_;
  SqliteStatement insert_label_;
  SqliteStatement insert_input_;
  SqliteStatement read_;
  SqliteStatement read_resources_;
  SqliteStatement read_labels_;
  SqliteStatement read_inputs_;
  std::unordered_map<std::string, std::int64_t> rows_;  // by fingerprint
  std::unordered_map<std::int64_t, TaskSpecPtr> specs_;
  std::size_t cached_script_bytes_ = 0;
};

}  // namespace taskpipe::broker
