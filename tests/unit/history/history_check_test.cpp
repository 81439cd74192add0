#include "broker/history/history_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "broker/history/schema.hpp"
#include "broker/history/sqlite_history.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

class HistoryCheckTest : public ::testing::Test {
 protected:
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  taskpipe::testing::TemporaryFolder folder;
  // A name that an URI must not take for parameters.
  std::filesystem::path path = folder / "history?x=1#%20.db";
};

TEST_F(HistoryCheckTest, ReadsWhatAnOrderlyEndLeavesAndAddsNoFile) {
  SqliteHistory(path).store({}, {}, Lsn(7));
  const auto before = files();
  const HistoryCheck check = check_history(path);
  EXPECT_TRUE(check.damage.empty());
  EXPECT_EQ(check.watermark, Lsn(7));
  EXPECT_EQ(check.schema, kHistorySchemaVersion);
  EXPECT_EQ(files(), before);
}

TEST_F(HistoryCheckTest, ReadsTheLogThatAKilledBrokerLeavesAndAddsNoFile) {
  const auto copy = folder / "killed.db";
  {
    SqliteHistory history(path);
    history.store({}, {}, Lsn(8));
    std::filesystem::copy_file(path, copy);
    std::filesystem::copy_file(path.string() + "-wal", copy.string() + "-wal");
  }
  const auto before = files();
  EXPECT_EQ(check_history(copy).watermark, Lsn(8));
  EXPECT_EQ(SqliteHistory(copy, {.access = SqliteAccess::read_alone}).watermark(), Lsn(8));
  EXPECT_EQ(files(), before);
}

TEST_F(HistoryCheckTest, NamesDamage) {
  {
    SqliteHistory history(path);
    history.store({}, {}, Lsn(1));
  }
  // The last page: the root of some index or table.
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary | std::ios::ate);
  file.seekp(-4096, std::ios::end);
  file << std::string(4096, '\xff');
  file.close();
  EXPECT_THAT([this] { static_cast<void>(check_history(path)); },
              ::testing::ThrowsMessage<std::runtime_error>(::testing::HasSubstr("restore it")));
}

TEST_F(HistoryCheckTest, ANewerOneIsNotDamaged) {
  { SqliteHistory history(path); }
  SqliteDatabase(path, 0).execute("PRAGMA user_version = 4");
  EXPECT_THROW(static_cast<void>(check_history(path)), NewerHistory);
  EXPECT_THROW(SqliteHistory(path, {.access = SqliteAccess::read_alone}), NewerHistory);
}

TEST_F(HistoryCheckTest, WhatIsMissingIsNotMade) {
  EXPECT_THROW(static_cast<void>(check_history(path)), std::runtime_error);
  EXPECT_THROW(SqliteHistory(path, {.access = SqliteAccess::read_alone}), std::runtime_error);
  EXPECT_TRUE(files().empty());
}

TEST_F(HistoryCheckTest, ASnapshotIsOfItsMoment) {
  SqliteHistory history(path);
  history.store({}, {}, Lsn(3));
  HistorySnapshot snapshot(path, SqliteAccess::read_beside);
  history.store({}, {}, Lsn(9));
  EXPECT_EQ(snapshot.watermark(), Lsn(3));
  snapshot.copy_to(folder / "copy.db");
  EXPECT_EQ(check_history(folder / "copy.db").watermark, Lsn(3));
  EXPECT_EQ(history.watermark(), Lsn(9));
}

}  // namespace
}  // namespace taskpipe::broker
