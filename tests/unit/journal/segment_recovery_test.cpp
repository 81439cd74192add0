// What a start makes of a folder: torn tails are cut, damage is refused, and nothing is invented.
#include "broker/journal/segment_recovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "broker/journal/byte_buffer.hpp"
#include "broker/journal/crc32c.hpp"
#include "tests/unit/journal/log_on_fake_disk.hpp"

namespace taskpipe::broker {
namespace {

using ::testing::HasSubstr;

class RecoveryTest : public ::testing::Test, protected LogOnFakeDisk {
 protected:
  void SetUp() override { ASSERT_TRUE(open()); }

  // Five batches of two records; the third batch knows that two records are durable, and so on.
  void commit_five() {
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(commit(2, 100));
  }
  void expect_refused(const std::string& what) {
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().text, HasSubstr(what));
  }
};

TEST_F(RecoveryTest, ReportsWhatItFound) {
  commit_five();
  ASSERT_TRUE(write(1, 100, Epoch(8)));
  ASSERT_TRUE(open());
  EXPECT_EQ(log->recovery().first, Lsn(1));
  EXPECT_EQ(log->recovery().last, Lsn(11));
  EXPECT_EQ(log->recovery().highest_epoch, Epoch(8));
  EXPECT_EQ(log->recovery().records, 11U);
  EXPECT_EQ(log->recovery().segments, 1U);
  EXPECT_EQ(log->recovery().cut_records, 0U);
  EXPECT_EQ(log->recovery().cut_bytes, 0U);
}

TEST_F(RecoveryTest, CutsATornTailAndCountsIt) {
  commit_five();
  ASSERT_TRUE(write(3, 100));  // never synced: nobody was told
  const auto offsets = batch_offsets(1);
  disk.flip_bit(segment_path(1), offsets.back() + kBatchHeaderBytes + 20, 3);
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(10), 100));
  EXPECT_EQ(log->recovery().cut_records, 3U);
  EXPECT_GT(log->recovery().cut_bytes, 300U);
  ASSERT_TRUE(commit(1, 100));
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(11), 100));
  EXPECT_EQ(log->recovery().cut_records, 0U);
}

// The first of two batches is torn, the second arrived whole. Later, a batch of just the length of
// the first one is written in its place, up to the end of a page, so that its padding leaves what
// follows alone: the second must not come back to life behind it.
TEST_F(RecoveryTest, WhatLiesBehindACutIsNeverRead) {
  ASSERT_TRUE(commit(1));
  std::size_t bytes = 0;  // that make a batch of one record end with the page
  const auto stride_of = [this](std::size_t record_bytes) {
    BatchBuffer group = log->make_buffer();
    EXPECT_FALSE(group.append(Epoch(1), Lsn(2),
                              taskpipe::testing::numbered_records(Lsn(2), 1, record_bytes)));
    return group.batches()[0].header.stride();
  };
  const std::uint64_t begin = batch_offsets(1)[0] + stride_of(0);
  while ((begin + stride_of(bytes)) % kPageBytes != 0) ++bytes;
  ASSERT_TRUE(write(1, bytes));
  ASSERT_TRUE(write(1, bytes));
  const auto offsets = batch_offsets(1);
  ASSERT_EQ(offsets.size(), 3U);
  ASSERT_EQ(offsets[2] % kPageBytes, 0U);
  disk.flip_bit(segment_path(1), offsets[1] + kBatchHeaderBytes + 20, 3);
  ASSERT_TRUE(open());
  EXPECT_EQ(log->written(), Lsn(1));
  EXPECT_EQ(log->recovery().cut_records, 2U);
  ASSERT_TRUE(commit(1, bytes));  // as long as the torn one, with the same number
  ASSERT_TRUE(open());
  EXPECT_EQ(log->written(), Lsn(2));
  EXPECT_EQ(batch_offsets(1).size(), 2U);
}

TEST_F(RecoveryTest, EveryFlippedBitBelowTheDurableLsnRefuses) {
  commit_five();
  const auto offsets = batch_offsets(1);
  ASSERT_EQ(offsets.size(), 5U);
  // Records 1 to 8 are known durable by the last batch; it alone proves nothing about itself.
  for (std::uint64_t at = kSegmentHeaderBytes; at < offsets[4]; ++at) {
    disk.flip_bit(segment_path(1), at, at % 8);
    const auto opened = open();
    const bool padding_was_hit = opened && replayed_exactly(Lsn(1), Lsn(10), 100);
    if (!padding_was_hit) {
      ASSERT_FALSE(opened) << "offset " << at;
      ASSERT_THAT(opened.error().text, HasSubstr("the journal is damaged: record "));
    }
    disk.flip_bit(segment_path(1), at, at % 8);
  }
  EXPECT_TRUE(open());
}

TEST_F(RecoveryTest, TheRefusalNamesFileOffsetAndRecord) {
  commit_five();
  const auto offsets = batch_offsets(1);
  disk.flip_bit(segment_path(1), offsets[2] + kBatchHeaderBytes + 5, 0);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::storage);
  EXPECT_THAT(opened.error().text, HasSubstr("record 5, in " + segment_path(1) + " at offset " +
                                             std::to_string(offsets[2])));
  EXPECT_THAT(opened.error().text, HasSubstr("up to record 8"));
  EXPECT_THAT(opened.error().text, HasSubstr("restore the data folder"));
}

TEST_F(RecoveryTest, ARefusedStartChangesNothing) {
  commit_five();
  disk.flip_bit(segment_path(1), batch_offsets(1)[1], 0);
  const auto before = disk.contents(segment_path(1));
  ASSERT_FALSE(open());
  EXPECT_EQ(disk.contents(segment_path(1)), before);
  disk.flip_bit(segment_path(1), kSegmentHeaderBytes, 0);  // a second damage
  ASSERT_FALSE(open());
}

TEST_F(RecoveryTest, AfterAnOrderlyEndTheLastRecordIsGuardedToo) {
  commit_five();
  ASSERT_TRUE(log->close());
  disk.flip_bit(segment_path(1), batch_offsets(1)[4] + kBatchHeaderBytes + 5, 0);
  expect_refused("up to record 10");
}

TEST_F(RecoveryTest, DamageInASealedSegmentRefuses) {
  while (log->usage().segments < 3) ASSERT_TRUE(commit(1, 1000));
  const auto first_segment = batch_offsets(1);
  for (const std::uint64_t offset : first_segment) {
    disk.flip_bit(segment_path(1), offset + kBatchHeaderBytes + 9, 2);
    ASSERT_FALSE(open()) << offset;
    disk.flip_bit(segment_path(1), offset + kBatchHeaderBytes + 9, 2);
  }
  EXPECT_TRUE(open());
}

TEST_F(RecoveryTest, ADamagedSegmentHeaderRefuses) {
  ASSERT_TRUE(commit(1));
  ASSERT_TRUE(maintain());
  disk.flip_bit(segment_path(1), 40, 2);
  expect_refused("damaged header");
  disk.flip_bit(segment_path(1), 40, 2);
  disk.flip_bit(segment_path(1), 0, 2);
  expect_refused("does not begin like a journal segment");
  disk.flip_bit(segment_path(1), 0, 2);
  disk.flip_bit(segment_path(2), 40, 2);  // the prepared one
  expect_refused("damaged header");
}

TEST_F(RecoveryTest, AGapBetweenSegmentsRefuses) {
  while (log->usage().segments < 4) ASSERT_TRUE(commit(1, 1000));
  disk.delete_file(segment_path(2));
  expect_refused(segment_path(2) + " is missing");
}

TEST_F(RecoveryTest, ATruncatedOrRenamedSegmentRefuses) {
  while (log->usage().segments < 3) ASSERT_TRUE(commit(1, 1000));
  const auto whole = disk.contents(segment_path(2));
  auto cut = whole;
  cut.resize(cut.size() / 2);
  disk.set_contents(segment_path(2), cut);
  expect_refused("instead of " + std::to_string(options.segment_bytes));
  disk.set_contents(segment_path(2), {});
  expect_refused("does not begin like a journal segment");
  disk.set_contents(segment_path(2), disk.contents(segment_path(3)));
  expect_refused("it was renamed");
}

TEST_F(RecoveryTest, ASegmentOfAnotherJournalRefuses) {
  while (log->usage().segments < 3) ASSERT_TRUE(commit(1, 1000));
  LogOnFakeDisk other;
  other.options.seed = 1000;
  ASSERT_TRUE(other.open());
  while (other.log->usage().segments < 3) ASSERT_TRUE(other.commit(1, 1000));
  disk.set_contents(segment_path(2), other.disk.contents(segment_path(2)));
  expect_refused("another journal");
}

TEST_F(RecoveryTest, ANewerFormatRefusesWithItsOwnCode) {
  ASSERT_TRUE(commit(1));
  auto bytes = disk.contents(segment_path(1));
  store_little_endian(bytes.data() + 8, kFormatVersion + 1);
  disk.set_contents(segment_path(1), bytes);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::version);
  EXPECT_THAT(opened.error().text, HasSubstr("newer taskpipe (journal format 4"));
}

TEST_F(RecoveryTest, AnUnknownRecordTypeRefusesEvenInTheTail) {
  ASSERT_TRUE(commit(1));
  ASSERT_TRUE(write(1));
  const auto offset = batch_offsets(1).back();
  auto bytes = disk.contents(segment_path(1));
  const auto seed = parse_segment_header(bytes).header.checksum_seed();
  auto header = *recognise_batch(std::span(bytes).subspan(offset), seed);
  ByteBuffer body;
  body.put_fixed32(2);
  body.put_byte(250);
  body.put_byte(0);
  std::memcpy(bytes.data() + offset + kBatchHeaderBytes, body.data(), body.size());
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.body_checksum = crc32c(0, body.bytes());
  encode_batch_header(
      header, seed,
      std::span<std::byte, kBatchHeaderBytes>(bytes.data() + offset, kBatchHeaderBytes));
  disk.set_contents(segment_path(1), bytes);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::version);
  EXPECT_THAT(opened.error().text, HasSubstr("record of type 250"));
}

TEST_F(RecoveryTest, ABatchOfAnOlderEpochIsNoContinuation) {
  ASSERT_TRUE(write(1, 0, Epoch(5)));
  ASSERT_TRUE(write(1, 0, Epoch(5)));
  const auto offset = batch_offsets(1).back();
  auto bytes = disk.contents(segment_path(1));
  const auto seed = parse_segment_header(bytes).header.checksum_seed();
  auto header = *recognise_batch(std::span(bytes).subspan(offset), seed);
  header.epoch = Epoch(4);
  encode_batch_header(
      header, seed,
      std::span<std::byte, kBatchHeaderBytes>(bytes.data() + offset, kBatchHeaderBytes));
  disk.set_contents(segment_path(1), bytes);
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(1)));
  EXPECT_EQ(log->recovery().cut_records, 1U);
}

// When the oldest retained segment cannot be read, nobody knows the numbers: never start over.
TEST_F(RecoveryTest, ADamagedOldestSegmentRefusesAlsoAfterARelease) {
  while (log->usage().segments < 3) ASSERT_TRUE(commit(1, 1000));
  ASSERT_TRUE(log->release_before(log->written().next()));
  ASSERT_EQ(log->usage().segments, 1U);
  disk.flip_bit(segment_path(3), kSegmentHeaderBytes + 60, 1);
  expect_refused("the oldest segment");
}

TEST_F(RecoveryTest, HalfMadeFilesAreRemovedAndForeignOnesLeftAlone) {
  ASSERT_TRUE(commit(1));
  disk.set_contents("/data/journal/0000000000000009.making", {});
  disk.set_contents("/data/journal/notes.txt", {std::byte{1}});
  ASSERT_TRUE(open());
  EXPECT_THAT(file_names(), ::testing::Not(::testing::Contains("0000000000000009.making")));
  EXPECT_THAT(file_names(), ::testing::Contains("notes.txt"));
}

TEST_F(RecoveryTest, WhatASyncLostIsNotTakenForDurableByTheNextStart) {
  ASSERT_TRUE(commit(2, 100));
  disk.fail_at(disk.operations() + 1, EIO);
  ASSERT_FALSE(commit(2, 100));
  // The process restarts on the same kernel: reads still show the records, the medium lacks them.
  ASSERT_TRUE(open());
  ASSERT_TRUE(replayed_exactly(Lsn(1), Lsn(4), 100));
  ASSERT_EQ(log->synced(), Lsn(4));
  disk.cut_power_now();
  disk.restore_power(0);
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(4), 100));
}

TEST_F(RecoveryTest, WithoutSyncsAPowerLossCutsAtTheFirstHole) {
  options.durability = Durability::os;
  ASSERT_TRUE(open());
  while (log->usage().segments < 4) ASSERT_TRUE(write(1, 1000));
  // Segment 2 lost its second batch, segments 3 and 4 arrived: nothing there was promised.
  const Lsn kept{static_cast<std::uint64_t>(batch_offsets(1).size()) + 1};
  disk.flip_bit(segment_path(2), batch_offsets(2)[1] + 3, 0);
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), kept, 1000));
  EXPECT_GT(log->recovery().cut_records, 10U);
  ASSERT_TRUE(commit(5, 1000));
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(kept.value() + 5), 1000));
}

TEST_F(RecoveryTest, AFaultWhileReadingOrSettlingIsReported) {
  commit_five();
  ASSERT_TRUE(write(1, 100));
  log.reset();
  for (std::uint64_t operation = 0;; ++operation) {
    disk.cut_power_at(disk.operations() + operation);
    const bool opened = open().has_value();
    const bool cut = disk.is_off();
    ASSERT_NE(opened, cut);
    if (opened) break;
    log.reset();
    disk.restore_power(1);
  }
  EXPECT_TRUE(replayed_exactly(Lsn(1), Lsn(11), 100));
}

}  // namespace
}  // namespace taskpipe::broker
