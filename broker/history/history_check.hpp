// Whether a history that nobody writes is sound, and the copy of one that a broker writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "broker/history/sqlite.hpp"
#include "common/model/ids.hpp"

namespace taskpipe::broker {

struct HistoryCheck {
  std::vector<std::string> damage;  // SQLite's words; empty = sound
  std::int64_t schema = 0;
  Lsn watermark;
  std::uint64_t tasks = 0;
  std::uint64_t workflows = 0;
};

// Reads all of it and changes nothing; the caller keeps brokers out. Throws NewerHistory for a
// file of a newer version, std::runtime_error for one that cannot be read as a history at all.
[[nodiscard]] HistoryCheck check_history(const std::filesystem::path& path);

// The history as it is at one moment, while a broker goes on writing it.
//
// As long as the object lives the write-ahead log keeps what the broker adds: it grows.
class HistorySnapshot {
 public:
  explicit HistorySnapshot(const std::filesystem::path& path, SqliteAccess access);

  // Of that moment.
  [[nodiscard]] Lsn watermark() const { return watermark_; }
  void copy_to(const std::filesystem::path& path) { database_.copy_to(path); }

 private:
  SqliteDatabase database_;
  Lsn watermark_;
};

}  // namespace taskpipe::broker
