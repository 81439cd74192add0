#include "broker/journal/posix_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <vector>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::broker {
namespace {

class PosixDiskTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  taskpipe::testing::TemporaryFolder folder_;
  PosixDisk disk_;
};

TEST_F(PosixDiskTest, WritesReadsAndMeasures) {
  auto file = disk_.open(path("a"), OpenMode::create_new);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->allocate(10'000));
  EXPECT_EQ((*file)->size(), 10'000U);
  const std::vector<std::byte> bytes(300, std::byte{7});
  ASSERT_TRUE((*file)->write_at(9'800, bytes));
  ASSERT_TRUE((*file)->sync_data());
  (*file)->start_writeback(0, 10'000);
  EXPECT_EQ((*file)->size(), 10'100U);
  std::vector<std::byte> read(400);
  EXPECT_EQ((*file)->read_at(9'800, read), 300U);
  EXPECT_EQ(read[299], std::byte{7});
  EXPECT_EQ((*file)->read_at(20'000, read), 0U);
}

TEST_F(PosixDiskTest, CreatingReplacesAndOpeningDoesNotCreate) {
  EXPECT_EQ(disk_.open(path("a"), OpenMode::existing).error().code, ENOENT);
  {
    auto file = disk_.open(path("a"), OpenMode::create_new);
    ASSERT_TRUE((*file)->allocate(100));
  }
  EXPECT_EQ((*disk_.open(path("a"), OpenMode::existing))->size(), 100U);
  EXPECT_EQ((*disk_.open(path("a"), OpenMode::create_new))->size(), 0U);
}

TEST_F(PosixDiskTest, NamesChange) {
  ASSERT_TRUE(disk_.make_folder(path("sub")));
  ASSERT_TRUE(disk_.make_folder(path("sub")));
  ASSERT_TRUE(disk_.open(path("sub/b"), OpenMode::create_new));
  ASSERT_TRUE(disk_.open(path("sub/a"), OpenMode::create_new));
  ASSERT_TRUE(disk_.rename(path("sub/b"), path("sub/c")));
  EXPECT_THAT(*disk_.list(path("sub")), ::testing::ElementsAre("a", "c"));
  ASSERT_TRUE(disk_.remove(path("sub/a")));
  ASSERT_TRUE(disk_.sync_folder(path("sub")));
  EXPECT_THAT(*disk_.list(path("sub")), ::testing::ElementsAre("c"));
}

TEST_F(PosixDiskTest, FaultsNameOperationPathAndReason) {
  const auto missing = disk_.list(path("nowhere"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_THAT(missing.error().text, ::testing::HasSubstr("cannot list " + path("nowhere")));
  EXPECT_FALSE(disk_.rename(path("x"), path("y")));
  EXPECT_FALSE(disk_.remove(path("x")));
  EXPECT_FALSE(disk_.sync_folder(path("nowhere")));
  EXPECT_FALSE(disk_.free_bytes(path("nowhere")));
  std::ofstream(path("file")) << "text";
  EXPECT_EQ(disk_.make_folder(path("file")).error().code, EEXIST);
  EXPECT_EQ(disk_.make_folder(path("file/sub")).error().code, ENOTDIR);
}

TEST_F(PosixDiskTest, AFullFileSystemIsTold) {
  // A file system that refuses every byte.
  auto full = disk_.open("/dev/full", OpenMode::existing);
  if (!full) GTEST_SKIP() << "no /dev/full here";
  const std::vector<std::byte> bytes(10);
  const auto written = (*full)->write_at(0, bytes);
  ASSERT_FALSE(written);
  EXPECT_TRUE(written.error().is_full());
}

TEST_F(PosixDiskTest, LocksExcludeAndTellTheirHolder) {
  auto first = disk_.lock(path("lock"));
  ASSERT_TRUE(first);
  const auto second = disk_.lock(path("lock"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EWOULDBLOCK);
  EXPECT_EQ(second.error().text, std::to_string(::getpid()));
  first->reset();
  EXPECT_TRUE(disk_.lock(path("lock")));
}

TEST_F(PosixDiskTest, AReaderLocksWithoutWriting) {
  EXPECT_EQ(disk_.lock_existing(path("lock")).error().code, ENOENT);
  {
    const auto holder = disk_.lock(path("lock"));
    const auto refused = disk_.lock_existing(path("lock"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EWOULDBLOCK);
    EXPECT_EQ(refused.error().text, std::to_string(::getpid()));
  }
  const auto size = (*disk_.open(path("lock"), OpenMode::read_only))->size();
  const auto reader = disk_.lock_existing(path("lock"));
  ASSERT_TRUE(reader);
  EXPECT_EQ(disk_.lock(path("lock")).error().code, EWOULDBLOCK);
  EXPECT_EQ(*(*disk_.open(path("lock"), OpenMode::read_only))->size(), *size);
}

// The holder's number is for people; one that has ended would send them on a false track.
TEST_F(PosixDiskTest, ALockDoesNotNameAProcessThatHasEnded) {
  const auto reader = [this] {
    auto file = disk_.open(path("lock"), OpenMode::create_new);
    const std::string ended = "2147483646\n";  // above every pid_max
    EXPECT_TRUE((*file)->write_at(0, std::as_bytes(std::span(ended))));
    return disk_.lock_existing(path("lock"));
  }();
  ASSERT_TRUE(reader);
  EXPECT_EQ(disk_.lock(path("lock")).error().text, "");
}

TEST_F(PosixDiskTest, AFileForReadingCannotBeWritten) {
  ASSERT_TRUE(disk_.open(path("file"), OpenMode::create_new));
  const auto file = disk_.open(path("file"), OpenMode::read_only);
  ASSERT_TRUE(file);
  EXPECT_FALSE((*file)->write_at(0, std::vector<std::byte>(1)));
}

TEST_F(PosixDiskTest, KnowsHowMuchIsFree) {
  const auto free = disk_.free_bytes(folder_.path().string());
  ASSERT_TRUE(free);
  EXPECT_GT(*free, 0U);
}

}  // namespace
}  // namespace taskpipe::broker
