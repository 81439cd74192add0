#include "common/protocol/envelope.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/protocol/golden.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol {
namespace {

Header sample_header() {
  Header header;
  header.type = 0x10;
  header.flags = kFlagResend;
  header.blob_count = 0x0203;
  header.correlation = Correlation(0x0405060708090a0b);
  header.session = SessionId(0x0c0d0e0f10111213);
  return header;
}

TEST(Envelope, HeaderHasTheDocumentedLayout) {
  const HeaderBytes bytes = encode_header(sample_header());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_EQ(samples::to_hex(text),
            "5450011000010203"
            "0405060708090a0b"
            "0c0d0e0f10111213");
}

TEST(Envelope, HeaderSurvivesTheRoundTrip) {
  const auto decoded = decode_header(encode_header(sample_header()));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, sample_header());
}

TEST(Envelope, EveryOtherSizeIsMalformed) {
  const std::string bytes(64, '\x54');
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    if (size == kHeaderBytes) continue;
    const auto decoded = decode_header(samples::view(bytes).first(size));
    ASSERT_FALSE(decoded.has_value()) << size;
    EXPECT_EQ(decoded.error().code, ErrorCode::malformed);
    EXPECT_EQ(decoded.error().field, "header");
  }
}

TEST(Envelope, WrongMagicIsMalformed) {
  for (const std::size_t at : {0U, 1U}) {
    HeaderBytes bytes = encode_header(sample_header());
    bytes[at] ^= std::byte{1};
    const auto decoded = decode_header(bytes);
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(decoded.error().code, ErrorCode::malformed);
  }
}

TEST(Envelope, AnotherMajorVersionIsToldApart) {
  for (const unsigned char major : {'\0', '\2', '\x7f'}) {
    HeaderBytes bytes = encode_header(sample_header());
    bytes[2] = std::byte{major};
    const auto decoded = decode_header(bytes);
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(decoded.error().code, ErrorCode::version);
  }
}

TEST(Envelope, TypesAndNamesAreUniqueAndMatchTheSamples) {
  std::set<MessageType> types;
  for (const auto& sample : samples::all()) {
    const MessageType type = type_code(sample.message);
    types.insert(type);
    EXPECT_EQ(name_of(type), sample.name.substr(0, sample.name.find(' ')));
  }
  EXPECT_EQ(types.size(), std::variant_size_v<MessageVariant>);
}

TEST(Envelope, UnusedNumbersHaveNoName) {
  EXPECT_EQ(name_of(MessageType{0}), "?");
  EXPECT_EQ(name_of(MessageType{8}), "?");
  EXPECT_EQ(name_of(MessageType{255}), "?");
}

}  // namespace
}  // namespace taskpipe::protocol
