// What is SQLite's own; what every history must do is in tests/contract/history.
#include "broker/history/sqlite_history.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/history/sqlite.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::size_t kLargeBytes = 1U << 20U;
constexpr std::uintmax_t kMuchBytes = 256U << 20U;

std::vector<FinishedTask> batch_of(std::uint64_t number, std::size_t rows) {
  const auto spec = std::make_shared<const TaskSpec>();
  std::vector<FinishedTask> tasks(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    tasks[i].id = TaskId(number, i);
    tasks[i].owner = "ada";
    tasks[i].worker = "worker" + std::to_string(number);
    tasks[i].spec = spec;
    tasks[i].params = Payload(std::string(300, 'p'));
    tasks[i].arrival = Arrival(number * rows + i);
  }
  return tasks;
}

class SqliteHistoryTest : public ::testing::Test {
 protected:
  taskpipe::testing::TemporaryFolder folder;
  std::filesystem::path path = folder / "history.db";
};

TEST_F(SqliteHistoryTest, IsForOneBrokerAtATime) {
  std::optional<SqliteHistory> first(path);
  EXPECT_THAT([&] { SqliteHistory second(path); },
              ThrowsMessage<std::runtime_error>(HasSubstr("another broker")));
  first->store(batch_of(1, 10), {}, Lsn(1));
  first.reset();
  SqliteHistory third(path);
  EXPECT_EQ(third.watermark(), Lsn(1));
}

// A path that begins with two slashes names the same file, and no host as in a URI.
TEST_F(SqliteHistoryTest, IsReadUnderAnyNameOfItsFile) {
  SqliteHistory history("/" + path.string());
  history.store(batch_of(1, 10), {}, Lsn(1));
  SqliteHistory beside("/" + path.string(), {.access = SqliteAccess::read_beside});
  EXPECT_EQ(beside.watermark(), Lsn(1));
}

TEST_F(SqliteHistoryTest, ReadersWithAnyToolDoNotStopIt) {
  SqliteHistory history(path, {.busy_timeout_ms = 0});
  history.store(batch_of(1, 10), {}, Lsn(1));
  SqliteDatabase tool(path, 0);
  SqliteStatement reading(tool, "SELECT id FROM tasks");
  ASSERT_TRUE(reading.step());
  history.store(batch_of(2, 10), {}, Lsn(2));
  EXPECT_EQ(tool.integer("SELECT count(*) FROM tasks"), 10) << "a reader sees one moment";
  reading.reset();
  EXPECT_EQ(tool.integer("SELECT count(*) FROM tasks_readable"), 20);
}

// They leave no moment in which nobody reads, and that is when SQLite would begin its log anew.
TEST_F(SqliteHistoryTest, TheLogStaysShortBesideReadersThatNeverRest) {
  SqliteHistory history(path);
  history.store(batch_of(0, 2000), {}, Lsn(0));
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> pages = 0;
  std::vector<std::thread> reading(3);
  for (std::thread& thread : reading) {
    thread = std::thread([&] {
      SqliteHistory reader(path, {.access = SqliteAccess::read_beside});
      while (!done) pages += reader.list("ada", {}, "", 1000).tasks.empty() ? 0 : 1;
    });
  }
  const std::filesystem::path log = path.string() + "-wal";
  std::uintmax_t written = 0;
  std::uintmax_t longest = 0;
  for (std::uint64_t i = 1; written < kMuchBytes; ++i) {
    auto batch = batch_of(i, 8);
    for (auto& task : batch) task.params = Payload(std::string(kLargeBytes, 'p'));
    written += batch.size() * kLargeBytes;
    history.store(batch, {}, Lsn(i));
    longest = std::max(longest, std::filesystem::file_size(log));
  }
  done = true;
  for (std::thread& thread : reading) thread.join();
  EXPECT_GT(pages, 0U);
  EXPECT_LT(longest, kMuchBytes / 4 * 3) << "it grows with all that is written";
}

TEST_F(SqliteHistoryTest, AWriterElsewhereIsWaitedForAndThenNamed) {
  SqliteHistory history(path, {.busy_timeout_ms = 10});
  SqliteDatabase tool(path, 0);
  {
    SqliteTransaction held(tool);
    EXPECT_THAT([&] { history.store(batch_of(1, 10), {}, Lsn(1)); },
                ThrowsMessage<std::runtime_error>(HasSubstr("another program holds a lock")));
  }
  EXPECT_EQ(history.watermark(), Lsn(0));
  history.store(batch_of(1, 10), {}, Lsn(1));
  EXPECT_EQ(history.watermark(), Lsn(1));
}

// A limit on the file size stands in for a full disk: writes fail in the middle of a transaction.
TEST_F(SqliteHistoryTest, AFullDiskLosesNothingThatWasStored) {
  SqliteHistory history(path);
  history.store(batch_of(1, 10), {}, Lsn(1));
  ::rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  ::rlimit low = old;
  low.rlim_cur = std::filesystem::file_size(path.string() + "-wal") + 100'000;
  auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  EXPECT_THROW(history.store(batch_of(2, 20'000), {}, Lsn(2)), std::runtime_error);
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(history.watermark(), Lsn(1));
  EXPECT_EQ(history.find_tasks(std::vector{TaskId(2, 0)}).size(), 0U);
  // Names and specifications of the failed batch are written again.
  history.store(batch_of(2, 20'000), {}, Lsn(2));
  const auto found = history.find_tasks(std::vector{TaskId(1, 5), TaskId(2, 19'999)});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].worker, "worker2");
}

TEST_F(SqliteHistoryTest, EqualSpecificationsAreStoredOnce) {
  SqliteHistory history(path);
  history.store(batch_of(1, 100), {}, Lsn(1));
  history.store(batch_of(2, 100), {}, Lsn(2));
  EXPECT_EQ(SqliteDatabase(path, 0).integer("SELECT count(*) FROM specs"), 1);
  const auto found = history.find_tasks(std::vector{TaskId(1, 1), TaskId(2, 2)});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].spec, found[1].spec) << "and read once";
}

TEST_F(SqliteHistoryTest, AMalformedRowIsDamage) {
  SqliteHistory history(path);
  for (std::uint64_t n = 1; n <= 4; ++n) history.store(batch_of(n, 1), {}, Lsn(n));
  SqliteDatabase tool(path, 1000);
  tool.execute("UPDATE tasks SET state = 99 WHERE row = 1");
  tool.execute("UPDATE tasks SET placements = x'00' WHERE row = 2");
  tool.execute("UPDATE tasks SET params_hash = x'00' WHERE row = 3");
  tool.execute("UPDATE tasks SET spec = 99 WHERE row = 4");
  for (std::uint64_t n = 1; n <= 4; ++n) {
    EXPECT_THROW((void)history.find_tasks(std::vector{TaskId(n, 0)}), std::runtime_error) << n;
  }
}

// Waits until `fd` is readable; false at the deadline.
bool wait_readable(int fd) {
  ::pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, 20'000) == 1;
}

constexpr std::size_t kKilledRows = 50;

// In a process of its own: stores batch after batch and tells each number once it is durable.
[[noreturn]] void store_until_killed(const std::filesystem::path& path, int report) {
  SqliteHistory history(path);
  for (std::uint64_t n = history.watermark().value() + 1;; ++n) {
    history.store(batch_of(n, kKilledRows), {}, Lsn(n));
    if (::write(report, &n, sizeof n) != static_cast<ssize_t>(sizeof n)) std::_Exit(1);
  }
}

TEST_F(SqliteHistoryTest, KilledAnywhereItKeepsWhatItPromised) {
  std::uint64_t promised = 0;
  for (int round = 0; round < 5; ++round) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe(ends), 0);
    const ::pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) store_until_killed(path, ends[1]);
    ::close(ends[1]);
    for (int batches = 0; batches <= 3 * round; ++batches) {
      ASSERT_TRUE(wait_readable(ends[0]));
      ASSERT_EQ(::read(ends[0], &promised, sizeof promised), static_cast<ssize_t>(sizeof promised));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    ::close(ends[0]);

    SqliteHistory history(path);
    const std::uint64_t watermark = history.watermark().value();
    EXPECT_GE(watermark, promised);
    for (std::uint64_t n = 1; n <= watermark + 1; ++n) {
      const bool stored = n <= watermark;
      const std::vector ends_of_batch = {TaskId(n, 0), TaskId(n, kKilledRows - 1)};
      EXPECT_EQ(history.find_tasks(ends_of_batch).size(), stored ? 2U : 0U) << n;
    }
  }
}

}  // namespace
}  // namespace taskpipe::broker
