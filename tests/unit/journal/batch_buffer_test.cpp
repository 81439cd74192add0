#include "broker/journal/batch_buffer.hpp"

#include <gtest/gtest.h>

#include "broker/journal/record_codec.hpp"
#include "tests/support/record_samples.hpp"

namespace taskpipe::broker {
namespace {

using taskpipe::testing::numbered_record;
using taskpipe::testing::numbered_records;

constexpr Epoch kEpoch{1};

TEST(BatchBuffer, JoinsAppendsIntoOneBatch) {
  BatchBuffer buffer(10'000);
  EXPECT_TRUE(buffer.empty());
  EXPECT_FALSE(buffer.append(kEpoch, Lsn(1), numbered_records(Lsn(1), 2)));
  EXPECT_FALSE(buffer.append(kEpoch, Lsn(3), numbered_records(Lsn(3), 1)));
  ASSERT_EQ(buffer.batches().size(), 1U);
  EXPECT_EQ(buffer.batches()[0].header.first, Lsn(1));
  EXPECT_EQ(buffer.batches()[0].header.records, 3U);
  EXPECT_EQ(buffer.last(), Lsn(3));
}

TEST(BatchBuffer, BeginsABatchAtTheSizeAndAtANewEpoch) {
  BatchBuffer buffer(100);
  EXPECT_FALSE(buffer.append(kEpoch, Lsn(1), numbered_records(Lsn(1), 3, 120)));
  EXPECT_EQ(buffer.batches().size(), 3U);
  EXPECT_FALSE(buffer.append(kEpoch, Lsn(4), numbered_records(Lsn(4), 1)));
  EXPECT_FALSE(buffer.append(Epoch(2), Lsn(5), numbered_records(Lsn(5), 1)));
  ASSERT_EQ(buffer.batches().size(), 5U);
  EXPECT_EQ(buffer.batches()[4].header.epoch, Epoch(2));
  for (const BufferedBatch& batch : buffer.batches()) EXPECT_EQ(batch.offset % kBatchAlignment, 0U);
}

TEST(BatchBuffer, StampedBatchesAreRecognisedAndHoldTheirRecords) {
  BatchBuffer buffer(64);
  EXPECT_FALSE(buffer.append(kEpoch, Lsn(5), numbered_records(Lsn(5), 6)));
  ASSERT_GT(buffer.batches().size(), 1U);
  buffer.seal(kPageBytes);
  Lsn lsn(5);
  for (std::size_t i = 0; i < buffer.batches().size(); ++i) {
    buffer.stamp(i, Lsn(4), 77);
    const BufferedBatch& batch = buffer.batches()[i];
    const auto header = recognise_batch(buffer.bytes(batch.offset, kBatchHeaderBytes), 77);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->durable, Lsn(4));
    EXPECT_EQ(header->first, lsn);
    const auto body = buffer.bytes(batch.offset + kBatchHeaderBytes, header->body_bytes);
    EXPECT_TRUE(body_is_intact(*header, body));
    ByteReader reader(body);
    for (std::uint32_t n = 0; n < header->records; ++n, lsn = lsn.next()) {
      const auto record = decode_record(reader.take_bytes(reader.take_fixed32()));
      ASSERT_TRUE(record);
      EXPECT_EQ(*record, numbered_record(lsn));
    }
    EXPECT_EQ(reader.left(), 0U);
  }
  EXPECT_EQ(lsn, Lsn(11));
}

TEST(BatchBuffer, IsEmptyAfterClear) {
  BatchBuffer buffer;
  EXPECT_FALSE(buffer.append(kEpoch, Lsn(1), numbered_records(Lsn(1), 2)));
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.size_bytes(), 0U);
  EXPECT_FALSE(buffer.append(kEpoch, Lsn(9), numbered_records(Lsn(9), 1)));
  EXPECT_EQ(buffer.batches()[0].header.first, Lsn(9));
}

}  // namespace
}  // namespace taskpipe::broker
