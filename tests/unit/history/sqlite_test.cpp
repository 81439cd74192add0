#include "broker/history/sqlite.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/history/history.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class SqliteTest : public ::testing::Test {
 protected:
  taskpipe::testing::TemporaryFolder folder;
  SqliteDatabase database{folder / "x.db", 0};
};

TEST_F(SqliteTest, AFullFileIsToldApartAndCanBeUsedAgain) {
  database.execute("CREATE TABLE t(a); PRAGMA max_page_count = 8");
  const std::string bytes(32 * 1024, 'x');
  SqliteStatement insert(database, "INSERT INTO t VALUES (?)");
  EXPECT_THROW(
      {
        SqliteTransaction transaction(database);
        insert.bind(0, std::string_view(bytes)).run();
      },
      HistoryFull);
  database.execute("PRAGMA max_page_count = 1000");
  SqliteTransaction transaction(database);
  insert.bind(0, std::string_view(bytes)).run();
  transaction.commit();
  EXPECT_EQ(database.integer("SELECT count(*) FROM t"), 1);
}

TEST_F(SqliteTest, BindsAndReadsEveryKind) {
  database.execute("CREATE TABLE t(a, b, c, d)");
  SqliteStatement insert(database, "INSERT INTO t VALUES (?, ?, ?, ?)");
  const std::array bytes = {std::byte{0}, std::byte{255}};
  insert.bind(0, INT64_MIN).bind(1, std::string_view("a\0b", 3)).bind(2, bytes).bind_null(3);
  EXPECT_TRUE(insert.run());
  SqliteStatement select(database, "SELECT * FROM t");
  ASSERT_TRUE(select.step());
  EXPECT_EQ(select.integer(0), INT64_MIN);
  EXPECT_EQ(select.text(1), std::string_view("a\0b", 3));
  ASSERT_EQ(select.bytes(2).size(), 2U);
  EXPECT_EQ(select.bytes(2)[1], std::byte{255});
  EXPECT_TRUE(select.is_null(3));
  EXPECT_FALSE(select.step());
}

TEST_F(SqliteTest, EmptyIsNotNull) {
  database.execute("CREATE TABLE t(a NOT NULL, b NOT NULL)");
  SqliteStatement insert(database, "INSERT INTO t VALUES (?, ?)");
  EXPECT_TRUE(insert.bind(0, std::string_view()).bind(1, std::span<const std::byte>()).run());
}

TEST_F(SqliteTest, RunTellsWhetherARowChanged) {
  database.execute("CREATE TABLE t(a UNIQUE)");
  SqliteStatement insert(database, "INSERT INTO t VALUES (?) ON CONFLICT DO NOTHING");
  EXPECT_TRUE(insert.bind(0, std::int64_t{1}).run());
  EXPECT_FALSE(insert.bind(0, std::int64_t{1}).run());
  EXPECT_TRUE(insert.bind(0, std::int64_t{2}).run());
}

TEST_F(SqliteTest, AStatementWorksAgainAfterAnError) {
  database.execute("CREATE TABLE t(a UNIQUE)");
  SqliteStatement insert(database, "INSERT INTO t VALUES (?)");
  insert.bind(0, std::int64_t{1}).run();
  EXPECT_THAT([&] { insert.bind(0, std::int64_t{1}).run(); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr("x.db"), HasSubstr("UNIQUE constraint failed"))));
  EXPECT_TRUE(insert.bind(0, std::int64_t{2}).run());
}

TEST_F(SqliteTest, ATransactionIsUndoneUnlessCommitted) {
  database.execute("CREATE TABLE t(a)");
  {
    SqliteTransaction transaction(database);
    database.execute("INSERT INTO t VALUES (1)");
  }
  EXPECT_EQ(database.integer("SELECT count(*) FROM t"), 0);
  {
    SqliteTransaction transaction(database);
    database.execute("INSERT INTO t VALUES (1)");
    transaction.commit();
  }
  EXPECT_EQ(database.integer("SELECT count(*) FROM t"), 1);
}

TEST_F(SqliteTest, ErrorsSayWhatAndWhere) {
  EXPECT_THAT([&] { database.execute("NONSENSE"); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr("x.db"), HasSubstr("syntax error"), HasSubstr("NONSENSE"))));
  EXPECT_THROW(SqliteStatement(database, "SELECT * FROM missing"), std::runtime_error);
  EXPECT_THROW((void)database.integer("SELECT 1 WHERE 0"), std::runtime_error);
  EXPECT_THAT([&] { SqliteDatabase other(folder / "no/such/x.db", 0); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr("no/such/x.db"), HasSubstr("must exist and be writable"))));
}

TEST_F(SqliteTest, ALockHeldElsewhereIsToldAsSuch) {
  database.execute("CREATE TABLE t(a)");
  SqliteTransaction held(database);
  SqliteDatabase other(folder / "x.db", 0);
  EXPECT_THAT([&] { SqliteTransaction transaction(other); },
              ThrowsMessage<std::runtime_error>(HasSubstr("another program holds a lock")));
}

}  // namespace
}  // namespace taskpipe::broker
