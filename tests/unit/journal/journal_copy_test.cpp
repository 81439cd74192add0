// The copy of a journal that is written, rotated and recycled while it is copied.
#include "broker/journal/journal_copy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/journal/log_on_fake_disk.hpp"

namespace taskpipe::broker {
namespace {

using ::testing::HasSubstr;

// Another process's view of the disk, which lets something happen before it writes a file.
class CopierDisk final : public Disk {
 public:
  CopierDisk(Disk& disk, std::function<void(const std::string& path)> before_writing)
      : disk_(disk), before_writing_(std::move(before_writing)) {}
  DiskResult<> make_folder(const std::string& path) override { return disk_.make_folder(path); }
  DiskResult<std::vector<std::string>> list(const std::string& folder) override {
    return disk_.list(folder);
  }
  DiskResult<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::create_new) before_writing_(path);
    return disk_.open(path, mode);
  }
  DiskResult<> rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  DiskResult<> remove(const std::string& path) override { return disk_.remove(path); }
  DiskResult<> sync_folder(const std::string& folder) override { return disk_.sync_folder(folder); }
  DiskResult<std::uint64_t> free_bytes(const std::string& folder) override {
    return disk_.free_bytes(folder);
  }
  DiskResult<std::unique_ptr<DiskLock>> lock(const std::string& path) override {
    return disk_.lock(path);
  }
  DiskResult<std::unique_ptr<DiskLock>> lock_existing(const std::string& path) override {
    return disk_.lock_existing(path);
  }

 private:
  Disk& disk_;
  std::function<void(const std::string& path)> before_writing_;
};

class JournalCopyTest : public ::testing::Test, protected LogOnFakeDisk {
 protected:
  void SetUp() override {
    ASSERT_TRUE(open());
    ASSERT_TRUE(disk.make_folder("/copy"));
  }
  // `meanwhile` runs in the first attempt, after it is known which segments there are.
  tl::expected<RecoveryReport, Error> copy(const std::function<Lsn()>& meanwhile = {}) {
    attempts = 0;
    return copy_journal(disk, "/data", "/copy",
                        [&] { return ++attempts == 1 && meanwhile ? meanwhile() : Lsn(); });
  }
  void fill_segments(std::uint64_t count) {
    constexpr std::size_t kBytes = 8 * 1024;
    while (log->usage().segments < count) ASSERT_TRUE(commit(1, kBytes));
  }
  // What a broker finds that is started on the copy.
  RecoveryReport start_on_copy() {
    SegmentLogOptions there = options;
    there.folder = "/copy";
    const auto opened = SegmentLog::open(disk, there, [](Lsn, Record&&) {});
    if (!opened) {
      ADD_FAILURE() << opened.error().text;
      return {};
    }
    return (*opened)->recovery();
  }

  int attempts = 0;
};

TEST_F(JournalCopyTest, HoldsWhatTheJournalHolds) {
  fill_segments(3);
  const auto copied = copy();
  ASSERT_TRUE(copied) << copied.error().text;
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(copied->last, log->written());
  const RecoveryReport found = start_on_copy();
  EXPECT_EQ(found.first, Lsn(1));
  EXPECT_EQ(found.last, log->written());
  EXPECT_EQ(found.segments, 3U);
  EXPECT_EQ(found.cut_bytes, 0U);
}

TEST_F(JournalCopyTest, WhatIsRecycledMeanwhileIsNoticed) {
  fill_segments(4);
  const auto copied = copy([this] {
    EXPECT_TRUE(log->release_before(log->written(), 2));
    return Lsn();
  });
  ASSERT_TRUE(copied) << copied.error().text;
  EXPECT_EQ(attempts, 2) << "what the first moment did not have may be lost";
  EXPECT_GT(copied->first, Lsn(1));
  EXPECT_EQ(start_on_copy().last, log->written());
}

// Read already, so that nothing but the names can tell that what came next was read in time.
TEST_F(JournalCopyTest, WhatIsRecycledBehindTheReaderIsNoticedToo) {
  fill_segments(4);
  bool done = false;
  CopierDisk copier(disk, [&](const std::string& path) {
    if (done || !path.ends_with("3.segment")) return;
    done = true;
    EXPECT_TRUE(log->release_before(log->written(), 2));
  });
  const auto copied = copy_journal(copier, "/data", "/copy", [this] {
    ++attempts;
    return Lsn();
  });
  ASSERT_TRUE(copied) << copied.error().text;
  EXPECT_TRUE(done);
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(start_on_copy().last, log->written());
}

TEST_F(JournalCopyTest, ReachesWhatTheMomentNeeds) {
  fill_segments(1);
  const auto copied = copy([this] {
    fill_segments(4);  // in segments that the first look did not see
    return log->written();
  });
  ASSERT_TRUE(copied) << copied.error().text;
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(copied->last, log->written());
}

TEST_F(JournalCopyTest, WhatOvertookATornBatchIsNotCopied) {
  ASSERT_TRUE(commit(2, 100));
  ASSERT_TRUE(write(1, 100));
  ASSERT_TRUE(write(1, 100));
  disk.flip_bit(segment_path(1), batch_offsets(1)[1] + kBatchHeaderBytes + 20, 3);
  const auto copied = copy();
  ASSERT_TRUE(copied) << copied.error().text;
  EXPECT_EQ(copied->last, Lsn(2));
  EXPECT_EQ(start_on_copy().cut_bytes, 0U);
}

TEST_F(JournalCopyTest, DamageIsNotCopied) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(commit(2, 100));
  disk.flip_bit(segment_path(1), batch_offsets(1)[0] + kBatchHeaderBytes + 20, 3);
  const auto copied = copy();
  ASSERT_FALSE(copied);
  EXPECT_THAT(copied.error().text, HasSubstr("the journal is damaged: record 1"));
}

TEST_F(JournalCopyTest, ATargetThatIsFullEndsItAtOnce) {
  fill_segments(3);
  disk.set_capacity(1);
  const auto copied = copy();
  ASSERT_FALSE(copied);
  EXPECT_THAT(copied.error().text, HasSubstr("the copy cannot be written"));
  EXPECT_EQ(attempts, 1);
}

}  // namespace
}  // namespace taskpipe::broker
