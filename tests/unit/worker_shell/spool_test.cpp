// The spool on disk: what a restart finds, and what a damaged file does.
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/process/logging.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/worker_shell/awaited.hpp"
#include "worker/shell/spool_folder.hpp"
#include "worker/shell/spool_thread.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

AttemptKey key(std::uint64_t number) { return {TaskId(1, number), Epoch(2), Attempt(3)}; }

ResultItem result(std::uint64_t number, std::size_t report_bytes = 10) {
  ResultItem item;
  item.attempt = key(number);
  item.outcome.state = TaskState::failure;
  item.outcome.failure = FailureClass::exit;
  item.outcome.exit_code = 3;
  item.outcome.usage = {1, 2, 3, 4};
  item.outcome.reason = "exited with code 3";
  item.outcome.report = Payload(std::string(report_bytes, 'r'));
  return item;
}

class SpoolTest : public ::testing::Test {
 protected:
  SpoolFolder open() { return *SpoolFolder::open(folder_ / "spool"); }
  std::string content(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void overwrite(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::size_t file_count() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_ / "spool"), {}));
  }
  taskpipe::testing::TemporaryFolder folder_;
};

TEST_F(SpoolTest, ARestartFindsWhatWasWritten) {
  {
    SpoolFolder spool = open();
    // Inline, as a blob frame, and the largest there is.
    ASSERT_TRUE(spool.write(result(2)));
    ASSERT_TRUE(spool.write(result(1, 100'000)));
    ASSERT_TRUE(spool.write(result(3, limits::kMaxResultBytes)));
    ASSERT_TRUE(spool.sync(std::vector<AttemptKey>{key(1), key(2), key(3)}));
  }
  SpoolFolder spool = open();
  auto loaded = spool.load();
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->warnings.empty());
  EXPECT_EQ(loaded->results, (std::vector<ResultItem>{result(1, 100'000), result(2),
                                                      result(3, limits::kMaxResultBytes)}));
  spool.remove(key(2));
  spool.remove(key(2));
  EXPECT_EQ(spool.load()->results.size(), 2U);
}

TEST_F(SpoolTest, WritingAgainReplaces) {
  SpoolFolder spool = open();
  ASSERT_TRUE(spool.write(result(1)));
  ASSERT_TRUE(spool.write(result(1, 20)));
  EXPECT_EQ(spool.load()->results, (std::vector<ResultItem>{result(1, 20)}));
}

TEST_F(SpoolTest, EveryTornFileIsSetAsideAndKept) {
  SpoolFolder spool = open();
  ASSERT_TRUE(spool.write(result(1)));
  const fs::path path = spool.file_of(key(1));
  const std::string whole = content(path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    overwrite(path, whole.substr(0, length));
    const auto loaded = spool.load();
    ASSERT_TRUE(loaded);
    EXPECT_TRUE(loaded->results.empty()) << length;
    ASSERT_EQ(loaded->warnings.size(), 1U) << length;
    EXPECT_NE(loaded->warnings[0].find(path.filename().string()), std::string::npos);
    EXPECT_FALSE(fs::exists(path));
    EXPECT_TRUE(fs::exists(path.string() + ".corrupt"));
  }
  EXPECT_TRUE(spool.load()->warnings.empty());
}

TEST_F(SpoolTest, EveryFlippedByteIsNoticed) {
  SpoolFolder spool = open();
  ASSERT_TRUE(spool.write(result(1)));
  const fs::path path = spool.file_of(key(1));
  const std::string whole = content(path);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    overwrite(path, damaged);
    EXPECT_TRUE(spool.load()->results.empty()) << at;
  }
}

TEST_F(SpoolTest, AFileUnderAnotherNameIsNotBelieved) {
  SpoolFolder spool = open();
  ASSERT_TRUE(spool.write(result(1)));
  fs::rename(spool.file_of(key(1)), spool.file_of(key(2)));
  const auto loaded = spool.load();
  EXPECT_TRUE(loaded->results.empty());
  EXPECT_EQ(loaded->warnings.size(), 1U);
}

TEST_F(SpoolTest, AnInterruptedWriteLeavesNothing) {
  SpoolFolder spool = open();
  overwrite(spool.file_of(key(1)).string() + ".unfinished", "TPSPOOL1 half");
  overwrite(folder_ / "spool" / "README", "not ours");
  const auto loaded = spool.load();
  EXPECT_TRUE(loaded->results.empty());
  EXPECT_TRUE(loaded->warnings.empty());
  EXPECT_EQ(file_count(), 1U);
}

TEST_F(SpoolTest, TheFileOfAForgottenResultHoldsALaterOne) {
  SpoolFolder spool = open();
  const auto inode = [](const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_ino;
  };
  ASSERT_TRUE(spool.write(result(1, 1000)));
  const auto first = inode(spool.file_of(key(1)));
  spool.remove(key(1));
  EXPECT_FALSE(fs::exists(spool.file_of(key(1))));
  ASSERT_TRUE(spool.write(result(2, 10)));  // shorter than what was there
  EXPECT_EQ(inode(spool.file_of(key(2))), first);
  spool.remove(key(2));
  ASSERT_TRUE(spool.write(result(3, 3000)));
  EXPECT_EQ(inode(spool.file_of(key(3))), first);
  EXPECT_EQ(file_count(), 1U);
  EXPECT_EQ(spool.load()->results, (std::vector<ResultItem>{result(3, 3000)}));
}

TEST_F(SpoolTest, ARestartFindsNoResultInASpareFile) {
  {
    SpoolFolder spool = open();
    ASSERT_TRUE(spool.write(result(1)));
    spool.remove(key(1));
  }
  EXPECT_EQ(file_count(), 1U);
  SpoolFolder spool = open();
  EXPECT_TRUE(spool.load()->results.empty());
  EXPECT_EQ(file_count(), 0U);
}

TEST_F(SpoolTest, SpareFilesAreBounded) {
  SpoolFolder spool = open();
  ASSERT_TRUE(spool.write(result(1000, 2 * kMaxSpareSpoolFileBytes)));
  spool.remove(key(1000));
  EXPECT_EQ(file_count(), 0U);
  for (std::uint64_t i = 0; i < kMaxSpareSpoolFiles + 5; ++i) ASSERT_TRUE(spool.write(result(i)));
  for (std::uint64_t i = 0; i < kMaxSpareSpoolFiles + 5; ++i) spool.remove(key(i));
  EXPECT_EQ(file_count(), kMaxSpareSpoolFiles);
}

TEST_F(SpoolTest, TheFileOfAForgottenResultGoesWhereItCannotBeASpareOne) {
  SpoolFolder spool = open();
  ASSERT_TRUE(spool.write(result(1)));
  ASSERT_TRUE(fs::create_directory(folder_ / "spool" / "spare-1.unfinished"));
  spool.remove(key(1));
  EXPECT_FALSE(fs::exists(spool.file_of(key(1))));
}

// After a power loss the name may be back while the file holds a later result already.
TEST_F(SpoolTest, ASpareFileThatTookItsOldNameBackIsNotBelieved) {
  SpoolFolder spool = open();
  ASSERT_TRUE(spool.write(result(1)));
  spool.remove(key(1));
  ASSERT_TRUE(spool.write(result(2)));
  fs::rename(spool.file_of(key(2)), spool.file_of(key(1)));
  const auto loaded = spool.load();
  EXPECT_TRUE(loaded->results.empty());
  EXPECT_EQ(loaded->warnings.size(), 1U);
}

TEST_F(SpoolTest, AFolderThatCannotBeMadeIsAnErrorWithARemedy) {
  overwrite(folder_ / "spool", "a file is in the way");
  const auto opened = SpoolFolder::open(folder_ / "spool");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::storage);
  EXPECT_EQ(opened.error().field, "work-dir");
}

class SpoolThreadTest : public SpoolTest {
 protected:
  process::Logger logger_{
      {"test", process::LogLevel::error, process::LogFormat::text, (folder_ / "log").string()}};
  CommandMailbox commands_;
};

TEST_F(SpoolThreadTest, ConfirmsWhatIsKept) {
  {
    SpoolThread thread(open(), commands_, logger_);
    for (std::uint64_t i = 0; i < 20; ++i) thread.store({result(i)});
    const auto commands = testing::take_commands(commands_, 20);
    ASSERT_EQ(commands.size(), 20U);
    for (std::uint64_t i = 0; i < 20; ++i) {
      const auto& stored = std::get<command::SpoolStored>(commands[i]);
      EXPECT_EQ(stored.attempt, key(i));
      EXPECT_TRUE(stored.kept);
    }
    for (std::uint64_t i = 0; i < 19; ++i) thread.drop({key(i)});
  }
  EXPECT_EQ(open().load()->results, (std::vector<ResultItem>{result(19)}));
}

TEST_F(SpoolThreadTest, AStoreAndADropKeepTheirOrder) {
  {
    SpoolThread thread(open(), commands_, logger_);
    thread.store({result(1)});
    thread.drop({key(1)});
    thread.store({result(2)});
  }
  EXPECT_EQ(open().load()->results, (std::vector<ResultItem>{result(2)}));
}

// Whether the disk was asked shows in a file that it cannot sync: one that is gone.
TEST_F(SpoolThreadTest, SyncsOnlyWhatIsStillThereAfterAWhile) {
  const auto complaints = [this] { return content(folder_ / "log"); };
  {
    SpoolThread thread(open(), commands_, logger_, std::chrono::milliseconds(0));
    thread.store({result(1)});
    ASSERT_EQ(testing::take_commands(commands_, 1).size(), 1U);
  }
  EXPECT_EQ(complaints(), "");
  for (const bool dropped : {true, false}) {
    SpoolThread thread(open(), commands_, logger_, std::chrono::hours(1));
    thread.store({result(2)});
    ASSERT_EQ(testing::take_commands(commands_, 1).size(), 1U);
    fs::remove(open().file_of(key(2)));
    if (dropped) thread.drop({key(2)});
    EXPECT_EQ(complaints(), "") << "an acknowledged result was synced";
  }
  EXPECT_THAT(complaints(), ::testing::HasSubstr("may not survive a power loss"))
      << "an end leaves what it has written to chance";
}

TEST_F(SpoolThreadTest, SyncsWithoutBeingAskedAgain) {
  SpoolThread thread(open(), commands_, logger_, std::chrono::milliseconds(50));
  constexpr std::uint64_t kMany = 20;  // one of them is gone in time, however busy the host
  for (std::uint64_t i = 0; i < kMany; ++i) {
    thread.store({result(i)});
    ASSERT_EQ(testing::take_commands(commands_, 1).size(), 1U);
    fs::remove(open().file_of(key(i)));
  }
  const auto deadline = std::chrono::steady_clock::now() + testing::kPatience;
  while (content(folder_ / "log").empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_THAT(content(folder_ / "log"), ::testing::HasSubstr("may not survive a power loss"));
}

TEST_F(SpoolThreadTest, SaysWhenTheDiskRefuses) {
  SpoolFolder spool = open();
  fs::remove(folder_ / "spool");
  SpoolThread thread(std::move(spool), commands_, logger_);
  thread.store({result(1)});
  const auto commands = testing::take_commands(commands_, 1);
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_FALSE(std::get<command::SpoolStored>(commands[0]).kept);
}

}  // namespace
}  // namespace taskpipe::worker
