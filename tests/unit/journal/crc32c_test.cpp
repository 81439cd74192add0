#include "broker/journal/crc32c.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

namespace taskpipe::broker {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// RFC 3720, B.4, and the check value of the CRC catalogue.
TEST(Crc32c, MatchesThePublishedVectors) {
  for (const auto crc : {crc32c, crc32c_portable}) {
    EXPECT_EQ(crc(0, bytes_of("123456789")), 0xe3069283U);
    std::array<std::byte, 32> block{};
    EXPECT_EQ(crc(0, block), 0x8a9136aaU);
    block.fill(std::byte{0xff});
    EXPECT_EQ(crc(0, block), 0x62a8ab43U);
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(i);
    EXPECT_EQ(crc(0, block), 0x46dd794eU);
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(31 - i);
    EXPECT_EQ(crc(0, block), 0x113fdb5cU);
    EXPECT_EQ(crc(0, {}), 0U);
  }
}

TEST(Crc32c, TheInstructionAndTheTableAgreeAtEveryLengthAndAlignment) {
  std::mt19937_64 random(1);
  std::vector<std::byte> bytes(300);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t length = 0; length + begin <= bytes.size(); ++length) {
      const auto part = std::span(bytes).subspan(begin, length);
      ASSERT_EQ(crc32c(7, part), crc32c_portable(7, part)) << begin << " " << length;
    }
  }
}

TEST(Crc32c, GoesOnWhereItStopped) {
  const auto whole = bytes_of("the journal is the truth");
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    EXPECT_EQ(crc32c(crc32c(0, whole.first(cut)), whole.subspan(cut)), crc32c(0, whole));
  }
}

}  // namespace
}  // namespace taskpipe::broker
