#include "broker/journal/segment_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/journal/log_on_fake_disk.hpp"

namespace taskpipe::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SegmentLogTest : public ::testing::Test, protected LogOnFakeDisk {
 protected:
  void SetUp() override { ASSERT_TRUE(open()); }
};

TEST_F(SegmentLogTest, AGroupTakesOneWriteAndOneSync) {
  ASSERT_TRUE(commit(1));
  const std::uint64_t before = disk.operations();
  ASSERT_TRUE(commit(20, 50));
  EXPECT_EQ(disk.operations(), before + 2);
}

TEST_F(SegmentLogTest, WrittenIsNotSynced) {
  ASSERT_TRUE(write(3));
  EXPECT_EQ(log->written(), Lsn(3));
  EXPECT_EQ(log->synced(), Lsn(0));
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(log->synced(), Lsn(3));
}

TEST_F(SegmentLogTest, PreparesTheNextSegmentAndTheReserve) {
  EXPECT_THAT(file_names(), ElementsAre("0000000000000001.segment"));
  ASSERT_TRUE(maintain());
  EXPECT_THAT(file_names(), ElementsAre("0000000000000001.segment", "0000000000000002.segment",
                                        "0000000000000003.spare"));
}

TEST_F(SegmentLogTest, RotatesIntoThePreparedSegmentWithoutMakingOne) {
  ASSERT_TRUE(maintain());
  const auto files = file_names();
  while (log->usage().segments == 1) ASSERT_TRUE(commit(1, 1000));
  EXPECT_EQ(file_names(), files);
}

TEST_F(SegmentLogTest, SyncsAFullSegmentBeforeTheNextOneIsWrittenTo) {
  while (log->usage().segments == 1) ASSERT_TRUE(write(1, 1000));
  EXPECT_EQ(log->synced(), log->usage().oldest_segment_last);
  EXPECT_LT(log->synced(), log->written());
}

// In recycled space, too: a page that is written whole need not be read first.
TEST_F(SegmentLogTest, EachWriteEndsWithZerosUpToThePage) {
  while (log->usage().segments < 4) ASSERT_TRUE(commit(1, 1000));
  ASSERT_TRUE(log->release_before(log->written()));
  while (log->usage().segments < 3) ASSERT_TRUE(commit(1, 1000));
  const auto generation = static_cast<std::uint64_t>(6);
  const auto bytes = disk.contents(segment_path(generation));
  const auto header = parse_segment_header(bytes).header;
  const std::uint64_t last = batch_offsets(generation).back();
  const auto batch = recognise_batch(std::span(bytes).subspan(last), header.checksum_seed());
  const std::uint64_t end = last + batch->stride();
  ASSERT_NE(end % kPageBytes, 0U);
  for (std::uint64_t at = end; at < round_up(end, kPageBytes); ++at) {
    ASSERT_EQ(bytes[at], std::byte{0}) << at;
  }
  EXPECT_NE(bytes[round_up(end, kPageBytes) + 60], std::byte{0});  // the former life
}

TEST_F(SegmentLogTest, RotatesAlsoWhenNothingWasPrepared) {
  while (log->usage().segments < 4) ASSERT_TRUE(commit(1, 1000));
  const Lsn last = log->written();
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), last, 1000));
}

TEST_F(SegmentLogTest, AGroupLargerThanASegmentIsSplitBetweenBatches) {
  ASSERT_TRUE(commit(100, 1000));
  EXPECT_GT(log->usage().segments, 5U);
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(100), 1000));
}

TEST_F(SegmentLogTest, AnOversizedRecordGetsASegmentOfItsOwnSize) {
  ASSERT_TRUE(commit(1));
  ASSERT_TRUE(maintain());
  ASSERT_TRUE(commit(1, 100'000));
  EXPECT_GE(disk.contents(segment_path(2)).size(), 100'000U);
  EXPECT_EQ(disk.contents(segment_path(2)).size() % kPageBytes, 0U);
  ASSERT_TRUE(commit(1, 9000));
  ASSERT_TRUE(commit(1, 9000));
  EXPECT_EQ(log->usage().segments, 4U);
  // It does not fit as a spare.
  ASSERT_TRUE(log->release_before(Lsn(4)));
  for (const std::string& path : disk.paths()) {
    EXPECT_EQ(disk.contents(path).size(), options.segment_bytes) << path;
  }
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed.back().first, Lsn(4));
}

TEST_F(SegmentLogTest, AnOversizedFirstRecordReplacesTheEmptySegment) {
  ASSERT_TRUE(maintain());
  ASSERT_TRUE(commit(1, 100'000));
  EXPECT_EQ(log->usage().segments, 1U);
  EXPECT_GE(disk.contents(segment_path(1)).size(), 100'000U);
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(1), 100'000));
}

TEST_F(SegmentLogTest, RecyclesRatherThanDeletes) {
  while (log->usage().segments < 4) ASSERT_TRUE(commit(1, 1000));
  const std::size_t files = disk.paths().size();
  ASSERT_TRUE(log->release_before(log->written()));
  EXPECT_EQ(log->usage().segments, 1U);
  EXPECT_EQ(disk.paths().size(), files);
  const std::uint64_t used = log->usage().bytes;
  while (log->usage().segments < 4) {
    ASSERT_TRUE(commit(1, 1000));
    ASSERT_TRUE(maintain());
  }
  EXPECT_GT(log->usage().bytes, used);
  EXPECT_LE(disk.paths().size(), files + 2);
}

TEST_F(SegmentLogTest, ReleasesNoMoreAtATimeThanItIsTold) {
  while (log->usage().segments < 5) ASSERT_TRUE(commit(1, 1000));
  EXPECT_EQ(log->release_before(log->written(), 2), true);
  EXPECT_EQ(log->usage().segments, 3U);
  EXPECT_EQ(log->release_before(log->written(), 2), false);
  EXPECT_EQ(log->usage().segments, 1U);
}

TEST_F(SegmentLogTest, KeepsABoundedNumberOfSpares) {
  while (log->usage().segments < 12) ASSERT_TRUE(commit(1, 1000));
  ASSERT_TRUE(log->release_before(log->written()));
  EXPECT_EQ(disk.paths().size(), 1 + options.max_spares);
  options.max_spares = 2;
  ASSERT_TRUE(open());
  EXPECT_EQ(disk.paths().size(), 1 + options.max_spares);
}

// Old batches fill the recycled space byte by byte like new ones; only the checksum tells.
TEST_F(SegmentLogTest, NeverReadsTheFormerLifeOfASegment) {
  for (int life = 0; life < 6; ++life) {
    while (log->usage().segments < 3) {
      ASSERT_TRUE(commit(1, 500));
    }
    ASSERT_TRUE(log->release_before(log->written()));
    ASSERT_TRUE(maintain());
    const Lsn last = log->written();
    ASSERT_TRUE(open());
    ASSERT_FALSE(replayed.empty());
    ASSERT_TRUE(replayed_exactly(replayed.front().first, last, 500));
    ASSERT_EQ(log->recovery().cut_records, 0U);
  }
}

TEST_F(SegmentLogTest, AChangedSegmentSizeTakesEffectWithTheNextSegment) {
  ASSERT_TRUE(commit(3));
  ASSERT_TRUE(maintain());
  options.segment_bytes *= 2;
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(3)));
  while (log->usage().segments < 3) ASSERT_TRUE(commit(1, 1000));
  EXPECT_EQ(disk.contents(segment_path(1)).size(), options.segment_bytes / 2);
  EXPECT_EQ(disk.contents(segment_path(2)).size(), options.segment_bytes);
}

TEST_F(SegmentLogTest, ClosingNotesWhatIsDurableOnce) {
  ASSERT_TRUE(commit(3));
  ASSERT_TRUE(log->close());
  EXPECT_EQ(batch_offsets(1).size(), 2U);
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(3)));
  ASSERT_TRUE(log->close());
  EXPECT_EQ(batch_offsets(1).size(), 2U);
  ASSERT_TRUE(open());
  ASSERT_TRUE(commit(2));
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(5)));
}

TEST_F(SegmentLogTest, ClosingAnEmptyJournalWritesNothing) {
  ASSERT_TRUE(log->close());
  EXPECT_TRUE(batch_offsets(1).empty());
}

TEST_F(SegmentLogTest, TheFirstFaultIsFinal) {
  ASSERT_TRUE(commit(2));
  disk.fail_at(disk.operations() + 1, EIO);  // the sync
  const auto failed = commit(1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::storage);
  EXPECT_THAT(failed.error().text, HasSubstr("0000000000000001.segment"));
  EXPECT_EQ(log->synced(), Lsn(2));
  EXPECT_FALSE(log->release_before(Lsn(1)));
  for (const auto& later : {log->sync(), commit(1), log->close()}) {
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error(), failed.error());
  }
  EXPECT_FALSE(log->maintain(1));
  EXPECT_TRUE(log->usage().accepts_submits) << "a failure says nothing about room";
}

TEST_F(SegmentLogTest, OsDurabilitySyncsOnlyWhatARecycledSegmentDependsOn) {
  options.durability = Durability::os;
  ASSERT_TRUE(open());
  while (log->usage().segments < 4) ASSERT_TRUE(write(1, 1000));
  EXPECT_EQ(log->synced(), Lsn(0));
  ASSERT_TRUE(log->release_before(log->usage().oldest_segment_last.next()));
  EXPECT_EQ(log->synced(), log->written());
  EXPECT_EQ(log->usage().segments, 3U);
}

TEST(SegmentLogOptionsTest, AreChecked) {
  const auto field_of = [](auto change) {
    SegmentLogOptions options;
    options.folder = "/data";
    change(options);
    const auto error = check_options(options);
    return error ? error->field : std::string();
  };
  EXPECT_EQ(field_of([](auto&) {}), "");
  EXPECT_EQ(field_of([](auto& o) { o.folder.clear(); }), "folder");
  EXPECT_EQ(field_of([](auto& o) { o.segment_bytes = 0; }), "segment_bytes");
  EXPECT_EQ(field_of([](auto& o) { o.segment_bytes += 1; }), "segment_bytes");
  EXPECT_EQ(field_of([](auto& o) { o.segment_bytes = 2 * limits::kMaxSegmentBytes; }),
            "segment_bytes");
  EXPECT_EQ(field_of([](auto& o) { o.max_bytes = 3 * o.segment_bytes; }), "max_bytes");
  EXPECT_EQ(field_of([](auto& o) { o.max_bytes = 4 * o.segment_bytes; }), "");
}

}  // namespace
}  // namespace taskpipe::broker
