#include "broker/journal/byte_buffer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

namespace taskpipe::broker {
namespace {

template <std::size_t Size>
ByteReader reader_of(const std::array<std::uint8_t, Size>& bytes) {
  return ByteReader(std::as_bytes(std::span(bytes)));
}

TEST(ByteBuffer, VarintsReturnAndTakeTheirShortestForm) {
  ByteBuffer buffer;
  std::vector<std::uint64_t> values = {
      0, 1, 127, 128, 16383, 16384, std::numeric_limits<std::uint64_t>::max()};
  for (unsigned bit = 0; bit < 64; ++bit) values.push_back(std::uint64_t{1} << bit);
  for (const std::uint64_t value : values) {
    buffer.clear();
    buffer.put_varint(value);
    ByteReader reader(buffer.bytes());
    EXPECT_EQ(reader.take_varint(), value);
    EXPECT_FALSE(reader.failed());
    EXPECT_EQ(reader.left(), 0U);
  }
  buffer.clear();
  buffer.put_varint(127);
  EXPECT_EQ(buffer.size(), 1U);
  buffer.put_varint(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(buffer.size(), 1U + kMaxVarintBytes);
}

TEST(ByteReader, RefusesVarintsThatArePaddedOverlongOrCut) {
  auto padded = std::array<std::uint8_t, 2>{0x80, 0x00};
  auto reader = reader_of(padded);
  reader.take_varint();
  EXPECT_TRUE(reader.failed());

  std::array<std::uint8_t, 11> overlong{};
  overlong.fill(0xff);
  reader = reader_of(overlong);
  reader.take_varint();
  EXPECT_TRUE(reader.failed());

  std::array<std::uint8_t, 10> sixty_five_bits{};
  sixty_five_bits.fill(0xff);
  sixty_five_bits[9] = 0x02;
  reader = reader_of(sixty_five_bits);
  reader.take_varint();
  EXPECT_TRUE(reader.failed());

  auto cut = std::array<std::uint8_t, 1>{0x80};
  reader = reader_of(cut);
  reader.take_varint();
  EXPECT_TRUE(reader.failed());
}

TEST(ByteReader, StaysFailed) {
  auto bytes = std::array<std::uint8_t, 3>{1, 2, 3};
  auto reader = reader_of(bytes);
  EXPECT_TRUE(reader.take_bytes(4).empty());
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.take_byte(), 0);
  EXPECT_EQ(reader.take_fixed32(), 0U);
  EXPECT_EQ(reader.left(), 3U);
}

TEST(ByteReader, ACountBeyondTheAddressSpaceFails) {
  auto bytes = std::array<std::uint8_t, 3>{1, 2, 3};
  auto reader = reader_of(bytes);
  EXPECT_TRUE(reader.take_bytes(std::numeric_limits<std::uint64_t>::max()).empty());
  EXPECT_TRUE(reader.failed());
}

TEST(Zigzag, IsABijection) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1},
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(unzigzag(zigzag(value)), value);
  }
  EXPECT_EQ(zigzag(-1), 1U);
  EXPECT_EQ(zigzag(1), 2U);
}

TEST(ByteBuffer, FixedIntegersAreLittleEndian) {
  ByteBuffer buffer;
  buffer.put_fixed32(0x04030201U);
  buffer.put_fixed64(0x0c0b0a0908070605ULL);
  ASSERT_EQ(buffer.size(), 12U);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(buffer.bytes()[i], static_cast<std::byte>(i + 1));
  ByteReader reader(buffer.bytes());
  EXPECT_EQ(reader.take_fixed32(), 0x04030201U);
  EXPECT_EQ(reader.take_fixed64(), 0x0c0b0a0908070605ULL);
}

TEST(ByteBuffer, KeepsItsMemoryUntilReset) {
  ByteBuffer buffer;
  buffer.put_zeros(100'000);
  const std::size_t capacity = buffer.capacity();
  buffer.clear();
  EXPECT_EQ(buffer.capacity(), capacity);
  buffer.reset();
  EXPECT_EQ(buffer.capacity(), 0U);
  buffer.put_byte(9);
  EXPECT_EQ(buffer.bytes()[0], std::byte{9});
}

}  // namespace
}  // namespace taskpipe::broker
