// Full disks and quotas: submits are refused in time, results still fit, and space that returns is
// noticed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/journal/log_on_fake_disk.hpp"

namespace taskpipe::broker {
namespace {

class SegmentSpace : public ::testing::Test, protected LogOnFakeDisk {
 protected:
  std::uint64_t segment() const { return options.segment_bytes; }
  // Commits as a broker does, which prepares in between, while submits are accepted.
  std::size_t commit_while_accepted() {
    std::size_t commits = 0;
    while (log->usage().accepts_submits && commits < 1000) {
      EXPECT_TRUE(commit(1, 1000));
      EXPECT_TRUE(log->refresh_space());
      EXPECT_TRUE(maintain());
      ++commits;
    }
    return commits;
  }
};

TEST_F(SegmentSpace, RefusesSubmitsBeforeTheDiskIsFullAndKeepsTheReserve) {
  disk.set_capacity(8 * segment());
  ASSERT_TRUE(open());
  ASSERT_TRUE(maintain());
  EXPECT_GT(commit_while_accepted(), 10U);
  EXPECT_FALSE(log->usage().accepts_submits);
  // The rest of the disk is taken by somebody else: the reserve is a matter of files we have.
  disk.set_capacity(0);
  std::uint64_t reserve = 0;
  while (reserve < options.reserve_bytes() / 2) {
    ASSERT_TRUE(commit(1, 1000));
    ASSERT_TRUE(maintain());
    reserve += 1000;
  }
  const Lsn last = log->written();
  disk.set_capacity(100 * segment());
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), last, 1000));
}

TEST_F(SegmentSpace, EndsClearlyWhenTheReserveIsUsedUp) {
  disk.set_capacity(6 * segment());
  ASSERT_TRUE(open());
  ASSERT_TRUE(maintain());
  commit_while_accepted();
  disk.set_capacity(0);
  SegmentLog::Status status;
  while (status) {
    const Lsn before = log->synced();
    status = commit(1, 1000);
    if (!status) {
      EXPECT_EQ(log->synced(), before);
    }
  }
  EXPECT_THAT(status.error().text, ::testing::HasSubstr("disk is full"));
  const Lsn last = log->synced();
  disk.set_capacity(100 * segment());
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), last, 1000));
}

TEST_F(SegmentSpace, AcceptsAgainWhenSpaceReturns) {
  disk.set_capacity(8 * segment());
  ASSERT_TRUE(open());
  ASSERT_TRUE(maintain());
  commit_while_accepted();
  ASSERT_FALSE(log->usage().accepts_submits);
  disk.set_capacity(12 * segment());
  ASSERT_TRUE(log->refresh_space());
  EXPECT_TRUE(log->usage().accepts_submits);
}

TEST_F(SegmentSpace, AcceptsAgainWhenSegmentsAreReleased) {
  disk.set_capacity(8 * segment());
  ASSERT_TRUE(open());
  ASSERT_TRUE(maintain());
  commit_while_accepted();
  ASSERT_TRUE(log->release_before(log->written()));
  EXPECT_TRUE(log->usage().accepts_submits);
}

TEST_F(SegmentSpace, AQuotaStopsSubmitsButNotResults) {
  options.max_bytes = 6 * segment();
  ASSERT_TRUE(open());
  ASSERT_TRUE(maintain());
  commit_while_accepted();
  std::uint64_t files = 0;
  for (const std::string& path : disk.paths()) files += disk.contents(path).size();
  EXPECT_LE(files, options.max_bytes);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(commit(1, 1000));
  EXPECT_FALSE(log->usage().accepts_submits);
}

TEST_F(SegmentSpace, ABacklogCountsAsUsed) {
  disk.set_capacity(8 * segment());
  ASSERT_TRUE(open());
  ASSERT_TRUE(maintain());
  EXPECT_TRUE(log->usage(0).accepts_submits);
  EXPECT_FALSE(log->usage(log->headroom_bytes()).accepts_submits);
}

TEST_F(SegmentSpace, AFolderThatIsFullFromTheStartIsToldWithARemedy) {
  disk.set_capacity(segment() / 2);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::storage);
  EXPECT_THAT(opened.error().text, ::testing::HasSubstr("free space"));
  disk.set_capacity(100 * segment());
  EXPECT_TRUE(open());
}

// statvfs promises space that a quota of the file system then refuses.
TEST_F(SegmentSpace, GoesOnWithoutSparesThatCannotBeMade) {
  ASSERT_TRUE(open());
  disk.fail_at(disk.operations() + 1, EDQUOT);  // the allocation of a spare
  ASSERT_TRUE(maintain());
  EXPECT_THAT(file_names(), ::testing::ElementsAre("0000000000000001.segment"));
  EXPECT_FALSE(log->usage().accepts_submits);
  ASSERT_TRUE(commit(1));
  ASSERT_TRUE(log->refresh_space());
  ASSERT_TRUE(maintain());
  EXPECT_TRUE(log->usage().accepts_submits);
}

}  // namespace
}  // namespace taskpipe::broker
