#include "broker/journal/segment_format.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "broker/journal/byte_buffer.hpp"

namespace taskpipe::broker {
namespace {

SegmentHeader segment_header() {
  return SegmentHeader{JournalId(1, 2), 7, 0x1234, 1U << 20U, Lsn(99)};
}
BatchHeader batch_header() { return BatchHeader{100, 3, 0xabcd, Lsn(10), Epoch(2), Lsn(9)}; }

TEST(SegmentFormat, TheSegmentHeaderReturns) {
  const auto page = encode_segment_header(segment_header());
  const auto parsed = parse_segment_header(page);
  EXPECT_EQ(parsed.flaw, HeaderFlaw::none);
  EXPECT_EQ(parsed.header, segment_header());
}

TEST(SegmentFormat, EveryBitOfTheSegmentHeaderIsGuarded) {
  const auto page = encode_segment_header(segment_header());
  for (std::size_t i = 0; i < 68; ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto damaged = page;
      damaged[i] ^= static_cast<std::byte>(1U << bit);
      EXPECT_NE(parse_segment_header(damaged).flaw, HeaderFlaw::none) << i;
    }
  }
}

TEST(SegmentFormat, ANewerVersionIsToldFromDamage) {
  auto page = encode_segment_header(segment_header());
  store_little_endian(page.data() + 8, kFormatVersion + 1);
  const auto parsed = parse_segment_header(page);
  EXPECT_EQ(parsed.flaw, HeaderFlaw::newer_version);
  EXPECT_EQ(parsed.version, kFormatVersion + 1);
}

TEST(SegmentFormat, AShortOrForeignFileIsNoSegment) {
  const auto page = encode_segment_header(segment_header());
  EXPECT_EQ(parse_segment_header(std::span(page).first(100)).flaw, HeaderFlaw::not_a_segment);
  EXPECT_EQ(parse_segment_header({}).flaw, HeaderFlaw::not_a_segment);
  EXPECT_EQ(parse_segment_header(SegmentHeaderPage{}).flaw, HeaderFlaw::not_a_segment);
}

class BatchFormat : public ::testing::Test {
 protected:
  std::array<std::byte, kBatchHeaderBytes> encoded(const BatchHeader& header, std::uint32_t seed) {
    std::array<std::byte, kBatchHeaderBytes> bytes{};
    encode_batch_header(header, seed, bytes);
    return bytes;
  }
};

TEST_F(BatchFormat, TheBatchHeaderReturns) {
  const std::uint32_t seed = segment_header().checksum_seed();
  EXPECT_EQ(recognise_batch(encoded(batch_header(), seed), seed), batch_header());
}

TEST_F(BatchFormat, EveryBitOfTheBatchHeaderIsGuarded) {
  const auto bytes = encoded(batch_header(), 5);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto damaged = bytes;
      damaged[i] ^= static_cast<std::byte>(1U << bit);
      EXPECT_FALSE(recognise_batch(damaged, 5)) << i;
    }
  }
  EXPECT_FALSE(recognise_batch(std::span(bytes).first(kBatchHeaderBytes - 1), 5));
}

TEST_F(BatchFormat, ABatchOfAnotherLifeOfTheSegmentIsNotRecognised) {
  SegmentHeader other_generation = segment_header();
  other_generation.generation += 1;
  SegmentHeader other_salt = segment_header();
  other_salt.salt += 1;
  const auto bytes = encoded(batch_header(), segment_header().checksum_seed());
  EXPECT_FALSE(recognise_batch(bytes, other_generation.checksum_seed()));
  EXPECT_FALSE(recognise_batch(bytes, other_salt.checksum_seed()));
}

TEST(BatchHeaderNumbers, StrideAndLast) {
  EXPECT_EQ(batch_header().stride(), 152U);  // 48 + 100, up to a multiple of 8
  EXPECT_EQ(batch_header().last(), Lsn(12));
}

TEST(FileNames, ReturnAndAreStrict) {
  for (const FileKind kind : {FileKind::segment, FileKind::spare, FileKind::making}) {
    const auto parsed = parse_file_name(to_text(FileName{kind, 12345}));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->kind, kind);
    EXPECT_EQ(parsed->number, 12345U);
  }
  EXPECT_EQ(to_text(FileName{FileKind::segment, 7}), "0000000000000007.segment");
  for (const char* text : {"", "lock", "7.segment", "0000000000000007", "0000000000000007.segmentx",
                           "00000000000000007.segment", "000000000000000x.segment", ".segment"}) {
    EXPECT_FALSE(parse_file_name(text)) << text;
  }
}

}  // namespace
}  // namespace taskpipe::broker
